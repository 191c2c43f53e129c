"""`genbench run`, `genbench table` and `genbench demo`: whole comparisons."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options
from genbench.errors import UsageError

SuiteFile = Annotated[str, typer.Argument(metavar="SUITE", help="A TOML file, or the name of a suite: `genbench list suites`.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the runs; by default runs/SUITE.")]
Jobs = Annotated[int, typer.Option(help="Entries at a time, each in a process with the suite's number of threads.")]
Only = Annotated[list[str] | None, typer.Option(help="Run this entry alone: its label, or all of a model; may be repeated.")]
Format = Annotated[str, typer.Option(help="text, markdown, csv, latex or json.")]


def run(
    suite: SuiteFile,
    out: Out = None,
    only: Only = None,
    jobs: Jobs = 1,
    format: Format = "text",
    precision: options.TrainingPrecision = "auto",
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Train, sample and measure every entry of a suite, and print the comparison table. Repeating the command goes on.

    \b
    genbench run digits
    genbench run benchmarks/mnist.toml --data-root ~/data -o runs/mnist --jobs 2
    """
    options.choice(precision, ("auto", "fp32", "bf16"), "--precision")
    options.apply_places(offline, data_root, cache_dir)
    from genbench.bench import suite as suites
    from genbench.bench import table as tables
    from genbench.bench.runner import run_suite
    from genbench.bench.selection import selected

    shape = "json" if as_json else options.choice(format, tuple(tables.FORMATS), "--format")
    path = suites.find_suite(suite)
    wanted = selected(suites.load_suite(path), only or ())
    folder = out or Path("runs") / path.stem
    tell = (lambda name, event: None) if quiet else _tell
    records = run_suite(
        wanted,
        path.name,
        folder,
        device=device,
        precision=precision,  # type: ignore[arg-type]  # checked above
        compiled=compiled,
        jobs=jobs,
        tell=tell,
    )
    print(tables.render(tables.make_table(records), shape))
    if not quiet:
        print(f"runs: {folder}", file=sys.stderr)
    if all(record.error for record in records if "model" in record.config):
        raise UsageError("E-ALL-FAILED", "no entry succeeded", hint=f"each has its error.txt in {folder}")


def table(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `genbench run` made.")],
    format: Format = "text",
    as_json: options.Json = False,
) -> None:
    """Print the comparison table of finished runs.

    \b
    genbench table runs/digits
    genbench table runs/digits --format latex > table.tex
    """
    from genbench.bench import table as tables
    from genbench.bench.record import records_below

    shape = "json" if as_json else options.choice(format, tuple(tables.FORMATS), "--format")
    found = [record for folder in runs for record in records_below(folder)]
    print(tables.render(tables.make_table(found), shape))


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the runs.")] = Path("runs/demo"),
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a handful of families on embedded digits and compare them: offline, about a minute on two cores.

    Prints the table, and writes the samples side by side and a leaderboard, a page to open in a browser.
    """
    from genbench.bench import suite as suites
    from genbench.bench import table as tables
    from genbench.bench.runner import run_suite

    path = suites.find_suite("demo")
    tell = (lambda name, event: None) if quiet else _tell
    records = run_suite(suites.load_suite(path), path.name, out, device="cpu", tell=tell)
    made = tables.make_table(records)
    print(tables.as_json(made) if as_json else tables.as_text(made))
    from genbench.bench.grid import side_by_side
    from genbench.leaderboard.site import write_site

    picture = side_by_side(out, records)
    site = write_site([out], out / "site", title="Six systems on handwritten digits")
    if not quiet:
        print(f"samples: {picture}\nleaderboard: {site.index}", file=sys.stderr)
        print(f"with a report of each: genbench leaderboard {out} -o {out / 'site'} --reports", file=sys.stderr)


def _tell(name: str, event: str) -> None:
    print(f"{name}: {event}", file=sys.stderr, flush=True)
