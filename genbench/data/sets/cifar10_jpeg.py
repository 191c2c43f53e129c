"""CIFAR-10 as JPEG copies of quality 75, 50,000 + 10,000: lossy, so its numbers are not CIFAR-10's. Never downloaded.

The data root holds cifar10-jpeg-train.zip and cifar10-jpeg-test.zip with members CLASS/NUMBER.jpg.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genbench import files
from genbench.data.archive import ZipSource
from genbench.data.sets.base import NamedDataset
from genbench.errors import SetupError


class CIFAR10JPEG(NamedDataset):
    title = "CIFAR-10, JPEG copies (quality 75)"
    size = (32, 32)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"

    def images(self, split: str) -> ZipSource:
        root = files.data_root()
        path = root / f"cifar10-jpeg-{split}.zip"
        if not path.is_file():
            hint = f"put {path.name} into the data root {root}, or name another with --data-root; cifar10 can be downloaded"
            raise SetupError("E-DATASET", f"{self.name()} needs {path.name}, which is never downloaded", hint=hint)
        return ZipSource(path, name=f"{self.name()}/{split}", kind="dataset")

    def labels(self, split: str) -> NDArray[np.int64]:
        names = self.images(split).member_names()
        return np.array([self.classes.index(name.split("/")[0]) for name in names], dtype=np.int64)
