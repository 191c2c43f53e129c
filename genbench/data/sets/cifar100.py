"""`cifar100`: a hundred classes of photos, 50,000 + 10,000 colour images of 32x32."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class CIFAR100(TorchvisionDataset):
    """As CIFAR-10, with finer classes."""

    splits: ClassVar = ("train", "test")
    about: ClassVar = "a hundred classes of photos, 50,000 + 10,000 colour images of 32x32"
    source: ClassVar = "Krizhevsky 2009, Learning multiple layers of features from tiny images"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR100(root, train=split == "train", download=download)
