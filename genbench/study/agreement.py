"""How much raters agree with each other: Krippendorff's alpha and the majority.

Source: Krippendorff 2004, Content Analysis, section 11.3; equal to the package krippendorff 0.9.0 on the same answers
(tests/study/test_agreement.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbench.estimate import LEVEL, student_interval
from genbench.study.ratings import Agreement
from genbench.study.votes import Vote

Array = NDArray[Any]
FIRST, SECOND, TIE = range(3)


def agreement(votes: Sequence[Vote], *, level: float = LEVEL) -> Agreement:
    """Of all votes, on the questions that at least two people answered; with the jackknife's interval over questions.

    Which of a question's images is the first is arbitrary, so every question counts both ways round: votes at random have an
    alpha of 0 whichever systems they are about, and unanimous votes 1.
    """
    counts = np.array([row for row in counts_of(votes).values() if row.sum() > 1], dtype=float).reshape(-1, 3)
    majority = [share for _, share in of_raters(votes)]
    mean = float(np.mean(majority)) if majority else None
    k = len(counts)
    if k < 2:
        reason = "no two questions were answered by several people"
        return Agreement(alpha=None, alpha_ci=None, majority=mean, questions=k, reason=reason)
    turned = counts[:, [SECOND, FIRST, TIE]]
    alpha = nominal_alpha(np.concatenate([counts, turned]))
    if alpha is None:
        return Agreement(alpha=None, alpha_ci=None, majority=mean, questions=k, reason="every vote is a tie")
    disputes, values = 2 * disputes_of(counts), counts + turned
    without = _alpha(disputes.sum() - disputes, values.sum(axis=0) - values)
    without = np.where(np.isnan(without), alpha, without)
    se = float(((without - without.mean()) ** 2).sum() * (k - 1) / k) ** 0.5
    low, high = student_interval(alpha, se, k - 1, level)
    return Agreement(alpha=alpha, alpha_ci=(low, min(1.0, high)), majority=mean, questions=k)


def nominal_alpha(counts: Array) -> float | None:
    """Krippendorff's alpha of (U, V) counts: how many of those who judged unit u gave it the value v. None without variety."""
    paired = counts[counts.sum(axis=1) > 1].astype(float)
    alpha = float(_alpha(disputes_of(paired).sum(), paired.sum(axis=0))) if len(paired) else np.nan
    return None if np.isnan(alpha) else alpha


def disputes_of(counts: Array) -> Array:
    """(U, V) counts -> (U,): ordered pairs of judges who differ, for each judge that could be paired."""
    judges = counts.sum(axis=1)
    return np.asarray((judges**2 - (counts**2).sum(axis=1)) / (judges - 1))


def _alpha(disputes: Array, values: Array) -> Array:
    """1 - observed / expected disagreement, of (...,) disputes and (..., V) values; NaN where all values are the same."""
    n = values.sum(axis=-1)
    expected = (n**2 - (values**2).sum(axis=-1)) / np.maximum(n - 1, 1)
    return np.where(expected > 0, 1 - disputes / np.where(expected > 0, expected, 1), np.nan)


def counts_of(votes: Sequence[Vote]) -> dict[str, Array]:
    """By question, how many prefer its first image, its second one, neither: (3,)."""
    found: dict[str, Array] = {}
    for vote in votes:
        found.setdefault(vote.question, np.zeros(3, dtype=np.int64))[answer(vote)] += 1
    return found


def of_raters(votes: Sequence[Vote]) -> Iterator[tuple[str, float]]:
    """Of each rater, the share of votes that agree with the majority of the others; ties and votes without one left out."""
    totals = counts_of(votes)
    agreed: dict[str, list[bool]] = {}
    for vote in votes:
        own = answer(vote)
        others = totals[vote.question].copy()
        others[own] -= 1
        if own != TIE and others[FIRST] != others[SECOND]:
            agreed.setdefault(vote.rater, []).append(bool(own == np.argmax(others[:TIE])))
    yield from ((rater, sum(found) / len(found)) for rater, found in agreed.items())


def answer(vote: Vote) -> int:
    """FIRST, SECOND or TIE: the images of a question in the order of their names, whichever side they stood on."""
    if vote.choice == "tie":
        return TIE
    left_first = (vote.left, vote.left_image) <= (vote.right, vote.right_image)
    return FIRST if (vote.choice == "left") == left_first else SECOND
