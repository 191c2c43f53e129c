"""The extractor of LPIPS on random backbones with the published channel weights; parity with the package is in tests/parity."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from genbench import catalog
from genbench.errors import DataError, SetupError, UsageError
from genbench.features import lpips as features
from genbench.features.lpips import BACKBONES, LPIPS
from genbench.metrics import lpips as distance

VARIANTS = sorted(BACKBONES)


def images(count: int = 3, size: int = 40, seed: int = 0) -> Tensor:
    """uint8 (count, 3, size, size): patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (size, size), mode="bicubic")
    grain = torch.randn(count, 3, size, size, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


def random_lpips(name: str, precision: str = "fp32") -> LPIPS:
    """The published channel weights on a backbone without training; a file of weights would take half a gigabyte."""
    from torchvision import models

    backbone = BACKBONES[name]
    torch.manual_seed(0)
    layers = models.get_model(backbone.torchvision, weights=None).features[: max(backbone.taps) + 1]
    heads = features._heads(features._heads_path(name), backbone)
    return LPIPS(layers, heads, input=name, precision=precision, weights_sha256="", heads_sha256="").eval()  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=VARIANTS)
def extractor(request: pytest.FixtureRequest) -> LPIPS:
    return random_lpips(request.param)


@pytest.fixture(scope="module")
def squeeze() -> LPIPS:
    return random_lpips("squeeze")


def stack(extractor: LPIPS, x: Tensor) -> Tensor:
    return extractor(x, ["stack"])["stack"]


def value(extractor: LPIPS, x: Tensor, y: Tensor) -> Tensor:
    return distance.per_pair(x=stack(extractor, x), y=stack(extractor, y))["lpips"]


def test_the_catalogue_finds_it() -> None:
    assert catalog.find("extractors", "lpips") is LPIPS


def test_zero_for_identical_images_symmetric_and_positive(extractor: LPIPS) -> None:
    x, y = images(seed=0), images(seed=1)
    assert not value(extractor, x, x).any()
    assert torch.equal(value(extractor, x, y), value(extractor, y, x))
    assert (value(extractor, x, y) > 0).all()


def test_every_place_of_every_layer_has_the_length_of_its_weights(extractor: LPIPS) -> None:
    """Unit features with equal weights for all channels would give |φ|² = Σ of those weights: here a bound by the largest."""
    heads = features._heads(features._heads_path(extractor.input), BACKBONES[extractor.input])
    lengths = stack(extractor, images()).square().sum(1)
    assert (lengths <= sum(float(head.max()) for head in heads)).all()
    assert (lengths >= sum(float(head.min()) for head in heads)).all()


def test_the_same_in_any_batch_and_without_gradients(extractor: LPIPS, monkeypatch: pytest.MonkeyPatch) -> None:
    x = images(5)
    whole = stack(extractor, x)
    assert whole.dtype == torch.float32
    assert not whole.requires_grad
    alone = torch.cat([stack(extractor, image[None]) for image in x])
    torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(features, "CPU_CHUNK", 2)
    torch.testing.assert_close(stack(extractor, x), whole, rtol=1e-4, atol=1e-5)


def test_rises_with_noise_and_blur(squeeze: LPIPS) -> None:
    x = images(6)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    noisy = [(x + sigma * noise).round().clamp(0, 255).to(torch.uint8) for sigma in (0, 4, 16, 64)]
    plain = x.double().numpy()
    blurred = [torch.from_numpy(gaussian_filter(plain, (0, 0, s, s)).round()).to(torch.uint8) for s in (0, 0.5, 1, 3)]
    for doses in (noisy, blurred):
        steps = torch.stack([value(squeeze, dose, x).mean() for dose in doses])
        assert (steps.diff() > 0).all()


def test_the_width_follows_from_the_image(squeeze: LPIPS) -> None:
    assert stack(squeeze, images(size=40)).shape[1] < stack(squeeze, images(size=48)).shape[1]
    with pytest.raises(UsageError, match="no fixed number of features"):
        squeeze.width("stack")


def test_the_widths_that_are_documented_for_256_pixels() -> None:
    from torchvision import models

    widths = {}
    for name, backbone in BACKBONES.items():
        with torch.device("meta"):
            x, width = torch.zeros(1, 3, 256, 256), 0
            for index, layer in enumerate(models.get_model(backbone.torchvision, weights=None).features):
                x = layer(x)
                width += x.numel() if index in backbone.taps else 0
                assert x.shape[1] == backbone.taps.get(index, x.shape[1])
        widths[name] = round(width / 1e6, 1)
    assert widths == {"alex": 0.6, "vgg": 8.0, "squeeze": 2.2}


def test_too_small_images_are_told_the_least_size(extractor: LPIPS) -> None:
    least = BACKBONES[extractor.input].least
    assert stack(extractor, images(1, least)).isfinite().all()
    with pytest.raises(DataError, match=f"at least {least}x{least} pixels, these are {least - 1}x{least}"):
        extractor(images(1, least)[..., 1:], ["stack"])


def test_floats_are_refused_in_any_range(squeeze: LPIPS) -> None:
    with pytest.raises(UsageError, match=r"takes uint8 images in \[0, 255\], not torch.float32"):
        squeeze(images() / 255, ["stack"])


def test_bfloat16_is_near_and_says_so(squeeze: LPIPS) -> None:
    half, x, y = random_lpips("squeeze", "bf16"), images(seed=0), images(seed=1)
    assert stack(half, x).dtype == torch.float32
    torch.testing.assert_close(value(half, x, y), value(squeeze, x, y), rtol=0.05, atol=0)
    assert not torch.equal(value(half, x, y), value(squeeze, x, y))


# Weights


def test_loading_reads_the_backbones_file_and_names_both_weights(tmp_path: Path) -> None:
    from torchvision import models

    from genbench.files import sha256

    torch.manual_seed(0)
    path = tmp_path / "squeezenet.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    loaded = LPIPS.load(input="squeeze", precision="fp32", weights=path)
    torch.testing.assert_close(stack(loaded, images()), stack(random_lpips("squeeze"), images()))
    assert loaded.identity.weights_sha256 == sha256(path)
    assert loaded.identity.preprocess == "x/127.5-1,(x-shift)/scale,squeeze,heads-0.1-4a5350f2"
    with pytest.raises(SetupError, match="weights of another network"):
        LPIPS.load(input="alex", precision="fp32", weights=path)


def test_the_package_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    assert features._heads_path("alex").is_file()
    assert "lpips" not in sys.modules
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="not installed") as caught:
        features._heads_path("alex")
    assert "pip install lpips" in caught.value.hint


def test_a_negative_weight_is_refused(tmp_path: Path) -> None:
    state = torch.load(features._heads_path("alex"), map_location="cpu", weights_only=True)
    state["lin2.model.1.weight"][0, 5] = -0.01
    torch.save(state, tmp_path / "negative.pth")
    with pytest.raises(SetupError, match="negative weights"):
        features._heads(tmp_path / "negative.pth", BACKBONES["alex"])
