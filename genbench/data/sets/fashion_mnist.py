"""Fashion-MNIST: articles of clothing, 60,000 + 10,000, 28x28 grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class FashionMNIST(TorchvisionDataset):
    title = "Fashion-MNIST"
    size = (28, 28)
    channels = 1
    classes = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    homepage = "https://github.com/zalandoresearch/fashion-mnist"
    stored = "FashionMNIST/raw"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.FashionMNIST(root, train=split == "train", download=download)
