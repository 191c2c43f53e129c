"""Exposure: pixels drawn alone, whose bits are known, and a model that drifts as it continues itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_generators import Linear, Toy, subject

from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.data.dataset import Dataset
from genbench.diagnostics.exposure import applies, completed, compute
from genbench.seeding import Noise

BITS = DataSpec(channels=1, height=8, width=8, levels=2)


def coins(white: float, n: int = 100) -> Dataset:
    """Images whose pixels are white with a probability, each by itself."""
    drawn = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < white
    examples = Examples(images=drawn.to(torch.uint8) * 255)
    return Dataset(name="coins", spec=BITS, train=examples, validation=examples, test=examples)


class Coins(Toy):
    """Takes every pixel for white with probability `white`, exactly; `drift` is added to it row by row when it samples."""

    likelihood = "exact"

    def __init__(self, white: float, drift: float = 0.0) -> None:
        super().__init__(BITS)
        self.white, self.drift = white, drift

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        white = (batch.x > 0).flatten(1).sum(1)
        return white * math.log(self.white) + (64 - white) * math.log(1 - self.white)

    def drawn(self, noise: Noise, first: int = 0) -> Tensor:
        """The farther from row `first`, the whiter."""
        rows = (torch.arange(8) - first).clamp(min=0)[:, None]
        return (noise.uniform(1, 8, 8) < self.white + self.drift * rows / 8).float() * 2 - 1

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.drawn(noise)

    def restore(self, x: Tensor, known: Tensor, noise: Noise) -> Tensor:
        return torch.where(known, x, self.drawn(noise, int(known[0, 0, :, 0].sum())))


def entropy(real: float, model: float) -> float:
    return -real * math.log2(model) - (1 - real) * math.log2(1 - model)


@pytest.mark.parametrize(("real", "model"), [(0.3, 0.3), (0.3, 0.1), (0.3, 0.45)])
def test_the_gap_is_entropy_less_cross_entropy(real: float, model: float) -> None:
    found = compute(subject(Coins(model), coins(real), n=100))["own_bits_gap"]
    assert found.se is not None
    assert abs(float(found) - (entropy(model, model) - entropy(real, model))) < 4 * found.se


def test_a_model_that_drifts_is_surprised_by_its_own_samples() -> None:
    found = [float(compute(subject(Coins(0.2, drift), coins(0.2), n=100))["own_bits_gap"]) for drift in (0.0, 0.2, 0.6)]
    assert found == sorted(found)
    assert found[-1] > 0.2 > abs(found[0])


def test_completions_of_a_model_that_drifts_get_worse_the_less_is_given() -> None:
    details = compute(subject(Coins(0.2, 0.6), coins(0.2), n=100))["completion_fd"].details
    distances = [details[f"fd@{share}"] for share in ("0", "0.25", "0.5", "0.75")]
    assert distances == sorted(distances, reverse=True)


def test_the_more_it_drifts_the_worse_its_completions() -> None:
    found = [float(compute(subject(Coins(0.2, drift), coins(0.2), n=100))["completion_fd"]) for drift in (0.0, 0.3, 0.6)]
    assert found == sorted(found)
    assert found[-1] > 1.2 * found[0]


def test_what_is_known_stays() -> None:
    whole = subject(Coins(0.5), coins(0.3), n=70)
    made = completed(whole, 0.25)
    torch.testing.assert_close(made[:, :, :2], whole.real.x[:, :, :2])
    assert not torch.equal(made[:, :, 2:], whole.real.x[:, :, 2:])


def test_only_exact_likelihoods_of_images() -> None:
    model = Coins(0.5)
    assert applies(model)
    model.likelihood = "lower bound"
    assert not applies(model)
    assert not applies(Linear())
