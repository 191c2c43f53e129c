"""`genbench neighbours`: the nearest training images of generated ones, as a picture and as numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress

if TYPE_CHECKING:
    from genbench.evaluation.neighbours import Neighbours

Samples = Annotated[str, typer.Argument(help="Generated images: folder, zip, tar, npz, npy, named set or hf://name:split.")]
Ref = Annotated[str, typer.Option(help="The training images, in any of these forms.")]
Extractor = Annotated[
    str, typer.Option(help="Whose features are compared: inception (default), tiny, dinov2, ... (genbench list extractors).")
]
Rows = Annotated[int, typer.Option("--n", help="Generated images to show.")]
Nearest = Annotated[int, typer.Option("--k", help="Nearest training images of each.")]
Worst = Annotated[bool, typer.Option("--worst", help="Show the images nearest to the training set, instead of a random draw.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The picture, a PNG file.")]


def neighbours(
    samples: Samples,
    ref: Ref,
    extractor: Extractor = "inception",
    n: Rows = 8,
    k: Nearest = 5,
    worst: Worst = False,
    seed: options.Seed = 0,
    out: Out = Path("neighbours.png"),
    weights: options.Weights = None,
    precision: options.Precision = "fp32",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    on_bad: options.OnBad = "fail",
    on_size_mix: options.OnSizeMix = "fail",
    background: options.Background = None,
    value_range: options.ValueRange = None,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 64,
    num_workers: options.Workers = None,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Show generated images beside their nearest training images. A ratio near 0 is a copy, about 1 is a new image.

    The rows are drawn by --seed and not picked, unless --worst asks for those nearest to the training set.

    \b
    genbench neighbours digits/test --ref digits/train --extractor tiny
    genbench neighbours samples/ --ref train.zip --worst --n 20 -o copies.png
    """
    options.choice(precision, ("fp32", "tf32", "bf16"), "--precision")
    options.png(out, "--out")
    decoding = options.decoding(on_bad, on_size_mix, background, value_range)
    options.apply_places(offline, data_root, cache_dir)
    from genbench.data.base import Policy
    from genbench.evaluation.neighbours import neighbours as find

    with progress(quiet) as update:
        found = find(
            samples,
            ref=ref,
            extractor=extractor,
            n=n,
            k=k,
            worst=worst,
            seed=seed,
            weights=weights,
            precision=precision,  # type: ignore[arg-type]  # checked above
            policy=Policy(**decoding),
            device=device,
            batch_size=batch_size,
            workers=num_workers,
            progress=update,
        )
    found.save(out)
    if as_json:
        print(found.to_json())
    else:
        _print(found)
    if not quiet:
        print(f"picture: {out}", file=sys.stderr)


def _print(found: Neighbours) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("image")
    for heading in ("ratio", "distance", "between training images"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("nearest training image")
    for row in found.rows:
        ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
        first = row.neighbours[0]
        names = [name.replace("[", r"\[") for name in (row.name, first.name)]
        table.add_row(names[0], ratio, f"{first.distance:.4g}", f"{row.training_distance:.4g}", names[1])
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
    median = "" if found.median_ratio is None else f"; median ratio of all: {found.median_ratio:.2f}"
    print(f"{len(found.rows)} of {found.n:,} images, {found.order}{median}")
