"""Walks between latents: even ones, jumps of graded height, and holes in the middle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_generators import GREY, Latent, Linear, Memory, grey, points, subject, textures

from genbench.batch import Condition
from genbench.diagnostics.interpolation import STEPS, compute, walk


def test_a_linear_generator_walks_as_its_latent() -> None:
    """In polar coordinates: the angle turns evenly the shorter way round, and the radius goes evenly from one to the other."""
    whole = subject(Linear(), points(), n=110)
    start, end = (whole.noise(10, f"interpolation/{which}").normal(2).double().numpy() for which in ("start", "end"))
    (first, radius), (last, reach) = ((np.arctan2(z[:, 1], z[:, 0]), np.hypot(z[:, 0], z[:, 1])) for z in (start, end))
    turn = (last - first + np.pi) % (2 * np.pi) - np.pi
    share = np.linspace(0, 1, STEPS + 1)
    places = (radius[:, None] + share * (reach - radius)[:, None]) * np.exp(1j * (first[:, None] + share * turn[:, None]))
    expected = np.abs(np.diff(places, axis=1))
    assert walk(whole).steps.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert float(compute(whole)["largest_step"]) == pytest.approx(float((expected.max(1) / expected.mean(1)).mean()), rel=1e-4)


def test_the_higher_the_cliff_the_larger_the_largest_step() -> None:
    cliffs = [Linear(cliff=height, steepness=1e4) for height in (0.0, 1.0, 5.0, 50.0)]
    found = [float(compute(subject(model, points()))["largest_step"]) for model in cliffs]
    assert found == sorted(found)
    assert found[0] < 2 < 4 < found[-1] < STEPS


def test_a_memory_of_images_jumps() -> None:
    found = [float(compute(subject(Memory(sharpness), grey(), n=330))["largest_step"]) for sharpness in (0.3, 3.0, 30.0)]
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]


class Hole(Latent):
    """A training image far from the axes of the latent plane, and `dose` of noise between them."""

    def __init__(self, dose: float) -> None:
        super().__init__(GREY)
        self.dose = dose
        self.images = textures(4, 1)
        self.noise = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(9)).sign()

    def draw_latents(self, noise) -> Tensor:  # type: ignore[no-untyped-def]
        quarter = noise.categorical(torch.zeros(len(noise), 4)) * (torch.pi / 2)
        return torch.stack([quarter.cos(), quarter.sin()], 1) + 1e-3 * noise.normal(2)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        angle = torch.atan2(z[:, 1], z[:, 0])
        which = (angle / (torch.pi / 2)).round().long() % 4
        between = (2 * angle).sin().square()[:, None, None, None]  # 0 on the axes, 1 in the middle
        return torch.lerp(self.images[which], self.noise, self.dose * between)


def test_holes_in_the_middle_are_farther_from_real_images() -> None:
    data = grey()
    found = [float(compute(subject(Hole(dose), data, n=330))["midpoint_distance"]) for dose in (0.05, 0.2, 0.8)]
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_a_smooth_generator_has_no_hole() -> None:
    estimate = compute(subject(Linear(), points(), n=1100))["midpoint_distance"]
    assert estimate.se is not None
    assert abs(float(estimate) - 1) < 4 * estimate.se


def test_a_collapsed_model_has_no_evenness() -> None:
    found = compute(subject(Memory(0.0), grey(), n=44))["largest_step"]
    assert found.value is None
    assert found.reason == "no image changes on its walk"
