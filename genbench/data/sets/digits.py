"""`digits`: 1,797 handwritten digits of 8x8 pixels that come with scikit-learn; no download."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from genbench.data.arrays import Arrays
from genbench.data.base import ImageSource, Policy
from genbench.data.sets.base import NamedDataset


class Digits(NamedDataset):
    """Every third image is for testing: 1,198 to train, 599 to test.

    The file lists one writer after the other, so that both splits know all hands and all ten digits.
    """

    splits: ClassVar = ("train", "test")
    about: ClassVar = "handwritten digits, 1,198 + 599 grey images of 8x8"
    source: ClassVar = "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits; scikit-learn's load_digits"

    def images(self, split: str) -> ImageSource:
        from sklearn.datasets import load_digits

        levels = load_digits().images  # (1797, 8, 8), whole numbers from 0 to 16
        grey = np.round(levels * (255 / 16)).astype(np.uint8)[:, None]
        tested = np.arange(len(grey)) % 3 == 2
        chosen = grey[tested if split == "test" else ~tested]
        return Arrays(chosen, name=f"digits/{split}", kind="dataset", policy=Policy(), channels_first=True)
