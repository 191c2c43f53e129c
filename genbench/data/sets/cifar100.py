"""CIFAR-100: objects and animals of 100 kinds, 50,000 + 10,000, 32x32 colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class CIFAR100(TorchvisionDataset):
    title = "CIFAR-100"
    size = (32, 32)
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    stored = "cifar-100-python"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR100(root, train=split == "train", download=download)
