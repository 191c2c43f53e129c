"""Ranks of several results by one metric: how far up and down each may stand, who ties with the best, and who with whom.

Every pair is tested two-sided with the error of its difference, so that what the two share (reference, images) is taken out,
and Holm's adjustment keeps the chance of any false claim at alpha. Everything follows from these tests: 1 + the number of those
that are better beyond chance is the highest rank that a result may truly have, K - the number of those that are worse the
lowest. With a chance of at least 1 - alpha all these intervals cover the true ranks at once, also where some are equal, which
intervals of resampled ranks do not promise.

Source: Mogstad, Romano, Shaikh and Wilhelm 2024, Inference for ranks, section 3.2.2 (with one of the tests they allow);
Piepho 2004, An algorithm for a letter-based representation of all-pairwise comparisons, for the letters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_letters
from typing import TYPE_CHECKING, Any

from genbench.comparison.difference import difference
from genbench.comparison.holm import holm
from genbench.estimate import student_tail
from genbench.evaluation.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

Places = tuple[int, int]  # positions, the smaller first


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Where a result stands among K.

    rank: 1 is best, by the values; equal values have the same. low, high: its interval, 1 <= low <= rank <= high <= K.
    tied_with_best: not significantly worse than the best value. letters: two results share one exactly where they do not differ
    significantly; "a" is among the best.
    """

    rank: int
    low: int
    high: int
    tied_with_best: bool
    letters: str

    def __str__(self) -> str:
        return f"{self.rank} [{self.low}–{self.high}]" if self.low < self.high else str(self.rank)


def ranks_of(badness: NDArray[Any], covariance: NDArray[Any], *, freedom: float = math.inf, alpha: float = 0.05) -> list[Rank]:
    """Of K values (K,) that are jointly normal with `covariance` (K, K); smaller is better. NaN: no error is known.

    freedom: degrees of freedom that the covariance was estimated with.
    """

    def p(i: int, j: int) -> float | None:
        variance = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        return two_sided(float(badness[i] - badness[j]), variance, freedom)

    pairs = combinations(range(len(badness)), 2)
    return ranked([float(value) for value in badness], adjusted({pair: p(*pair) for pair in pairs}), alpha)


def two_sided(apart: float, variance: float, freedom: float = math.inf) -> float | None:
    """p of "there is no difference", of one of this size and variance; None where the variance is NaN."""
    if math.isnan(variance):
        return None
    return min(1.0, 2 * student_tail(abs(apart) / math.sqrt(variance), freedom)) if variance > 0 else float(apart == 0)


def covariance_of(results: Sequence[Result], key: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """(K, K) of the badness of `key`: the variances of all differences put together; NaN without an error bar.

    And (K, K) the degrees of freedom that each difference was estimated with.
    """
    import numpy as np

    errors = [result.by_protocol[key].se for result in results]
    found = np.diag([math.nan if se is None else se**2 for se in errors])
    freedom = np.full(found.shape, math.inf)
    for i, j in combinations(range(len(results)), 2):
        apart = difference(results[i], results[j], key)
        freedom[i, j] = freedom[j, i] = apart.freedom
        found[i, j] = found[j, i] = math.nan if apart.se is None else (found[i, i] + found[j, j] - apart.se**2) / 2
    return found, freedom


def adjusted(p: dict[Places, float | None]) -> dict[Places, float]:
    """Holm's adjustment over all pairs that were tested; 1 for those that were not."""
    known = {pair: value for pair, value in p.items() if value is not None}
    return dict.fromkeys(p, 1.0) | dict(zip(known, holm(list(known.values())), strict=True))


def ranked(badness: Sequence[float], p: dict[Places, float], alpha: float) -> list[Rank]:
    """From values and the adjusted p of all pairs."""
    count = len(badness)

    def apart(i: int, j: int) -> bool:
        return i != j and p[min(i, j), max(i, j)] < alpha

    best = min(range(count), key=badness.__getitem__)
    letters = _letters(badness, apart)
    return [
        Rank(
            rank=1 + sum(badness[j] < badness[i] for j in range(count)),
            low=1 + sum(apart(i, j) and badness[j] < badness[i] for j in range(count)),
            high=count - sum(apart(i, j) and badness[j] > badness[i] for j in range(count)),
            tied_with_best=not apart(i, best),
            letters=letters[i],
        )
        for i in range(count)
    ]


def _letters(badness: Sequence[float], apart: Callable[[int, int], bool]) -> list[str]:
    """A letter for each largest group in which nobody differs from anybody: insert and absorb, by Piepho's section 2."""
    count = len(badness)
    groups = [frozenset(range(count))]
    for i, j in combinations(range(count), 2):
        if apart(i, j):
            split = {part for group in groups for part in ((group - {i}, group - {j}) if {i, j} <= group else (group,))}
            groups = [group for group in split if not any(group < other for other in split)]
    order = sorted(range(count), key=badness.__getitem__)
    place = {index: number for number, index in enumerate(order)}
    groups.sort(key=lambda group: sorted(place[index] for index in group))
    return ["".join(_letter(number) for number, group in enumerate(groups) if index in group) for index in range(count)]


def _letter(number: int) -> str:
    return ascii_letters[number] if number < len(ascii_letters) else f"({number})"
