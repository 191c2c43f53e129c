"""LPIPS on vectors: the squared distance it is, whatever stands beside a pair."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genbench.metrics import lpips


def features(n: int = 6, dim: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def value(x: Tensor, y: Tensor) -> Tensor:
    return lpips.per_pair(x=x, y=y)["lpips"]


def test_the_squared_distance_in_float64() -> None:
    x, y = features(seed=0), features(seed=1)
    np.testing.assert_allclose(value(x, y).numpy(), ((x.double() - y.double()) ** 2).sum(1).numpy(), rtol=1e-13)
    near = x * (1 + 1e-6)  # a distance that float32 sums would lose
    exact = (x.double() - near.double()).square().sum(1)
    torch.testing.assert_close(value(x, near), exact, rtol=1e-12, atol=0)


def test_zero_for_identical_features_and_symmetric() -> None:
    x, y = features(seed=0), features(seed=1)
    assert not value(x, x).any()
    assert torch.equal(value(x, y), value(y, x))


def test_one_pair_at_a_time_to_the_bit() -> None:
    x, y = features(dim=10_001, seed=0), features(dim=10_001, seed=1)
    assert torch.equal(value(x, y), torch.cat([value(a[None], b[None]) for a, b in zip(x, y, strict=True)]))


def test_it_asks_for_the_extractor_whose_vectors_these_are() -> None:
    assert (lpips.metric.extractor, lpips.metric.layer) == ("lpips", "stack")
