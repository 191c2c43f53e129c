"""`genbench compare`: whether results differ by more than chance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress
from genbench.errors import DataError, UsageError

if TYPE_CHECKING:
    from genbench.bench.record import Record
    from genbench.comparison.compare import Comparison
    from genbench.evaluation.result import Result

Things = Annotated[
    list[str],
    typer.Argument(metavar="A B ...", help="Results of evaluate, or folders of runs; with --ref, images to evaluate first."),
]
Names = Annotated[str | None, typer.Option(help="What to call them, with commas; by default as their images are called.")]
Alpha = Annotated[float, typer.Option(help="The chance of any false claim over everything that is tested.")]
Metrics = Annotated[
    str | None, typer.Option(help="Only these, such as fd@tiny,precision; by default all that are in every one.")
]
Format = Annotated[str, typer.Option(help="text, markdown, csv, latex or json.")]
Ref = Annotated[str | None, typer.Option(help="Evaluate A, B, ... as images against this, with permutation tests near zero.")]
Extractor = Annotated[str | None, typer.Option(help="With --ref: for metrics that name none, inception (default), tiny, ....")]
Permutations = Annotated[
    int | None,
    typer.Option(
        help="With --ref, of images near zero distance: at most so many; by default what --alpha needs; 0 for none.", min=0
    ),
]


def compare(
    things: Things,
    names: Names = None,
    alpha: Alpha = 0.05,
    metrics: Metrics = None,
    format: Format = "text",
    as_json: options.Json = False,
    ref: Ref = None,
    extractor: Extractor = None,
    permutations: Permutations = None,
    weights: options.Weights = None,
    precision: options.Precision = "fp32",
    device: options.Device = "auto",
    batch_size: options.BatchSize = 64,
    num_workers: options.Workers = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Compare results: what differs by more than chance, with what they share taken out of the errors.

    \b
    genbench compare out/a out/b
    genbench compare runs/digits --metrics fd@tiny --format markdown
    genbench compare samples_a/ samples_b/ --ref cifar10 --metrics fid,kid
    """
    from genbench.comparison.formats import FORMATS

    shape = "json" if as_json else options.choice(format, tuple(FORMATS), "--format")
    options.choice(precision, ("fp32", "tf32", "bf16"), "--precision")
    options.apply_places(offline, data_root, cache_dir)
    called = names.split(",") if names is not None else None
    if ref is None:
        if extractor is not None:
            raise UsageError(
                "E-USAGE", "--extractor without --ref", hint="results are compared as they are; --ref takes images"
            )
        made = _of_results(things, called, alpha, metrics)
    else:
        from genbench.comparison.images import compare_images

        with progress(quiet) as update:
            made = compare_images(
                *things,
                ref=ref,
                names=called,
                alpha=alpha,
                permutations=permutations,
                seed=seed,
                metrics=metrics,
                extractor=extractor,
                weights=weights,
                precision=precision,
                device=device,
                batch_size=batch_size,
                workers=num_workers,
                progress=update,
            )
    print(FORMATS[shape](made))


def _of_results(things: list[str], names: list[str] | None, alpha: float, metrics: str | None) -> Comparison:
    from genbench.comparison.compare import compare as compared
    from genbench.comparison.compare import distinct, names_of

    found = [(label, result, thing) for thing in things for label, result in _results(Path(thing))]
    results = [result for _, result, _ in found]
    if names is None:
        called = names_of(results, [thing for _, _, thing in found])
        names = distinct([label or name for (label, _, _), name in zip(found, called, strict=True)])
    return compared(*results, names=names, alpha=alpha, metrics=metrics)


def _results(path: Path) -> list[tuple[str, Result]]:
    """What a document says, or the one in a folder; or all runs of a folder that `genbench run` made, with their labels."""
    from genbench.evaluation.result import Result, document_at

    if document_at(path).is_file():
        return [("", Result.load(path))]
    if not path.is_dir() or next(path.rglob("result.json"), None) is None:
        hint = "`genbench evaluate ... -o FOLDER` writes one; with --ref images are evaluated first"
        raise DataError("E-NO-RESULT", f"no result at {path}", hint=hint)
    from genbench.bench.record import records_below

    records = records_below(path)
    return [(_label(record, records), result) for record in records if (result := _final(record, path))]


def _final(record: Record, folder: Path) -> Result | None:
    """The evaluation of a run's samples; None, and a note, for a run that has none."""
    if record.final is not None and record.final.evaluation is not None:
        return record.final.evaluation
    why = "it failed" if record.error else "it was measured on points, whose errors are in `genbench table`"
    print(f"left out: {record.label} in {folder}: {why}", file=sys.stderr)
    return None


def _label(record: Record, among: list[Record]) -> str:
    """With the seed where several runs have one label."""
    several = sum(other.label == record.label for other in among) > 1
    return f"{record.label} seed {record.config.get('seed')}" if several else record.label
