"""Evaluate images: plan, one pass, metrics, one result. And `Evaluator`, the same inside a training loop."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from genbench.data.arrays import to_images
from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError, UsageError, Warned
from genbench.evaluation import environment
from genbench.evaluation.extract import Execution, Progress, extract, forward, look_at
from genbench.evaluation.measure import Measured, Networks, measure
from genbench.evaluation.reference import Resolved, Wanted, check_exists, describe, resolve, views_of
from genbench.evaluation.request import Request, parse_all
from genbench.evaluation.result import Images, Result, Timing, warnings_of
from genbench.features.base import FeatureExtractor, Precision


def quiet(task: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


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
    seed: int = 0,
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
    run = _Run.prepare(requests, weights, device, batch_size, workers, progress)
    surveyed = look_at(source, policy, run.execution)
    reference = resolve(ref, run.referenced, policy, run.execution) if run.referenced else None
    extracted = extract(source, surveyed, policy, views_of(run.wanted), run.execution)
    extract_s = time.perf_counter() - started
    fake = {
        (view.extractor, layer): features
        for view, layers in zip(views_of(run.wanted), extracted.features, strict=True)
        for layer, features in layers.items()
    }
    measured = run.measure(fake, reference, allow_small=allow_small, explicit=metrics is not None)
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
    return run.result(measured, subject, reference, warnings, timing, seed, command)


@dataclass(kw_only=True)
class _Run:
    """Requests with the networks they need."""

    requests: list[Request]
    networks: Networks
    execution: Execution

    @classmethod
    def prepare(
        cls,
        requests: list[Request],
        weights: str | Path | None,
        device: str,
        batch_size: int,
        workers: int | None,
        progress: Progress,
    ) -> _Run:
        if batch_size < 1:
            raise UsageError("E-USAGE", f"a batch of {batch_size} images", hint="--batch-size is 1 or more")
        chosen = environment.choose_device(device)
        execution = Execution(
            device=chosen,
            batch_size=batch_size,
            workers=default_workers() if workers is None else workers,
            progress=progress,
        )
        return cls(requests=requests, networks=_load(requests, weights, chosen), execution=execution)

    @property
    def wanted(self) -> list[Wanted]:
        return [(self.networks[request.extractor, request.input], request.layer) for request in self.requests]

    @property
    def referenced(self) -> list[Wanted]:
        pairs = zip(self.requests, self.wanted, strict=True)
        return list(dict.fromkeys(wanted for request, wanted in pairs if request.metric.takes != "probabilities"))

    def measure(
        self, fake: Mapping[Wanted, Tensor], reference: Resolved | None, *, allow_small: bool, explicit: bool
    ) -> Measured:
        real = reference.features if reference else {}
        return measure(self.requests, self.networks, fake, real, allow_small=allow_small, explicit=explicit)

    def result(
        self,
        measured: Measured,
        subject: Images,
        reference: Resolved | None,
        warnings: Iterable[Warned],
        timing: Timing,
        seed: int,
        command: Sequence[str],
    ) -> Result:
        known = [*warnings, *(reference.warnings if reference else []), *measured.warnings]
        result = Result(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            subject=subject,
            reference=reference.description if reference else None,
            metrics=measured.metrics,
            env=environment.describe(self.execution.device),
            seed=seed,
            timing=timing,
            warnings=warnings_of(known),
            command=list(command),
        )
        return result.with_influence(measured.influence)


def _load(requests: Sequence[Request], weights: str | Path | None, device: torch.device) -> Networks:
    """Each network once. A weights file is for the one extractor that is asked for."""
    names = {request.extractor for request in requests}
    if weights is not None and len(names) > 1:
        raise UsageError("E-WEIGHTS", f"one weights file, but {len(names)} extractors: {', '.join(sorted(names))}")
    loaded: dict[tuple[str, str], FeatureExtractor] = {}
    for request in requests:
        key = request.extractor, request.input
        if key not in loaded:
            path = None if weights is None else Path(weights)
            network = request.extractor_class.load(input=request.input, precision=request.precision, weights=path)
            loaded[key] = network.to(device)
    return loaded


def default_workers() -> int:
    """Processes that decode: one per core up to 8, none on a single core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores == 1 else min(cores, 8)


def _lossy(subject: Images, reference: Resolved | None) -> list[Warned]:
    """JPEG on one side only moves every distance between features."""
    if reference is None or not subject.formats or not reference.description.formats:
        return []
    jpeg = [{"JPEG"} == set(side.formats) for side in (subject, reference.description)]
    if jpeg[0] == jpeg[1]:
        return []
    text = f"{'the images are' if jpeg[0] else 'the reference is'} JPEG and the other side is not; this moves every distance"
    return [Warned("W-JPEG", text)]


class Evaluator:
    """Metrics inside a training loop: `update` with batches as they are sampled, `result` when enough are in.

        evaluator = Evaluator(ref="digits/train", extractor="tiny")
        evaluator.update(images)            # uint8 (N, 3, H, W), or float with value_range given
        evaluator.result()["fd"].value

    `reset` starts the next round; the reference and the networks stay. `state_dict` and `load_state_dict` carry what has
    been seen across a checkpoint.
    """

    def __init__(
        self,
        *,
        ref: Any = None,
        metrics: Sequence[str] | None = None,
        extractor: str | None = None,
        weights: str | Path | None = None,
        precision: Precision = "fp32",
        device: str = "auto",
        value_range: tuple[float, float] | None = None,
        allow_small: bool = False,
        batch_size: int = 64,
    ) -> None:
        requests = parse_all(metrics, extractor, precision, has_reference=ref is not None)
        self._run = _Run.prepare(requests, weights, device, batch_size, None, quiet)
        self._policy = Policy(value_range=value_range)
        self._reference = (
            resolve(ref, self._run.referenced, self._policy, self._run.execution) if self._run.referenced else None
        )
        self._views = views_of(self._run.wanted)
        self._allow_small, self._explicit = allow_small, metrics is not None
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._features: list[dict[str, list[Tensor]]] = [{layer: [] for layer in view.layers} for view in self._views]
        self._sizes: dict[str, int] = {}
        self._digests: list[bytes] = []
        self._started = time.perf_counter()

    def update(self, images: Any) -> None:
        """Add a batch: tensor (N, C, H, W) or array (N, H, W, C), uint8, or float with `value_range`."""
        batch = to_images(images, self._policy)
        size = f"{batch.shape[3]}x{batch.shape[2]}"
        self._sizes[size] = self._sizes.get(size, 0) + len(batch)
        self._digests += [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in batch.cpu()]
        for part in batch.split(self._run.execution.batch_size):
            on_device = part.to(self._run.execution.device)
            for view, layers in zip(self._views, self._features, strict=True):
                for layer, features in forward(view, on_device).items():
                    layers[layer].append(features)

    def result(self) -> Result:
        """Metrics of all images since the last reset. Raises DataError where there are too few."""
        if not self._digests:
            raise DataError("E-EMPTY", "no images yet", hint="call update(images) first")
        measuring = time.perf_counter()
        fake = {
            (view.extractor, layer): torch.cat(parts)
            for view, layers in zip(self._views, self._features, strict=True)
            for layer, parts in layers.items()
        }
        measured = self._run.measure(fake, self._reference, allow_small=self._allow_small, explicit=self._explicit)
        n, now = len(self._digests), time.perf_counter()
        subject = Images(
            name="images",
            kind="array",
            digest="sha256:" + hashlib.sha256(b"".join(self._digests)).hexdigest(),
            n=n,
            listed=n,
            sizes=self._sizes,
            duplicates=n - len(set(self._digests)),
        )
        timing = Timing(
            wall_s=now - self._started,
            cpu_s=time.process_time(),
            extract_s=measuring - self._started,
            metrics_s=now - measuring,
            images_extracted=n,
        )
        return self._run.result(measured, subject, self._reference, [], timing, 0, ())

    def state_dict(self) -> dict[str, Any]:
        """Everything seen since the last reset, as tensors and plain values."""
        features = [{layer: torch.cat(parts) if parts else None for layer, parts in seen.items()} for seen in self._features]
        return {"features": features, "sizes": dict(self._sizes), "digests": list(self._digests)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict` of an evaluator with the same metrics."""
        layers = [set(seen) for seen in state["features"]]
        if layers != [set(view.layers) for view in self._views]:
            raise UsageError("E-STATE", "this state belongs to an evaluator with other metrics", hint="use the same metrics")
        self._features = [
            {layer: [] if value is None else [value] for layer, value in seen.items()} for seen in state["features"]
        ]
        self._sizes, self._digests = dict(state["sizes"]), list(state["digests"])
