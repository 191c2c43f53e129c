"""The contract of a named dataset: one file, one class, found by the file's name."""

from __future__ import annotations

import abc
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genbench import catalog
from genbench.data.base import ImageSource


class NamedDataset(abc.ABC):
    """Images that have a name, in one or more splits.

    splits: the first is the training split, which a name without a split means.
    size: (H, W); classes: what the labels stand for, empty where there are none.
    homepage: where it comes from and what its terms are.
    """

    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    size: ClassVar[tuple[int, int]]
    classes: ClassVar[tuple[str, ...]] = ()
    homepage: ClassVar[str]

    @classmethod
    def name(cls) -> str:
        """The name in the catalogue."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def checked(cls, split: str) -> str:
        """`split`, if there is one of that name. Raises UsageError with suggestions."""
        if split not in cls.splits:
            raise catalog.unknown(f"{cls.name()} splits", split, cls.splits)
        return split

    @abc.abstractmethod
    def images(self, split: str) -> ImageSource:
        """The images of a split, downloaded if need be. Raises SetupError where they are missing and cannot be fetched."""

    @abc.abstractmethod
    def labels(self, split: str) -> NDArray[np.int64] | None:
        """(N,) indices into `classes` in the order of `images`, or None where there are none."""
