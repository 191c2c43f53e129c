"""The leaderboard for programs, spreadsheets, repositories and papers: JSON, CSV, Markdown and LaTeX, safe for every name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from genbench.leaderboard.board import Board, Group, Score, Standing
from genbench.leaderboard.cells import Plain, main_table, others_table, plain_columns
from genbench.leaderboard.people import heading, opinion
from genbench.leaderboard.row import Row
from genbench.pages import escape, tables

SCHEMA = "genbench.leaderboard/1"
NOTE = (
    "± one standard error over the images of one set; in brackets the standard deviation over seeds. Rank [best–worst]: every "
    "pair is tested with the error of its difference, and all intervals hold at once with 95 % (Holm). Bold: not significantly "
    "worse than the best. A row of one seed says nothing about what another training would give: its rank is about these "
    "samples, unless the others have together four seeds more than they are rows; it is then taken to vary as they do."
)


def as_json(board: Board) -> str:
    """Schema genbench.leaderboard/1."""
    groups = [_json_group(board, group) for group in board.groups]
    document = {"schema": SCHEMA, "title": board.title, "made": board.made, "groups": groups, "files": board.files}
    document["notes"] = [NOTE, *board.notes]
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
    if others := others_table(board):
        parts += ["Not comparable with these:", tables.as_markdown(others, 3)]
    return "\n\n".join([*parts, escape.markdown(NOTE)]) + "\n"


def as_latex(board: Board) -> str:
    """Tabulars for the package booktabs: the main table, and those that cannot stand in it."""
    table = main_table(board)
    parts = [f"% {escape.one_line(board.title)}: {escape.one_line(board.main.title)}"]
    parts += [tables.as_latex(table.lines, table.words, table.strong)]
    if others := others_table(board):
        parts += ["% not comparable with these", tables.as_latex(others, 3)]
    return "\n\n".join([*parts, f"% {NOTE}"]) + "\n"


FORMATS: Mapping[str, Callable[[Board], str]] = {
    "leaderboard.json": as_json,
    "leaderboard.csv": as_csv,
    "leaderboard.md": as_markdown,
    "leaderboard.tex": as_latex,
}
