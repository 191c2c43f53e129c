"""`cifar10`: ten classes of photos, 50,000 + 10,000 colour images of 32x32."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class CIFAR10(TorchvisionDataset):
    """The usual reference for small unconditional models; FID is against the training split."""

    splits: ClassVar = ("train", "test")
    about: ClassVar = "ten classes of photos, 50,000 + 10,000 colour images of 32x32"
    source: ClassVar = "Krizhevsky 2009, Learning multiple layers of features from tiny images"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR10(root, train=split == "train", download=download)
