"""`genbench leaderboard`: a site of many results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options

Runs = Annotated[
    list[Path],
    typer.Argument(help="Folders of `genbench run` and of `genbench evaluate -o`, submissions, or single result.json files."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the site.")]
By = Annotated[str | None, typer.Option(help="The metric that ranks, such as fd@tiny; by default that of the largest group.")]
Like = Annotated[str | None, typer.Option(help="Show first what compares with the row of this name.")]
RatingsFile = Annotated[Path | None, typer.Option("--ratings", help="ratings.json of `genbench study analyze`, by row names.")]
Reports = Annotated[bool, typer.Option("--reports", help="Make the report of every row.")]


def leaderboard(
    runs: Runs,
    out: Out = Path("site"),
    title: Annotated[str, typer.Option(help="Of the page.")] = "Leaderboard",
    by: By = None,
    like: Like = None,
    ratings: RatingsFile = None,
    reports: Reports = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a leaderboard of results: one offline page, and the same as JSON, CSV, Markdown and LaTeX.

    Rows that were not made in the same way stand below the table, with the reason.

    \b
    genbench leaderboard runs/digits -o site/
    genbench leaderboard runs/ submissions/ --by fid --ratings study/ratings.json --reports
    """
    from genbench.leaderboard import formats
    from genbench.leaderboard.site import write_site
    from genbench.pages.escape import one_line
    from genbench.study.ratings import Ratings

    site = write_site(
        runs,
        out,
        title=title,
        by=by,
        like=like,
        ratings=Ratings.load(ratings) if ratings else None,
        report=_report if reports else None,
    )
    if as_json:
        print(formats.as_json(site.board), end="")
    else:
        print(site.index)
    if not quiet:
        main = site.board.main
        count = f"{len(main.systems)} {'system' if len(main.systems) == 1 else 'systems'}"
        print(one_line(f"{count} by {main.title}; {len(main.others)} below, with the reason"), file=sys.stderr)
        for note in site.board.notes:
            print(one_line(f"note: {note}"), file=sys.stderr)


def _report(document: Path, out: Path) -> None:
    from genbench.report.write import write_report

    write_report(document, out)
