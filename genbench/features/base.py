"""The contract of a feature extractor: uint8 images in, named feature vectors out; resizing is inside it."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

Precision = Literal["fp32", "tf32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes two feature vectors comparable. Any difference is a different protocol; `device` is not part of it."""

    extractor: str
    version: int
    weights_sha256: str
    preprocess: str
    precision: Precision

    def difference(self, other: Identity) -> str | None:
        """The first field that differs, as "field: here / there", or None when the two are comparable."""
        for field, mine in asdict(self).items():
            theirs = getattr(other, field)
            if mine != theirs:
                return f"{field}: {mine} / {theirs}"
        return None


class FeatureExtractor(nn.Module, abc.ABC):
    """uint8 images (N, 3, H, W) -> {layer: (N, D) float32}.

    Class attributes describe it before any weight is loaded:
    layers: layer -> number of features, 0 where it grows with the image and serves for pairs only. "pool" is the default of
        metrics; "logits", where it exists, are of a classifier.
    inputs: names of the variants: ways to resize and normalise, or sizes of a published network; the first is the default.
    download: whether weights must be fetched.
    """

    version: ClassVar[int] = 1
    layers: ClassVar[Mapping[str, int]]
    inputs: ClassVar[tuple[str, ...]]
    download: ClassVar[bool] = False

    def __init__(self, *, input: str, precision: Precision, weights_sha256: str, preprocess: str) -> None:
        super().__init__()
        self.input = input
        self.identity = Identity(
            extractor=self.name(),
            version=self.version,
            weights_sha256=weights_sha256,
            preprocess=preprocess,
            precision=precision,
        )

    def width(self, layer: str) -> int:
        """Number of features of a layer of this very network; a variant may have more or fewer than `layers` says."""
        return self.layers[layer]

    @classmethod
    def name(cls) -> str:
        """The name in the catalogue, which is the file's."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    @abc.abstractmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> FeatureExtractor:
        """Build the network in eval mode with its weights: from `weights` if given, else from the package or the cache."""

    @abc.abstractmethod
    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The asked layers of uint8 images (N, 3, H, W), float32, on the device of the network."""


@runtime_checkable
class EmbedsText(Protocol):
    """An extractor that also puts text into the space of its "pool" features."""

    def embed_text(self, texts: list[str]) -> Tensor:
        """T texts -> (T, D) float32 on the CPU."""
        ...
