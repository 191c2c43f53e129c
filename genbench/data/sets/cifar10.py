"""CIFAR-10: objects and animals, 50,000 + 10,000, 32x32 colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class CIFAR10(TorchvisionDataset):
    title = "CIFAR-10"
    size = (32, 32)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    stored = "cifar-10-batches-py"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR10(root, train=split == "train", download=download)
