"""Bins: k-means itself, equal sets, known shares, the errors of the shares, and missing, repeated and noisy images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency
from sklearn.cluster import KMeans
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate
from genbench.metrics.ndb import compute, k_means, nearest_centre
from genbench.seeding import generator

CORNERS = 10 * torch.eye(5)


def sample(n: int, seed: int, dim: int = 5) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def corners(*counts: int, seed: int = 0) -> Tensor:
    """So many points around each of five places."""
    kinds = torch.arange(5).repeat_interleave(torch.tensor(counts))
    return CORNERS[kinds] + 0.1 * sample(sum(counts), seed)


def measure(real: Tensor, fake: Tensor, bins: int = 5, **settings: Any) -> dict[str, Estimate]:
    return compute(real=real, fake=fake, bins=bins, **settings)


def test_k_means_finds_what_there_is() -> None:
    points = corners(40, 40, 40, 40, 40)
    centres = k_means(points, 5, generator(0, "test"))
    assert nearest_centre(CORNERS, centres).unique().numel() == 5
    assert torch.cdist(centres, CORNERS.double()).amin(1).max() < 0.1
    assert (nearest_centre(points, centres).bincount() == 40).all()


def test_k_means_is_as_tight_as_scikit_learn() -> None:
    points = sample(600, 0)
    ours = torch.cdist(points.double(), k_means(points, 20, generator(0, "test"))).amin(1).square().sum()
    assert float(ours) < 1.05 * KMeans(20, n_init=1, random_state=0).fit(points.numpy()).inertia_


def test_k_means_of_fewer_distinct_points_than_bins() -> None:
    assert len(k_means(torch.eye(3).repeat(20, 1), 10, generator(0, "test"))) == 3
    got = measure(torch.eye(3).repeat(20, 1), torch.eye(3).repeat(9, 1), bins=10)
    assert got["ndb"].details["bins"] == 3
    kinds = sample(3, 7, dim=64)  # products of such numbers are not exact
    real = kinds[torch.arange(1000) % 3]
    assert len(k_means(real, 100, generator(0, "test"))) == 3
    lost = compute(real=real, fake=kinds[torch.arange(900) % 2])
    assert lost["ndb"].details == {"bins": 3, "missing": pytest.approx(1 / 3), "crowded": pytest.approx(2 / 3)}


def test_equals_tests_and_divergence_of_the_counts() -> None:
    """Real images are counted that did not make the bins only under the default; here all are, to know the counts."""
    of_real, of_fake = np.array([100, 60, 90, 40, 110]), np.array([70, 68, 10, 45, 207])
    got = measure(corners(*of_real), corners(*of_fake, seed=1), split=False)
    p, q = of_real / 400, of_fake / 400
    assert float(got["ndb_js"]) == pytest.approx(jensenshannon(p, q) ** 2, rel=1e-9)
    tables = [[[a, 400 - a], [b, 400 - b]] for a, b in zip(of_real, of_fake, strict=True)]
    different = [chi2_contingency(table, correction=False).pvalue < 0.05 for table in tables]  # the square of the z-test
    assert float(got["ndb"]) == np.mean(different) == 0.6
    assert got["ndb"].details == {"bins": 5, "missing": 0.4, "crowded": 0.2}


def test_equal_distributions_and_disjoint_ones() -> None:
    same = [measure(sample(600, 2 * i), sample(600, 2 * i + 1), bins=20) for i in range(30)]
    assert np.mean([float(got["ndb"]) for got in same]) < 0.07
    corrected = [got["ndb_js"].bias_corrected for got in same]
    assert abs(np.mean(corrected)) < 3 * np.std(corrected) / 30**0.5
    apart = measure(corners(100, 100, 0, 0, 0), corners(0, 0, 0, 0, 100), bins=2)
    assert float(apart["ndb_js"]) <= math.log(2)


def test_the_order_of_images_does_not_matter() -> None:
    real, fake = sample(300, 0), sample(200, 1) * 1.3
    for report, estimate in measure(real, fake, bins=10).items():
        again = measure(real.flip(0), fake.flip(0), bins=10)[report]
        assert float(again) == pytest.approx(float(estimate), rel=1e-12)
        assert again.se == pytest.approx(estimate.se, rel=1e-9)


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    real, fake = corners(100, 60, 90, 40, 110), corners(70, 68, 10, 45, 207)
    estimate = measure(real, fake)["ndb_js"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 100, 145, 390):
        effect = (float(estimate) - float(measure(real, fake[torch.arange(400) != i])["ndb_js"])) * 399
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=2e-3)
    assert float((estimate.influence.real == 0).double().mean()) == 0.5  # those that made the bins


def test_rises_with_missing_modes_and_repeats() -> None:
    real = corners(200, 200, 200, 200, 200)
    missing = [measure(real, corners(*[200 - lost] * 2, 200, *[200 + lost] * 2)) for lost in (0, 40, 80, 140, 200)]
    for report in ("ndb", "ndb_js"):
        values = [float(got[report]) for got in missing]
        assert values == sorted(values)
        assert values[-1] > 5 * values[0]
    assert missing[-1]["ndb"].details["missing"] == 0.4
    gaussian, fake = sample(1000, 0), sample(1000, 1)
    repeated = [measure(gaussian, fake[: 1000 // copies].repeat(copies, 1), bins=20) for copies in (1, 10, 50, 1000)]
    for report in ("ndb", "ndb_js"):
        values = [float(got[report]) for got in repeated]
        assert values == sorted(values)


def test_rises_with_noise_that_mixes_the_bins_but_not_with_noise_beside_them() -> None:
    real, fake, noise = sample(1000, 0, 2), sample(1000, 1, 2), sample(1000, 2, 2)
    mixed = [float(measure(real, fake + level * noise, bins=20)["ndb_js"]) for level in (0.0, 1.0, 2.0, 4.0)]
    assert mixed == sorted(mixed)
    flat = torch.cat([real, torch.zeros(1000, 1)], 1)
    beside = torch.cat([fake, 50 * noise[:, :1]], 1)  # what it is documented to be blind to
    assert float(measure(flat, beside, bins=20)["ndb_js"]) == pytest.approx(mixed[0])


def test_too_few_real_images_for_the_bins() -> None:
    with pytest.raises(DataError, match="ndb with 100 bins needs 200 real images, got 150"):
        compute(real=sample(150, 0), fake=sample(150, 1))
