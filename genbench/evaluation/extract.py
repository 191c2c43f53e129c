"""One pass: each image is decoded once, each network sees it once, however many metrics ask."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

import PIL
import torch
from torch import Tensor

from genbench.data.base import Batch, ImageSource, Policy
from genbench.data.loader import batches
from genbench.data.survey import Survey, survey
from genbench.errors import DataError, SetupError, Warned
from genbench.evaluation.store import CHUNK, Chunk, FeatureStore, finite
from genbench.features.base import FeatureExtractor

Progress = Callable[[str, int, int], None]  # what is going on, done, total


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the work is done; nothing here changes a number by more than 1e-4."""

    device: torch.device
    batch_size: int
    workers: int
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class View:
    """A network and the layers of it that some metric wants."""

    extractor: FeatureExtractor
    layers: tuple[str, ...]


@dataclass(kw_only=True)
class Extracted:
    """features[i][layer]: (N, D) float32 of the i-th view, in the order of the images; `skipped`: (name, reason)."""

    features: list[dict[str, Tensor]]
    stores: list[FeatureStore]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    decoded: int = 0
    warnings: list[Warned] = field(default_factory=list)


def look_at(source: ImageSource, policy: Policy, execution: Execution) -> Survey:
    """The survey of a source, by as many processes as the execution has."""

    def report(done: int, total: int) -> None:
        execution.progress(f"looking at {source.name}", done, total)

    return survey(source, policy, workers=execution.workers, progress=report)


def extract(source: ImageSource, surveyed: Survey, policy: Policy, views: Sequence[View], execution: Execution) -> Extracted:
    """Features of all usable images: from the cache where they are there, else by one pass that fills it.

    Raises DataError for images that cannot be decoded under `policy.on_bad = "fail"` and for features that are not finite.
    """
    stores = [FeatureStore(_key(surveyed, policy, view.extractor)) for view in views]
    extracted = Extracted(features=[], stores=stores)
    collected: list[dict[str, list[Tensor]]] = [{layer: [] for layer in view.layers} for view in views]
    total = len(surveyed.usable)
    batch_size = max(size for size in range(1, CHUNK + 1) if CHUNK % size == 0 and size <= max(1, execution.batch_size))
    stream = None
    for chunk in range(math.ceil(total / CHUNK)):
        missing = [
            View(extractor=view.extractor, layers=tuple(layer for layer in view.layers if not store.has(layer, chunk)))
            for view, store in zip(views, stores, strict=True)
        ]
        if stream is None and any(view.layers for view in missing):
            start = chunk * CHUNK
            stream = batches(source, surveyed, policy, batch_size=batch_size, workers=execution.workers, start=start)
        if stream is not None:
            fresh = _pass(islice(stream, CHUNK // batch_size), source, surveyed, missing, execution, chunk, extracted)
        skipped: dict[int, str] = {}
        for i, (view, store) in enumerate(zip(views, stores, strict=True)):
            for layer in view.layers:
                content = fresh[i][layer] if layer in missing[i].layers else store.read(layer, chunk)
                if layer in missing[i].layers:
                    _write(store, layer, chunk, content, extracted)
                collected[i][layer].append(content.features)
                skipped.update(content.skipped)
        extracted.skipped += [(source.item_name(surveyed.usable[at]), reason) for at, reason in sorted(skipped.items())]
        execution.progress(f"features of {source.name}", min(total, (chunk + 1) * CHUNK), total)
    extracted.features = [{layer: torch.cat(parts) for layer, parts in layers.items()} for layers in collected]
    return extracted


def _key(surveyed: Survey, policy: Policy, extractor: FeatureExtractor) -> dict[str, object]:
    """Everything that features depend on. A changed field is another folder, so nothing stale can be found."""
    return {
        "images": surveyed.digest,
        "size": surveyed.size,
        "policy": asdict(policy),
        "decoder": f"pillow {PIL.__version__}",
        **asdict(extractor.identity),
    }


def _pass(
    stream: Iterable[Batch],
    source: ImageSource,
    surveyed: Survey,
    views: Sequence[View],
    execution: Execution,
    chunk: int,
    extracted: Extracted,
) -> list[dict[str, Chunk]]:
    """Decode one chunk and send it through every network that misses it."""
    parts: list[dict[str, list[Tensor]]] = [{layer: [] for layer in view.layers} for view in views]
    skipped: dict[int, str] = {}
    position, total = chunk * CHUNK, len(surveyed.usable)
    for batch in stream:
        count = len(batch.indices) + len(batch.skipped)
        absent = sorted(set(surveyed.usable[position : position + count]) - set(batch.indices))
        reasons = [reason for _, reason in batch.skipped]
        skipped.update((bisect_left(surveyed.usable, index), reason) for index, reason in zip(absent, reasons, strict=True))
        if batch.indices:
            images = batch.images.to(execution.device, non_blocking=True)
            for view, part in zip(views, parts, strict=True):
                if view.layers:
                    for layer, features in forward(view, images).items():
                        _refuse_non_finite(features, layer, [source.item_name(index) for index in batch.indices])
                        part[layer].append(features)
        position += count
        extracted.decoded += len(batch.indices)
        execution.progress(f"features of {source.name}", position, total)

    def joined(view: View, layer: str, features: list[Tensor]) -> Chunk:
        empty = torch.empty(0, view.extractor.layers[layer])
        return Chunk(torch.cat(features) if features else empty, skipped)

    return [
        {layer: joined(view, layer, features) for layer, features in part.items()}
        for view, part in zip(views, parts, strict=True)
    ]


@torch.inference_mode()
def forward(view: View, images: Tensor) -> dict[str, Tensor]:
    """The view's layers of uint8 (N, 3, H, W), on the CPU; a batch that does not fit into memory is halved."""
    try:
        features = view.extractor(images, view.layers)
    except torch.OutOfMemoryError:
        if len(images) == 1:
            raise
        halves = [forward(view, half) for half in images.chunk(2)]
        return {layer: torch.cat([half[layer] for half in halves]) for layer in view.layers}
    return {layer: value.to("cpu") for layer, value in features.items()}


def _refuse_non_finite(features: Tensor, layer: str, names: Sequence[str]) -> None:
    good = finite(features)
    if not good.all():
        name = names[int((~good).nonzero()[0])]
        raise DataError(
            "E-NON-FINITE",
            f"layer {layer} is not finite for {int((~good).sum())} images (first: {name})",
            hint="look at the weights file and the image; with reduced precision try --precision fp32",
        )


def _write(store: FeatureStore, layer: str, chunk: int, content: Chunk, extracted: Extracted) -> None:
    """A cache that cannot be written costs the next run its time, not this run its result."""
    try:
        store.write(layer, chunk, content)
    except SetupError as error:
        extracted.warnings.append(Warned("W-CACHE", f"features were not cached: {error.message}"))
