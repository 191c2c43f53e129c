"""CelebA: faces of celebrities, 162,770 + 19,867 + 19,962, aligned, 178x218 colour, not cropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.arrays import ItemSource
from genbench.data.base import ImageSource, Policy
from genbench.data.sets._torchvision import TorchvisionDataset


class CelebA(TorchvisionDataset):
    title = "CelebFaces Attributes"
    splits = ("train", "valid", "test")
    size = (218, 178)
    homepage = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    stored = "celeba"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CelebA(root, split=split, download=download)

    def images(self, split: str) -> ImageSource:
        return ItemSource(self._opened(split), Policy(), name=f"{self.name()}/{split}", kind="dataset")

    def labels(self, split: str) -> None:
        """Faces have attributes, not classes."""
