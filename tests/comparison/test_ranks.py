"""Ranks, their intervals, and letters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
import torch
from making_results import gaussian, key_of, measured, numbered, random, result_of, scored
from numpy.typing import NDArray

from genbench.comparison.compare import compare
from genbench.comparison.difference import difference
from genbench.comparison.holm import holm
from genbench.comparison.ranks import Rank, covariance_of, ranks_of
from genbench.estimate import Estimate
from genbench.evaluation.result import Result

ALPHA = 0.05


def ranks(results: Sequence[Result], key: str) -> list[Rank]:
    """Of results, as a comparison by this metric alone says them."""
    return list(compare(*results, names=list("abcdef"[: len(results)]), metrics=[key])[key].ranks)


def some_values(seed: int, count: int = 7) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values some of which differ clearly, with a common part in their errors."""
    random = np.random.default_rng(seed)
    factor = random.normal(size=(count, count)) * 0.5
    return random.normal(scale=3, size=count), factor @ factor.T + 0.4


def pairwise(badness: NDArray[np.float64], covariance: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Adjusted p of all pairs, the long way."""
    pairs = list(combinations(range(len(badness)), 2))
    p = []
    for i, j in pairs:
        contrast = np.zeros(len(badness))
        contrast[[i, j]] = 1, -1
        z = abs(contrast @ badness) / math.sqrt(contrast @ covariance @ contrast)
        p.append(math.erfc(z / math.sqrt(2)))
    return dict(zip(pairs, holm(p), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_two_share_a_letter_exactly_where_they_do_not_differ(seed: int) -> None:
    badness, covariance = some_values(seed)
    found = ranks_of(badness, covariance)
    for (i, j), p in pairwise(badness, covariance).items():
        assert bool(set(found[i].letters) & set(found[j].letters)) == (p >= ALPHA)
    assert all(rank.letters for rank in found)


def test_without_any_error_other_values_differ_and_equal_ones_do_not() -> None:
    assert [rank.letters for rank in ranks_of(np.array([0.0, 1.0, 1.0]), np.zeros((3, 3)))] == ["a", "b", "b"]


@pytest.mark.parametrize("seed", range(20))
def test_ranks_and_intervals_are_those_of_all_pairs(seed: int) -> None:
    badness, covariance = some_values(seed)
    apart = {pair for pair, p in pairwise(badness, covariance).items() if p < ALPHA}
    for i, rank in enumerate(ranks_of(badness, covariance)):
        differing = [j for j in range(len(badness)) if (min(i, j), max(i, j)) in apart]
        assert rank.rank == 1 + int((badness < badness[i]).sum())
        assert rank.low == 1 + sum(badness[j] < badness[i] for j in differing)
        assert rank.high == len(badness) - sum(badness[j] > badness[i] for j in differing)
        assert rank.low <= rank.rank <= rank.high
        assert rank.tied_with_best == (int(badness.argmin()) not in differing)


def test_letters_as_a_reader_expects_them() -> None:
    """a: best; the middle one goes with both neighbours, which differ from each other."""
    found = ranks_of(np.array([5.0, 0.0, 2.5]), np.eye(3))
    assert [rank.letters for rank in found] == ["b", "a", "ab"]
    assert [str(rank) for rank in found] == ["3 [2–3]", "1 [1–2]", "2 [1–3]"]
    assert [rank.tied_with_best for rank in found] == [False, True, True]


def test_many_that_all_differ_have_letters_of_their_own() -> None:
    found = ranks_of(np.arange(60.0), np.eye(60) * 1e-6)
    assert len({rank.letters for rank in found}) == 60
    assert found[0].letters == "a"
    assert [rank.rank for rank in found] == list(range(1, 61))


def test_equal_values_share_rank_and_letter() -> None:
    found = ranks_of(np.array([1.0, 1.0, 1.0]), np.zeros((3, 3)))
    assert found == [Rank(rank=1, low=1, high=3, tied_with_best=True, letters="a")] * 3
    assert ranks_of(np.array([1.0]), np.ones((1, 1))) == [Rank(rank=1, low=1, high=1, tied_with_best=True, letters="a")]


def test_what_has_no_error_is_told_apart_from_nothing() -> None:
    covariance = np.eye(3) * 1e-6
    covariance[2, :] = covariance[:, 2] = np.nan
    found = ranks_of(np.array([0.0, 1.0, 2.0]), covariance)
    assert (found[2].low, found[2].high, found[2].tied_with_best) == (1, 3, True)
    assert found[1].tied_with_best is False


def test_a_common_error_makes_ranks_sharper() -> None:
    badness = np.array([0.0, 1.0, 2.0])
    common = np.ones((3, 3)) + 0.01 * np.eye(3)
    assert [rank.letters for rank in ranks_of(badness, common)] == ["a", "b", "c"]
    assert [rank.letters for rank in ranks_of(badness, 1.01 * np.eye(3))] == ["a", "a", "a"]


def test_intervals_cover_the_true_ranks_all_at_once() -> None:
    """Also of equals, for which ranks of resampled values do not: at most 5 % of 2,000 tables have any rank outside."""
    random = np.random.default_rng(0)
    truth = np.array([0.0, 0.0, 0.0, 2.0, 2.0, 5.0])
    best = np.array([1, 1, 1, 4, 4, 6])  # where each may truly stand: ties take every place of theirs
    worst = np.array([3, 3, 3, 5, 5, 6])
    covariance = 0.5 * np.eye(6) + 0.5
    draws = random.multivariate_normal(truth, covariance, size=2000)
    missed = 0
    for values in draws:
        found = ranks_of(values, covariance)
        missed += any(rank.low > low or rank.high < high for rank, low, high in zip(found, best, worst, strict=True))
    assert missed / 2000 <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 2000)


# -- of results ------------------------------------------------------------------------------------------------------------


def four_results(paired: bool = False) -> list[Result]:
    generator = random(0)
    real = gaussian(400, generator)
    shifts = (0.5, 0.3, 0.32, 0.8)
    return [measured(real, gaussian(400, generator, shift=s), names=numbered(400) if paired else ()) for s in shifts]


@pytest.mark.parametrize("name", ["fd", "precision"])
def test_ranks_of_results_are_those_of_their_differences(name: str) -> None:
    results = four_results()
    covariance, _ = covariance_of(results, key_of(name))
    assert np.linalg.eigvalsh(covariance).min() > 0
    for i, j in combinations(range(4), 2):
        se = difference(results[i], results[j], key_of(name)).se
        assert se == pytest.approx(math.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]))
    sign = 1 if name == "fd" else -1
    badness = np.array([sign * float(result[name]) for result in results])
    assert ranks(results, key_of(name)) == ranks_of(badness, covariance)
    assert ranks(results, key_of(name))[3].rank == 4


def test_the_covariance_is_that_of_the_shared_reference() -> None:
    results = four_results()
    covariance, _ = covariance_of(results, key_of("fd"))
    pulls = np.array([np.asarray(result.influence[key_of("fd")].real) for result in results])
    assert covariance[~np.eye(4, dtype=bool)] == pytest.approx((np.cov(pulls) / 400)[~np.eye(4, dtype=bool)], rel=1e-2)


def test_the_order_given_is_the_order_returned() -> None:
    generator = random(1)
    values = [torch.randn(200, generator=generator) + shift for shift in (0.0, 2.0, 1.0)]
    results = [scored(one) for one in values]
    assert [rank.rank for rank in ranks(results, key_of("score"))] == [3, 1, 2]
    assert [rank.rank for rank in ranks(results[::-1], key_of("score"))] == [2, 1, 3]


def test_a_result_without_an_error_bar_ties_with_all() -> None:
    bare = result_of({"score": Estimate(value=9.0, n=200, better="higher", method="mean", reason="one value")}, reference=None)
    found = ranks([scored(torch.randn(200, generator=random(2))), bare], key_of("score"))
    assert [rank.letters for rank in found] == ["a", "a"]
    assert [(rank.low, rank.high) for rank in found] == [(1, 2), (1, 2)]
