"""The sliced Wasserstein distance: closed forms, the laws of a distance, its directions, influence, planted failures."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics.swd import compute, orthonormal_frames


def sample(n: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def swd(real: Tensor, fake: Tensor, directions: int = 100) -> Estimate:
    return compute(real=real, fake=fake, directions=directions)["swd"]


@pytest.mark.parametrize("dim", [1, 2, 3, 64])
def test_a_shift_by_r_is_at_r_over_root_d_whatever_the_directions(dim: int) -> None:
    """Whole frames leave no chance in it: |Θᵀ v|² / K is |v|² / D exactly."""
    real, step = sample(50, dim, 0).double(), torch.linspace(-1, 2, dim, dtype=torch.float64)
    for seed in range(3):
        got = compute(real=real, fake=real + step, directions=100, seed=seed)["swd"]
        assert float(got) == pytest.approx(float(step.norm()) / math.sqrt(dim), rel=1e-10)


def test_scaled_gaussians() -> None:
    assert float(swd(sample(20_000, 16, 0), sample(20_000, 16, 1, 1.5))) == pytest.approx(0.5, rel=0.02)


def test_shift_and_scale_of_points_in_the_plane() -> None:
    got = swd(sample(20_000, 2, 0), sample(20_000, 2, 1, 1.3, 0.4))
    assert float(got) == pytest.approx(math.sqrt(0.4**2 + 0.3**2), rel=0.03)


@pytest.mark.parametrize("dim", [1, 2, 30, 150])
def test_identical_sets_are_exactly_at_zero(dim: int) -> None:
    features = sample(200, dim, 0, scale=3)
    estimate = swd(features, features)
    assert float(estimate) == 0
    assert estimate.se == 0


def test_it_is_a_distance() -> None:
    """Symmetric, and no way around is shorter, also between sets of unequal numbers."""
    sets = [sample(n, 3, seed, scale) for seed, (n, scale) in enumerate([(40, 1.0), (33, 1.5), (25, 0.5), (40, 1.01)])]
    for a, b, c in itertools.permutations(sets, 3):
        assert float(swd(a, b)) == pytest.approx(float(swd(b, a)), rel=1e-12)
        assert float(swd(a, c)) <= float(swd(a, b)) + float(swd(b, c)) + 1e-12


@pytest.mark.parametrize(
    ("dim", "count", "expected"), [(1, 100, 1), (2, 100, 100), (7, 100, 105), (100, 100, 100), (300, 100, 100)]
)
def test_directions_are_whole_frames(dim: int, count: int, expected: int) -> None:
    directions = orthonormal_frames(dim, count, 0)
    assert directions.shape == (dim, expected)
    assert torch.allclose(directions.norm(dim=0), torch.ones(expected, dtype=torch.float64))
    outer = directions @ directions.T * dim / expected if dim <= count else directions.T @ directions
    assert torch.allclose(outer, torch.eye(len(outer), dtype=torch.float64), atol=1e-10)


def test_the_directions_of_the_plane_are_many() -> None:
    """Every angle occurs, not the same frame again and again."""
    angles = (torch.atan2(*orthonormal_frames(2, 1000, 0)) % math.pi).sort().values
    assert float(angles.diff().max()) < 0.05


@pytest.mark.parametrize(("m", "n"), [(400, 400), (400, 300)])
def test_influence_is_the_effect_of_leaving_an_image_out(m: int, n: int) -> None:
    real, fake = sample(m, 4, 0), sample(n, 4, 1, 1.2, 0.5)
    estimate = swd(real, fake)
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        effect = (float(estimate) - float(swd(real, fake[torch.arange(n) != i]))) * (n - 1)
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=0.02)
        effect = (float(estimate) - float(swd(real[torch.arange(m) != i], fake))) * (m - 1)
        assert float(estimate.influence.real[i]) == pytest.approx(effect, rel=0.05, abs=0.02)


def test_grows_as_modes_are_lost_and_as_a_tail_grows() -> None:
    corners = torch.tensor([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [4.0, 4.0]])
    real = corners.repeat(100, 1) + 0.1 * sample(400, 2, 0)
    lost = [
        float(swd(real, corners[:kept].repeat(400 // kept + 1, 1)[:400] + 0.1 * sample(400, 2, 1))) for kept in (4, 3, 2, 1)
    ]
    assert lost == sorted(lost)
    assert lost[0] < 0.1 < lost[1]

    tail = sample(400, 2, 2)
    values = []
    for outliers in (0, 2, 8, 40):
        fake = tail.clone()
        fake[:outliers] *= 10
        values.append(float(swd(sample(400, 2, 3), fake)))
    assert values == sorted(values)
