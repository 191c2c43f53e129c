"""Modes found and good samples: of a perfect sampler, and when modes are removed on purpose."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genbench import catalog
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.evaluation.request import parse
from genbench.metrics.mode_coverage import REACH, mode_coverage

SIGMA = 0.05
GRID = torch.cartesian_prod(torch.linspace(-0.8, 0.8, 5), torch.linspace(-0.8, 0.8, 5))


def drawn(modes: Tensor, n: int = 5_000) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(len(modes), (n,), generator=generator)
    return modes[chosen] + SIGMA * torch.randn(n, 2, generator=generator)


def test_a_perfect_sampler_finds_all_and_loses_the_tails() -> None:
    """In two dimensions a Gaussian holds 1 - exp(-r²/2) within r standard deviations."""
    found = mode_coverage(fake=drawn(GRID), modes=GRID, sigma=SIGMA)
    assert found["modes_found"].value == 25
    assert float(found["high_quality"]) == pytest.approx(1 - math.exp(-(REACH**2) / 2), abs=0.005)
    assert found["high_quality"].ci is not None


@pytest.mark.parametrize("kept", [25, 20, 15, 10, 5, 1])
def test_the_count_drops_by_one_for_every_mode_removed(kept: int) -> None:
    found = mode_coverage(fake=drawn(GRID[:kept]), modes=GRID, sigma=SIGMA)
    assert found["modes_found"].value == kept
    assert float(found["high_quality"]) > 0.98


def test_noise_between_the_modes_costs_quality_in_proportion() -> None:
    far = torch.full((2_500, 2), 5.0)
    found = mode_coverage(fake=torch.cat([drawn(GRID, 2_500), far]), modes=GRID, sigma=SIGMA)
    assert float(found["high_quality"]) == pytest.approx(0.989 / 2, abs=0.01)


def test_samples_nowhere_find_nothing() -> None:
    found = mode_coverage(fake=torch.full((100, 2), 9.0), modes=GRID, sigma=SIGMA)
    assert found["modes_found"].value == 0
    assert found["high_quality"].value == 0


def test_what_cannot_be_counted() -> None:
    with pytest.raises(DataError, match="at least 1 fake images, got 0"):
        mode_coverage(fake=torch.zeros(0, 2), modes=GRID, sigma=SIGMA)
    with pytest.raises(DataError, match="1 of 10 fake images"):
        mode_coverage(fake=drawn(GRID, 10).index_fill(0, torch.tensor(3), math.nan), modes=GRID, sigma=SIGMA)
    with pytest.raises(IncomparableError, match="2 features each and the fake ones 3"):
        mode_coverage(fake=torch.zeros(5, 3), modes=GRID, sigma=SIGMA)


def test_it_is_no_metric_of_images() -> None:
    assert catalog.find("metrics", "mode_coverage").takes == "points"
    with pytest.raises(UsageError, match="points of a known mixture"):
        parse("mode_coverage")
