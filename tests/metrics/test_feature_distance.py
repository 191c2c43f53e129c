"""Distances of feature vectors: closed forms, laws, and a planted drift."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine, euclidean
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError
from genbench.metrics import feature_distance, lpips


def features(n: int = 6, dim: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    found = feature_distance.per_pair(x=x, y=y)
    assert found.keys() == feature_distance.metric.reports.keys()
    return found["feature_l2"], found["feature_cosine"]


def test_they_are_scipys() -> None:
    x, y = features(seed=0), features(seed=1)
    lengths, angles = both(x, y)
    pairs = list(zip(x.double().numpy(), y.double().numpy(), strict=True))
    np.testing.assert_allclose(lengths.numpy(), [euclidean(a, b) for a, b in pairs], rtol=1e-12)
    np.testing.assert_allclose(angles.numpy(), [cosine(a, b) for a, b in pairs], rtol=1e-12)
    assert lengths.dtype == angles.dtype == torch.float64


def test_known_angles() -> None:
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    for other, length, angle in [(3 * east, 2, 0), (north, 26**0.5, 1), (-2 * east, 3, 2), (0 * east, 1, 0.5)]:
        found = [float(value) for value in both(east, other)]
        assert found == pytest.approx([length, angle], rel=1e-15)


def test_exactly_zero_for_identical_features_and_symmetric() -> None:
    x, y = features(seed=0), features(seed=1)
    assert all(not values.any() for values in both(x, x))
    assert all(not values.any() for values in both(0 * x, 0 * x))
    for forth, back in zip(both(x, y), both(y, x), strict=True):
        assert torch.equal(forth, back)


def test_direction_forgets_length() -> None:
    x, y = features(seed=0), features(seed=1)
    lengths, angles = both(x, y)
    longer, same = both(4 * x, 4 * y)
    torch.testing.assert_close(longer, 4 * lengths)
    torch.testing.assert_close(same, angles)
    torch.testing.assert_close(both(7 * x, y)[1], angles)


def test_rise_with_a_growing_drift() -> None:
    x, drift = features(seed=0), features(seed=1)
    steps = [torch.stack(both(x, x + dose * drift)) for dose in (0, 0.1, 0.3, 1, 3)]
    assert (torch.stack(steps).diff(dim=0) > 0).all()


@pytest.mark.parametrize("metric", [feature_distance, lpips])
def test_what_is_refused(metric: object) -> None:
    per_pair = metric.metric.per_pair  # type: ignore[attr-defined]
    x = features()
    with pytest.raises(UsageError, match=r"takes features \(B, D\), not \(6, 4, 4\)"):
        per_pair(x=x.view(6, 4, 4), y=x.view(6, 4, 4))
    with pytest.raises(IncomparableError, match=r"\(6, 16\) and \(6, 5\)"):
        per_pair(x=x, y=x[:, :5])
    with pytest.raises(DataError, match="at least one pair"):
        per_pair(x=x[:0], y=x[:0])
    bad = x.clone()
    bad[2, 3] = float("nan")
    for one, other in ((x, bad), (bad, x)):
        with pytest.raises(DataError, match="pair 2 of 6 has features that are not finite"):
            per_pair(x=one, y=other)
