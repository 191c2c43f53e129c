"""`genbench train` and `genbench sample`: one model by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genbench.cli import options

Model = Annotated[str, typer.Argument(help='A name of `genbench list models`, or "package.module:Object".')]
Data = Annotated[str, typer.Option("--data", help="Named set, folder, zip, npz or npy of images.")]
Seconds = Annotated[float | None, typer.Option(help="Budget of training time.")]
Steps = Annotated[int | None, typer.Option(help="Budget in steps.")]
Images = Annotated[int | None, typer.Option(help="Budget in images drawn.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change an argument: args.channels=64, recipe.lr=1e-4.")]
Run = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")]
Size = Annotated[int | None, typer.Option("--image-size", help="Resize the images to this height and width.")]


def train(
    model: Model,
    data: Data,
    out: Run,
    seconds: Seconds = None,
    steps: Steps = None,
    images: Images = None,
    set_: Set = None,
    seed: options.Seed = 0,
    image_size: Size = None,
    precision: options.TrainingPrecision = "auto",
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard (extra: tensorboard).")] = False,
    threads: Annotated[int | None, typer.Option(help="Processor threads; by default torch's choice.")] = None,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Train one model. Repeating the command after an interruption goes on from the last checkpoint.

    Several GPUs: torchrun --nproc-per-node 4 -m genbench train ... shares each batch among them.

    \b
    genbench train vae --data digits --seconds 30 -o runs/vae
    genbench train ddpm --data photos/ --steps 20000 --set args.channels=64 -o runs/photos
    """
    options.choice(precision, ("auto", "fp32", "bf16"), "--precision")
    options.apply_places(offline, data_root, cache_dir)
    import torch

    from genbench.bench.by_hand import train_by_hand
    from genbench.training.budget import Budget

    if threads is not None:
        torch.set_num_threads(threads)
    quiet = quiet or os.environ.get("RANK", "0") != "0"  # of several processes under torchrun the first one speaks
    trained = train_by_hand(
        model,
        data,
        out,
        budget=Budget(seconds=seconds, steps=steps, images=images),
        changes=options.assignments(set_ or []),
        seed=seed,
        image_size=image_size,
        device=device,
        report=(lambda line: None) if quiet else _lines(),
        precision=precision,
        compiled=compiled,
        tensorboard=tensorboard,
    )
    if not quiet:
        used = trained.used
        print(f"{used.steps:,} steps, {used.images:,} images, {used.seconds:.1f} s; the model is in {out}", file=sys.stderr)


def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the images.")],
    n: Annotated[int, typer.Option("-n", help="Number of images.")] = 64,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a knob: knobs.steps=20.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Where conditions come from, for models that need them.")] = None,
    seed: options.Seed = 0,
    batch_size: options.BatchSize = 64,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Write samples of a trained model as PNG files that `genbench evaluate` reads. Repeating the command goes on.

    Image i depends on the seed and on i alone: neither on the batch size nor on how many are drawn.

    \b
    genbench sample runs/vae -n 1000 -o samples/
    genbench evaluate samples/ --ref digits --extractor tiny
    """
    options.apply_places(offline, data_root, cache_dir)
    from genbench.bench.by_hand import sample_by_hand
    from genbench.cli.progress import progress

    with progress(quiet) as update:
        written = sample_by_hand(
            run,
            out,
            n,
            changes=options.assignments(set_ or []),
            data=data,
            seed=seed,
            batch_size=batch_size,
            device=device,
            progress=update,
        )
    if not quiet:
        print(f"{n:,} images in {out}" + (f", {n - written:,} of them were there" if written < n else ""), file=sys.stderr)


def _lines() -> Callable[[Mapping[str, Any]], None]:
    """A line on stderr now and then: about twenty per stage."""
    last: dict[str, float] = {}

    def report(line: Mapping[str, Any]) -> None:
        stage, seconds = str(line["stage"]), float(line["seconds"])
        if stage in last and seconds - last[stage] < max(1.0, 0.05 * seconds):
            return
        last[stage] = seconds
        losses = ", ".join(f"{name} {value:.4g}" for name, value in line.items() if "loss" in name)
        speed = f", {line['images_per_second']:,.0f} images/s" if "images_per_second" in line else ""
        print(f"{stage}: step {line['step']:,}, {losses}{speed}", file=sys.stderr, flush=True)

    return report
