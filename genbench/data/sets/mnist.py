"""MNIST: handwritten digits, 60,000 + 10,000, 28x28 grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class MNIST(TorchvisionDataset):
    title = "MNIST"
    size = (28, 28)
    channels = 1
    classes = tuple("0123456789")
    homepage = "http://yann.lecun.com/exdb/mnist/"
    stored = "MNIST/raw"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.MNIST(root, train=split == "train", download=download)
