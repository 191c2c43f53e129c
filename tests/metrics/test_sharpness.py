"""Sharpness: energies by hand, planted blur and noise in doses, and what must not move it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from genbench.errors import UsageError
from genbench.estimate import Estimate
from genbench.features.spectrum import RINGS, Spectrum
from genbench.metrics import sharpness


def measure(real: Tensor, fake: Tensor) -> Estimate:
    """Of uint8 images."""
    network = Spectrum()
    return sharpness.compute(real=network(real, ["pool"])["pool"], fake=network(fake, ["pool"])["pool"])["sharpness"]


def scenes(n: int, size: int, seed: int) -> Tensor:
    """uint8 (n, 3, size, size) of noise whose power falls as 1 / frequency², as that of photographs; brightness 40 to 215."""
    chance = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(2 * size)[:, None], np.fft.fftfreq(2 * size)[None]
    falling = 1 / np.maximum(np.hypot(y, x), 0.5 / size)
    field = np.fft.ifft2(np.fft.fft2(chance.standard_normal((n, 1, 2 * size, 2 * size))) * falling).real[..., :size, :size]
    scaled = 128 + 35 * (field / field.std(axis=(2, 3), keepdims=True))
    return torch.from_numpy(np.rint(scaled).clip(40, 215).astype(np.uint8)).repeat(1, 3, 1, 1)


def blurred(images: Tensor, radius: float) -> Tensor:
    smooth = gaussian_filter(images.numpy().astype(np.float64), (0, 0, radius, radius), mode="nearest")
    return torch.from_numpy(np.rint(smooth).astype(np.uint8))


def noisy(images: Tensor, sigma: float) -> Tensor:
    grain = sigma * torch.randn(len(images), 1, *images.shape[2:], generator=torch.Generator().manual_seed(5))
    return (images + grain).round().clamp(0, 255).to(torch.uint8)


def test_the_energy_is_that_of_the_rings_above_half_of_nyquist() -> None:
    real, fake = torch.zeros(3, RINGS), torch.zeros(4, RINGS)
    fake[:, :4] += 5.0  # low frequencies are no part of it
    estimate = sharpness.compute(real=real, fake=fake)["sharpness"]
    assert float(estimate) == pytest.approx(0.0, abs=1e-12)
    assert estimate.details["low_frequencies"] == pytest.approx(5.0)
    assert sum(sharpness.AREAS) == pytest.approx(4.0)  # of the square in which frequencies lie
    assert sharpness.AREAS[3] == pytest.approx(math.pi * (0.5**2 - 0.375**2))
    fake[:, 7] += 3.0
    above = [math.pi * ((k + 1) ** 2 - k**2) / 64 for k in (4, 5, 6)]
    corner = 4 - math.pi * (7 / 8) ** 2
    expected = math.log2((sum(above) + 8 * corner) / (sum(above) + corner))
    assert float(sharpness.compute(real=real, fake=fake)["sharpness"]) == pytest.approx(expected, rel=1e-9)


def test_white_noise_of_twice_the_variance_is_one() -> None:
    grey = torch.full((200, 3, 32, 32), 128, dtype=torch.uint8)
    estimate = measure(noisy(grey, 10.0), noisy(grey, 10.0 * math.sqrt(2)))
    assert float(estimate) == pytest.approx(1.0, abs=0.02)


def test_equal_sets_and_swapped_sides() -> None:
    real, fake = scenes(60, 16, 0), scenes(50, 16, 1)
    assert float(measure(real, real)) == 0.0
    forth, back = measure(real, fake), measure(fake, real)
    assert float(forth) == pytest.approx(-float(back), rel=1e-12)
    assert forth.se == pytest.approx(back.se, rel=1e-12)


@pytest.mark.parametrize("size", [8, 16, 32])
def test_blur_lowers_it_dose_by_dose(size: int) -> None:
    real, fake = scenes(200, size, 0), scenes(200, size, 1)
    doses = [measure(real, blurred(fake, radius)) for radius in (0.0, 0.4, 0.6, 0.9, 1.3)]
    values = [float(dose) for dose in doses]
    assert abs(values[0]) < 4 * (doses[0].se or 0)
    assert values == sorted(values, reverse=True)
    assert values[2] < -1.0
    assert all((dose.ci or (0, 0))[1] < 0 for dose in doses[2:])


@pytest.mark.parametrize("size", [8, 16, 32])
def test_noise_raises_it_dose_by_dose(size: int) -> None:
    real, fake = scenes(200, size, 0), scenes(200, size, 1)
    values = [float(measure(real, noisy(fake, sigma))) for sigma in (0.0, 4.0, 8.0, 16.0, 32.0)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.5


def test_brightness_mirrors_and_order_do_not_move_it() -> None:
    real, fake = scenes(80, 16, 0), scenes(80, 16, 1)
    value = float(measure(real, fake))
    shuffled = fake[torch.randperm(80, generator=torch.Generator().manual_seed(2))]
    for same in (fake + 25, fake - 25, fake.flip(-1), shuffled):
        assert float(measure(real, same)) == pytest.approx(value, abs=1e-5)


def test_contrast_shows_in_the_low_frequencies_too() -> None:
    real = scenes(150, 16, 0)
    flatter = (128 + (real.double() - 128) / 2).round().to(torch.uint8)
    estimate = measure(real, flatter)
    assert float(estimate) == pytest.approx(-2.0, abs=0.1)
    assert estimate.details["low_frequencies"] == pytest.approx(-2.0, abs=0.05)


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    chance = torch.Generator().manual_seed(0)
    real, fake = torch.randn(300, RINGS, generator=chance), torch.randn(200, RINGS, generator=chance) + 0.3
    estimate = sharpness.compute(real=real, fake=fake)["sharpness"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        without = sharpness.compute(real=real, fake=fake[torch.arange(200) != i])["sharpness"]
        assert float(estimate.influence.fake[i]) == pytest.approx((float(estimate) - float(without)) * 199, rel=0.03, abs=0.01)
    without = sharpness.compute(real=real[1:], fake=fake)["sharpness"]
    assert float(estimate.influence.real[0]) == pytest.approx((float(estimate) - float(without)) * 299, rel=0.03, abs=0.01)
    variance = float(estimate.influence.fake.var()) / 200 + float(estimate.influence.real.var()) / 300
    assert estimate.se == pytest.approx(math.sqrt(variance))


def test_features_of_another_extractor_are_refused() -> None:
    with pytest.raises(UsageError, match="takes the 8 rings of spectrum, not 128 features"):
        sharpness.compute(real=torch.zeros(5, 128), fake=torch.zeros(5, 128))


def test_values_that_are_no_powers_are_refused() -> None:
    powers = torch.zeros(4, RINGS)
    for bad in (-11.0, 1e4):
        with pytest.raises(UsageError, match="fake ones go from"):
            sharpness.compute(real=powers, fake=powers.index_fill(0, torch.tensor(2), bad))
    extremes = torch.stack([torch.zeros(3, 64, 64), 255 * (torch.arange(64) % 2).expand(3, 64, 64)]).to(torch.uint8)
    assert math.isfinite(float(measure(extremes, extremes)))
