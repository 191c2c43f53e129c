"""`cifar10-jpeg`: CIFAR-10 as JPEG files of quality 75, from archives in the data root."""

from __future__ import annotations

from typing import ClassVar

from genbench import files
from genbench.data.archive import Zip
from genbench.data.base import ImageSource
from genbench.data.sets.base import NamedDataset
from genbench.errors import SetupError


class Cifar10Jpeg(NamedDataset):
    """Lossy copies, not CIFAR-10: a number against this set is comparable with numbers against this set alone.

    The archives `cifar10-jpeg-train.zip` and `cifar10-jpeg-test.zip` hold class/number.jpg and are never downloaded.
    """

    splits: ClassVar = ("train", "test")
    about: ClassVar = "lossy JPEG copies of CIFAR-10, 50,000 + 10,000 colour images of 32x32"
    source: ClassVar = "Krizhevsky 2009, compressed with JPEG quality 75"

    def images(self, split: str) -> ImageSource:
        path = files.data_root() / f"cifar10-jpeg-{split}.zip"
        if not path.is_file():
            hint = "put it there, or name its folder with --data-root; statistics for `tiny` travel with genbench"
            raise SetupError("E-OFFLINE", f"{path.name} is not below {path.parent}, and it is never downloaded", hint=hint)
        source = Zip(path)
        source.name = f"cifar10-jpeg/{split}"
        return source
