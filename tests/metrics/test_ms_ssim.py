"""MS-SSIM: its scales written out, its laws, what is too small, and planted failures at several scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import ms_ssim
from genbench.metrics.ms_ssim import BETAS

PROTOCOLS = {"": 176, "small": 28}  # name -> least side


def images(count: int, size: int, seed: int = 0) -> Tensor:
    """uint8 (count, 3, size, size): patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (size, size), mode="bicubic")
    grain = torch.randn(count, 3, size, size, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


def value(x: Tensor, y: Tensor, protocol: str = "small") -> Tensor:
    return ms_ssim.per_pair(x=x, y=y, **ms_ssim.metric.protocols[protocol])["ms_ssim"]


def written_out(x: NDArray[np.float64], y: NDArray[np.float64], scales: int, sigma: float) -> float:
    """Of one pair (3, H, W), with scipy's filters, which mirror the edge; cutting off the edge leaves windows that fit."""
    radius = int(3.5 * sigma + 0.5)
    row = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return correlate1d(correlate1d(values, row / row.sum(), 1, mode="mirror"), row / row.sum(), 2, mode="mirror")

    betas = np.array(BETAS[:scales]) / sum(BETAS[:scales]) * sum(BETAS)
    product = 1.0
    for scale, beta in enumerate(betas):
        mean_x, mean_y = smooth(x), smooth(y)
        covariance = smooth(x * y) - mean_x * mean_y
        variances = smooth(x**2) - mean_x**2 + smooth(y**2) - mean_y**2
        contrast = (2 * covariance + 58.5225) / (variances + 58.5225)
        luminance = (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
        last = scale == scales - 1
        inner = contrast[:, radius:-radius, radius:-radius]
        product *= max(0.0, float((luminance * contrast).mean() if last else inner.mean())) ** beta
        x, y = (side[:, : side.shape[1] // 2 * 2, : side.shape[2] // 2 * 2] for side in (x, y))
        x, y = ((s[:, ::2, ::2] + s[:, 1::2, ::2] + s[:, ::2, 1::2] + s[:, 1::2, 1::2]) / 4 for s in (x, y))
    return product


def test_the_scales_of_the_paper_sum_to_one() -> None:
    assert sum(BETAS) == pytest.approx(1.0001)


@pytest.mark.parametrize(("protocol", "size"), [("", 178), ("small", 32), ("small", 29)])
def test_equals_the_scales_written_out(protocol: str, size: int) -> None:
    x, y = images(2, size), images(2, size, seed=1)
    y = (0.8 * x + 0.2 * y).to(torch.uint8)
    settings = ms_ssim.metric.protocols[protocol]
    expected = [written_out(a.double().numpy(), b.double().numpy(), **settings) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(value(x, y, protocol).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(("protocol", "least"), PROTOCOLS.items())
def test_one_for_identical_images_zero_for_inverted_ones_and_symmetric(protocol: str, least: int) -> None:
    x, y = images(2, least), images(2, least, seed=1)
    assert value(x, x, protocol).tolist() == [1] * 2
    assert value(x, 255 - x, protocol).tolist() == [0] * 2
    assert torch.equal(value(x, y, protocol), value(y, x, protocol))


@pytest.mark.parametrize(("protocol", "least"), PROTOCOLS.items())
def test_too_small_images_are_told_the_least_size(protocol: str, least: int) -> None:
    x = images(1, least)[..., 1:]
    with pytest.raises(DataError, match=f"at least {least}x{least} pixels, these are {least - 1}x{least}") as caught:
        value(x, x, protocol)
    assert "small" in caught.value.hint


def test_one_image_at_a_time() -> None:
    x, y = images(5, 32), images(5, 32, seed=1)
    alone = torch.cat([value(a[None], b[None]) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(alone, value(x, y), rtol=1e-12, atol=0)


def test_falls_with_noise_and_blur() -> None:
    x = images(6, 32)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    noisy = [value((x + sigma * noise).round().clamp(0, 255).to(torch.uint8), x) for sigma in (0, 4, 16, 64)]
    assert (torch.stack(noisy).diff(dim=0) < 0).all()
    plain = x.double().numpy()
    blurred = [
        torch.from_numpy(gaussian_filter(plain, (0, 0, sigma, sigma)).round()).to(torch.uint8) for sigma in (0, 0.5, 1, 3)
    ]
    assert (torch.stack([value(image, x) for image in blurred]).diff(dim=0) < 0).all()


def test_forgives_fine_noise_more_than_coarse() -> None:
    """The first scale has the least exponent: the same squared error costs less where it is fine."""
    x = images(6, 32) // 2 + 64
    generator = torch.Generator().manual_seed(2)
    fine = torch.randn(x.shape, generator=generator).sign() * 12
    coarse = F.interpolate(torch.randn(6, 3, 8, 8, generator=generator).sign() * 12, (32, 32))
    assert (value((x + fine).to(torch.uint8), x) > value((x + coarse).to(torch.uint8), x)).all()
