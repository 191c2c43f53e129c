"""The leaderboard for programs, spreadsheets, repositories and papers: JSON, CSV, Markdown and LaTeX, safe for every name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genbench.bench.table import short_count
from genbench.leaderboard.board import Group, Score, Standing
from genbench.leaderboard.people import heading, opinion
from genbench.leaderboard.row import Row
from genbench.pages import escape, tables
from genbench.study.ratings import Ratings

SCHEMA = "genbench.leaderboard/1"
NOTE = (
    "± one standard error over the images of one set; in brackets the standard deviation over seeds. Rank [best–worst]: every "
    "pair is tested with the error of its difference, and all intervals hold at once with 95 % (Holm). Bold: not significantly "
    "worse than the best. A row of one seed says nothing about what another training would give; beside rows of several, it is "
    "taken to vary as they do."
)


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that is shown. groups: the main table first. documents: where copies of each row's results lie, by label."""

    title: str
    groups: Sequence[Group]
    ratings: Ratings | None
    documents: Mapping[str, Sequence[str]]
    made: str
    notes: Sequence[str] = ()

    @property
    def main(self) -> Group:
        return self.groups[0]


def as_json(board: Board) -> str:
    """Schema genbench.leaderboard/1."""
    groups = [_json_group(board, group) for group in board.groups]
    document = {"schema": SCHEMA, "title": board.title, "made": board.made, "groups": groups, "notes": [NOTE, *board.notes]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _json_group(board: Board, group: Group) -> dict[str, Any]:
    columns = [{"key": column.key, "name": column.name, "better": column.better} for column in group.columns]
    return {
        "title": group.title,
        "human": board.ratings and heading(board.ratings).removesuffix(" ↑"),
        "ranked_by": group.column.key,
        "facts": group.facts,
        "columns": columns,
        "rows": [_json_row(board, group, standing) for standing in group.standings],
        "others": [{"system": other.row.label, "family": other.row.family, "reason": other.reason} for other in group.others],
    }


def _json_row(board: Board, group: Group, standing: Standing) -> dict[str, Any]:
    row, rank = standing.row, standing.rank
    human = opinion(board.ratings, row.label)
    return {
        "system": row.label,
        "family": row.family,
        "rank": None if rank is None else {"rank": rank.rank, "low": rank.low, "high": rank.high, "letters": rank.letters},
        "metrics": {key: _json_score(row, key, score) for key, score in standing.scores.items()},
        "likelihood": None if row.likelihood is None else {"value": row.likelihood.mean, "text": str(row.likelihood)},
        "costs": asdict(row.costs),
        "seeds": [entry.seed for entry in row.entries if entry.result is not None],
        "failed_seeds": [entry.seed for entry in row.entries if entry.result is None],
        "made": row.made,
        "url": row.first.url or None,
        "licence": row.first.licence or None,
        "human": None if human is None else {"value": human.value, "ci": human.ci, "votes": human.votes},
        "documents": list(board.documents.get(row.label, ())),
    }


def _json_score(row: Row, key: str, score: Score) -> dict[str, Any]:
    metric = row.metric(key)
    found = {"value": score.cell.mean, "se": score.cell.se, "ci": score.interval, "sd_over_seeds": score.cell.sd}
    return found | {"n": metric.n if metric else None, "ties_with_best": score.tied, "not_comparable": score.apart}


# -- cells as text, for the page and the formats ---------------------------------------------------------------------------


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


def _others(board: Board) -> list[list[str]]:
    others = [[other.row.label, other.row.family, other.reason] for other in board.main.others]
    return [["system", "family", "why"], *others] if others else []


def score_text(score: Score) -> str:
    return f"{score.cell} ≠" if score.apart else str(score.cell)


# -- formats ---------------------------------------------------------------------------------------------------------------


def as_csv(board: Board) -> str:
    """One line per row and table, numbers in full; `reason` says why a row is not in the main table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    group = board.main
    plain = [column for column in plain_columns(group) if column.name not in ("hardware",)]
    parts = [f"{column.name}{part}" for column in group.columns for part in ("", " se", " sd over seeds", " ties with best")]
    heads = ["rank", "rank low", "rank high", "system", "family", *parts]
    heads += [*(column.name for column in plain), "hardware", "seeds", "date", "human", "documents", "reason"]
    writer.writerow(map(escape.csv_cell, heads))
    for standing in group.standings:
        writer.writerow(_csv_row(board, group, standing.row, standing, "", plain))
    for other in group.others:
        writer.writerow(_csv_row(board, group, other.row, None, other.reason, plain))
    return out.getvalue()


def _csv_row(
    board: Board, group: Group, row: Row, standing: Standing | None, reason: str, plain: Sequence[Plain]
) -> list[object]:
    """Rows outside of the table have no numbers here: a spreadsheet would sort them among those that compare."""
    rank = standing.rank if standing else None
    cells: list[object] = [rank.rank, rank.low, rank.high] if rank else ["", "", ""]
    cells += [escape.csv_cell(row.label), escape.csv_cell(row.family)]
    for column in group.columns:
        score = standing.scores.get(column.key) if standing else None
        if score is None or score.apart:
            cells += [""] * 4
        else:
            cells += [_number(score.cell.mean), _number(score.cell.se), _number(score.cell.sd), "yes" if score.tied else "no"]
    cells += [_number(column.number(row)) if standing else "" for column in plain]
    human = opinion(board.ratings, row.label)
    documents = " ".join(board.documents.get(row.label, ()))
    cells += [escape.csv_cell(row.costs.hardware), row.seeds, row.made, _number(human.value if human else None)]
    return [*cells, escape.csv_cell(documents), escape.csv_cell(reason)]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def as_markdown(board: Board) -> str:
    """The main table, and below it those that cannot stand in it."""
    table = main_table(board)
    parts = [f"# {escape.markdown(board.title)}", escape.markdown(board.main.title)]
    parts += [tables.as_markdown(table.lines, table.words, table.strong)]
    if others := _others(board):
        parts += ["Not comparable with these:", tables.as_markdown(others, 3)]
    return "\n\n".join([*parts, escape.markdown(NOTE)]) + "\n"


def as_latex(board: Board) -> str:
    """Tabulars for the package booktabs: the main table, and those that cannot stand in it."""
    table = main_table(board)
    parts = [f"% {escape.one_line(board.title)}: {escape.one_line(board.main.title)}"]
    parts += [tables.as_latex(table.lines, table.words, table.strong)]
    if others := _others(board):
        parts += ["% not comparable with these", tables.as_latex(others, 3)]
    return "\n\n".join([*parts, f"% {NOTE}"]) + "\n"


FORMATS: Mapping[str, Callable[[Board], str]] = {
    "leaderboard.json": as_json,
    "leaderboard.csv": as_csv,
    "leaderboard.md": as_markdown,
    "leaderboard.tex": as_latex,
}
