"""The folder of a leaderboard: index.html that needs nothing else, its data in four formats, the results and the reports.

site/index.html                 the page; opens from a file, on a phone, without a network and without JavaScript
site/leaderboard.json .csv .md .tex
site/results/vae-seed0.json     a copy of every document that has a row
site/reports/vae.html           where reports are made: none is ever taken from a folder, it could hold anything
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genbench.errors import GenbenchError
from genbench.estimate import badness
from genbench.files import write_atomic
from genbench.leaderboard import formats
from genbench.leaderboard.board import Column, Group, Score, Standing, make_groups
from genbench.leaderboard.charts import charts
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.formats import Board
from genbench.leaderboard.people import Opinion, heading, opinion
from genbench.leaderboard.row import Row, make_rows
from genbench.leaderboard.thumbnails import thumbnail
from genbench.pages import page
from genbench.study.ratings import Ratings

TEMPLATE = Path(__file__).with_name("leaderboard.html")
Report = Callable[[Path, Path], None]  # (document, file to write)


@dataclass(frozen=True)
class Site:
    """What was written: the page, and how many rows its main table has, of how many."""

    index: Path
    board: Board
    rows: int


def write_site(
    paths: Iterable[Path],
    out: Path,
    *,
    title: str = "Leaderboard",
    by: str | None = None,
    like: str | None = None,
    ratings: Ratings | None = None,
    report: Report | None = None,
) -> Site:
    """Everything below `paths` as a site in the folder `out`; what was there under these names is replaced.

    by, like: see `make_groups`. report: makes the report of a run or a result, for every row.
    Raises DataError and UsageError before anything is written.
    """
    rows, notes = make_rows(find_entries(paths, besides=out))
    groups = make_groups(rows, by=by, like=like)
    slugs = _slugs(rows)
    documents = _documents(rows, slugs)
    notes += _unrated(ratings, rows)
    made = datetime.now(UTC).date().isoformat()
    reports = {row.label: found for row in rows if (found := _report(row, slugs[row.label], out, report, notes))}
    board = Board(title=title, groups=groups, ratings=ratings, documents=documents, made=made, notes=notes)
    for row in rows:
        for entry, name in zip(row.entries, documents[row.label], strict=True):
            write_atomic(out / name, entry.document.read_bytes())
    for name, write in formats.FORMATS.items():
        write_atomic(out / name, write(board))
    write_atomic(out / "index.html", render(board, reports))
    return Site(index=out / "index.html", board=board, rows=len(rows))


def _slugs(rows: Sequence[Row]) -> dict[str, str]:
    """A file name for each label: small letters, digits and dashes."""
    taken: set[str] = set()
    slugs = {}
    for row in rows:
        plain = unicodedata.normalize("NFKD", row.label).encode("ascii", "ignore").decode().lower()
        slugs[row.label] = _free(re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "row", taken)
    return slugs


def _documents(rows: Sequence[Row], slugs: Mapping[str, str]) -> dict[str, list[str]]:
    """By label, where the copy of each of its documents goes."""
    taken: set[str] = set()

    def place(row: Row, number: int, seed: int | None) -> str:
        alone = len(row.entries) == 1 and seed is None
        own = slugs[row.label] + ("" if alone else f"-seed{number if seed is None else seed}")
        return f"results/{_free(own, taken)}.json"

    return {row.label: [place(row, number, entry.seed) for number, entry in enumerate(row.entries)] for row in rows}


def _free(name: str, taken: set[str]) -> str:
    """`name`, with a number where it is taken; it is taken then."""
    own, number = name, 1
    while own in taken:
        number += 1
        own = f"{name}-{number}"
    taken.add(own)
    return own


def _unrated(ratings: Ratings | None, rows: Sequence[Row]) -> list[str]:
    labels = {row.label for row in rows}
    left = [rated.system for rated in ratings.systems if rated.system not in labels] if ratings else []
    return [f"rated by people, but without a row of this name: {', '.join(left)}"] if left else []


def _report(row: Row, slug: str, out: Path, make: Report | None, notes: list[str]) -> str | None:
    """The place of the row's report in the site, None where there is none."""
    name = f"reports/{slug}.html"
    if make is None or row.first.result is None:
        return None
    try:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        make(row.first.document, out / name)
    except Exception as error:  # documents are strangers': one row without a report is better than no page
        notes.append(f"no report of {row.label}: {error.message if isinstance(error, GenbenchError) else repr(error)[:200]}")
        return None
    return name


# -- the page --------------------------------------------------------------------------------------------------------------


def render(board: Board, reports: Mapping[str, str]) -> str:
    """The page; reports: by label, the place of a row's report."""
    pictures = {standing.row.label: thumbnail(standing.row) for group in board.groups for standing in group.standings}
    views = [_view(board, group, number, reports, pictures) for number, group in enumerate(board.groups)]
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
        reports=bool(reports),
    )


def _all_rows(board: Board) -> list[Row]:
    return [*(standing.row for standing in board.main.standings), *(other.row for other in board.main.others)]


def _view(board: Board, group: Group, number: int, reports: Mapping[str, str], pictures: Mapping[str, Any]) -> dict[str, Any]:
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
        "rows": [_cells(board, group, standing, reports, pictures if shown else None) for standing in group.standings],
        "others": [_other(other.row, other.reason, board, reports) for other in group.others],
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
    for column in formats.plain_columns(group):
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


def _cells(
    board: Board, group: Group, standing: Standing, reports: Mapping[str, str], pictures: Mapping[str, Any] | None
) -> dict[str, Any]:
    row, rank = standing.row, standing.rank
    cells = [_cell("number", str(rank), rank.rank) if rank else _cell("number", "–", 0 if row.is_ceiling else None)]
    about = {"url": row.first.url, "licence": row.first.licence, "report": reports.get(row.label)}
    cells.append(_cell("system", row.label, row.label.casefold(), **about))
    first, *rest = [_score_cell(standing.scores.get(column.key), column) for column in group.columns]
    cells += [first, *([] if pictures is None else [_cell("picture", picture=pictures.get(row.label))])]
    cells += [_cell("text", row.family, row.family.casefold()), *rest]
    if board.ratings is not None:
        cells.append(_human_cell(opinion(board.ratings, row.label)))
    for column in formats.plain_columns(group):
        kind = "text" if column.name == "hardware" else "number"
        sort = column.text(row).casefold() if kind == "text" else column.number(row)
        cells.append(_cell(kind, column.text(row), sort))
    count = None if row.is_ceiling else len(row.results)
    cells.append(_cell("seeds", formats.seeds_text(row), count, single=row.seeds == "1"))
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


def _other(row: Row, reason: str, board: Board, reports: Mapping[str, str]) -> dict[str, Any]:
    measured = [f"{metric.short_name} {row.cell(key)}" for key in row.keys[:4] if (metric := row.metric(key)) is not None]
    return {
        "label": row.label,
        "family": row.family,
        "failed": bool(row.error),
        "reason": reason,
        "values": ", ".join(measured),
        "report": reports.get(row.label),
        "links": _links(board, row),
    }
