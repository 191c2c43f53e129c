"""Walks between latents: even ones, jumps of graded height, and holes in the middle."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_generators import GREY, Latent, Linear, Memory, grey, points, subject, textures

from genbench.batch import Condition
from genbench.diagnostics.interpolation import STEPS, compute, walk


def test_a_linear_generator_walks_as_its_latent() -> None:
    walks = walk(subject(Linear(), points(), n=110))
    assert walks.steps.shape == (10, STEPS)
    total = walks.steps.sum(1)
    chord = 2 * torch.ones(1)  # an arc of the plane is at least a chord, and its steps differ by its radii alone
    assert (total > 0).all()
    assert float(compute(subject(Linear(), points(), n=110))["largest_step"]) < float(chord)


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
    found = compute(subject(Memory(0.0), grey(), n=44))
    assert found["largest_step"].value is None or float(found["largest_step"]) == pytest.approx(1, abs=0.5)
