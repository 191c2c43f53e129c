"""`genbench evaluate`: measure images against a reference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress

if TYPE_CHECKING:
    from genbench.evaluation.result import Result

Samples = Annotated[str, typer.Argument(help="Folder, zip, tar, npz, npy, named set (digits/test) or hf://name:split.")]
Ref = Annotated[str | None, typer.Option(help="Named set, images, or statistics (.safetensors; .npz with mu and sigma).")]
HeldOut = Annotated[str | None, typer.Option(help="Real images that were not trained on, for memorisation; --ref is what was.")]
Paired = Annotated[str | None, typer.Option(help="What each image should be, under the same name: for ssim, lpips, ....")]
Captions = Annotated[
    str | None, typer.Option(help="What each image should show: .csv or .jsonl, a folder with .txt files, or shapes/test.")
]
Metrics = Annotated[
    str | None,
    typer.Option(help="Such as fid,kid:subsets,fd@tiny. Default: fid,kid,inception_score,prdc; of pairs ssim,psnr,l1,l2"),
]
Extractor = Annotated[
    str | None,
    typer.Option(help="For metrics that name none: inception (default), tiny, dinov2, clip, ... (genbench list extractors)."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for result.json and influence.safetensors.")]
AllowSmall = Annotated[bool, typer.Option("--allow-small", help="Give values for too few images, marked as not comparable.")]


def evaluate(
    samples: Samples,
    ref: Ref = None,
    held_out: HeldOut = None,
    paired: Paired = None,
    captions: Captions = None,
    metrics: Metrics = None,
    extractor: Extractor = None,
    weights: options.Weights = None,
    precision: options.Precision = "fp32",
    out: Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    allow_small: AllowSmall = False,
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
    """Measure images against a reference: value ± error, direction, number of images and protocol of every metric.

    \b
    genbench evaluate digits/test --ref digits/train --extractor tiny
    genbench evaluate samples/ --ref cifar10
    genbench evaluate samples.zip --ref stats.npz --metrics fid:clean --json
    genbench evaluate restored/ --paired originals/ --metrics psnr,ssim,lpips
    genbench evaluate samples/ --ref cifar10 --held-out cifar10/test --metrics authenticity,near_copies,c_t
    genbench evaluate samples/ --captions prompts.csv --metrics clip_score
    """
    options.choice(precision, ("fp32", "tf32", "bf16"), "--precision")
    decoding = options.decoding(on_bad, on_size_mix, background, value_range)
    options.apply_places(offline, data_root, cache_dir)
    from genbench.evaluation.evaluate import evaluate as measure

    with progress(quiet) as update:
        result = measure(
            samples,
            ref=ref,
            held_out=held_out,
            paired=paired,
            captions=captions,
            metrics=metrics,
            extractor=extractor,
            weights=weights,
            precision=precision,  # type: ignore[arg-type]  # checked above
            device=device,
            batch_size=batch_size,
            workers=num_workers,
            **decoding,
            allow_small=allow_small,
            progress=update,
            command=_public(sys.argv[1:]),
        )
    if out is not None:
        result.save(out)
    if as_json:
        print(result.to_json())
    else:
        _print(result, quiet)


def _public(arguments: list[str]) -> list[str]:
    """The command without the folders that lead to files: a result names no path of a machine."""
    return ["genbench", *(Path(argument).name if Path(argument).is_absolute() else argument for argument in arguments)]


def _print(result: Result, quiet: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from genbench.estimate import ARROWS

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("metric")
    for heading in ("value ± error", "95 % interval", "n", "n ref"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("protocol", no_wrap=True)
    for metric in result.metrics:
        interval = f"[{metric.ci[0]:.4g}, {metric.ci[1]:.4g}]" if metric.ci else "–"
        marked = metric.protocol + ("" if metric.comparable else "  not comparable")
        counts = [f"{count:,}" if count is not None else "–" for count in (metric.n, metric.n_real)]
        table.add_row(f"{metric.name} {ARROWS[metric.better]}", str(metric), interval.replace("[", r"\["), *counts, marked)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
    if not quiet:
        for line in _notes(result):
            print(line, file=sys.stderr)


def _notes(result: Result) -> list[str]:
    """What stands below the table: which images, and what a reader should know."""
    subject, reference = result.subject, result.reference
    count = f"{subject.n:,}" if subject.n == subject.listed else f"{subject.n:,} of {subject.listed:,}"
    lines = [f"{subject.name}: {count} images"]
    if reference is not None:
        known = f"{reference.n:,} images" if reference.n is not None else "number of images not known"
        lines[0] += f"; reference {reference.name}: {known}"
    lines += [f"warning[{warning.code}]: {warning.text}" for warning in result.warnings]
    lines += [f"skipped {item.name}: {item.reason}" for item in subject.skipped[:10]]
    lines += [f"note: {metric.name}: {note}" for metric in result.metrics for note in metric.notes]
    if len(subject.skipped) > 10:
        lines.append(f"skipped {len(subject.skipped) - 10} more; --json names all")
    return lines
