"""Generalization gap: no gap without copying whatever the quality, and growing with the share of copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError
from genbench.estimate import Estimate
from genbench.metrics import fid, generalization_gap
from genbench.metrics._order import subsample
from genbench.metrics.base import FeatureSet


def sample(n: int, seed: int, dim: int = 16) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def measure(real: Tensor, held_out: Tensor, fake: Tensor, **settings: object) -> Estimate:
    return generalization_gap.compute(real=real, held_out=held_out, fake=fake, **settings)["fd_gap"]


def distance(real: Tensor, fake: Tensor) -> float:
    return float(fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"])


def test_is_the_difference_of_two_distances() -> None:
    real, held_out, fake = sample(300, 0), sample(300, 1), sample(200, 2) * 1.2
    estimate = measure(real, held_out, fake)
    assert float(estimate) == pytest.approx(distance(held_out, fake) - distance(real, fake), rel=1e-12)
    assert estimate.details["fd_training"] == distance(real, fake)
    assert estimate.details["images_per_reference"] == 300


def test_the_sign_turns_when_training_and_held_out_images_are_exchanged() -> None:
    real, held_out, fake = sample(300, 0), sample(300, 1), sample(200, 2)
    there, back = measure(real, held_out, fake), measure(held_out, real, fake)
    assert float(there) == pytest.approx(-float(back), rel=1e-12)
    assert there.se == pytest.approx(back.se, rel=1e-12)
    assert float(measure(real, real, fake)) == 0


@pytest.mark.parametrize("scale", [1.0, 0.7, 1.4])
def test_unequal_references_leave_no_bias(scale: float) -> None:
    """With all 1,000 training images against 200 held-out ones, the bias alone would be a gap of many of these errors."""
    estimates = [measure(sample(1000, 3 * i), sample(200, 3 * i + 1), scale * sample(300, 3 * i + 2)) for i in range(40)]
    values = np.array([float(estimate) for estimate in estimates])
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean()) < 3 * error
    assert estimates[0].details["images_per_reference"] == 200
    if scale == 1.0:
        biased = [distance(sample(200, 3 * i + 1), sample(300, 3 * i + 2)) for i in range(40)]
        unequal = [distance(sample(1000, 3 * i), sample(300, 3 * i + 2)) for i in range(40)]
        assert np.mean(biased) - np.mean(unequal) > 10 * error


def test_grows_with_the_share_of_copies() -> None:
    real, held_out, new = sample(600, 0), sample(600, 1), sample(600, 2)
    estimates = [measure(real, held_out, torch.cat([real[:dose], new[dose:]])) for dose in (0, 150, 300, 450, 600)]
    values = [float(estimate) for estimate in estimates]
    assert values == sorted(values)
    assert estimates[0].ci is not None
    assert estimates[-1].ci is not None
    assert estimates[0].ci[0] < 0 < estimates[0].ci[1]
    assert estimates[-1].ci[0] > 0
    assert estimates[-1].details["fd_training"] == pytest.approx(0, abs=1e-9)


def test_the_error_bar_is_that_of_repeats() -> None:
    estimates = [measure(sample(200, 3 * i), sample(200, 3 * i + 1), 1.3 * sample(200, 3 * i + 2)) for i in range(100)]
    spread = float(np.std([float(estimate) for estimate in estimates]))
    assert np.mean([estimate.se for estimate in estimates]) == pytest.approx(spread, rel=0.25)


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    real, held_out, fake = sample(500, 0), sample(500, 1), sample(400, 2) * 1.3
    estimate = measure(real, held_out, fake)
    assert estimate.influence is not None
    for i in (0, 100, 399):
        without = float(measure(real, held_out, fake[torch.arange(400) != i]))
        assert float(estimate.influence.fake[i]) == pytest.approx(399 * (float(estimate) - without), rel=0.05, abs=0.05)


def test_the_order_of_images_does_not_matter() -> None:
    real, held_out, fake = sample(400, 0), sample(250, 1), sample(200, 2)
    generator = torch.Generator().manual_seed(5)
    shuffled = [side[torch.randperm(len(side), generator=generator)] for side in (real, held_out, fake)]
    assert float(measure(*shuffled)) == pytest.approx(float(measure(real, held_out, fake)), rel=1e-9)


def test_the_seed_draws_the_larger_reference() -> None:
    real, held_out, fake = sample(400, 0), sample(250, 1), sample(200, 2)
    assert float(measure(real, held_out, fake, seed=0)) != float(measure(real, held_out, fake, seed=1))
    numbers = torch.arange(400.0)[:, None]
    drawn = subsample(numbers, 250, seed=0, purpose="test")
    assert len(drawn.unique()) == 250
    assert torch.equal(drawn, drawn.sort(0).values)
    assert subsample(numbers, 400, seed=0, purpose="test") is numbers


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="for its held-out images, needs at least 2 real images, got 1"):
        measure(sample(20, 0), sample(1, 1), sample(20, 2))
    with pytest.raises(DataError, match="1 of 20 real images"):
        measure(sample(20, 0), sample(20, 1).index_fill_(0, torch.tensor(3), float("nan")), sample(20, 2))
    with pytest.raises(IncomparableError):
        measure(sample(20, 0), sample(20, 1, dim=5), sample(20, 2))
