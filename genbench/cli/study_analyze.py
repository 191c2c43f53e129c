"""`genbench study analyze`: what the votes of a study say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genbench.cli import options
from genbench.errors import DataError, UsageError

if TYPE_CHECKING:
    from genbench.evaluation.result import Result
    from genbench.study.votes import Vote

Votes = Annotated[list[Path], typer.Argument(metavar="VOTES...", help="Files of votes, or the folder of a study.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder that gets ratings.json, for `genbench leaderboard`.")]
Format = Annotated[str, typer.Option(help="text, markdown, csv, latex or json.")]
KeepAll = Annotated[bool, typer.Option("--keep-all", help="Count raters that fail their catch trials too.")]
Margin = Annotated[float, typer.Option(help="Points around 50 % that count as no difference, of a two-alternative study.")]
Against = Annotated[
    list[Path] | None, typer.Option(help="Results or runs whose metrics are set against the votes, by name; may be repeated.")
]


def analyze(
    votes: Votes,
    out: Out = None,
    format: Format = "text",
    keep_all: KeepAll = False,
    margin: Margin = 5.0,
    against: Against = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Ratings with intervals, win matrix, fooling rates, side bias and agreement of the votes of one study.

    \b
    genbench study analyze study/ -o ratings/
    genbench study analyze anna.jsonl ben.jsonl --format markdown
    genbench study analyze study/ --against runs/digits
    """
    if not 0 < margin < 50:
        raise UsageError("E-USAGE", f"--margin {margin:g}", hint="--margin is in points, above 0 and below 50, such as 5")
    from genbench.pages import escape
    from genbench.study import tables
    from genbench.study.analysis import analyze as analyzed

    shape = "json" if as_json else options.choice(format, tuple(tables.FORMATS), "--format")
    cast = _votes(votes)
    results, unread = _results(against or [], {name for vote in cast for name in (vote.left, vote.right)}) if cast else ({}, [])
    ratings = analyzed(cast, keep_all=keep_all, margin=margin / 100, results=results)
    saved = None if out is None else ratings.save(out)
    print(tables.render(ratings, shape))
    if not quiet:
        if unread:
            print(f"not set against the votes: {escape.one_line(', '.join(unread))}", file=sys.stderr)
        if saved is not None:
            print(f"ratings: {saved}", file=sys.stderr)


def _votes(paths: list[Path]) -> list[Vote]:
    """Of files and of study folders, each id once."""
    from genbench.study.document import load_study
    from genbench.study.store import kept_votes
    from genbench.study.votes import merged, read_votes

    found = [kept_votes(path, load_study(path).id) if path.is_dir() else read_votes([path]) for path in paths]
    return merged((str(path), vote) for path, cast in zip(paths, found, strict=True) for vote in cast)


def _results(paths: list[Path], systems: set[str]) -> tuple[dict[str, Result], list[str]]:
    """Results by the system they are of: the label or entry of a run, the name of the folder or of the images."""
    from genbench.evaluation.result import DOCUMENT

    results: dict[str, Result] = {}
    unread = []
    for folder in paths:
        files = sorted(folder.rglob(DOCUMENT)) if folder.is_dir() else [folder]
        for file in files:
            names, result = _named(file)
            system = next((name for name in names if name in systems), None)
            if system is None or result is None:
                unread.append(names[0])
            elif system in results:
                message = f"two results are of the system {system!r}, one of them {file}"
                raise DataError("E-AGAINST", message, hint="give one result for each system, such as the run of one seed")
            else:
                results[system] = result
    if paths and not results:
        message = f"none of the {len(unread)} results has metrics of a system with votes: {', '.join(sorted(systems))}"
        raise DataError("E-AGAINST", message, hint="name the folder of each result after its system")
    return results, unread


def _named(document: Path) -> tuple[list[str], Result | None]:
    """What its system may be called, and the result; None of a run that was not measured on images."""
    from genbench.bench.record import Record, opened
    from genbench.evaluation.result import Result

    folder, found = document.resolve().parent, opened(document)
    if isinstance(found, Record):
        return [found.label, folder.parent.name, folder.name], found.final.evaluation if found.final else None
    result = found or Result.load(document)
    return [folder.name, result.subject.name], result
