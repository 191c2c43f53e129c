"""`genbench report`: one page of one result or run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress

Source = Annotated[Path, typer.Argument(help="Folder or result.json of `genbench evaluate -o`, or the folder of one run.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The page, one HTML file.")]
Images = Annotated[str | None, typer.Option(help="The images that were measured, where they are not where they were.")]
Ref = Annotated[str | None, typer.Option(help="What they were compared with, as images: also shows nearest training images.")]
Data = Annotated[str | None, typer.Option("--data", help="The data a run was trained on, where they are not where they were.")]
NoPictures = Annotated[bool, typer.Option("--no-pictures", help="Open no images and draw no samples: the numbers alone.")]


def report(
    source: Source,
    out: Out = Path("report.html"),
    images: Images = None,
    ref: Ref = None,
    data: Data = None,
    no_pictures: NoPictures = False,
    weights: options.Weights = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 64,
    num_workers: options.Workers = None,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Write one page with the pictures, the numbers, their uncertainty and how to make them again. It opens anywhere, offline.

    Images are opened where the result says, if they are still those that were measured; samples of a run are drawn again.

    \b
    genbench evaluate samples/ --ref digits --extractor tiny -o out && genbench report out
    genbench report out --images /data/samples --ref /data/train -o report.html
    genbench report runs/digits/vae/seed0 -o vae.html
    """
    options.apply_places(offline, data_root, cache_dir)
    from genbench.pages.escape import one_line
    from genbench.report.write import write_report

    left_out: dict[str, str] = {}
    with progress(quiet) as update:
        write_report(
            source,
            out,
            images=images,
            ref=ref,
            data=data,
            pictures=not no_pictures,
            weights=weights,
            seed=seed,
            device=device,
            batch_size=batch_size,
            workers=num_workers,
            progress=update,
            tell=left_out.__setitem__,
        )
    size = out.stat().st_size
    if as_json:
        print(json.dumps({"schema": "genbench.report/1", "path": str(out), "bytes": size, "left_out": left_out}))
    if not quiet:
        for what, why in left_out.items():
            print(one_line(f"not in the page: {what}: {why}"), file=sys.stderr)
        print(f"report: {out} ({f'{size / 1e6:.1f} MB' if size >= 1e6 else f'{size / 1e3:.0f} kB'})", file=sys.stderr)
