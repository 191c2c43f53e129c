"""MIND: closed forms, exact zero, one-dimensional optimal transport with unequal numbers, influence, planted failures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import _sliced
from genbench.metrics._sliced import sliced_wasserstein
from genbench.metrics.mind import compute, unit_vectors

LINE = torch.ones(1, 1, dtype=torch.float64)


def sample(n: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def mind(real: Tensor, fake: Tensor, directions: int = 100) -> Estimate:
    return compute(real=real, fake=fake, directions=directions)["mind"]


@pytest.mark.parametrize("dim", [1, 2, 16, 256])
def test_shifted_gaussians_are_at_three_d_mu_squared(dim: int) -> None:
    got = compute(real=sample(4000, dim, 0), fake=sample(4000, dim, 1, shift=1.0))["mind"]
    assert float(got) == pytest.approx(3 * dim, rel=0.1)


def test_scaled_gaussians() -> None:
    """Along every direction N(0, 1) meets N(0, σ²): (σ - 1)², which no choice of directions changes."""
    dim, sigma = 16, 1.5
    assert float(mind(sample(20_000, dim, 0), sample(20_000, dim, 1, sigma))) == pytest.approx(3 * dim * 0.25, rel=0.02)


@pytest.mark.parametrize("dim", [1, 2, 30])
def test_identical_sets_are_exactly_at_zero(dim: int) -> None:
    features = sample(200, dim, 0, scale=3)
    estimate = mind(features, features)
    assert float(estimate) == 0
    assert estimate.se == 0


def test_copies_of_every_image_change_nothing() -> None:
    real, fake = sample(60, 5, 0), sample(45, 5, 1, 1.2)
    assert float(mind(real, real.repeat(3, 1))) < 1e-20
    assert float(mind(real.repeat(2, 1), fake.repeat(3, 1))) == pytest.approx(float(mind(real, fake)), rel=1e-10)


def test_symmetric_and_in_squared_units() -> None:
    real, fake = sample(60, 5, 0), sample(45, 5, 1, 1.2)
    forth, back = mind(real, fake), mind(fake, real)
    assert float(forth) == pytest.approx(float(back), rel=1e-12)
    assert forth.se == pytest.approx(back.se, rel=1e-12)
    assert float(mind(3 * real + 1, 3 * fake + 1)) == pytest.approx(9 * float(forth), rel=1e-5)


@pytest.mark.parametrize(("m", "n"), [(7, 7), (7, 5), (12, 8), (2, 9)])
def test_one_direction_is_optimal_transport(m: int, n: int) -> None:
    """The linear programme over all couplings; its value, and its dual variables are the influence up to a constant."""
    x, y = sample(m, 1, 0).double(), sample(n, 1, 1, 1.5).double()
    costs = np.square(x.numpy() - y.numpy().T)
    rows, columns = np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))
    optimum = linprog(costs.ravel(), A_eq=np.vstack([rows, columns]), b_eq=[1 / m] * m + [1 / n] * n)
    got = sliced_wasserstein(real=x, fake=y, directions=LINE)
    assert got.value == pytest.approx(optimum.fun, rel=1e-9)
    if np.gcd(m, n) == 1:  # else the dual is not unique
        duals = optimum.eqlin.marginals
        np.testing.assert_allclose(got.pull_real, duals[:m] - duals[:m].mean(), atol=1e-8)
        np.testing.assert_allclose(got.pull_fake, duals[m:] - duals[m:].mean(), atol=1e-8)


def test_equal_numbers_are_sorted_and_compared() -> None:
    real, fake, directions = sample(80, 6, 0), sample(80, 6, 1, 1.3), unit_vectors(6, 50, 0)
    x, y = (np.sort(side.double().numpy() @ directions.numpy(), axis=0) for side in (real, fake))
    assert float(mind(real, fake, 50)) == pytest.approx(3 * 6 * np.square(x - y).mean(), rel=1e-12)


@pytest.mark.parametrize(("m", "n"), [(400, 400), (400, 300)])
def test_influence_is_the_effect_of_leaving_an_image_out(m: int, n: int) -> None:
    real, fake = sample(m, 4, 0), sample(n, 4, 1, 1.2, 0.5)
    estimate = mind(real, fake)
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        effect = (float(estimate) - float(mind(real, fake[torch.arange(n) != i]))) * (n - 1)
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=0.4)
        effect = (float(estimate) - float(mind(real[torch.arange(m) != i], fake))) * (m - 1)
        assert float(estimate.influence.real[i]) == pytest.approx(effect, rel=0.05, abs=0.4)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = sample(60, 5, 0), sample(45, 5, 1, 1.2)
    whole = mind(real, fake)
    monkeypatch.setattr(_sliced, "DIRECTIONS", 7)
    monkeypatch.setattr(_sliced, "ROWS", 13)
    parts = mind(real, fake)
    assert float(parts) == pytest.approx(float(whole), rel=1e-12)
    assert parts.se == pytest.approx(whole.se, rel=1e-12)


def test_directions_follow_from_the_seed() -> None:
    real, fake = sample(60, 5, 0), sample(45, 5, 1, 1.2)
    assert float(mind(real, fake)) == float(mind(real, fake))
    assert float(mind(real, fake)) != float(compute(real=real, fake=fake, directions=100, seed=1)["mind"])
    assert torch.allclose(unit_vectors(5, 100, 0).norm(dim=0), torch.ones(100, dtype=torch.float64))


def test_grows_with_the_share_of_lost_modes() -> None:
    """Points around corners of a square; the generator leaves more and more of the corners out."""
    corners = torch.tensor([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [4.0, 4.0]])
    real = corners.repeat(100, 1) + 0.1 * sample(400, 2, 0)
    values = [
        float(mind(real, corners[:kept].repeat(400 // kept + 1, 1)[:400] + 0.1 * sample(400, 2, 1))) for kept in (4, 3, 2, 1)
    ]
    assert values == sorted(values)
    assert values[0] < 0.05 < values[1]
