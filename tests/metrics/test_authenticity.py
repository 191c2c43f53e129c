"""Authenticity: the definition on all distances, copies in graded doses, and the unit of other tools."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances
from torch import Tensor

from genbench.errors import DataError, IncomparableError
from genbench.metrics import authenticity


def sample(n: int, seed: int, dim: int = 8) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def value(real: Tensor, fake: Tensor, **settings: object) -> float:
    return float(authenticity.compute(real=real, fake=fake, **settings)["authenticity"])


def auth_pct(real: Tensor, fake: Tensor) -> float:
    """AuthPct in per cent, by full matrices in float64."""
    within = pairwise_distances(real.double().numpy())
    np.fill_diagonal(within, np.inf)
    across = pairwise_distances(fake.double().numpy(), real.double().numpy())
    nearest = across.argmin(1)
    return float(100 * (across.min(1) > within.min(1)[nearest]).mean())


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_is_a_hundredth_of_auth_pct(scale: float) -> None:
    real, fake = sample(300, 0), sample(200, 1) * scale
    assert 100 * value(real, fake) == pytest.approx(auth_pct(real, fake), abs=1e-9)


def test_units_offset_and_order_do_not_matter() -> None:
    real, fake = sample(300, 0), sample(200, 1)
    shuffled = real[torch.randperm(300, generator=torch.Generator().manual_seed(2))]
    turn, _ = torch.linalg.qr(sample(8, 3))
    assert value(real, fake) == value(shuffled, fake.flip(0))
    assert value(real, fake) == value(real * 1e3, fake * 1e3)
    assert value(real, fake) == pytest.approx(value(real @ turn + 5, fake @ turn + 5), abs=0.006)


def test_copies_are_not_authentic_whatever_their_noise() -> None:
    real = sample(300, 0)
    assert value(real, real) == 0
    assert value(real, real + 1e-3 * sample(300, 1)) == 0
    assert value(real, real + 100) == 1


def test_a_copy_of_a_duplicate_is_not_authentic_either() -> None:
    real = sample(300, 0)
    assert value(torch.cat([real, real[:50]]), real[:50]) == 0


def test_falls_with_every_copy() -> None:
    real, new = sample(500, 0), sample(500, 1)
    doses = [0, 50, 100, 250, 500]
    values = [value(real, torch.cat([real[:dose], new[dose:]])) for dose in doses]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.5
    assert values[-1] == 0
    assert values[0] - values[1] == pytest.approx(0.1 * values[0], abs=0.02)  # a tenth of the authentic ones is gone


def test_error_bar_is_binomial() -> None:
    estimate = authenticity.compute(real=sample(300, 0), fake=sample(200, 1))["authenticity"]
    share = float(estimate)
    assert estimate.se == pytest.approx((share * (1 - share) / 200) ** 0.5)
    assert estimate.ci is not None
    assert 0 <= estimate.ci[0] < share < estimate.ci[1] <= 1
    assert estimate.influence is not None
    assert float(estimate.influence.fake.var() / 200) ** 0.5 == pytest.approx(estimate.se, rel=0.01)
    everyone = authenticity.compute(real=sample(300, 0), fake=sample(300, 0))["authenticity"]
    assert everyone.ci is not None
    assert everyone.ci[1] > 0.005  # width also at 0


def test_the_subsample_is_of_the_images_and_not_of_their_places() -> None:
    assert authenticity.metric.protocols["subsample"]["largest"] == 10_000
    real, fake = sample(300, 0), sample(200, 1)
    drawn = value(real, fake, largest=150, seed=0)
    assert drawn == value(real.flip(0), fake.flip(0), largest=150, seed=0)
    assert authenticity.compute(real=real, fake=fake, largest=150, seed=0)["authenticity"].n == 150
    assert len({value(real, fake, largest=150, seed=seed) for seed in range(5)}) > 1
    assert value(real, fake, largest=1000) == value(real, fake)


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="at least 2 real images, got 1"):
        value(sample(1, 0), sample(20, 1))
    with pytest.raises(DataError, match="1 of 20 fake images"):
        value(sample(20, 0), sample(20, 1).index_fill_(0, torch.tensor(3), float("nan")))
    with pytest.raises(IncomparableError, match="8 features each and the fake ones 5"):
        value(sample(20, 0), sample(20, 1, dim=5))
