"""Evaluate images: plan, one pass, metrics, one result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genbench.data.base import Policy
from genbench.errors import Warned
from genbench.evaluation.extract import Progress, quiet
from genbench.evaluation.gather import Sides, gather
from genbench.evaluation.inputs import Gathered
from genbench.evaluation.plan import Plan
from genbench.evaluation.request import parse_all
from genbench.evaluation.result import Result, Timing
from genbench.features.base import Precision


def evaluate(
    images: Any,
    *,
    ref: Any = None,
    held_out: Any = None,
    paired: Any = None,
    captions: Any = None,
    labels: Sequence[Any] | None = None,
    metrics: str | Sequence[str] | None = None,
    extractor: str | None = None,
    weights: str | Path | None = None,
    precision: Precision = "fp32",
    device: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    on_bad: Literal["fail", "skip"] = "fail",
    on_size_mix: Literal["fail", "resize"] = "fail",
    background: tuple[int, int, int] | None = None,
    value_range: tuple[float, float] | None = None,
    allow_small: bool = False,
    progress: Progress = quiet,
    command: Sequence[str] = (),
) -> Result:
    """Measure images against a reference.

    Args:
        images: folder, zip, tar, npz, npy, named set ("digits/test"), "hf://name:split", torch Dataset, uint8 tensor
            (N, 3, H, W), array (N, H, W, 3), list of PIL images, iterator of batches or a callable that returns one.
        ref: any of these, or a statistics file; a named set without a split means its training split.
        held_out: any of these: real images that were not trained on, for metrics of memorisation; `ref` is then what was.
        paired: any of these: what each image should be, under the same name.
        captions: what each image was asked to show: a .csv or .jsonl file, a folder with a .txt beside each image, a named set
            with captions ("shapes/test"), a mapping of names to captions, or a list in the order of the images.
        labels: the class of each image; by default what the folders, the file or the set say.
        metrics: such as ["fid", "kd@tiny", "precision"] or "fid,kd@tiny"; by default FID, KID, Inception Score and precision,
            recall, density, coverage, as far as the extractor and the reference allow; with `paired`, SSIM, PSNR, L1 and L2.
        extractor: for the metrics that name none; "inception" by default, "tiny" needs no download.
        weights: a weights file for that extractor, instead of the download.
        precision: "fp32", "tf32" or "bf16"; part of the protocol.
        batch_size, workers, device: how the work is done; they change no number by more than 1e-4.
        value_range: what the values of float images mean, such as (0, 1) or (-1, 1); never guessed.
        allow_small: give values below a metric's smallest number of images, marked as not comparable.

    Raises:
        GenbenchError: with a code, what is wrong and what to do; see `genbench.errors`.
    """
    policy = Policy(on_bad=on_bad, on_size_mix=on_size_mix, background=background, value_range=value_range)
    sides = Sides(images=images, ref=ref, held_out=held_out, paired=paired, captions=captions, labels=labels)
    return evaluate_sides(
        sides,
        policy,
        metrics=metrics,
        extractor=extractor,
        weights=weights,
        precision=precision,
        device=device,
        batch_size=batch_size,
        workers=workers,
        allow_small=allow_small,
        progress=progress,
        command=command,
    ).result


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A result with what it was computed from: the features of all sides, and the plan with its networks."""

    result: Result
    gathered: Gathered
    plan: Plan


def evaluate_sides(
    sides: Sides,
    policy: Policy,
    *,
    metrics: str | Sequence[str] | None = None,
    extractor: str | None = None,
    weights: str | Path | None = None,
    precision: Precision = "fp32",
    device: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    allow_small: bool = False,
    progress: Progress = quiet,
    command: Sequence[str] = (),
) -> Evaluated:
    """`evaluate`, for those who go on with the features."""
    started, cpu = time.perf_counter(), time.process_time()
    requests = parse_all(metrics, extractor, precision, given=sides.given)
    sides.check(policy)  # before any weight is loaded or image decoded
    plan = Plan.prepare(requests, metrics is not None, weights, device, batch_size, workers, progress)
    gathered = gather(sides, plan, policy)
    extract_s = time.perf_counter() - started
    measured = plan.measure(gathered.inputs, allow_small=allow_small)
    wall_s = time.perf_counter() - started
    timing = Timing(
        wall_s=wall_s,
        cpu_s=time.process_time() - cpu,
        extract_s=extract_s,
        metrics_s=wall_s - extract_s,
        images_extracted=gathered.decoded,
    )
    gathered.warnings += _lossy(gathered)
    return Evaluated(result=plan.result(measured, gathered, timing, command), gathered=gathered, plan=plan)


def _lossy(gathered: Gathered) -> list[Warned]:
    """JPEG on one side only moves every distance between features."""
    reference = gathered.reference
    if reference is None or not gathered.subject.formats or not reference.description.formats:
        return []
    jpeg = [{"JPEG"} == set(side.formats) for side in (gathered.subject, reference.description)]
    if jpeg[0] == jpeg[1]:
        return []
    text = f"{'the images are' if jpeg[0] else 'the reference is'} JPEG and the other side is not; this moves every distance"
    return [Warned("W-JPEG", text)]
