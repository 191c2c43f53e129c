"""Krippendorff's alpha and the majority."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from genbench.study.agreement import agreement, nominal_alpha, of_raters

Study = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/study/simulated.py"))["Study"]
THREE = {"a": 1.0, "b": 0.0, "c": -1.0}


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_package(seed: int) -> None:
    krippendorff = pytest.importorskip("krippendorff", reason="needs krippendorff 0.9.0")
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, size=(30, 4))  # some units with one judge or none
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert nominal_alpha(counts) == pytest.approx(expected, abs=1e-12)


def test_a_known_value() -> None:
    """Two judges, ten units, Krippendorff 2011, Computing Krippendorff's alpha-reliability, example B: 0.095."""
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = np.array([[2 - a - b, a + b] for a, b in zip(first, second, strict=True)])
    assert nominal_alpha(counts) == pytest.approx(0.095, abs=5e-4)


def test_unanimous_votes_have_alpha_1_whoever_wins() -> None:
    """Also where one system wins every vote, of which the ordinary alpha says nothing."""
    votes = [vote.model_copy(update={"choice": _side(vote.left, vote.right)}) for vote in _asked(raters=6, seed=0)]
    found = agreement(votes)
    assert found.alpha == pytest.approx(1)
    assert found.alpha_ci == pytest.approx((1, 1))
    assert found.majority == 1


def _side(left: str, right: str) -> str:
    return "left" if left < right else "right"


def _asked(raters: int, seed: int) -> list:
    return Study(strengths=THREE, raters=raters, each=40, questions=60, images=1000).votes(seed)


def test_votes_at_random_have_alpha_0() -> None:
    """Although both votes of a question name one of the same two systems out of three."""
    alphas, covered = [], []
    for seed in range(60):
        votes = Study(strengths=dict.fromkeys(THREE, 0.0), raters=20, each=30, questions=60).votes(seed)
        found = agreement(votes)
        alphas.append(found.alpha)
        covered.append(found.alpha_ci[0] <= 0 <= found.alpha_ci[1])
    assert np.mean(alphas) == pytest.approx(0, abs=4 * np.std(alphas) / 60**0.5)
    assert np.std(alphas) < 0.05
    assert 0.85 <= np.mean(covered) <= 1


def test_who_disagrees_stands_out() -> None:
    votes = Study(strengths={"a": 4.0, "b": 0.0, "c": -4.0}, raters=10, each=40, questions=60, careless=1).votes(2)
    shares = dict(of_raters(votes))
    assert min(shares, key=shares.__getitem__) == "r0"
    assert shares["r0"] < 0.75 < min(share for rater, share in shares.items() if rater != "r0")


def test_one_rater_agrees_with_nobody() -> None:
    found = agreement(Study(strengths=THREE, raters=1, each=20).votes(0))
    assert found.alpha is None
    assert found.majority is None
    assert found.reason


def test_ties_alone() -> None:
    found = agreement(Study(strengths=THREE, raters=5, each=20, questions=10, ties=1.0).votes(0))
    assert found.alpha is None
    assert found.reason == "every vote is a tie"
