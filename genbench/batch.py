"""What a model may know of its data (`DataSpec`), a set of it (`Examples`) and what the training loop hands out (`Batch`).

Models see floats in [-1, 1]; stored examples stay uint8. Points of the plane are images of one pixel with two channels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from genbench import images

_Columns = TypeVar("_Columns", "Condition", "Examples")


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The facts of a dataset that shape a model; never its name.

    channels, height, width: of one image.
    levels: number of evenly spaced values a channel takes in [-1, 1], 256 for ordinary images; 0: continuous values.
    classes: number of classes; 0: no labels.
    vocabulary: number of words of the captions, without the padding token 0; caption_length: tokens of each.
    source_channels: of the image that an image-to-image model starts from; 0: none.
    frames: of a video, whose images are (C, frames, H, W); 0: still images.
    """

    channels: int
    height: int
    width: int
    levels: int = 256
    classes: int = 0
    vocabulary: int = 0
    caption_length: int = 0
    source_channels: int = 0
    frames: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W), or (C, T, H, W) for video."""
        size = (self.height, self.width)
        return (self.channels, self.frames, *size) if self.frames else (self.channels, *size)

    @property
    def dimensions(self) -> int:
        """Number of values in one image."""
        return torch.Size(self.shape).numel()

    @property
    def is_points(self) -> bool:
        """Whether an image is a single pixel: a point, for which convolutions have nothing to slide over."""
        return self.height == self.width == 1


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a sample is asked to be; every column has one row per sample, and those that do not apply are None.

    labels: (N,) int64; captions: (N, L) int64 token ids, 0 is padding; sources: float (N, C', H, W) in [-1, 1].
    """

    labels: Tensor | None = None
    captions: Tensor | None = None
    sources: Tensor | None = None

    def select(self, rows: Tensor | slice) -> Condition:
        """The condition of some of the samples."""
        return _each(self, lambda column: column[rows])

    def to(self, device: torch.device | str) -> Condition:
        """The same on another device."""
        return _each(self, lambda column: column.to(device, non_blocking=True))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """x: float (B, C, H, W) in [-1, 1], or whatever a stage's view made of it; condition: the rows that belong to it."""

    x: Tensor
    condition: Condition = Condition()

    def __len__(self) -> int:
        return len(self.x)

    def with_x(self, x: Tensor) -> Batch:
        """The same conditions around other values, such as codes or latents."""
        return replace(self, x=x)


@dataclass(frozen=True, kw_only=True)
class Examples:
    """A split in memory, one row per example.

    images: uint8 (N, C, H, W) or (N, C, T, H, W); float32 where the data are continuous.
    labels: (N,) int64; captions: (N, L) int64; sources: uint8 (N, C', H, W), the images a paired task starts from.
    """

    images: Tensor
    labels: Tensor | None = None
    captions: Tensor | None = None
    sources: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: Tensor | slice) -> Examples:
        """Some of the examples."""
        return _each(self, lambda column: column[rows])

    def to(self, device: torch.device | str) -> Examples:
        """The same on another device."""
        return _each(self, lambda column: column.to(device, non_blocking=True))

    def condition(self) -> Condition:
        """Every example's condition, as a model takes it."""
        sources = None if self.sources is None else _as_float(self.sources)
        return Condition(labels=self.labels, captions=self.captions, sources=sources)

    def batch(self, rows: Tensor | slice = slice(None)) -> Batch:
        """Some of the examples as a model takes them."""
        chosen = self.select(rows)
        return Batch(x=_as_float(chosen.images), condition=chosen.condition())


def _as_float(stored: Tensor) -> Tensor:
    return images.to_float(stored) if stored.dtype == torch.uint8 else stored


def _each(columns: _Columns, change: Any) -> _Columns:
    present = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return replace(columns, **{name: change(column) for name, column in present.items() if column is not None})
