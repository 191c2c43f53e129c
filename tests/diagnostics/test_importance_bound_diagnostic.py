"""Importance-weighted bounds of a linear Gaussian model, whose evidence and posterior are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_generators import POINTS, Linear, Toy, points, subject

from genbench.batch import Batch, Condition
from genbench.diagnostics.importance_bound import applies, compute
from genbench.seeding import Noise

LOG_2PI = math.log(2 * math.pi)


class LinearGaussian(Toy):
    """z ~ N(0, I), x ~ N(z, I), in the plane; q(z|x) = N(x / 2, s² I / 2), which is the posterior at s = 1."""

    likelihood = "lower bound"

    def __init__(self, s: float) -> None:
        super().__init__(POINTS)
        self.s = s

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return noise.normal(2, 1, 1) + noise.normal(2, 1, 1)

    def evidence(self, x: Tensor) -> Tensor:
        return (-0.25 * x.square() - 0.5 * (LOG_2PI + math.log(2))).sum(1)

    def divergence(self) -> float:
        """KL(q || posterior) of both dimensions."""
        return self.s**2 - 1 - 2 * math.log(self.s)

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        return self.evidence(batch.x.flatten(1).double()) - self.divergence()

    def importance_bound(self, batch: Batch, noise: Noise, draws: int) -> Tensor:
        x = batch.x.flatten(1).double()
        std = self.s / math.sqrt(2)
        weights = []
        for _ in range(draws):
            eps = noise.normal(2).double()
            z = x / 2 + std * eps
            joint = (-0.5 * z.square() - 0.5 * (x - z).square() - LOG_2PI).sum(1)
            weights.append(joint + (0.5 * eps.square() + 0.5 * LOG_2PI + math.log(std)).sum(1))
        return torch.stack(weights).logsumexp(0) - math.log(draws)


def test_a_perfect_encoder_gains_nothing() -> None:
    found = compute(subject(LinearGaussian(1.0), points()))["importance_gain"]
    assert float(found) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("s", [0.8, 1.3])
def test_the_gain_is_nearly_the_divergence_of_the_posterior(s: float) -> None:
    model = LinearGaussian(s)
    found = compute(subject(model, points()))["importance_gain"]
    most = model.divergence() / (2 * math.log(2))
    assert 0.7 * most < float(found) < 1.1 * most


def test_bits_fall_with_the_number_of_draws() -> None:
    details = compute(subject(LinearGaussian(1.5), points()))["importance_gain"].details
    assert details["bits@64"] < details["bits@8"] < details["bits@1"]
    assert details["bits@1"] == pytest.approx(details["bound"], abs=0.1)


def test_the_worse_the_encoder_the_larger_the_gain() -> None:
    found = [float(compute(subject(LinearGaussian(s), points()))["importance_gain"]) for s in (1.0, 1.2, 1.5, 2.0)]
    assert found == sorted(found)
    assert found[-1] > 0.3


class Exact(LinearGaussian):
    importance_bound = None  # type: ignore[assignment]


def test_only_models_with_a_bound_to_tighten() -> None:
    assert applies(LinearGaussian(1.0))
    assert not applies(Exact(1.0))
    assert not applies(Linear())
