"""Who voted, and whose votes count: a rule that is fixed before anybody looks at the votes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from genbench.study.agreement import of_raters
from genbench.study.ratings import Rater
from genbench.study.votes import Vote

CATCHES = 3  # trials from which on the rule applies
PASSED = 2 / 3  # the share of them that must be right
FAST = 0.5  # seconds: nobody looks at two images in less
RULE = "raters who answer fewer than two thirds of their catch trials correctly are excluded, where they had at least 3"


def counted(votes: Sequence[Vote], *, keep_all: bool = False) -> tuple[list[Vote], list[Rater]]:
    """The votes that count, without catch trials, and everybody who voted, in order of appearance."""
    by_rater: dict[str, list[Vote]] = {}
    for vote in votes:
        by_rater.setdefault(vote.rater, []).append(vote)
    excluded = {} if keep_all else {rater: why for rater, cast in by_rater.items() if (why := _excluded(cast))}
    kept = [vote for vote in votes if not vote.catch and vote.rater not in excluded]
    agreements = dict(of_raters(kept))
    people = [_rater(name, cast, agreements.get(name), excluded.get(name)) for name, cast in by_rater.items()]
    return kept, people


def _excluded(cast: Sequence[Vote]) -> str | None:
    passed = [vote.passed for vote in cast if vote.catch]
    if len(passed) < CATCHES or sum(map(bool, passed)) >= PASSED * len(passed):
        return None
    return f"{sum(map(bool, passed))} of {len(passed)} catch trials correct"


def _rater(name: str, cast: Sequence[Vote], agreement: float | None, excluded: str | None) -> Rater:
    catches = [vote for vote in cast if vote.catch]
    votes = [vote for vote in cast if not vote.catch]
    sided = [vote.choice == "left" for vote in votes if vote.choice != "tie"]
    return Rater(
        rater=name,
        votes=len(votes),
        catches=len(catches),
        passed=sum(bool(vote.passed) for vote in catches),
        left=fmean(sided) if sided else None,
        agreement=agreement,
        seconds=median(vote.seconds for vote in votes) if votes else None,
        fast=fmean(vote.seconds < FAST for vote in votes) if votes else None,
        excluded=excluded,
    )
