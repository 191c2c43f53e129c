"""The contract of a named dataset, and the part that all of torchvision's share."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar

from genbench import files
from genbench.data.base import ImageSource, Policy
from genbench.data.datasets import TorchDataset
from genbench.errors import SetupError


class NamedDataset(abc.ABC):
    """A dataset with splits; the first is the one to train on, and the one meant where no split is named.

    about: one line: what it shows, how many images, their size. source: paper or page.
    """

    splits: ClassVar[tuple[str, ...]]
    about: ClassVar[str]
    source: ClassVar[str]

    @classmethod
    def name(cls) -> str:
        """The name in the catalogue, which is the file's with dashes."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @abc.abstractmethod
    def images(self, split: str) -> ImageSource:
        """All images of a split, in the order of the dataset. Raises SetupError where they are not there."""


class TorchvisionDataset(NamedDataset):
    """A dataset that torchvision downloads and reads, below the data root."""

    @abc.abstractmethod
    def build(self, root: Path, split: str, download: bool) -> Any:
        """torchvision's dataset of (image, label)."""

    def images(self, split: str) -> ImageSource:
        """What is on disk first, then a download unless genbench is offline."""
        root, name = files.data_root(), f"{self.name()}/{split}"
        by_hand = f"put its files below {root} (--data-root, GENBENCH_DATA)"
        try:
            dataset = self.build(root, split, download=False)
        except RuntimeError as missing:  # torchvision's way of saying that files are not there or not whole
            if files.offline():
                message = f"the images of {name} are not on this machine, and it is offline"
                raise SetupError("E-OFFLINE", message, hint=f"load it once with network, or {by_hand}") from missing
            try:
                dataset = self.build(root, split, download=True)
            except Exception as error:  # network, checksum, disk: each host and archive fails in its own way
                message = f"{name} could not be downloaded: {error}"
                raise SetupError("E-DOWNLOAD", message, hint=f"try again later, or {by_hand}") from error
        return TorchDataset(dataset, Policy(), name=name)
