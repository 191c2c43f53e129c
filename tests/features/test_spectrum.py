"""The power spectrum: a plain loop over frequencies, waves in their rings, white noise, edges that do not count."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench import catalog
from genbench.errors import UsageError
from genbench.features.spectrum import FLOOR, RINGS, Spectrum


def rings(images: Tensor) -> Tensor:
    return Spectrum()(images, ["pool"])["pool"]


def grey(values: Tensor) -> Tensor:
    """(N, H, W) -> uint8 (N, 3, H, W)."""
    return values.round().clamp(0, 255).to(torch.uint8)[:, None].repeat(1, 3, 1, 1)


def noise(n: int, height: int, width: int, *, sigma: float = 20.0, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return (128 + sigma * torch.randn(n, 3, height, width, generator=chance)).round().clamp(0, 255).to(torch.uint8)


def wave(size: int, *, x: float, y: float) -> Tensor:
    """One image of a plane wave whose frequency along either axis is so much of Nyquist's."""
    place = torch.arange(size, dtype=torch.float64)
    return grey(128 + 100 * torch.cos(math.pi * (x * place + y * place[:, None]) + 0.3)[None])


def naive(image: Tensor) -> list[float]:
    """Mean power in each ring of a uint8 image (3, H, W) of at least 32 pixels, by the definition."""
    red, green, blue = image.double().numpy()
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    height, width = luma.shape
    hann = np.outer(*(np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2 for size in (height, width)))
    windowed = (luma - (luma * hann).sum() / hann.sum()) * hann
    power = np.abs(np.fft.fft2(windowed)) ** 2 / (hann**2).sum()
    found: list[list[float]] = [[] for _ in range(RINGS)]
    for i in range(height):
        for j in range(width):
            radius = math.hypot(min(i, height - i) / (height / 2), min(j, width - j) / (width / 2))
            if radius > 0:
                found[min(int(radius * RINGS), RINGS - 1)].append(power[i, j])
    return [math.log2(float(np.mean(values)) + FLOOR) for values in found]


@pytest.mark.parametrize("size", [(32, 32), (37, 44)])
def test_equals_a_loop_over_frequencies(size: tuple[int, int]) -> None:
    images = noise(2, *size)
    expected = torch.tensor([naive(image) for image in images])
    torch.testing.assert_close(rings(images), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (32, 32), (33, 47), (64, 64)])
def test_white_noise_has_its_variance_at_every_frequency_and_size(size: tuple[int, int]) -> None:
    alike = noise(300, *size)[:, :1].expand(-1, 3, -1, -1)
    above_the_mean = math.ceil(RINGS * 4 / min(size))
    power = rings(alike).double().exp2().mean(0)[above_the_mean:]
    assert power.tolist() == pytest.approx([400.0] * len(power), rel=0.08)


@pytest.mark.parametrize("size", [32, 50, 64])
@pytest.mark.parametrize(("x", "y"), [(0.2, 0.0), (0.0, 0.45), (0.3, 0.35), (0.7, 0.0), (0.5, 0.5), (0.85, 0.9)])
def test_a_wave_is_in_its_ring(size: int, x: float, y: float) -> None:
    assert int(rings(wave(size, x=x, y=y)).argmax()) == min(int(math.hypot(x, y) * RINGS), RINGS - 1)


def test_a_checkerboard_is_in_the_corner_and_no_frequency_is_left_out() -> None:
    checkerboard = wave(32, x=1.0, y=1.0)
    assert int(rings(checkerboard).argmax()) == RINGS - 1
    others = rings(checkerboard)[0, :-1]
    assert float(rings(checkerboard)[0, -1]) - float(others.max()) > 10


def test_opposite_edges_do_not_meet() -> None:
    """A ramp is as smooth as can be; only its ends differ, which a plain transform would take for a jump."""
    ramp = grey(torch.linspace(0, 252, 64).expand(1, 64, 64))
    assert float(rings(ramp)[0, 4:].max()) < math.log2(0.1)  # nothing but rounding, whose power is 1/12
    luma = ramp[0, 0].double().numpy()
    jump = np.abs(np.fft.fft2(luma)) ** 2 / luma.size
    assert jump[0, 16:48].mean() > 1000  # what there would be along the axis, above half of Nyquist's


def test_mirrored_turned_and_brightened_images_have_the_same_spectrum() -> None:
    images = noise(4, 24, 24, sigma=15.0)
    for same in (images.flip(-1), images.flip(-2), images.transpose(-1, -2), images + 30, 255 - images):
        torch.testing.assert_close(rings(same), rings(images), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(8, 8), (8, 30), (32, 32), (50, 41)])
def test_shapes_and_independence_of_the_batch(size: tuple[int, int]) -> None:
    images = noise(9, *size)
    before, whole = images.clone(), rings(images)
    assert torch.equal(images, before)
    assert whole.shape == (9, RINGS)
    assert whole.dtype == torch.float32
    assert whole.isfinite().all()
    torch.testing.assert_close(torch.cat([rings(image[None]) for image in images]), whole, rtol=1e-5, atol=1e-5)


def test_flat_images_have_a_finite_floor() -> None:
    flat = torch.full((2, 3, 16, 16), 200, dtype=torch.uint8)
    assert rings(flat).tolist() == [pytest.approx([math.log2(FLOOR)] * RINGS, abs=1e-3)] * 2


def test_it_is_in_the_catalogue_and_has_nothing_to_choose() -> None:
    found = catalog.find("extractors", "spectrum")
    assert found is Spectrum
    extractor = found.load(input="luma", precision="fp32", weights=None)
    assert extractor.width("pool") == RINGS
    with pytest.raises(UsageError, match="no weights"):
        found.load(input="luma", precision="bf16", weights=None)
