"""The likelihood gap: a density that remembers the training images by a known share."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_generators import GREY, Linear, Toy, grey, subject

from genbench.batch import Batch, Condition
from genbench.data.dataset import Dataset
from genbench.diagnostics.likelihood_gap import compute, diagnostic
from genbench.seeding import Noise

D = GREY.dimensions


class Remembering(Toy):
    """Uniform over all images, but for a `share` of the probability that lies on the training images in equal parts."""

    likelihood = "exact"

    def __init__(self, data: Dataset, share: float) -> None:
        super().__init__(GREY)
        self.remembered, self.share = data.train.batch().x.flatten(1), share

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        known = (batch.x.flatten(1)[:, None] == self.remembered).all(2).any(1)
        everywhere = math.log1p(-self.share) - D * math.log(256)
        in_memory = math.log(self.share / len(self.remembered)) if self.share else everywhere
        return torch.where(known, max(in_memory, everywhere), everywhere)

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return 2 * noise.uniform(*GREY.shape) - 1


@pytest.mark.parametrize("share", [1e-90, 1e-30, 0.5])
def test_the_gap_is_that_of_the_closed_form(share: float) -> None:
    data = grey()
    found = compute(subject(Remembering(data, share), data))["likelihood_gap"]
    train = -math.log2(share / len(data.train)) / D
    test = (D * 8 - math.log2(1 - share)) / D
    assert float(found) == pytest.approx(train - test, rel=1e-5)
    assert found.details == pytest.approx({"train": train, "test": test}, rel=1e-5)
    assert not diagnostic.reports["likelihood_gap"].is_usual(float(found))


def test_more_memory_is_a_larger_gap() -> None:
    data = grey()
    found = [float(compute(subject(Remembering(data, share), data))["likelihood_gap"]) for share in (1e-90, 1e-30, 0.5)]
    assert found == sorted(found, reverse=True)


def test_a_density_that_remembers_nothing_has_none() -> None:
    data = grey()

    class Brightness(Remembering):
        def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
            return -batch.x.square().flatten(1).sum(1) - 300

    found = compute(subject(Brightness(data, 0.0), data))["likelihood_gap"]
    assert found.se is not None
    assert 0 < abs(float(found)) < 4 * found.se


def test_an_image_of_probability_zero_gives_a_reason() -> None:
    data = grey()

    class Sure(Remembering):
        def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
            return torch.where(super().log_prob(batch, noise) > -20, 0.0, -torch.inf)

    found = compute(subject(Sure(data, 0.5), data))["likelihood_gap"]
    assert found.value is None
    assert "not finite" in str(found.reason)


def test_only_models_with_a_likelihood() -> None:
    assert diagnostic.applies(Remembering(grey(), 0.5))
    assert not diagnostic.applies(Linear())
