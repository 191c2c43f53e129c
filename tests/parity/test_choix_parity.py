"""Bradley-Terry ratings against choix 0.4.1, on the same votes."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from genbench.study import bradley_terry
from genbench.study.clusters import Clusters

choix = pytest.importorskip("choix", reason="needs choix 0.4.1")
pytestmark = pytest.mark.parity

Study = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/study/simulated.py"))["Study"]
STRENGTHS = {"a": 1.0, "b": 0.4, "c": 0.3, "d": -0.5, "e": -1.2}


@pytest.mark.parametrize("method", ["opt_pairwise", "ilsr_pairwise"])
@pytest.mark.parametrize("seed", [0, 1])
def test_ratings(method: str, seed: int) -> None:
    votes = Study(strengths=STRENGTHS, raters=10, each=40).votes(seed)
    place = {name: index for index, name in enumerate(STRENGTHS)}
    left, right = (np.array([place[getattr(vote, side)] for vote in votes]) for side in ("left", "right"))
    scores = np.array([float(vote.choice == "left") for vote in votes])
    wins = [(a, b) if score else (b, a) for a, b, score in zip(left.tolist(), right.tolist(), scores, strict=True)]

    # Every vote once from either side, so that neither is preferred, which choix does not know.
    both = np.concatenate([left, right]), np.concatenate([right, left]), np.concatenate([scores, 1 - scores])
    alone = Clusters(np.arange(2 * len(votes)), np.arange(4 * len(votes)).reshape(-1, 2))
    ours = bradley_terry.fit(*both, len(place), alone).ratings
    tolerance = {"tol": 1e-10} if method == "ilsr_pairwise" else {"tol": 1e-10, "method": "BFGS"}
    theirs = getattr(choix, method)(len(place), wins, alpha=0.0, **tolerance)
    np.testing.assert_allclose(ours, theirs - theirs.mean(), atol=1e-6)
