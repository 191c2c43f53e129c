"""`genbench diagnose` and `genbench sweep`: what a trained model does, and what its knobs trade."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options
from genbench.cli.progress import progress
from genbench.errors import UsageError

Run = Annotated[Path, typer.Argument(help="Folder of a run, from `genbench train` or of one entry of `genbench run`.")]
Data = Annotated[str | None, typer.Option("--data", help="The data it was trained on, where they are not where they were.")]
Only = Annotated[str | None, typer.Option(help="Such as path_length,memorisation; by default all that apply.")]
N = Annotated[int, typer.Option("--n", "-n", help="Images of each kind, real and generated.")]
Samples = Annotated[int, typer.Option("--n", "-n", help="Samples at each value.")]
KnobName = Annotated[str | None, typer.Option("--knob", help="Knob of the model; may be left out where it has one.")]
Values = Annotated[str | None, typer.Option(help="Such as 0.5,1,2; by default those that the model holds worth comparing.")]
Metrics = Annotated[str | None, typer.Option(help="By default fd@tiny,precision@tiny,recall@tiny; of points fid,prdc.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the curve; by default sweeps/KNOB in the run.")]


def diagnose(
    run: Run,
    data: Data = None,
    n: N = 512,
    only: Only = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Say what ails a trained model: every diagnostic that applies, what it means, what is usual and what to try.

    A number that is outside of what is usual gets a mark. It is advice and no verdict: the exit status is 0.

    \b
    genbench diagnose runs/vae
    genbench diagnose runs/digits/dcgan/seed0 --only path_length,memorisation --json
    """
    options.apply_places(offline, data_root, cache_dir)
    from genbench.bench.diagnose import as_text
    from genbench.bench.diagnose import diagnose as examine

    with progress(quiet) as update:
        found = examine(run, data=data, n=n, only=_listed(only, "--only"), seed=seed, device=device, progress=update)
    print(found.to_json() if as_json else as_text(found))
    if not quiet:
        for name, reason in found.failed.items():
            print(f"warning: {name} could not be computed: {reason}", file=sys.stderr)


def sweep(
    run: Run,
    knob: KnobName = None,
    values: Values = None,
    n: Samples = 1000,
    metrics: Metrics = None,
    data: Data = None,
    out: Out = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Measure samples at several values of a knob: the curve of quality and variety. Repeating the command goes on.

    The folder gets sweep.json, and sweep.png.

    \b
    genbench sweep runs/dcgan --knob truncation
    genbench sweep runs/ddpm --knob steps --values 5,10,20,50 --n 2000 -o curves/steps
    """
    options.apply_places(offline, data_root, cache_dir)
    wanted = _numbers(values)
    from genbench.bench import sweep as sweeps

    with progress(quiet) as update:
        curve = sweeps.sweep(
            run,
            out,
            knob=knob,
            values=wanted,
            n=n,
            metrics=_listed(metrics, "--metrics"),
            data=data,
            seed=seed,
            device=device,
            progress=update,
        )
    folder = out or run / "sweeps" / curve.knob
    sweeps.draw(curve, folder / "sweep.png")
    print(curve.to_json() if as_json else sweeps.as_text(curve))
    if not quiet:
        print(f"curve: {folder / 'sweep.json'} and sweep.png", file=sys.stderr)


def _listed(text: str | None, option: str) -> list[str] | None:
    """ "a,b" -> ["a", "b"]; None where nothing was said."""
    if text is None:
        return None
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise UsageError(
            "E-USAGE", f"{option} {text!r} names nothing", hint=f"write names with commas between, or drop {option}"
        )
    return found


def _numbers(text: str | None) -> list[float] | None:
    try:
        found = [float(part) for part in _listed(text, "--values") or []]
    except ValueError:
        found = [float("nan")]
    if any(not abs(value) < float("inf") for value in found):
        raise UsageError("E-USAGE", f"--values {text}", hint="--values are numbers with commas between, such as 0.5,1,2")
    return found or None
