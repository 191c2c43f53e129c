"""The handwritten digits that come with scikit-learn: 1,797 of 8x8, grey; nothing to download.

Every third image, in scikit-learn's order, is a test image: 1,198 + 599. Classes follow each other in that order, so both
splits hold about the same share of each. The values 0..16 become round(v * 255 / 16).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genbench.data.arrays import ArraySource
from genbench.data.base import ImageSource, Policy
from genbench.data.sets.base import NamedDataset


class Digits(NamedDataset):
    title = "Optical recognition of handwritten digits"
    size = (8, 8)
    channels = 1
    levels = 17
    classes = tuple("0123456789")
    homepage = "https://archive.ics.uci.edu/dataset/80"

    def images(self, split: str) -> ImageSource:
        pixels = np.rint(self._load(split)[0] * (255 / 16)).astype(np.uint8)
        return ArraySource(pixels[..., None], Policy(), name=f"{self.name()}/{split}", kind="dataset")

    def labels(self, split: str) -> NDArray[np.int64]:
        return self._load(split)[1].astype(np.int64)

    def _load(self, split: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(N, 8, 8) in [0, 16] and (N,) of one split."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        chosen = (np.arange(len(digits.images)) % 3 == 2) == (split == "test")
        return digits.images[chosen], digits.target[chosen]
