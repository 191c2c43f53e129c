"""The Vendi Score against vendi_score 0.0.3, by its authors, on the same features: 1e-9 relative.

Orders below 1 are compared where all eigenvalues are positive: it takes the roots of those that are 0 but for rounding.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genbench.metrics.vendi import compute

pytestmark = pytest.mark.parity


@pytest.mark.parametrize(
    ("n", "dim", "order"), [(300, 40, 1.0), (300, 40, 2.0), (40, 300, 0.5), (40, 300, 1.0), (40, 300, 2.0)]
)
def test_vendi_score(n: int, dim: int, order: float) -> None:
    peer = pytest.importorskip("vendi_score.vendi")
    features = torch.randn(n, dim, generator=torch.Generator().manual_seed(0)) + 0.3
    x = features.double().numpy()
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    ours = float(compute(fake=features, order=order)["vendi"])
    assert ours == pytest.approx(peer.score_K(x @ x.T, q=order), rel=1e-9)
    if order == 1:
        assert ours == pytest.approx(peer.score_dual(x, normalize=False), rel=1e-9)


def test_the_example_of_its_readme() -> None:
    peer = pytest.importorskip("vendi_score.vendi")
    places = [0, 0, 10, 10, 20, 20]
    values, vectors = np.linalg.eigh(np.exp(-np.abs(np.subtract.outer(places, places))))
    features = torch.from_numpy(vectors * np.sqrt(values.clip(0)))
    assert float(compute(fake=features)["vendi"]) == pytest.approx(
        peer.score(places, lambda a, b: np.exp(-abs(a - b))), rel=1e-9
    )
