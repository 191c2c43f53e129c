"""`genbench stats build`: reference statistics of a set of images, in one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress

app = typer.Typer(help="Reference statistics.", no_args_is_help=True, rich_markup_mode=None)

Dataset = Annotated[str, typer.Argument(help="Named set, folder, zip, tar, npz or npy.")]
Extractor = Annotated[str, typer.Option(help="inception, tiny or pixels, with an input protocol as in inception:clean.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The file; by default named after the dataset and extractor.")]
Features = Annotated[int, typer.Option(help="Features to keep for kid and prdc: a sample of at most so many images.")]


@app.callback()
def stats() -> None:
    pass


@app.command("build")
def build(
    dataset: Dataset,
    extractor: Extractor = "inception",
    out: Out = None,
    max_features: Features = 10_000,
    weights: options.Weights = None,
    precision: options.Precision = "fp32",
    on_bad: options.OnBad = "fail",
    on_size_mix: options.OnSizeMix = "fail",
    background: options.Background = None,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 64,
    num_workers: options.Workers = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Build the statistics that `--ref FILE` reads: mean, covariance with its factor, and a sample of features.

    \b
    genbench stats build digits/train --extractor tiny
    genbench stats build my_images/ --extractor inception:clean -o my_images.safetensors
    """
    options.choice(precision, ("fp32", "tf32", "bf16"), "--precision")
    decoding = options.decoding(on_bad, on_size_mix, background)
    options.apply_places(offline, data_root, cache_dir)
    from genbench.data.base import Policy
    from genbench.evaluation.build import build_statistics

    with progress(quiet) as update:
        path, header = build_statistics(
            dataset,
            extractor,
            out,
            max_features=max_features,
            weights=weights,
            precision=precision,  # type: ignore[arg-type]  # checked above
            policy=Policy(**decoding),
            device=device,
            batch_size=batch_size,
            workers=num_workers,
            progress=update,
        )
    if as_json:
        print(header.model_dump_json(indent=2))
    else:
        print(path)
        if not quiet:
            print(f"{header.images.n:,} images, {header.n_features:,} features kept", file=sys.stderr)
