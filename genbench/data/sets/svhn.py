"""SVHN: house numbers in photographs, 73,257 + 26,032 and 531,131 easier ones, 32x32 colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class SVHN(TorchvisionDataset):
    title = "Street View House Numbers"
    splits = ("train", "test", "extra")
    size = (32, 32)
    classes = tuple("0123456789")
    homepage = "http://ufldl.stanford.edu/housenumbers/"
    stored = "train_32x32.mat, test_32x32.mat or extra_32x32.mat"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.SVHN(root, split=split, download=download)
