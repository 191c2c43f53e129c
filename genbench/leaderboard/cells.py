"""Cells of a leaderboard as text, for the page and for every format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genbench.bench.table import short_count
from genbench.leaderboard.board import Board, Group, Score
from genbench.leaderboard.people import heading, opinion
from genbench.leaderboard.row import Row


@dataclass(frozen=True)
class Plain:
    """A column that is no metric: heading, what it means, the number that it is sorted by, and its text."""

    name: str
    title: str
    number: Callable[[Row], float | None]
    text: Callable[[Row], str]

    @property
    def id(self) -> str:
        return self.name.replace(" ", "-").replace("/", "-")


def _n(row: Row, key: str) -> int | None:
    metric = row.metric(key)
    return None if metric is None else metric.n


def _shown(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)


def plain_columns(group: Group) -> list[Plain]:
    """Those of which at least one row of the group knows something."""
    key = group.column.key
    count = "number of images behind the first metric"
    found = [
        Plain("n", count, lambda row: _n(row, key), lambda row: _shown(_n(row, key), "{:,}")),
        Plain("parameters", "trainable parameters", lambda row: row.costs.parameters, _parameters),
        Plain(
            "training", "time of training", lambda row: row.costs.train_seconds, lambda row: duration(row.costs.train_seconds)
        ),
        Plain(
            "ms/image",
            "time to sample one image",
            lambda row: row.costs.sample_ms,
            lambda row: _shown(row.costs.sample_ms, "{:.3g}"),
        ),
        Plain("evaluations", "network passes per image", lambda row: row.costs.evaluations, _evaluations),
        Plain("hardware", "what training and sampling were timed on", lambda row: None, lambda row: row.costs.hardware or "–"),
        Plain(
            "bits/dim", "likelihood of test images; kinds do not compare", _likelihood, lambda row: str(row.likelihood or "–")
        ),
    ]
    rows = [standing.row for standing in group.standings]
    return [column for column in found if any(column.text(row) != "–" for row in rows)]


def _likelihood(row: Row) -> float | None:
    return None if row.likelihood is None else row.likelihood.mean


def _parameters(row: Row) -> str:
    return "–" if row.costs.parameters is None else short_count(row.costs.parameters)


def _evaluations(row: Row) -> str:
    return _shown(row.costs.evaluations, "{:,}")


def duration(seconds: float | None) -> str:
    """ "1.4 ms", "8 s", "25 min", "3.2 h", "5 d"."""
    if seconds is None:
        return "–"
    for size, unit, least in ((86_400, "d", 172_800), (3600, "h", 7200), (60, "min", 120), (1, "s", 1)):
        if seconds >= least:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"


def seeds_text(row: Row) -> str:
    return "1 seed" if row.seeds == "1" else row.seeds


@dataclass(frozen=True)
class Table:
    """lines: cells, the headings first; words: which columns are words; strong: (line, column) of the best."""

    lines: list[list[str]]
    words: set[int]
    strong: set[tuple[int, int]]


def main_table(board: Board) -> Table:
    """The main group with the metric that ranks directly after the names."""
    group = board.main
    plain = plain_columns(group)
    first, *rest = [column.heading for column in group.columns]
    human = [heading(board.ratings)] if board.ratings is not None else []
    heads = ["rank", "system", first, "family", *rest, *human, *(column.name for column in plain), "seeds", "date"]
    lines, strong = [heads], set()
    for number, standing in enumerate(group.standings, 1):
        row = standing.row
        scores = [standing.scores.get(column.key) for column in group.columns]
        opinions = [opinion(board.ratings, row.label) for _ in human]
        first, *rest = ["–" if score is None else score_text(score) for score in scores]
        cells = [str(standing.rank or "–"), row.label, first, row.family, *rest]
        cells += [one.text if one else "–" for one in opinions]
        lines.append([*cells, *(column.text(row) for column in plain), seeds_text(row), row.made])
        places = [2, *range(4, 4 + len(rest) + len(human))]
        strong |= {(number, place) for place, one in zip(places, [*scores, *opinions], strict=True) if one and one.tied}
    return Table(lines, {1, 3} | {place for place, head in enumerate(heads) if head == "hardware"}, strong)


def others_table(board: Board) -> list[list[str]]:
    """Rows that cannot stand in it, with the reason; empty where there are none."""
    others = [[other.row.label, other.row.family, other.reason] for other in board.main.others]
    return [["system", "family", "why"], *others] if others else []


def score_text(score: Score) -> str:
    return f"{score.cell} ≠" if score.apart else str(score.cell)
