"""`svhn`: house numbers, 73,257 + 26,032 colour images of 32x32."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class SVHN(TorchvisionDataset):
    """Cropped digits from street views."""

    splits: ClassVar = ("train", "test")
    about: ClassVar = "house numbers, 73,257 + 26,032 colour images of 32x32"
    source: ClassVar = "Netzer et al. 2011, Reading digits in natural images with unsupervised feature learning"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.SVHN(str(root / "svhn"), split=split, download=download)
