"""SSIM: a loop over windows, its laws, and planted blur, noise and lost contrast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import _structure, ssim

WINDOWS = ["gaussian", "uniform"]


def images(count: int = 4, size: int = 20, seed: int = 0) -> Tensor:
    """uint8 (count, 3, size, size): patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (size, size), mode="bicubic")
    grain = torch.randn(count, 3, size, size, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


def value(x: Tensor, y: Tensor, window: str = "gaussian") -> Tensor:
    return ssim.per_pair(x=x, y=y, window=window)["ssim"]  # type: ignore[arg-type]


def loops(x: np.ndarray, y: np.ndarray, window: str) -> float:
    """The mean over channels and windows, from sums over each window."""
    if window == "gaussian":
        places = np.arange(11) - 5
        row = np.exp(-(places**2) / (2 * 1.5**2))
        weights = np.outer(row, row) / row.sum() ** 2
        correction = 1.0
    else:
        weights, correction = np.full((7, 7), 1 / 49), 49 / 48
    size = len(weights)
    values = []
    for channel in range(3):
        for i in range(x.shape[1] - size + 1):
            for j in range(x.shape[2] - size + 1):
                a, b = (side[channel, i : i + size, j : j + size].astype(float) for side in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                variances = (weights * ((a - mean_a) ** 2 + (b - mean_b) ** 2)).sum() * correction
                covariance = (weights * (a - mean_a) * (b - mean_b)).sum() * correction
                luminance = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
                values.append(luminance * (2 * covariance + 58.5225) / (variances + 58.5225))
    return float(np.mean(values))


@pytest.mark.parametrize("window", WINDOWS)
def test_equals_a_loop_over_windows(window: str) -> None:
    x, y = images(count=2, size=15), images(count=2, size=15, seed=1)[..., :13]
    x = x[..., :13]
    expected = [loops(a.numpy(), b.numpy(), window) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(value(x, y, window).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("window", WINDOWS)
def test_exactly_one_for_identical_images_and_symmetric(window: str) -> None:
    x, y = images(), images(seed=1)
    assert value(x, x, window).tolist() == [1] * 4
    assert torch.equal(value(x, y, window), value(y, x, window))
    flat = torch.full((1, 3, 12, 12), 255, dtype=torch.uint8)
    assert float(value(flat, flat, window)) == 1


@pytest.mark.parametrize("window", WINDOWS)
def test_within_its_range_down_to_the_negative(window: str) -> None:
    x = images()
    inverted = value(x, 255 - x, window)
    assert (inverted < 0).all()
    assert (inverted >= -1).all()


def test_two_flat_images_are_compared_by_brightness_alone() -> None:
    dark, light = (torch.full((1, 3, 11, 11), level, dtype=torch.uint8) for level in (50, 200))
    expected = (2 * 50 * 200 + 6.5025) / (50**2 + 200**2 + 6.5025)
    assert float(value(dark, light)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("window", WINDOWS)
def test_one_image_at_a_time_and_in_any_block(window: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = images(count=5), images(count=5, seed=1)
    whole = value(x, y, window)
    alone = torch.cat([value(a[None], b[None], window) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(alone, whole, rtol=1e-13, atol=0)
    monkeypatch.setattr(_structure, "BLOCK", 2 * x[0].numel())
    torch.testing.assert_close(value(x, y, window), whole, rtol=1e-13, atol=0)


@pytest.mark.parametrize("window", WINDOWS)
def test_falls_with_blur_noise_and_lost_contrast(window: str) -> None:
    x = images(count=6, size=32)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))

    def as_image(values: Tensor) -> Tensor:
        return values.round().clamp(0, 255).to(torch.uint8)

    def blurred(dose: float) -> Tensor:
        return as_image(torch.from_numpy(gaussian_filter(x.double().numpy(), (0, 0, dose, dose))))

    failures: list[tuple[Callable[[float], Tensor], list[float]]] = [
        (lambda dose: as_image(x + dose * noise), [0, 4, 16, 64]),
        (blurred, [0, 0.5, 1, 3]),
        (lambda dose: as_image(127 + (x.double() - 127) * (1 - dose)), [0, 0.3, 0.6, 0.9]),
    ]
    for plant, doses in failures:
        steps = torch.stack([value(plant(dose), x, window) for dose in doses])
        assert (steps.diff(dim=0) < 0).all()


def test_too_small_images_are_told_the_least_size() -> None:
    x = images(size=10)
    with pytest.raises(DataError, match="at least 11x11 pixels, these are 10x10") as caught:
        value(x, x)
    assert "uniform" in caught.value.hint
    assert value(x, x, "uniform").tolist() == [1] * 4
    with pytest.raises(DataError, match="at least 7x7 pixels, these are 6x20"):
        value(images()[..., :6], images()[..., :6], "uniform")
