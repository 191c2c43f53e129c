"""Sets of points: the density that is stated is a density, and the one that is drawn from."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genbench import catalog
from genbench.data.dataset import open_dataset
from genbench.data.sets._points import PointSet
from genbench.errors import UsageError

NAMES = ("ring", "grid", "moons", "checkerboard")
STEP = 0.01  # a third of the smallest sigma: a sum over the plane is exact to many digits for Gaussians


def points_of(name: str) -> Tensor:
    """The training split, (N, 2)."""
    points: PointSet = catalog.find("datasets", name)()
    return points.examples("train").images.flatten(1)


def density_on_the_plane(name: str) -> Tensor:
    """log density at the middle of each cell of a grid over [-1.4, 1.4]², whose edges fall on those of the checkerboard."""
    middles = torch.arange(-1.4 + STEP / 2, 1.4, STEP, dtype=torch.float64)
    points: PointSet = catalog.find("datasets", name)()
    return torch.cat([points.log_density(torch.cartesian_prod(part, middles)) for part in middles.split(20)])


@pytest.mark.parametrize("name", NAMES)
def test_density_integrates_to_one_and_samples_follow_it(name: str) -> None:
    """The mean of -log density over samples is the entropy, which the plane's sum gives independently."""
    log_density = density_on_the_plane(name)
    density = log_density.exp() * STEP**2
    assert float(density.sum()) == pytest.approx(1.0, abs=1e-6)
    entropy = -float(torch.where(density > 0, density * log_density, 0.0).sum())
    points: PointSet = catalog.find("datasets", name)()
    surprise = -points.log_density(points_of(name))
    standard_error = float(surprise.std()) / len(surprise) ** 0.5
    assert abs(float(surprise.mean()) - entropy) < 4 * standard_error + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_samples_fill_the_density(name: str) -> None:
    """Counts in coarse cells agree with the density's mass there: the chi-square statistic is about its degrees of freedom."""
    cells, side = 14, 0.2
    mass = density_on_the_plane(name).exp().view(cells, 20, cells, 20).sum((1, 3)) * STEP**2
    points = points_of(name).double()
    index = ((points + 1.4) / side).long()
    counts = torch.bincount(index[:, 0] * cells + index[:, 1], minlength=cells**2).view(cells, cells)
    expected = mass * len(points)
    enough = expected > 5
    statistic = float(((counts - expected)[enough].square() / expected[enough]).sum())
    assert abs(statistic - float(enough.sum())) < 5 * (2 * float(enough.sum())) ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str) -> None:
    dataset = open_dataset(name)
    assert dataset.spec.is_points
    assert dataset.spec.levels == 0
    x = dataset.train.batch(slice(0, 5)).x
    assert (x.shape, x.dtype) == ((5, 2, 1, 1), torch.float32)
    assert torch.equal(open_dataset(name).test.images, dataset.test.images)
    assert not torch.equal(dataset.test.images, dataset.train.images[: len(dataset.test)])
    outside = (dataset.train.images.abs() > 1).float().mean()
    assert outside < 1e-3
    assert dataset.train.images.std(0).min() > 0.2


@pytest.mark.parametrize(("name", "k"), [("ring", 8), ("grid", 25)])
def test_modes(name: str, k: int) -> None:
    mixture = catalog.find("datasets", name)()
    assert mixture.modes.shape == (k, 2)
    to_modes = torch.cdist(points_of(name), mixture.modes)
    counts = torch.bincount(to_modes.argmin(1), minlength=k)
    expected = len(points_of(name)) / k
    assert (counts - expected).abs().max() < 5 * expected**0.5
    nearest = to_modes.min(1).values
    assert float(nearest.square().mean() / 2) == pytest.approx(mixture.sigma**2, rel=0.05)
    assert torch.cdist(mixture.modes, mixture.modes).fill_diagonal_(9).min() > 8 * mixture.sigma
    # At a mode only its own Gaussian counts.
    peak = -math.log(2 * math.pi * mixture.sigma**2 * k)
    assert torch.allclose(mixture.log_density(mixture.modes), torch.tensor(peak), atol=1e-4)


def test_the_density_has_a_gradient() -> None:
    """Its score points to the mode: minus the distance over sigma²."""
    ring = catalog.find("datasets", "ring")()
    points = (ring.modes + torch.tensor([0.01, -0.02])).requires_grad_()
    (score,) = torch.autograd.grad(ring.log_density(points).sum(), points)
    assert torch.allclose(score, torch.tensor([-0.01, 0.02]).expand(8, 2) / ring.sigma**2, atol=1e-3)


def test_moons_are_those_of_scikit_learn() -> None:
    """Without noise they lie on the ridge of the density, and each moon is as likely as the other."""
    from sklearn.datasets import make_moons

    points, moon = make_moons(400, noise=0.0)
    scaled = torch.from_numpy(0.55 * (points - [0.5, 0.25]))
    log_density = catalog.find("datasets", "moons")().log_density(scaled)
    assert log_density.min() > math.log(0.4 * float(log_density.exp().max()))
    upper, lower = (float(log_density[torch.from_numpy(moon) == which].mean()) for which in (0, 1))
    assert upper == pytest.approx(lower, abs=1e-6)


def test_the_board_is_half_full() -> None:
    board = catalog.find("datasets", "checkerboard")()
    assert board.log_density(points_of("checkerboard")).unique().tolist() == pytest.approx([-math.log(2)])
    beside = torch.tensor([[-0.75, -0.25], [1.25, 0.25], [-1.01, -0.9]])
    assert torch.isneginf(board.log_density(beside)).all()


@pytest.mark.parametrize("name", NAMES)
def test_there_are_no_images(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} holds points of the plane, not images") as caught:
        catalog.find("datasets", name)().images("train")
    assert "log density" in caught.value.hint
