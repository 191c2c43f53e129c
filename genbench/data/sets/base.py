"""The contract of a named dataset: one file, one class, found by the file's name."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from genbench import catalog
from genbench.batch import DataSpec, Examples
from genbench.data.base import ImageSource
from genbench.data.memory import read_all
from genbench.errors import UsageError

# Task of a model -> what a dataset must hold for it beside images.
NEEDS: Mapping[str, str] = {
    "unconditional": "",
    "class": "labels",
    "text": "captions",
    "paired": "sources",
    "unpaired": "sources",
    "inverse": "",
    "video": "videos",
    "single_image": "",
}


class NamedDataset(abc.ABC):
    """Images that have a name, in one or more splits.

    splits: the first is the training split, which a name without a split means.
    size: (H, W); channels: 1 where all images are grey; levels: values that a channel takes, as in `DataSpec`.
    classes: what the labels stand for, empty where there are none.
    holds: what there is beside images and labels: "captions", "sources", "videos".
    words: what the tokens 1, 2, ... of a caption stand for; 0 is padding.
    homepage: where it comes from and what its terms are; empty for what genbench itself invents.
    """

    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    size: ClassVar[tuple[int, int]]
    channels: ClassVar[int] = 3
    levels: ClassVar[int] = 256
    classes: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[tuple[str, ...]] = ()
    words: ClassVar[tuple[str, ...]] = ()
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

    @classmethod
    def refuse_other_size(cls, image_size: int | None) -> None:
        """Raises UsageError where an `image_size` is wanted that is not the set's own; for sets that are not resized."""
        if image_size is not None and (image_size, image_size) != cls.size:
            message = f"{cls.name()} has the size {cls.size[0]}x{cls.size[1]} only, not {image_size}x{image_size}"
            raise UsageError("E-SIZE", message, hint="leave the image size out, or name another dataset")

    @abc.abstractmethod
    def images(self, split: str) -> ImageSource:
        """The images of a split, downloaded if need be. Raises SetupError where they are missing and cannot be fetched."""

    @abc.abstractmethod
    def labels(self, split: str) -> NDArray[np.int64] | None:
        """(N,) indices into `classes` in the order of `images`, or None where there are none."""

    @classmethod
    def spec(cls, task: str = "unconditional") -> DataSpec:
        """What a model for `task` may know of the data, at their own size."""
        height, width = cls.size
        return DataSpec(channels=cls.channels, height=height, width=width, levels=cls.levels, classes=len(cls.classes))

    def examples(self, split: str, task: str = "unconditional", *, image_size: int | None = None) -> Examples:
        """A split in memory with the columns that `task` needs; labels wherever there are any.

        image_size: height and width to bring the images to; by default their own. Raises DataError for images of several
        sizes, or no squares, without it.
        """
        labels = self.labels(split)
        images = read_all(self.images(split), image_size=image_size)
        return Examples(images=images, labels=None if labels is None else torch.from_numpy(labels))


def check_task(name: str, task: str, *, classes: tuple[str, ...] = (), holds: tuple[str, ...] = ()) -> None:
    """Raises UsageError for a task that does not exist and for one that the dataset called `name` cannot serve."""
    if task not in NEEDS:
        raise catalog.unknown("tasks", task, NEEDS)
    need = NEEDS[task]
    if need and need not in (("labels", *holds) if classes else holds):
        fitting = [other for other in catalog.names("datasets") if need in _held(catalog.find("datasets", other))]
        hint = f"datasets with {need}: {', '.join(fitting)}"
        raise UsageError("E-TASK", f"{name} has no {need}, which the task {task} needs", hint=hint)


def _held(dataset: type[NamedDataset]) -> tuple[str, ...]:
    return ("labels", *dataset.holds) if dataset.classes else dataset.holds
