"""The extrapolated Fréchet distance: nearer to closed forms, the same subsets in any order, its line and its error bar."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.gaussian import Moments, moments
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.metrics.fid_infinity import _Design, compute


def sample(n: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def exact(dim: int) -> FeatureSet:
    """A reference without any error of its own: N(0, I)."""
    return FeatureSet(moments=Moments(n=None, mean=torch.zeros(dim).double(), cov=torch.eye(dim).double()))


def fd_infinity(real: FeatureSet, fake: Tensor, seed: int = 0) -> Estimate:
    return compute(real=real, fake=FeatureSet(features=fake), seed=seed)["fd_infinity"]


@pytest.mark.parametrize(("scale", "shift"), [(1.2, 0.0), (1.0, 0.3), (1.0, 0.0)])
def test_nearer_to_the_closed_form_than_the_plain_value(scale: float, shift: float) -> None:
    dim, truth = 32, 32 * ((scale - 1) ** 2 + shift**2)
    estimates = [fd_infinity(exact(dim), sample(400, dim, seed, scale, shift)) for seed in range(15)]
    plain = np.array([estimate.details["fd"] for estimate in estimates])
    values = np.array([float(estimate) for estimate in estimates])
    assert plain.mean() - truth > 0.5
    assert abs(values.mean() - truth) < 0.1 * (plain.mean() - truth) + 2 * values.std() / 15**0.5
    assert (np.abs(values - truth) < np.abs(plain - truth)).mean() > 0.9


def test_it_agrees_with_the_jackknife_beside_it() -> None:
    values = [fd_infinity(exact(16), sample(400, 16, seed, 1.2)) for seed in range(10)]
    difference = np.array([float(estimate) - estimate.details["fd_jackknife"] for estimate in values])
    assert np.abs(difference).max() < 0.25 * np.mean([estimate.details["fd"] - float(estimate) for estimate in values])


def test_the_value_is_the_intercept_of_a_weighted_line() -> None:
    fake = sample(300, 8, 1, 1.2)
    real = moments(sample(500, 8, 0))
    design, order = _Design.of(300, 8), fid.shuffled(fake, 0, "fid_infinity/subsets")
    distances = [fid.frechet_distance(real=real, fake=moments(fake[order[arc]])) for arc in design.arcs(torch.device("cpu"))]
    line = np.polyfit(1 / design.sizes.numpy(), distances, 1, w=design.sizes.double().sqrt().numpy())  # it squares them
    assert float(fd_infinity(FeatureSet(moments=real), fake)) == pytest.approx(line[1], rel=1e-9)


@pytest.mark.parametrize(
    ("n", "dim", "smallest"), [(1000, 8, 100), (1000, 200, 400), (1000, 400, 500), (50_000, 2048, 5000), (6, 1, 2)]
)
def test_sizes_and_shares(n: int, dim: int, smallest: int) -> None:
    design = _Design.of(n, dim)
    assert (int(design.sizes.min()), int(design.sizes.max())) == (smallest, n)
    assert len(design.sizes.unique()) == min(15, n - smallest + 1)
    assert float(design.weights.sum()) == pytest.approx(1)
    assert float(design.weights @ (1 / design.sizes.double())) == pytest.approx(0, abs=1e-12)
    shares = design.shares()
    assert float(shares.mean()) == pytest.approx(1)
    assert float(shares.square().mean()) < 1.1 or n < 10  # all images count nearly alike
    for arc, size in zip(design.arcs(torch.device("cpu")), design.sizes.tolist(), strict=True):
        assert len(arc.unique()) == size


def test_order_does_not_matter_and_the_seed_does() -> None:
    real, fake = FeatureSet(features=sample(300, 8, 0)), sample(200, 8, 1, 1.2)
    estimate = fd_infinity(real, fake)
    mixed = torch.randperm(200, generator=torch.Generator().manual_seed(5))
    again = fd_infinity(real, fake[mixed])
    assert float(again) == pytest.approx(float(estimate), rel=1e-9)
    assert again.se == pytest.approx(estimate.se, rel=1e-9)
    assert again.influence is not None
    assert estimate.influence is not None
    torch.testing.assert_close(again.influence.fake, estimate.influence.fake[mixed])
    assert float(fd_infinity(real, fake)) == float(estimate)
    assert float(fd_infinity(real, fake, seed=1)) != float(estimate)
    assert float(fd_infinity(real, fake, seed=1)) == pytest.approx(float(estimate), abs=2 * (estimate.se or 0))


def test_error_bar_is_hardly_wider_than_the_plain_distance_has() -> None:
    real, fake = FeatureSet(features=sample(800, 16, 0)), sample(500, 16, 1, 1.2)
    plain, infinite = fid.compute(real=real, fake=FeatureSet(features=fake))["fd"], fd_infinity(real, fake)
    assert plain.se is not None
    assert infinite.se is not None
    assert infinite.details["fd"] == float(plain)
    assert plain.se * 0.97 < infinite.se < plain.se * 1.1
    known = fd_infinity(FeatureSet(moments=moments(sample(800, 16, 0))), fake)
    assert float(known) == pytest.approx(float(infinite))
    assert known.se is not None
    assert known.se < infinite.se
    assert "exact" in (known.reason or "")


def test_identical_sets_have_no_error_bar() -> None:
    """Their subsets are parts of the reference: the fit ends below 0 whatever chance does."""
    fake = sample(400, 8, 1)
    same = fd_infinity(FeatureSet(features=fake), fake)
    assert -0.3 < float(same) < 0
    assert same.se is None
    assert same.ci is None
    assert "the same" in (same.reason or "")
    assert fd_infinity(FeatureSet(features=fake), fake + 1e-3).se is not None


def test_grows_with_a_planted_shift() -> None:
    fake = sample(400, 8, 1)
    values = [float(fd_infinity(exact(8), fake + step)) for step in (0, 0.1, 0.3, 1)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(8, rel=0.1)


def test_no_value_where_the_bias_is_not_like_one_over_n() -> None:
    estimate = fd_infinity(exact(32), sample(65, 32, 0))
    assert estimate.value is None
    assert "65 images" in (estimate.reason or "")
    assert estimate.details["fd"] > 0
    assert fd_infinity(exact(32), sample(66, 32, 0)).value is not None


def test_no_value_without_features() -> None:
    known = FeatureSet(moments=moments(sample(500, 8, 0)))
    estimate = compute(real=known, fake=FeatureSet(moments=moments(sample(500, 8, 1))))["fd_infinity"]
    assert estimate.value is None
    assert "features" in (estimate.reason or "")
