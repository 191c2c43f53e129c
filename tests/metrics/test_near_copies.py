"""Near copies: planted ones are counted one by one, duplicates in the training set hide none, other metrics hardly move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError
from genbench.estimate import Estimate
from genbench.metrics import fid, near_copies
from genbench.metrics.base import FeatureSet

DOSES = [0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0]


def sample(n: int, seed: int, dim: int = 16) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def measure(real: Tensor, fake: Tensor) -> Estimate:
    return near_copies.compute(real=real, fake=fake)["near_copies"]


def planted(real: Tensor, new: Tensor, share: float, noise: float = 0.0) -> Tensor:
    """`new` with its first images replaced by copies of the first training images."""
    count = round(share * len(new))
    return torch.cat([real[:count] + noise * sample(count, 9, real.shape[1]), new[count:]])


def by_loops(real: Tensor, fake: Tensor) -> float:
    """The definition, image by image, for a training set without duplicates."""
    x, t = fake.double().numpy(), real.double().numpy()
    counted = 0
    for image in x:
        far = np.linalg.norm(t - image, axis=1)
        own = np.linalg.norm(t - t[far.argmin()], axis=1)
        counted += far.min() < np.sort(own)[1] / 3
    return counted / len(x)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_equals_loops_where_few_dimensions_bring_images_near_by_chance(dim: int) -> None:
    real, fake = sample(200, 0, dim), sample(150, 1, dim)
    assert float(measure(real, fake)) == pytest.approx(by_loops(real, fake), abs=0.02)  # the floor may add one or two
    assert float(measure(real, fake)) > 0.01


def test_the_share_of_chance_in_two_dimensions_is_what_the_documentation_says() -> None:
    shares = [float(measure(torch.rand(2000, 2, generator=g), torch.rand(2000, 2, generator=g))) for g in [_seeded(0)]]
    assert shares[0] == pytest.approx(1 / (1 + 3**2), abs=0.03)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_planted_copies_are_counted_one_to_one(noise: float) -> None:
    real, new = sample(1000, 0), sample(1000, 1)
    values = [float(measure(real, planted(real, new, dose, noise))) for dose in DOSES]
    assert values == pytest.approx(DOSES, abs=0.002)


def test_ten_per_cent_of_copies_hardly_move_the_frechet_distance() -> None:
    real, new = sample(1000, 0), sample(1000, 1)
    with_copies = planted(real, new, 0.1)
    assert float(measure(real, with_copies)) == pytest.approx(0.1, abs=1e-9)
    before = fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=new))["fd"]
    after = fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=with_copies))["fd"]
    assert before.se is not None
    assert abs(float(after) - float(before)) < before.se


@pytest.mark.parametrize("dose", [0.0, 0.05, 0.1, 0.3])
def test_planted_copies_among_real_held_out_digits(dose: float, digits: np.ndarray) -> None:
    pixels = torch.from_numpy(digits[..., 0].reshape(-1, 64)).float()
    real, new = pixels[:1198], pixels[1198:1598]
    assert float(measure(real, planted(real, new, dose))) == pytest.approx(dose, abs=0.003)


def test_duplicates_in_the_training_set_hide_no_copy() -> None:
    real, new = sample(500, 0), sample(400, 1)
    fake = planted(real, new, 0.2, noise=0.02)
    expected = float(measure(real, fake))
    assert expected == pytest.approx(0.2, abs=0.003)
    assert float(measure(real.repeat(3, 1), fake)) == expected
    assert float(measure(torch.cat([real, real[:300]]), fake)) == expected


def test_an_exact_copy_counts_beside_a_training_image_that_differs_by_rounding_alone() -> None:
    real = sample(500, 0)
    doubled = torch.cat([real, real[:100] * (1 + 1e-6)])
    assert float(measure(doubled, real[:100].clone())) == 1


def test_order_and_units_do_not_matter() -> None:
    real, fake = sample(300, 0), planted(sample(300, 0), sample(300, 1), 0.3, noise=0.05)
    shuffled = real[torch.randperm(300, generator=_seeded(2))]
    assert float(measure(real, fake)) == float(measure(shuffled, fake.flip(0)))
    assert float(measure(real * 1e4, fake * 1e4)) == float(measure(real, fake))


def test_the_median_ratio_tells_new_images_from_copies() -> None:
    real, new = sample(1000, 0), sample(1000, 1)
    assert measure(real, new).details["median_ratio"] == pytest.approx(1.1, abs=0.1)
    assert measure(real, real + 0.05 * sample(1000, 2)).details["median_ratio"] < 0.1


def test_a_training_set_of_one_image() -> None:
    one = torch.full((40, 3), 2.0)
    assert float(measure(one, one)) == 1
    assert float(measure(one, torch.cat([one[:10], one[:30] + 1e-3]))) == 0.25


def test_interval_has_width_where_no_copy_is_found() -> None:
    estimate = measure(sample(500, 0), sample(400, 1))
    assert (float(estimate), estimate.se) == (0, 0)
    assert estimate.ci is not None
    assert 0 == estimate.ci[0] < 0.005 < estimate.ci[1] < 0.015  # about 4 / n


def test_distances_to_different_leave_copies_out() -> None:
    real = sample(60, 0)
    twice = torch.cat([real, real[:20]])
    far = near_copies.distances_to_different(twice)
    full = torch.cdist(real.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    torch.testing.assert_close(far, torch.cat([full.amin(1), full.amin(1)[:20]]))
    assert (near_copies.distances_to_different(torch.ones(5, 3)) == 0).all()


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="at least 2 real images, got 1"):
        measure(sample(1, 0), sample(20, 1))
    with pytest.raises(DataError, match="1 of 20 real images"):
        measure(sample(20, 0).index_fill_(0, torch.tensor(3), float("inf")), sample(20, 1))
    with pytest.raises(IncomparableError, match="16 features each and the fake ones 5"):
        measure(sample(20, 0), sample(20, 1, dim=5))
