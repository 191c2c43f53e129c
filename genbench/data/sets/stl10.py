"""`stl10`: ten classes of photos, 5,000 + 8,000 + 100,000 unlabelled colour images of 96x96."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from genbench.data.sets.base import TorchvisionDataset


class STL10(TorchvisionDataset):
    """The unlabelled split is the usual reference for generators."""

    splits: ClassVar = ("train", "test", "unlabeled")
    about: ClassVar = "ten classes of photos, 5,000 + 8,000 + 100,000 unlabelled colour images of 96x96"
    source: ClassVar = "Coates, Lee and Ng 2011, An analysis of single-layer networks"

    def build(self, root: Path, split: str, download: bool) -> Any:
        from torchvision import datasets

        return datasets.STL10(str(root), split=split, download=download)
