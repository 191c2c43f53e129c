"""The folder of a leaderboard: index.html that needs nothing else, its data in four formats, the results and the reports.

site/index.html                 the page; opens from a file, on a phone, without a network and without JavaScript
site/leaderboard.json .csv .md .tex
site/results/vae-seed0.json     a copy of every document that has a row
site/reports/vae.html           where reports are made: none is ever taken from a folder, it could hold anything
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from genbench.errors import GenbenchError, UsageError
from genbench.evaluation.result import schema_of
from genbench.files import write_atomic
from genbench.leaderboard import formats
from genbench.leaderboard.board import Board, make_groups
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.page import render
from genbench.leaderboard.row import Row, make_rows
from genbench.leaderboard.submission import within
from genbench.study.ratings import Ratings

Report = Callable[[Path, Path], None]  # (document, file to write)
OWN = re.compile(r"(results|reports)/[a-z0-9-]+\.(json|html)")


@dataclass(frozen=True)
class Site:
    """What was written: the page, and what it shows."""

    index: Path
    board: Board


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
    """Everything below `paths` as a site in the folder `out`, in place of an earlier one and of all that it had published.

    by, like: see `make_groups`. report: makes the report of a run or a result, for every row.
    Raises DataError and UsageError before anything is written, also where `out` holds a page of somebody else.
    """
    before = _published(out)
    rows, notes = make_rows(find_entries(paths, besides=out))
    groups = make_groups(rows, by=by, like=like)
    slugs = _slugs(rows)
    documents = _documents(rows, slugs)
    notes += _unrated(ratings, rows)
    made = datetime.now(UTC).date().isoformat()
    reports = {row.label: found for row in rows if (found := _report(row, slugs[row.label], out, report, notes))}
    board = Board(title=title, groups=groups, ratings=ratings, documents=documents, reports=reports, made=made, notes=notes)
    for row in rows:
        for entry, name in zip(row.entries, documents[row.label], strict=True):
            write_atomic(out / name, entry.document.read_bytes())
    for name, write in formats.FORMATS.items():
        write_atomic(out / name, write(board))
    write_atomic(out / "index.html", render(board))
    for name in before.difference(board.files):
        (out / name).unlink(missing_ok=True)
    return Site(index=out / "index.html", board=board)


def _published(out: Path) -> set[str]:
    """The results and reports that an earlier leaderboard put into `out`, by its own list."""
    listing = out / "leaderboard.json"
    if schema_of(listing) == formats.SCHEMA:
        listed = json.loads(listing.read_bytes()).get("files")
        names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        return {name for name in names if OWN.fullmatch(name) and within((out / name).parent, out)}
    if (out / "index.html").exists():
        hint = "name another folder with -o, or move what is there"
        raise UsageError("E-OUT", f"{out} holds an index.html that is no leaderboard's", hint=hint)
    return set()


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
