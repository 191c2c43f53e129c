"""The page of a leaderboard: what its template needs, as text and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench.estimate import badness
from genbench.leaderboard import formats
from genbench.leaderboard.board import Board, Column, Group, Score, Standing
from genbench.leaderboard.cells import plain_columns, seeds_text
from genbench.leaderboard.charts import charts
from genbench.leaderboard.people import Opinion, heading, opinion
from genbench.leaderboard.row import Row
from genbench.leaderboard.thumbnails import thumbnail
from genbench.pages import page

TEMPLATE = Path(__file__).with_name("leaderboard.html")


def render(board: Board) -> str:
    """One file of HTML."""
    pictures = {standing.row.label: thumbnail(standing.row) for group in board.groups for standing in group.standings}
    views = [_view(board, group, number, pictures) for number, group in enumerate(board.groups)]
    families = sorted({row.family for row in _all_rows(board)})
    return page.render(
        TEMPLATE,
        title=board.title,
        made=board.made,
        groups=views,
        families=families,
        failed=any(other.row.error for group in board.groups for other in group.others),
        note=formats.NOTE,
        notes=board.notes,
        files=list(formats.FORMATS),
        rated=board.ratings,
        human=heading(board.ratings).removesuffix(" ↑").capitalize() if board.ratings else "",
        reports=bool(board.reports),
    )


def _all_rows(board: Board) -> list[Row]:
    return [*(standing.row for standing in board.main.standings), *(other.row for other in board.main.others)]


def _view(board: Board, group: Group, number: int, pictures: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of a group: headings, cells and figures, as text and numbers."""
    shown = any(pictures.get(standing.row.label) for standing in group.standings)
    return {
        "number": number,
        "title": group.title,
        "facts": page.facts(group.facts),
        "ranked": len(group.systems),
        "best": [standing.row.label for standing in group.systems if standing.rank and standing.rank.tied_with_best],
        "name": group.column.name,
        "heads": _heads(board, group, pictures=shown),
        "rows": [_cells(board, group, standing, pictures if shown else None) for standing in group.standings],
        "others": [_other(other.row, other.reason, board) for other in group.others],
        "charts": charts(group),
    }


def _head(id: str, text: str, title: str = "", *, first: str = "ascending", numeric: bool = True) -> dict[str, Any]:
    return {"id": id, "text": text, "title": title, "first": first, "numeric": numeric}


def _heads(board: Board, group: Group, *, pictures: bool) -> list[dict[str, Any]]:
    """`first`: the direction of the first click, which puts the best on top. Without an id nothing is sorted."""
    heads = [_head("rank", "rank", f"by {group.column.name}, with its interval"), _head("system", "system", numeric=False)]
    first, *rest = [_metric_head(column) for column in group.columns]
    samples = [_head("", "samples", numeric=False)] if pictures else []
    heads += [first, *samples, _head("family", "family", numeric=False), *rest]
    if board.ratings is not None:
        title = f"{board.ratings.raters} people, {board.ratings.votes} votes, with its interval"
        heads.append(_head("human", heading(board.ratings), title, first="descending"))
    for column in plain_columns(group):
        heads.append(_head(column.id, column.name, column.title, numeric=column.name != "hardware"))
    seeds = _head("seeds", "seeds", "trained anew with another seed", first="descending")
    return [*heads, seeds, _head("date", "date", first="descending"), _head("", "files", numeric=False)]


def _metric_head(column: Column) -> dict[str, Any]:
    words = {"lower": "lower is better", "higher": "higher is better", "zero": "nearer to zero is better"}[column.better]
    first = "descending" if column.better == "higher" else "ascending"
    return _head(column.key, column.heading, f"{column.key.rpartition(' ')[0]}; {words}", first=first)


def _cell(kind: str, text: str = "", sort: object = None, **rest: Any) -> dict[str, Any]:
    """sort: a number or a text, None for what stands last in either direction."""
    return {"kind": kind, "text": text, "sort": "" if sort is None else sort, **rest}


def _cells(board: Board, group: Group, standing: Standing, pictures: Mapping[str, Any] | None) -> dict[str, Any]:
    row, rank = standing.row, standing.rank
    cells = [_cell("number", str(rank), rank.rank) if rank else _cell("number", "–", 0 if row.is_ceiling else None)]
    about = {"url": row.first.url, "licence": row.first.licence, "report": board.reports.get(row.label)}
    cells.append(_cell("system", row.label, row.label.casefold(), **about))
    first, *rest = [_score_cell(standing.scores.get(column.key), column) for column in group.columns]
    cells += [first, *([] if pictures is None else [_cell("picture", picture=pictures.get(row.label))])]
    cells += [_cell("text", row.family, row.family.casefold()), *rest]
    if board.ratings is not None:
        cells.append(_human_cell(opinion(board.ratings, row.label)))
    for column in plain_columns(group):
        kind = "text" if column.name == "hardware" else "number"
        sort = column.text(row).casefold() if kind == "text" else column.number(row)
        cells.append(_cell(kind, column.text(row), sort))
    count = None if row.is_ceiling else len(row.results)
    cells.append(_cell("seeds", seeds_text(row), count, single=row.seeds == "1"))
    cells.append(_cell("number", row.made, row.made.replace("-", "")))
    cells.append(_cell("links", links=_links(board, row)))
    return {"label": row.label, "family": row.family, "ceiling": row.is_ceiling, "failed": False, "cells": cells}


def _score_cell(score: Score | None, column: Column) -> dict[str, Any]:
    if score is None:
        return _cell("number", "–")
    sort = badness(score.cell.mean, column.better) if column.better == "zero" else score.cell.mean
    return _cell("score", str(score.cell), None if score.apart else sort, tied=score.tied, apart=score.apart)


def _human_cell(human: Opinion | None) -> dict[str, Any]:
    if human is None:
        return _cell("number", "–")
    return _cell("score", human.text, human.value, tied=human.tied, apart=None)


def _links(board: Board, row: Row) -> list[tuple[str, str]]:
    """(text, place) of every document."""
    places = board.documents.get(row.label, ())
    texts = ["JSON"] if len(places) == 1 else [f"JSON {number}" for number in range(1, len(places) + 1)]
    return list(zip(texts, places, strict=True))


def _other(row: Row, reason: str, board: Board) -> dict[str, Any]:
    measured = [f"{metric.short_name} {row.cell(key)}" for key in row.keys[:4] if (metric := row.metric(key)) is not None]
    return {
        "label": row.label,
        "family": row.family,
        "failed": bool(row.error),
        "reason": reason,
        "values": ", ".join(measured),
        "report": board.reports.get(row.label),
        "links": _links(board, row),
    }
