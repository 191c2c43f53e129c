"""Projection into latent spaces: what a linear generator can reach is known; what it cannot is what is missing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_generators import GREY, Latent, Linear, grey, subject

from genbench.batch import Condition
from genbench.data.dataset import Dataset
from genbench.diagnostics import reconstruction
from genbench.diagnostics._decibels import decibels
from genbench.diagnostics.inversion import IMAGES, applies, compute, inverted


class Components(Latent):
    """The mean of the test images and `rank` of their principal components, as a generator and as an encoder."""

    def __init__(self, data: Dataset, rank: int, damage: float = 0.0) -> None:
        super().__init__(GREY)
        flat = data.test.batch().x.flatten(1)
        self.mean, self.latents, self.damage = flat.mean(0), rank, damage
        _, scales, axes = torch.linalg.svd(flat - self.mean, full_matrices=False)
        self.basis = axes[:rank]
        self.scales = scales[:rank] / len(flat) ** 0.5

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        return (self.mean + (z * self.scales) @ self.basis).view(-1, 1, 8, 8)

    def encode(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.basis.T / self.scales + self.damage

    def decode(self, z: Tensor) -> Tensor:
        return self.from_latents(z, Condition())


def test_a_linear_generator_is_inverted_down_to_what_it_cannot_reach() -> None:
    data = grey()
    model = Components(data, rank=5)
    whole = subject(model, data)
    images = whole.real.x[:IMAGES]
    missing = (model.decode(model.encode(images)) - images).square().flatten(1).mean(1)
    torch.testing.assert_close(inverted(whole, images, Condition()), missing, rtol=0.02, atol=1e-5)


def test_more_latents_reach_more() -> None:
    data = grey()
    found = [float(compute(subject(Components(data, rank), data))["inversion_psnr"]) for rank in (1, 3, 8)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 3


def test_a_bad_encoder_shows_beside_a_good_generator() -> None:
    data = grey()
    subjects = [subject(Components(data, 8, damage=damage), data) for damage in (0.0, 0.3, 1.0)]
    codes = [float(reconstruction.compute(one)["reconstruction_psnr"]) for one in subjects]
    assert codes == sorted(codes, reverse=True)
    assert len({round(float(compute(one)["inversion_psnr"]), 6) for one in subjects}) == 1


def test_no_parameter_gets_a_gradient_and_the_same_seed_finds_the_same() -> None:
    data = grey()

    class Learned(Latent):
        latents = 3

        def __init__(self) -> None:
            super().__init__(GREY)
            self.map = torch.nn.Linear(3, 64)

        def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
            return self.map(z).view(-1, 1, 8, 8)

    model = Learned()
    first, second = (compute(subject(model, data)) for _ in range(2))
    assert first == second
    assert all(parameter.grad is None for parameter in model.parameters())


def test_decibels() -> None:
    assert decibels(torch.tensor([4.0, 0.04, 0.0])).tolist() == pytest.approx([0, 20, 58.922], abs=1e-3)


def test_points_and_dear_samplers_are_left_out() -> None:
    data = grey()
    model = Components(data, 2)
    assert applies(model)
    model.evaluations = lambda **knobs: 50  # type: ignore[method-assign]
    assert not applies(model)
    assert not applies(Linear())
