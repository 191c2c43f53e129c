"""`genbench validate`: whether results that somebody hands in say what can be true."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genbench.cli import options
from genbench.cli.progress import progress
from genbench.errors import GenbenchError, UsageError

if TYPE_CHECKING:
    from genbench.leaderboard.validate import Validated

Paths = Annotated[
    list[Path], typer.Argument(help="Files or folders: results, runs, baselines, ratings, submissions.", metavar="PATH...")
]
ImagesOption = Annotated[
    Path | None, typer.Option("--images", help="The images of the one result that is checked: measure them again and compare.")
]
Ref = Annotated[str | None, typer.Option(help="With --images: the reference, where it is no named set.")]


def validate(
    paths: Paths,
    images: ImagesOption = None,
    ref: Ref = None,
    weights: options.Weights = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> int:
    """Check results before they enter a leaderboard or a repository: one line per file; exit 0, 5 (wrong) or 3 (incomparable).

    Without images, the parts of a file are checked against each other, against the influence of every image beside it, and
    against the networks and references of this version. With --images the values are measured again.

    \b
    genbench validate submissions/
    genbench validate submissions/ddpm --images samples.zip
    """
    from genbench.leaderboard.validate import validate as validated

    options.apply_places(offline, data_root, cache_dir)
    found = validated(paths)
    if images is not None:
        _recompute(found, images, ref, weights, device, quiet)
    elif ref is not None or weights is not None:
        raise UsageError("E-USAGE", "--ref and --weights are for --images", hint="name the images, or leave them out")
    if as_json:
        _print_json(found, images is not None)
    else:
        _print(found, quiet, images is not None)
    return 5 if any(one.exit_code == 5 for one in found) else max(one.exit_code for one in found)


def _recompute(found: list[Validated], images: Path, ref: str | None, weights: Path | None, device: str, quiet: bool) -> None:
    from genbench.leaderboard.recompute import check_archive, recompute
    from genbench.leaderboard.submission import Submission

    measured = [one for one in found if one.results]
    if len(measured) != 1 or len(measured[0].results) != 1:
        count = sum(len(one.results) for one in measured)
        hint = "name one result.json, whose images these are"
        raise UsageError("E-USAGE", f"--images is for one result, and there are {count}", hint=hint)
    for one in found:
        if one.schema == "submission" and not one.problems and (archive := Submission.load(one.path).images) is not None:
            if images.is_file():
                one.add(check_archive(images, archive))
            else:
                one.notes.append("its archive's size and hash were not checked: --images is a folder")
    document = measured[0]
    try:
        with progress(quiet) as update:
            problems, notes = recompute(document.results[0], images, ref=ref, weights=weights, device=device, progress=update)
    except GenbenchError as error:
        if error.exit_code not in (3, 5):
            raise
        document.add([error.message], "incomparable" if error.exit_code == 3 else "invalid")
        return
    document.problems += problems
    document.notes += notes
    document.recomputed = True


def _print(found: list[Validated], quiet: bool, recomputed: bool) -> None:
    from genbench.pages.escape import one_line

    for one in found:
        print(one_line(str(one)))
    if quiet:
        return
    for one in found:
        for note in one.notes:
            print(one_line(f"note: {one.path}: {note}"), file=sys.stderr)
    if not recomputed:
        print("note: only consistency was checked; --images PATH measures again", file=sys.stderr)


def _print_json(found: list[Validated], recomputed: bool) -> None:
    files: list[dict[str, Any]] = [
        {
            "path": str(one.path),
            "schema": one.schema or None,
            "ok": not one.problems,
            "exit": one.exit_code,
            "problems": [{"kind": problem.kind, "text": problem.text} for problem in one.problems],
            "notes": one.notes,
            "recomputed": one.recomputed,
        }
        for one in found
    ]
    checked = "recomputed" if recomputed else "consistency"
    print(json.dumps({"schema": "genbench.validation/1", "checked": checked, "files": files}, indent=1))
