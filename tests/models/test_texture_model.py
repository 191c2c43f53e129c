"""Stationary textures: the modulus that is kept, the colours' correlation, the periodic component."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genbench import images
from genbench.batch import DataSpec, Examples
from genbench.models.linear.texture import Texture, periodic_part
from genbench.seeding import Noise

Kind = Literal["gaussian", "random_phase"]
KINDS: list[Kind] = ["gaussian", "random_phase"]


def colourful(height: int = 12, width: int = 10) -> Tensor:
    """uint8 (3, H, W): channels that are strongly but not fully correlated, smooth, not periodic."""
    generator = torch.Generator().manual_seed(0)
    grey = F.avg_pool2d(torch.randn(1, height + 2, width + 2, generator=generator), 3, stride=1)
    own = 0.1 * torch.randn(3, height, width, generator=generator)
    ramp = torch.linspace(-0.3, 0.3, width)
    return images.to_uint8(torch.tensor([1.0, -0.5, 0.3]).view(3, 1, 1) * grey + own + ramp)


def fitted(kind: Kind, image: Tensor) -> Texture:
    channels, height, width = image.shape
    model = Texture(DataSpec(channels=channels, height=height, width=width), kind=kind)
    (stage,) = model.stages()
    assert stage.fit is not None
    list(stage.fit(Examples(images=image.unsqueeze(0))))
    return model


def cross_spectrum(x: Tensor) -> Tensor:
    """(..., C, C, H, W): the product of two channels' Fourier transforms, the first conjugated; its diagonal is the power."""
    transform = torch.fft.fft2(x)
    return transform.unsqueeze(-3).conj() * transform.unsqueeze(-4)


@pytest.mark.parametrize("size", [(12, 10), (9, 7), (8, 9)])
def test_random_phase_keeps_power_and_colour_exactly(size: tuple[int, int]) -> None:
    """Independent phases per channel would keep the diagonal and lose the rest."""
    model = fitted("random_phase", colourful(*size))
    expected = cross_spectrum(model.mean + model.spot)
    for texture in model.texture(Noise(0, range(3))):
        torch.testing.assert_close(cross_spectrum(texture), expected, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_colour_correlation_is_kept_on_average(kind: Kind) -> None:
    model = fitted(kind, colourful())
    textures = model.texture(Noise(0, range(2000))) - model.mean
    expected = model.spot.flatten(1) @ model.spot.flatten(1).T / model.spot[0].numel()
    got = torch.einsum("nchw,ndhw->cd", textures, textures) / textures[:, 0].numel()
    torch.testing.assert_close(got, expected, rtol=0.05, atol=1e-3)
    assert torch.corrcoef(expected)[0, 1].abs() > 0.5  # there is something to keep


def test_spot_noise_keeps_the_power_spectrum_in_expectation() -> None:
    model = fitted("gaussian", colourful())
    power = torch.fft.fft2(model.texture(Noise(0, range(4000))) - model.mean).abs().square()
    expected = torch.fft.fft2(model.spot).abs().square()
    torch.testing.assert_close(power.mean(0), expected, rtol=0.15, atol=1e-2)
    assert (power.std(0) > 0.5 * expected)[:, 1:, 1:].all()  # and only in expectation


def test_spot_noise_is_stationary_and_gaussian() -> None:
    model = fitted("gaussian", colourful())
    textures = model.texture(Noise(0, range(4000)))[:, 0] - model.mean[0]
    variance = textures.var(0)
    torch.testing.assert_close(variance, variance.mean().expand_as(variance), rtol=0.15, atol=0)
    kurtosis = textures.pow(4).mean() / textures.square().mean() ** 2
    assert float(kurtosis) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_the_example_s(kind: Kind) -> None:
    image = colourful()
    means = fitted(kind, image).texture(Noise(0, range(5))).mean((2, 3))
    torch.testing.assert_close(means, images.to_float(image).mean((1, 2)).expand(5, 3), atol=1e-5, rtol=0)


def test_periodic_laplacian_equals_the_image_s_inside_its_borders() -> None:
    """What defines the decomposition (Moisan 2011)."""
    image = torch.randn(2, 7, 9, generator=torch.Generator().manual_seed(0))
    periodic = periodic_part(image)
    wrapped = sum(periodic.roll(shift, axis) for axis in (1, 2) for shift in (-1, 1)) - 4 * periodic
    padded = F.pad(image.unsqueeze(0), (1, 1, 1, 1), mode="replicate")[0]
    neighbours = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    torch.testing.assert_close(wrapped, neighbours - 4 * image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(periodic.mean((1, 2)), image.mean((1, 2)), atol=1e-6, rtol=0)


def test_a_ramp_has_no_jump_left_and_a_wave_stays() -> None:
    ramp = torch.linspace(-1, 1, 16).expand(1, 16, 16)
    jump = (periodic_part(ramp)[:, :, 0] - periodic_part(ramp)[:, :, -1]).abs().max()
    assert jump < 0.2 * 2
    wave = torch.cos(torch.arange(16) * 2 * torch.pi / 16).expand(1, 16, 16)
    assert (periodic_part(wave) - wave).abs().max() < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_clipped_differ_and_repeat(kind: Kind) -> None:
    model = fitted(kind, colourful())
    samples = model.generate(4)
    assert samples.abs().max() <= 1
    assert len(torch.unique(samples, dim=0)) == 4
    torch.testing.assert_close(model.generate(2, first=2), samples[2:])
