"""STL-10: objects and animals, 5,000 + 8,000 and 100,000 without labels (2.8 GB of memory), 96x96 colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset


class STL10(TorchvisionDataset):
    title = "STL-10"
    splits = ("train", "test", "unlabeled")  # labels of the last are -1
    size = (96, 96)
    classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    homepage = "https://cs.stanford.edu/~acoates/stl10/"
    stored = "stl10_binary"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.STL10(root, split=split, download=download)
