"""`Evaluator`: the metrics of `evaluate` inside a training loop, fed batch by batch."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genbench.data.arrays import to_images
from genbench.data.base import Policy
from genbench.errors import DataError, UsageError
from genbench.evaluation.extract import forward, quiet
from genbench.evaluation.inputs import Gathered, Inputs
from genbench.evaluation.plan import Plan
from genbench.evaluation.reference import resolve, views_of
from genbench.evaluation.request import Given, parse_all
from genbench.evaluation.result import Images, Result, Timing
from genbench.features.base import Precision
from genbench.metrics.base import Takes

TAKEN: tuple[Takes, ...] = ("distributions", "features", "sample")  # by an `Evaluator`


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
        metrics: str | Sequence[str] | None = None,
        extractor: str | None = None,
        weights: str | Path | None = None,
        precision: Precision = "fp32",
        device: str = "auto",
        value_range: tuple[float, float] | None = None,
        allow_small: bool = False,
        batch_size: int = 64,
    ) -> None:
        given: set[Given] = {"a reference"} if ref is not None else set()
        requests = parse_all(metrics, extractor, precision, given=given, can_take=TAKEN)
        self._plan = Plan.prepare(requests, metrics is not None, weights, device, batch_size, None, quiet)
        self._policy = Policy(value_range=value_range)
        self._reference = (
            resolve(ref, self._plan.referenced, self._policy, self._plan.execution) if self._plan.referenced else None
        )
        self._views = views_of(self._plan.wanted)
        self._allow_small = allow_small
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
        for part in batch.split(self._plan.execution.batch_size):
            on_device = part.to(self._plan.execution.device)
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
        inputs = Inputs(fake=fake, real=self._reference.features if self._reference else {})
        measured = self._plan.measure(inputs, allow_small=self._allow_small)
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
        gathered = Gathered(inputs=inputs, subject=subject, decoded=n, reference=self._reference)
        return self._plan.result(measured, gathered, timing, ())

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
