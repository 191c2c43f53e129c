"""Evaluate images: plan, one pass, metrics, one result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import Warned
from genbench.evaluation.extract import Progress, extract, look_at, quiet
from genbench.evaluation.plan import Plan
from genbench.evaluation.reference import Resolved, check_exists, describe, resolve, views_of
from genbench.evaluation.request import parse_all
from genbench.evaluation.result import Images, Result, Timing
from genbench.features.base import Precision


def evaluate(
    images: Any,
    *,
    ref: Any = None,
    metrics: Sequence[str] | None = None,
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
        metrics: such as ["fid", "kd@tiny", "precision"]; by default FID, KID, Inception Score and precision, recall,
            density, coverage, as far as the extractor and the reference allow.
        extractor: for the metrics that name none; "inception" by default, "tiny" needs no download.
        weights: a weights file for that extractor, instead of the download.
        precision: "fp32", "tf32" or "bf16"; part of the protocol.
        batch_size, workers, device: how the work is done; they change no number by more than 1e-4.
        value_range: what the values of float images mean, such as (0, 1) or (-1, 1); never guessed.
        allow_small: give values below a metric's smallest number of images, marked as not comparable.

    Raises:
        GenbenchError: with a code, what is wrong and what to do; see `genbench.errors`.
    """
    started, cpu = time.perf_counter(), time.process_time()
    policy = Policy(on_bad=on_bad, on_size_mix=on_size_mix, background=background, value_range=value_range)
    requests = parse_all(metrics, extractor, precision, has_reference=ref is not None)
    source = open_images(images, policy=policy)
    if ref is not None:
        check_exists(ref, policy)  # before any weight is loaded or image decoded
    plan = Plan.prepare(requests, weights, device, batch_size, workers, progress)
    surveyed = look_at(source, policy, plan.execution)
    reference = resolve(ref, plan.referenced, policy, plan.execution) if plan.referenced else None
    extracted = extract(source, surveyed, policy, views_of(plan.wanted), plan.execution)
    extract_s = time.perf_counter() - started
    fake = {
        (view.extractor, layer): features
        for view, layers in zip(views_of(plan.wanted), extracted.features, strict=True)
        for layer, features in layers.items()
    }
    measured = plan.measure(fake, reference, allow_small=allow_small, explicit=metrics is not None)
    subject = describe(source.name, source.kind, dict(source.ignored), surveyed, extracted.skipped)
    wall_s = time.perf_counter() - started
    timing = Timing(
        wall_s=wall_s,
        cpu_s=time.process_time() - cpu,
        extract_s=extract_s,
        metrics_s=wall_s - extract_s,
        images_extracted=extracted.decoded,
    )
    warnings = [*surveyed.warnings, *extracted.warnings, *_lossy(subject, reference)]
    return plan.result(measured, subject, reference, warnings, timing, command)


def _lossy(subject: Images, reference: Resolved | None) -> list[Warned]:
    """JPEG on one side only moves every distance between features."""
    if reference is None or not subject.formats or not reference.description.formats:
        return []
    jpeg = [{"JPEG"} == set(side.formats) for side in (subject, reference.description)]
    if jpeg[0] == jpeg[1]:
        return []
    text = f"{'the images are' if jpeg[0] else 'the reference is'} JPEG and the other side is not; this moves every distance"
    return [Warned("W-JPEG", text)]
