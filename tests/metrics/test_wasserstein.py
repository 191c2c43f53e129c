"""The Wasserstein-1 distance: closed forms, SciPy's linear programme, the dual potentials, and the two parallel lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics.wasserstein import _matched, metric


def sample(n: int, seed: int, dim: int = 2, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def w1(real: Tensor, fake: Tensor, **settings: Any) -> Estimate:
    return metric.compute(real=real, fake=fake, **settings)["w1"]


@pytest.mark.parametrize("theta", [-2.0, -0.5, 0.0, 0.1, 1.0, 3.0])
def test_two_parallel_lines(theta: float) -> None:
    """Arjovsky et al. 2017, example 1: W1 = |θ|, and the Jensen-Shannon divergence, of the lines' places, jumps to log 2."""
    along = torch.rand(200, generator=torch.Generator().manual_seed(0))
    real = torch.stack([torch.zeros(200), along], 1)
    fake = torch.stack([torch.full((200,), theta), along.flip(0)], 1)
    estimate = w1(real, fake)
    assert float(estimate) == pytest.approx(abs(theta), abs=1e-7)
    assert estimate.se == pytest.approx(0, abs=1e-6)
    places, line = torch.cat([real, fake])[:, 0].unique(return_inverse=True)
    p, q = (lines.bincount(minlength=len(places)) / 200 for lines in line.split(200))
    both = (p + q) / 2
    divergence = float(torch.xlogy(p, p / both).sum() + torch.xlogy(q, q / both).sum()) / 2
    assert divergence == pytest.approx(0.0 if theta == 0 else math.log(2))


def test_lines_drawn_anew_come_near() -> None:
    along = torch.rand(2, 1000, generator=torch.Generator().manual_seed(0))
    lines = [torch.stack([torch.full((1000,), place), some], 1) for place, some in zip((0.0, 0.5), along, strict=True)]
    assert 0.5 <= float(w1(*lines)) < 0.505


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_identical_sets_shifts_and_scales(dim: int) -> None:
    real = sample(60, 0, dim)
    assert float(w1(real, real.flip(0))) == pytest.approx(0, abs=1e-12)
    move = torch.arange(1.0, dim + 1)
    assert float(w1(real, real.flip(0) + move)) == pytest.approx(float(move.norm()), rel=1e-6)
    fake = sample(60, 1, dim, 1.5)
    assert float(w1(real, fake)) == pytest.approx(float(w1(fake, real)), rel=1e-12)
    assert float(w1(3 * real + 1, 3 * fake + 1)) == pytest.approx(3 * float(w1(real, fake)), rel=1e-5)
    assert float(w1(real, fake)) <= float(w1(real, 0 * real)) + float(w1(0 * real, fake))


def test_gaussians_on_the_line() -> None:
    """|δ| for a shift; E|Z| |s - 1| = √(2/π) |s - 1| for a scale."""
    real = sample(200_000, 0, 1)
    assert float(w1(real, sample(150_000, 1, 1, shift=0.7))) == pytest.approx(0.7, abs=0.02)
    assert float(w1(real, sample(150_000, 2, 1, scale=2.0))) == pytest.approx((2 / math.pi) ** 0.5, abs=0.02)


@pytest.mark.parametrize(("m", "n"), [(50, 50), (70, 31), (2, 9)])
def test_equals_scipy_on_the_line(m: int, n: int) -> None:
    real, fake = sample(m, 0, 1).round(decimals=1), sample(n, 1, 1, 1.4).round(decimals=1)
    assert float(w1(real, fake)) == pytest.approx(wasserstein_distance(real.flatten(), fake.flatten()), rel=1e-12)


def test_equals_the_linear_programme() -> None:
    real, fake = sample(14, 0), sample(14, 1, shift=0.4)
    costs = torch.cdist(real.double(), fake.double()).numpy()
    sums = np.concatenate([np.kron(np.eye(14), np.ones(14)), np.kron(np.ones(14), np.eye(14))])
    assert float(w1(real, fake)) == pytest.approx(linprog(costs.ravel(), A_eq=sums, b_eq=np.full(28, 1 / 14)).fun, rel=1e-9)


@pytest.mark.parametrize("dim", [2, 32])
def test_potentials_solve_the_dual(dim: int) -> None:
    """u_i + v_j <= |x_i - y_j|, and their means add up to the distance."""
    real, fake = sample(80, 0, dim), sample(80, 1, dim, 1.2)
    value, u, v = _matched(real, fake)
    costs = torch.cdist(real.double(), fake.double())
    slack = costs - u[:, None] - v - value
    assert float(slack.min()) > -1e-9
    assert int((slack < 1e-9).sum()) >= 80  # the matched pairs
    assert abs(float(u.mean())) < 1e-12
    assert abs(float(v.mean())) < 1e-12


def test_points_of_a_line_in_the_plane_have_the_potentials_of_the_line() -> None:
    real, fake = sample(200, 0, 1), sample(200, 1, 1, 1.5, 0.3)
    line = w1(real, fake)
    plane = w1(*(torch.cat([side, torch.zeros_like(side)], 1) for side in (real, fake)))
    assert float(plane) == pytest.approx(float(line), rel=1e-9)
    assert plane.se == pytest.approx(line.se, rel=0.02)
    assert line.influence is not None
    assert plane.influence is not None
    assert np.corrcoef(line.influence.fake, plane.influence.fake)[0, 1] > 0.99


def test_influence_on_the_line_is_the_effect_of_leaving_an_image_out() -> None:
    real, fake = sample(400, 0, 1), sample(300, 1, 1, 1.3, 0.4)
    estimate = w1(real, fake)
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 299):
        effect = (float(estimate) - float(w1(real, fake[torch.arange(300) != i]))) * 299
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, abs=0.02)
    effect = (float(estimate) - float(w1(real[1:], fake))) * 399
    assert float(estimate.influence.real[0]) == pytest.approx(effect, abs=0.02)


def test_more_images_than_are_matched() -> None:
    """The same are drawn in any order of the images, and the error is that of so many."""
    real, fake = sample(400, 0), sample(300, 1, shift=0.5)
    some = w1(real, fake, images=100)
    assert float(w1(real.flip(0), fake.flip(0), images=100)) == pytest.approx(float(some), rel=1e-12)
    assert some.influence is not None
    assert int((some.influence.fake != 0).sum()) == 100
    assert float(some.influence.fake.mean()) == pytest.approx(0, abs=1e-12)
    fewer, every = w1(real, fake), w1(real[:300], fake)
    assert some.se is not None
    assert fewer.se is not None
    assert some.se > 1.4 * fewer.se
    assert abs(float(fewer) - float(every)) < 4 * fewer.se


def test_identical_sets_are_at_zero_when_some_are_drawn() -> None:
    real = sample(400, 0)
    same = w1(real, real.flip(0), images=100)
    assert float(same) == 0
    assert same.details == {"matched": 100}
    repeated = real[torch.arange(400) % 40]
    assert float(w1(repeated, repeated.flip(0), images=100)) == 0
    assert float(w1(real, torch.cat([real, sample(5, 3)]), images=100)) < 0.1 * float(w1(real, sample(400, 1), images=100))


def test_images_of_one_side_are_drawn_independently_of_the_other() -> None:
    """So the distance is that of two samples of as many images."""
    drawn = [float(w1(sample(400, 2 * i), sample(400, 2 * i + 1), images=50)) for i in range(40)]
    plain = [float(w1(sample(50, 2 * i), sample(50, 2 * i + 1))) for i in range(40)]
    assert np.mean(drawn) == pytest.approx(np.mean(plain), abs=3 * (np.var(drawn) / 40 + np.var(plain) / 40) ** 0.5)


def test_grows_with_missing_modes_repeats_and_noise() -> None:
    angles = torch.arange(8) * math.tau / 8
    ring = torch.stack([angles.cos(), angles.sin()], 1)
    real = ring.repeat(60, 1) + 0.05 * sample(480, 0)
    kept = [float(w1(real, ring[:modes].repeat(480 // modes, 1) + 0.05 * sample(480, 1))) for modes in (8, 6, 4, 2, 1)]
    assert kept == sorted(kept)
    assert kept[0] < 0.1 * kept[-1]
    cloud, fake, noise = sample(480, 2), sample(480, 3), sample(480, 4)
    repeated = [float(w1(cloud, fake[: 480 // copies].repeat(copies, 1))) for copies in (1, 8, 48, 480)]
    assert repeated == sorted(repeated)
    noisy = [float(w1(cloud, fake + level * noise)) for level in (0.0, 0.5, 1.0, 2.0)]
    assert noisy == sorted(noisy)
