"""One pass: each image is decoded once, each network sees it once, however many metrics ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

import PIL
import torch
from torch import Tensor

from genbench.data.base import Decoded, ImageSource, Policy
from genbench.data.loader import batches
from genbench.data.survey import Survey, survey
from genbench.errors import DataError, SetupError, Warned
from genbench.evaluation.store import CHUNK, Chunk, FeatureStore, finite
from genbench.features.base import FeatureExtractor

Progress = Callable[[str, int, int], None]  # what is going on, done, total


def quiet(task: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


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
    """features[i][layer]: (N, D) float32 of the i-th view, in the order of the images; `skipped`: (name, reason).

    kept: the positions in the source that the N rows belong to.
    """

    features: list[dict[str, Tensor]]
    stores: list[FeatureStore]
    kept: list[int] = field(default_factory=list)
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
    parts: list[dict[str, list[Tensor]]] = [{layer: [] for layer in view.layers} for view in views]
    decoding = _Decoding(source, surveyed, policy, execution)
    total = len(surveyed.usable)
    for chunk in range(math.ceil(total / CHUNK)):
        missing = [
            View(extractor=view.extractor, layers=tuple(layer for layer in view.layers if not store.has(layer, chunk)))
            for view, store in zip(views, stores, strict=True)
        ]
        needed = any(view.layers for view in missing)
        computed = _compute(decoding.chunk(chunk), source, missing, execution) if needed else [{} for _ in views]
        skipped: dict[int, str] = {}
        for view, store, fresh, collected in zip(views, stores, computed, parts, strict=True):
            for layer in view.layers:
                if layer in fresh:
                    _write(store, layer, chunk, fresh[layer], extracted)
                content = fresh[layer] if layer in fresh else store.read(layer, chunk)
                collected[layer].append(content.features)
                skipped.update(content.skipped)
        extracted.skipped += [(source.item_name(index), reason) for index, reason in sorted(skipped.items())]
        usable = surveyed.usable[chunk * CHUNK : (chunk + 1) * CHUNK]
        extracted.kept += [index for index in usable if index not in skipped]
        execution.progress(decoding.task, min(total, (chunk + 1) * CHUNK), total)
    extracted.features = [{layer: torch.cat(found) for layer, found in layers.items()} for layers in parts]
    extracted.decoded = decoding.decoded
    return extracted


def _key(surveyed: Survey, policy: Policy, extractor: FeatureExtractor) -> dict[str, object]:
    """Everything that features depend on. A changed field is another folder, so nothing stale can be found."""
    return {
        "images": surveyed.digest,
        "size": surveyed.size,
        "policy": asdict(policy),
        "decoder": f"pillow {PIL.__version__}",
        "chunk": CHUNK,
        **asdict(extractor.identity),
    }


class _Decoding:
    """The images chunk by chunk, decoded ahead by worker processes while the network works."""

    def __init__(self, source: ImageSource, surveyed: Survey, policy: Policy, execution: Execution) -> None:
        self.source, self.surveyed, self.policy, self.execution = source, surveyed, policy, execution
        # The largest batch that divides a chunk, so that chunks are the same whatever the batch size.
        self.batch_size = next(size for size in range(min(CHUNK, execution.batch_size), 0, -1) if CHUNK % size == 0)
        self.task = f"features of {source.name}"
        self.stream: Iterator[Decoded] = iter(())
        self.at = -1  # the chunk that the stream comes to next
        self.decoded = 0

    def chunk(self, number: int) -> Iterator[Decoded]:
        """The batches of a chunk. Going on from the last one costs nothing; a gap starts the decoding anew."""
        if number != self.at:
            self.stream = batches(
                self.source,
                self.surveyed,
                self.policy,
                batch_size=self.batch_size,
                workers=self.execution.workers,
                start=number * CHUNK,
            )
        self.at = number + 1
        for count, batch in enumerate(islice(self.stream, CHUNK // self.batch_size), start=1):
            yield batch
            self.decoded += len(batch.indices)
            total = len(self.surveyed.usable)
            self.execution.progress(self.task, min(total, number * CHUNK + count * self.batch_size), total)


def _compute(
    stream: Iterable[Decoded], source: ImageSource, views: Sequence[View], execution: Execution
) -> list[dict[str, Chunk]]:
    """One chunk through every network that misses some layer of it."""
    parts: list[dict[str, list[Tensor]]] = [{layer: [] for layer in view.layers} for view in views]
    skipped: dict[int, str] = {}
    for batch in stream:
        skipped.update(batch.skipped)
        images = batch.images.to(execution.device, non_blocking=True)
        for view, part in zip(views, parts, strict=True):
            if view.layers and batch.indices:
                for layer, features in forward(view, images).items():
                    _refuse_non_finite(features, layer, [source.item_name(index) for index in batch.indices])
                    part[layer].append(features)

    def joined(view: View, layer: str, found: list[Tensor]) -> Chunk:
        return Chunk(torch.cat(found) if found else torch.empty(0, view.extractor.width(layer)), skipped)

    return [
        {layer: joined(view, layer, found) for layer, found in part.items()} for view, part in zip(views, parts, strict=True)
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
