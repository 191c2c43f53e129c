"""The Fréchet distance: closed forms, the lectures' wrong formula, singular covariances, influence and bias."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.gaussian import Moments, moments
from genbench.metrics.base import FeatureSet
from genbench.metrics.fid import compute, frechet_distance


def gaussian(mean: Tensor, cov: Tensor, n: int | None = 1000) -> Moments:
    return Moments(n=n, mean=mean.double(), cov=cov.double())


def sample(n: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def fd(real: Tensor, fake: Tensor) -> Estimate:
    return compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]


def random_covariance(dim: int, seed: int) -> Tensor:
    root = torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T / dim


@pytest.mark.parametrize("dim", [1, 2, 64, 300])  # 300 is more than one block of the triangular product
def test_shifted_means(dim: int) -> None:
    cov, shift = random_covariance(dim, 0) + torch.eye(dim), torch.linspace(-1, 2, dim)
    got = frechet_distance(real=gaussian(torch.zeros(dim), cov), fake=gaussian(shift, cov))
    assert got == pytest.approx(float(shift.double().square().sum()), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 1.0, 3.0])
def test_scaled_covariances(sigma: float) -> None:
    dim = 50
    got = frechet_distance(
        real=gaussian(torch.zeros(dim), torch.eye(dim)), fake=gaussian(torch.zeros(dim), sigma**2 * torch.eye(dim).double())
    )
    assert got == pytest.approx(dim * (1 - sigma) ** 2, abs=1e-12)


def test_commuting_covariances() -> None:
    a, b = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 1.0, 0.25])
    got = frechet_distance(real=gaussian(torch.zeros(3), a.diag()), fake=gaussian(torch.zeros(3), b.diag()))
    assert got == pytest.approx(float((a.sqrt() - b.sqrt()).square().sum()), rel=1e-12)


def test_the_sign_and_the_root_of_the_formula() -> None:
    """Lecture slides print |Δμ|² - tr(Σr + Σf - 2 Σr Σf): here that is -1·(1 + 4 - 8) = 3, and the distance is 1."""
    real, fake = gaussian(torch.zeros(1), torch.eye(1)), gaussian(torch.zeros(1), 4 * torch.eye(1))
    printed = float((real.mean - fake.mean).square().sum() - (real.cov + fake.cov - 2 * real.cov @ fake.cov).trace())
    assert printed == 3
    assert frechet_distance(real=real, fake=fake) == pytest.approx(1, rel=1e-12)
    # It is no distance either: identical Gaussians would not be at zero.
    assert -(2 * fake.cov - 2 * fake.cov @ fake.cov).trace() != 0
    assert frechet_distance(real=fake, fake=fake) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [30, 64, 65, 500])
def test_identical_sets_are_at_zero(n: int) -> None:
    features = sample(n, 64, 0, scale=3)
    assert float(fd(features, features)) < 1e-9 * float(moments(features).cov.trace())


def test_it_is_symmetric() -> None:
    for n in (40, 500):
        a, b = moments(sample(n, 64, 0)), moments(sample(300, 64, 1, 1.2, 0.1))
        assert frechet_distance(real=a, fake=b) == pytest.approx(frechet_distance(real=b, fake=a), rel=1e-9)


@pytest.mark.parametrize(("n_real", "n_fake"), [(500, 40), (40, 500), (40, 50), (50, 40)])
def test_thin_factors_change_nothing(n_real: int, n_fake: int) -> None:
    real, fake = moments(sample(n_real, 64, 0)), moments(sample(n_fake, 64, 1, 1.2, 0.1))
    full = frechet_distance(real=gaussian(real.mean, real.cov), fake=gaussian(fake.mean, fake.cov))
    assert frechet_distance(real=real, fake=fake) == pytest.approx(full, rel=1e-6)
    # An independent form: the trace is the nuclear norm of the product of the two thin factors.
    nuclear = torch.linalg.matrix_norm(fake.factor.T @ real.factor, "nuc")
    expected = (real.mean - fake.mean).square().sum() + real.cov.trace() + fake.cov.trace() - 2 * nuclear
    assert frechet_distance(real=real, fake=fake) == pytest.approx(float(expected), rel=1e-6)


def test_ill_conditioned_covariances_stay_real_and_not_negative() -> None:
    """Variances over 18 orders of magnitude: eigenvalues below rounding are lost, and with them their roots, some 1e-8 each."""
    features = sample(200, 80, 0) * torch.logspace(0, -9, 80)
    for other in (features, features * (1 + 1e-9), features.flip(0)):
        assert 0 <= float(fd(features, other)) < 1e-6


@pytest.mark.parametrize(("n", "m", "dim"), [(60, 50, 8), (12, 50, 20), (60, 15, 20), (12, 15, 20)])
def test_influence_is_the_derivative_with_respect_to_weights(n: int, m: int, dim: int) -> None:
    real, fake = sample(m, dim, 0).double(), sample(n, dim, 1, 1.3, 0.2).double()

    def distance(real_weights: Tensor, fake_weights: Tensor) -> float:
        return frechet_distance(real=weighted(real, real_weights), fake=weighted(fake, fake_weights))

    estimate = compute(
        real=FeatureSet(features=real, moments=weighted(real, uniform(m))),
        fake=FeatureSet(features=fake, moments=weighted(fake, uniform(n))),
    )["fd"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    step = 1e-4
    for i in (0, 5, 11):
        towards_fake = step * (torch.eye(n, dtype=torch.float64)[i] - uniform(n))
        slope = distance(uniform(m), uniform(n) + towards_fake) - distance(uniform(m), uniform(n) - towards_fake)
        assert float(estimate.influence.fake[i]) == pytest.approx(slope / (2 * step), rel=1e-4)
        towards_real = step * (torch.eye(m, dtype=torch.float64)[i] - uniform(m))
        slope = distance(uniform(m) + towards_real, uniform(n)) - distance(uniform(m) - towards_real, uniform(n))
        assert float(estimate.influence.real[i]) == pytest.approx(slope / (2 * step), rel=1e-4)


def uniform(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def weighted(features: Tensor, weights: Tensor) -> Moments:
    """Moments with divisor 1 under weights that sum to 1, with a thin factor; n says that there are more images than these."""
    mean = weights @ features
    factor = ((features - mean) * weights[:, None].sqrt()).T
    return Moments(n=1000, mean=mean, cov=factor @ factor.T, stored_factor=factor if len(features) <= len(mean) else None)


def test_error_bar_has_both_sides() -> None:
    real, fake = sample(800, 16, 0), sample(500, 16, 1, 1.2)
    both = fd(real, fake)
    exact = compute(real=FeatureSet(moments=moments(real)), fake=FeatureSet(features=fake))["fd"]
    part = compute(real=FeatureSet(features=real[:200], moments=moments(real)), fake=FeatureSet(features=fake))["fd"]
    assert both.se is not None
    assert exact.se is not None
    assert part.se is not None
    assert both.influence is not None
    assert both.influence.real is not None
    variance = both.influence.fake.var() / 500 + both.influence.real.var() / 800
    assert both.se**2 == pytest.approx(float(variance))
    assert exact.se < both.se
    assert part.se == pytest.approx(both.se, rel=0.1)
    assert float(both) == pytest.approx(float(exact)) == pytest.approx(float(part))
    assert "exact" in (exact.reason or "")
    assert both.reason is None
    assert part.reason is None
    assert (part.n, part.n_real) == (500, 800)


def test_a_reference_that_does_not_say_n_counts_as_exact() -> None:
    real = moments(sample(800, 16, 0))
    nameless = FeatureSet(moments=Moments(n=None, mean=real.mean, cov=real.cov))
    estimate = compute(real=nameless, fake=FeatureSet(features=sample(500, 16, 1)))["fd"]
    assert estimate.n_real is None
    assert "exact" in (estimate.reason or "")


def test_moments_alone_have_a_value_and_a_reason() -> None:
    real, fake = moments(sample(800, 16, 0)), moments(sample(500, 16, 1))
    estimate = compute(real=FeatureSet(moments=real), fake=FeatureSet(moments=fake))["fd"]
    assert float(estimate) == pytest.approx(frechet_distance(real=real, fake=fake))
    assert estimate.se is None
    assert "features" in (estimate.reason or "")


def test_jackknife_removes_most_of_the_bias() -> None:
    truth, raw, corrected = 16 * 0.2**2, [], []
    for seed in range(20):
        estimate = fd(sample(400, 16, 2 * seed), sample(400, 16, 2 * seed + 1, 1.2))
        assert estimate.bias_corrected is not None
        raw.append(float(estimate))
        corrected.append(estimate.bias_corrected)
    assert np.mean(raw) - truth > 0.15
    assert abs(np.mean(corrected) - truth) < 0.03


def test_jackknife_needs_more_images_than_dimensions() -> None:
    assert fd(sample(500, 16, 0), sample(17, 16, 1)).bias_corrected is None
    assert fd(sample(17, 16, 0), sample(500, 16, 1)).bias_corrected is None
    fixed = compute(real=FeatureSet(moments=moments(sample(500, 16, 0))), fake=FeatureSet(features=sample(30, 16, 1)))["fd"]
    assert fixed.bias_corrected is not None


def test_threads_do_not_change_the_answer() -> None:
    real, fake = sample(100, 16, 0), sample(100, 16, 1)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        several = fd(real, fake)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        one = fd(real, fake)
    finally:
        torch.set_num_threads(threads)
    assert float(several) == pytest.approx(float(one), rel=1e-12)
    assert several.bias_corrected == pytest.approx(one.bias_corrected, rel=1e-9)
