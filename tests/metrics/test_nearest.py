"""Nearest neighbours of one cloud in another: all distances at once, copies, ties, offsets and blocks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbench.metrics import _neighbours
from genbench.metrics._neighbours import clouds, nearest, squared_radii


def sample(n: int, dim: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def all_at_once(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    squared = (x.double()[:, None] - y.double()[None]).square().sum(2)
    ordered, index = squared.sort(dim=1, stable=True)
    return ordered[:, :k], index[:, :k]


@pytest.mark.parametrize("block", [1, 13, 64, 1024])
@pytest.mark.parametrize("k", [1, 4])
def test_equals_all_distances_for_every_block(block: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_neighbours, "BLOCK", block)
    real, fake = sample(101), sample(77, seed=1)
    training, generated = clouds(real=real, fake=fake)
    squared, index = nearest(generated, training, k)
    expected, expected_index = all_at_once(fake, real, k)
    torch.testing.assert_close(squared, expected, rtol=1e-12, atol=0)
    assert torch.equal(index, expected_index)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_copies_are_at_distance_zero_and_ties_name_the_earlier(offset: float) -> None:
    """Whole numbers make exact ties, and far from the origin float32 has no digits left for the differences."""
    real = sample(200, dim=3).mul(2).round() + offset
    fake = torch.cat([real[50:90], sample(40, dim=3, seed=1).mul(2).round() + offset])
    training, generated = clouds(real=real, fake=fake)
    squared, index = nearest(generated, training, 2)
    expected, expected_index = all_at_once(fake, real, 2)
    assert torch.equal(squared, expected)
    assert (squared[:40, 0] == 0).all()
    few = (expected[:, :1] == all_at_once(fake, real, 200)[0]).sum(1) < 10  # as near as the nearest
    assert torch.equal(index[few, 0], expected_index[few, 0])


def test_two_far_clusters_need_more_digits() -> None:
    side = torch.tensor([[-1e4], [1e4]])
    real, fake = sample(100) * 1e-2 + side.repeat(50, 1), sample(100, seed=1) * 1e-2 + side.repeat(50, 1)
    training, generated = clouds(real=real, fake=fake)
    torch.testing.assert_close(nearest(generated, training, 1)[0], all_at_once(fake, real, 1)[0], rtol=1e-12, atol=0)


def test_within_one_cloud_the_second_nearest_is_the_nearest_other() -> None:
    real = sample(120)
    cloud, same = clouds(real=real, fake=real)
    squared, index = nearest(same, cloud, 2)
    assert torch.equal(index[:, 0], torch.arange(120))
    torch.testing.assert_close(squared[:, 1], squared_radii(cloud, 1), rtol=1e-12, atol=0)


def test_all_points_are_one() -> None:
    same = torch.full((60, 4), 3.0)
    training, generated = clouds(real=same, fake=same)
    assert (nearest(generated, training, 5)[0] == 0).all()
