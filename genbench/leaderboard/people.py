"""What people say of a system, in one column: how they rate it, or how often they took its images for real ones."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.study.ratings import Ratings


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """value: a rating, log-odds against the average system, or a share of votes in [0, 1]. More is better. ci: its interval."""

    value: float
    ci: tuple[float, float] | None
    text: str
    votes: int
    tied: bool


def heading(ratings: Ratings) -> str:
    """Of the column, with the direction that is better."""
    return "taken for real ↑" if ratings.kind == "two_alternative" else "human ↑"


def opinion(ratings: Ratings | None, label: str) -> Opinion | None:
    """None where people say nothing of the row."""
    rated = next((one for one in ratings.systems if one.system == label), None) if ratings else None
    if rated is None:
        return None
    if rated.fooling is not None:
        share = rated.fooling.share
        text = f"{100 * share.value:.0f} % [{100 * share.ci[0]:.0f}, {100 * share.ci[1]:.0f}]"
        return Opinion(value=share.value, ci=share.ci, text=text, votes=share.n, tied=rated.tied_with_best)
    if rated.rating is None:
        return None
    text = f"{rated.rating:+.2f}" + (f" [{rated.ci[0]:+.2f}, {rated.ci[1]:+.2f}]" if rated.ci else "")
    return Opinion(value=rated.rating, ci=rated.ci, text=text, votes=rated.votes, tied=rated.tied_with_best)
