"""Metrics of pairs beside scikit-image 0.26.0, torchmetrics 1.9.0 and lpips 0.1.4; VGG16 beside torch-fidelity 0.4.0.

Required: PSNR, l1, l2 and SSIM 1e-6; MS-SSIM 1e-4; LPIPS 1e-5 on one random backbone for both, with the published channel
weights; VGG16 1e-4 on one random state dict for both.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.features import lpips as features
from genbench.features.lpips import BACKBONES, LPIPS
from genbench.features.vgg16 import VGG16
from genbench.metrics import l1, l2, lpips, ms_ssim, psnr, ssim

pytestmark = pytest.mark.parity


def images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """uint8 (count, 3, height, width): patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (height, width), mode="bicubic")
    grain = torch.randn(count, 3, height, width, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


def degraded(x: Tensor, seed: int = 1) -> Tensor:
    """From left to right of the batch, more and more another image."""
    shares = torch.linspace(0.02, 1, len(x)).view(-1, 1, 1, 1)
    return ((1 - shares) * x + shares * images(len(x), *x.shape[2:], seed=seed)).round().to(torch.uint8)


SIZES = [(32, 32), (64, 45)]


@pytest.mark.parametrize("size", SIZES)
def test_psnr_and_pixel_errors(size: tuple[int, int]) -> None:
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
    from torchmetrics.functional import mean_absolute_error

    x = images(6, *size)
    y = degraded(x)
    pairs = list(zip(x.numpy(), y.numpy(), strict=True))
    decibels = [peak_signal_noise_ratio(b, a, data_range=255) for a, b in pairs]
    np.testing.assert_allclose(psnr.per_pair(x=x, y=y, cap=100)["psnr"].numpy(), decibels, rtol=1e-6)
    squared = [mean_squared_error(a / 255, b / 255) for a, b in pairs]
    np.testing.assert_allclose(l2.per_pair(x=x, y=y)["l2"].numpy(), squared, rtol=1e-6)
    absolute = [float(mean_absolute_error(a.double() / 255, b.double() / 255)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(l1.per_pair(x=x, y=y)["l1"].numpy(), absolute, rtol=1e-6)


SSIM_SETTINGS: dict[str, dict[str, Any]] = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("protocol", ssim.metric.protocols)
def test_ssim(protocol: str, size: tuple[int, int]) -> None:
    from skimage.metrics import structural_similarity

    x = images(6, *size)
    y = degraded(x)
    settings = SSIM_SETTINGS[protocol]
    expected = [
        structural_similarity(a, b, data_range=255, channel_axis=0, **settings)
        for a, b in zip(x.numpy(), y.numpy(), strict=True)
    ]
    got = ssim.per_pair(x=x, y=y, **ssim.metric.protocols[protocol])["ssim"]
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-6)
    assert max(expected) > 0.9
    assert min(expected) < 0.2


MS_SSIM_SETTINGS: dict[str, tuple[dict[str, Any], list[tuple[int, int]]]] = {
    "": ({}, [(176, 176), (200, 181)]),
    "small": ({"sigma": 0.75, "kernel_size": 7}, [(32, 32), (28, 28), (45, 64)]),
}


@pytest.mark.parametrize("protocol", ms_ssim.metric.protocols)
def test_ms_ssim(protocol: str) -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    settings, sizes = MS_SSIM_SETTINGS[protocol]
    scales = ms_ssim.metric.protocols[protocol]["scales"]
    betas = tuple(beta * sum(ms_ssim.BETAS) / sum(ms_ssim.BETAS[:scales]) for beta in ms_ssim.BETAS[:scales])
    for size in sizes:
        x = images(4, *size)
        y = degraded(x)
        got = ms_ssim.per_pair(x=x, y=y, **ms_ssim.metric.protocols[protocol])["ms_ssim"]
        expected = multiscale_structural_similarity_index_measure(
            x.float(), y.float(), data_range=255.0, betas=betas, reduction="none", **settings
        )
        torch.testing.assert_close(got, expected.double(), rtol=0, atol=1e-4)
        assert got.min() < 0.6
        assert got.max() > 0.9


@pytest.mark.parametrize("least", [176, 28])
def test_torchmetrics_has_the_same_least_size_for_ms_ssim(least: int) -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as theirs

    settings: dict[str, Any] = {} if least == 176 else {"sigma": 0.75, "kernel_size": 7, "betas": ms_ssim.BETAS[:3]}
    x = images(1, least, least).float()
    assert float(theirs(x, x, data_range=255.0, **settings)) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="must be larger"):
        theirs(x[..., 1:], x[..., 1:], data_range=255.0, **settings)


# LPIPS


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_lpips(name: str) -> None:
    import lpips as package
    from torchvision import models

    backbone = BACKBONES[name]
    with warnings.catch_warnings():  # its old way of asking torchvision for a network
        warnings.simplefilter("ignore")
        theirs = package.LPIPS(net=name, pnet_rand=True, verbose=False)
    torch.manual_seed(0)
    layers = models.get_model(backbone.torchvision, weights=None).features[: max(backbone.taps) + 1]
    slices = [child for _, child in sorted(theirs.net.named_children())]
    by_index = {index: layer for part in slices for index, layer in part.named_children()}
    for index, layer in layers.named_children():
        by_index[index].load_state_dict(layer.state_dict())

    heads = features._heads(features._heads_path(name), backbone)
    ours = LPIPS(layers, heads, input=name, precision="fp32", weights_sha256="", heads_sha256="").eval()
    for size in [(32, 32), (64, 64), (70, 101)]:
        x = images(3, *size)
        y = degraded(x)
        with torch.no_grad():
            expected = theirs(x / 127.5 - 1, y / 127.5 - 1).flatten().double()
        got = lpips.per_pair(x=ours(x, ["stack"])["stack"], y=ours(y, ["stack"])["stack"])["lpips"]
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)
        assert got.max() > 1e-3


# VGG16


def test_vgg16(tmp_path: Path) -> None:
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
    from torchvision.models import vgg16

    torch.manual_seed(0)
    network = vgg16(weights=None)  # convolutions as He et al. 2015 draw them; linear layers need larger numbers to matter
    with torch.no_grad():
        for index in (0, 3, 6):
            network.classifier[index].weight.mul_(5)
    path = tmp_path / "random.pth"
    torch.save(network.state_dict(), path)
    x = torch.cat([images(2, 40, 33), images(2, 40, 33, seed=1) // 2])
    ours = VGG16.load(input="tf", precision="fp32", weights=path)(x, ["pool", "logits"])
    theirs = FeatureExtractorVGG16("vgg16", ["fc2_relu"], feature_extractor_weights_path=str(path))(x)[0]
    scale = float(theirs.abs().max())
    assert float(theirs.std(0).mean()) > 1e-3 * scale
    torch.testing.assert_close(ours["pool"], theirs, rtol=1e-4, atol=1e-4 * scale)
    logits = F.linear(theirs, network.classifier[6].weight, network.classifier[6].bias).detach()
    torch.testing.assert_close(ours["logits"], logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
