"""C_T: an implementation with scikit-learn and scipy, the null distribution, and copies and blur in graded doses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from genbench.errors import DataError, IncomparableError
from genbench.estimate import Estimate
from genbench.metrics import c_t


def sample(n: int, seed: int, dim: int = 8) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def clustered(n: int, seed: int, dim: int = 8, scale: float = 1.0, shares: tuple[int, ...] = (0, 0, 0, 1, 1, 2)) -> Tensor:
    """Three clusters 12 apart, so that every k-means finds the same regions."""
    cluster = torch.tensor(shares)[torch.arange(n) % len(shares)]
    return sample(n, seed, dim) * scale + 12 * torch.nn.functional.one_hot(cluster, dim)


def measure(real: Tensor, held_out: Tensor, fake: Tensor) -> Estimate:
    return c_t.compute(real=real, held_out=held_out, fake=fake)["c_t"]


def with_libraries(real: Tensor, held_out: Tensor, fake: Tensor) -> float:
    """The published recipe by scikit-learn 1.x and scipy 1.x."""
    train, test, made = (side.double().numpy() for side in (real, held_out, fake))
    if train.shape[1] > 64:
        axes = PCA(n_components=64, svd_solver="full").fit(train)
        train, test, made = (axes.transform(side) for side in (train, test, made))
    regions = KMeans(n_clusters=3, n_init=10, random_state=0).fit(train)
    of_train, of_test, of_made = (regions.predict(side) for side in (train, test, made))
    total = weight = 0.0
    for region in range(3):
        here = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train[of_train == region])
        if (of_made == region).sum() <= 20:
            continue
        far_made, far_test = (here.kneighbors(side)[0][:, 0] for side in (made[of_made == region], test[of_test == region]))
        m, n = len(far_made), len(far_test)
        u = mannwhitneyu(far_made, far_test, alternative="less").statistic
        z = (u - (m * n / 2 - 0.5)) / np.sqrt(m * n * (m + n + 1) / 12)
        total, weight = total + n * z, weight + n
    return total / weight


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.3])
@pytest.mark.parametrize("dim", [8, 100])
def test_equals_the_libraries(dim: int, scale: float) -> None:
    real, held_out, fake = clustered(600, 0, dim), clustered(400, 1, dim), clustered(500, 2, dim, scale)
    assert float(measure(real, held_out, fake)) == pytest.approx(with_libraries(real, held_out, fake), rel=1e-9)


def test_a_region_that_is_hardly_reached_does_not_count() -> None:
    real, held_out = clustered(600, 0), clustered(400, 1)
    fake = clustered(300, 2, shares=(0, 1))
    estimate = measure(real, held_out, fake)
    assert float(estimate) == pytest.approx(with_libraries(real, held_out, fake), rel=1e-9)
    assert {name for name in estimate.details if name.startswith("z_")} == {"z_1", "z_2"}
    assert estimate.details["share_1"] + estimate.details["share_2"] == pytest.approx(1)


def test_copies_are_tied_at_zero() -> None:
    real = clustered(600, 0)
    fake = torch.cat([real[:100], clustered(400, 2)])
    held_out = torch.cat([real[200:250], clustered(350, 1)])
    assert float(measure(real, held_out, fake)) == pytest.approx(with_libraries(real, held_out, fake), rel=1e-6)


def test_without_fault_the_standard_deviation_is_null_se() -> None:
    """Both error bars are right for independent images; the mean is that of the correction for continuity."""
    estimates = [measure(sample(100, 3 * i), sample(100, 3 * i + 1), sample(100, 3 * i + 2)) for i in range(100)]
    values = np.array([float(estimate) for estimate in estimates])
    expected = float(np.mean([estimate.details["null_se"] for estimate in estimates]))
    assert values.std() == pytest.approx(expected, rel=0.25)
    assert np.mean([estimate.se for estimate in estimates]) == pytest.approx(expected, rel=0.1)
    assert abs(values.mean()) < 4 * values.std() / 100**0.5


def test_negative_for_copies_and_more_so_for_more() -> None:
    real, held_out, new = sample(600, 0, 16), sample(500, 1, 16), sample(500, 2, 16)
    values = [float(measure(real, held_out, torch.cat([real[:dose], new[dose:]]))) for dose in (0, 50, 125, 250, 500)]
    assert values == sorted(values, reverse=True)
    assert abs(values[0]) < 2.5
    assert values[1] < values[0] - 1
    assert values[-1] < -12


def test_positive_for_what_lies_far_from_the_training_images() -> None:
    real, held_out, new = sample(600, 0), sample(500, 1), sample(500, 2)
    values = [float(measure(real, held_out, new + noise * sample(500, 3))) for noise in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values)
    assert values[-1] > 8


def test_the_sign_turns_when_generated_and_held_out_images_are_exchanged() -> None:
    real, held_out, fake = clustered(600, 0), clustered(500, 1), clustered(500, 2, scale=1.2)
    there, back = measure(real, held_out, fake), measure(real, fake, held_out)
    correction = 0.02  # of the continuity, twice half a pair in units of the deviation
    assert float(there) == pytest.approx(-float(back), abs=correction)
    assert there.se == pytest.approx(back.se, rel=0.02)


def test_the_order_of_images_does_not_matter() -> None:
    real, held_out, fake = sample(300, 0), sample(250, 1), sample(200, 2)
    generator = torch.Generator().manual_seed(5)
    shuffled = [side[torch.randperm(len(side), generator=generator)] for side in (real, held_out, fake)]
    there, again = measure(real, held_out, fake), measure(*shuffled)
    assert float(again) == pytest.approx(float(there), abs=1e-9)
    assert again.se == pytest.approx(there.se, rel=1e-9)
    assert float(there) == float(measure(real, held_out, fake))


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    """But for what is the same for all images: with one less, every z is nearer to zero."""
    real, held_out, fake = clustered(600, 0), clustered(500, 1), clustered(400, 2, scale=1.1)
    estimate = measure(real, held_out, fake)
    assert estimate.influence is not None
    some = [0, 3, 5, 100, 250, 399]
    without = np.array([float(measure(real, held_out, fake[torch.arange(400) != i])) for i in some])
    effect, influence = -399 * without, estimate.influence.fake[some].numpy()
    np.testing.assert_allclose(influence - influence.mean(), effect - effect.mean(), rtol=0.05, atol=0.1)


def test_no_region_has_both() -> None:
    real = clustered(300, 0)
    held_out, fake = clustered(100, 1, shares=(0,)), clustered(100, 2, shares=(1,))
    estimate = measure(real, held_out, fake)
    assert estimate.value is None
    assert estimate.reason == "no region of the training set holds held-out images and more than 20 generated ones"


def test_images_that_are_all_the_same() -> None:
    same = torch.ones(60, 8)
    estimate = measure(same, same, same)
    assert abs(float(estimate)) < 0.01
    assert estimate.se is not None


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="at least 3 real images, got 2"):
        measure(sample(2, 0), sample(20, 1), sample(30, 2))
    with pytest.raises(DataError, match="1 of 20 real images have features that are not finite"):
        measure(sample(20, 0), sample(20, 1).index_fill_(0, torch.tensor(3), float("nan")), sample(30, 2))
    with pytest.raises(IncomparableError):
        measure(sample(20, 0), sample(20, 1, dim=5), sample(30, 2))
