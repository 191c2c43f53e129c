"""`mnist`: handwritten digits, 60,000 + 10,000 grey images of 28x28."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class MNIST(TorchvisionDataset):
    """The original files, read from `MNIST/raw` below the data root."""

    splits: ClassVar = ("train", "test")
    about: ClassVar = "handwritten digits, 60,000 + 10,000 grey images of 28x28"
    source: ClassVar = "LeCun, Cortes and Burges 1998"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.MNIST(root, train=split == "train", download=download)
