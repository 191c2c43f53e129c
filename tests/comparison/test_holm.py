"""Holm's adjustment."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genbench.comparison.holm import holm


def step_down(p: list[float], alpha: float) -> set[int]:
    """Holm's procedure as the paper tells it: reject the smallest while it is at most alpha / (tests that are left)."""
    rejected: set[int] = set()
    for place, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] > alpha / (len(p) - place):
            break
        rejected.add(int(index))
    return rejected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_it_rejects_what_the_paper_rejects(seed: int, alpha: float) -> None:
    p = list(np.random.default_rng(seed).random(12) ** 4)
    assert {index for index, value in enumerate(holm(p)) if value <= alpha} == step_down(p, alpha)


def test_values_that_were_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_it_keeps_the_order_and_lowers_nothing() -> None:
    p = np.random.default_rng(0).random(30)
    adjusted = np.array(holm(list(p)))
    assert (adjusted >= p).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_what_is_no_number_is_refused() -> None:
    """min(1.0, NaN) is 1.0, and from there on so would be every larger p."""
    with pytest.raises(ValueError, match="NaN"):
        holm([math.nan, 1e-9])
