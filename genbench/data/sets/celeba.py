"""`celeba`: faces of celebrities, 162,770 + 19,867 + 19,962 colour images of 178x218, aligned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class CelebA(TorchvisionDataset):
    """The aligned images, not cropped."""

    splits: ClassVar = ("train", "valid", "test")
    about: ClassVar = "faces of celebrities, 162,770 + 19,867 + 19,962 colour images of 178x218, aligned"
    source: ClassVar = "Liu et al. 2015, Deep learning face attributes in the wild"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CelebA(root, split=split, download=download)
