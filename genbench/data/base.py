"""What every source of images promises, and how images that are not plain are treated."""

from __future__ import annotations

import abc
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genbench.errors import DataError

Pixels = NDArray[np.uint8]  # (3, H, W) in [0, 255]
Kind = Literal["folder", "zip", "tar", "npz", "npy", "dataset", "array", "iterator", "hub"]

MAX_ENCODED = 256 * 2**20  # bytes of one encoded image; nobody's sample is larger, and reading must stay bounded


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to do with images that are not plain 8-bit RGB of one size. Every field can change the numbers.

    on_bad: stop at an image that cannot be used, or leave it out and name it.
    on_size_mix: stop where sizes differ, or resize (bicubic) to the most common one.
    background: RGB behind transparent images; without one, transparency is an error.
    max_pixels: larger images are refused before they are decoded.
    value_range: what the darkest and brightest float value mean, such as (0, 1) or (-1, 1); never guessed.
    """

    on_bad: Literal["fail", "skip"] = "fail"
    on_size_mix: Literal["fail", "resize"] = "fail"
    background: tuple[int, int, int] | None = None
    max_pixels: int = 2**27
    value_range: tuple[float, float] | None = None


class BadImageError(DataError):
    """One image that cannot be used; `on_bad="skip"` leaves it out."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message, hint=hint or "repair or remove it, or leave such images out with --on-bad skip")

    def named(self, name: str) -> BadImageError:
        """The same error with the image's name in front."""
        return BadImageError(self.code, f"{name}: {self.message}", hint=self.hint)


class ImageSource(abc.ABC):
    """Images in a fixed order. Worker processes get a copy, by fork or by pickle, so no open file may be shared.

    name: short, for people; never an absolute path.
    ignored: files that are no images, counted by reason.
    cheap: reading costs no more than a copy, so worker processes would not help.
    """

    cheap: ClassVar[bool] = False

    def __init__(self, *, name: str, kind: Kind) -> None:
        self.name = name
        self.kind: Kind = kind
        self.ignored: Counter[str] = Counter()

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of images, including those that turn out to be unusable."""

    @abc.abstractmethod
    def item_name(self, index: int) -> str:
        """The image's name, safe to print."""

    @abc.abstractmethod
    def read(self, index: int) -> bytes | Pixels:
        """The encoded file, or the pixels where there is nothing to decode. Raises BadImageError without a name."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """indices: positions in the source; images: uint8 (B, 3, H, W); skipped: (position, reason) of those left out."""

    indices: list[int]
    images: Tensor
    skipped: list[tuple[int, str]]
