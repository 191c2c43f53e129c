"""`fashion-mnist`: clothes, 60,000 + 10,000 grey images of 28x28."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class FashionMNIST(TorchvisionDataset):
    """Drop-in for MNIST with harder classes."""

    splits: ClassVar = ("train", "test")
    about: ClassVar = "clothes, 60,000 + 10,000 grey images of 28x28"
    source: ClassVar = "Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.FashionMNIST(root, train=split == "train", download=download)
