"""A map-style dataset in the sense of torch as a source: items are images, or (image, label, ...)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from genbench.data.arrays import as_uint8, check_dtype
from genbench.data.base import ImageSource, Policy, UInt8Image
from genbench.errors import DataError


class TorchDataset(ImageSource):
    """Images as PIL, uint8 tensor (C, H, W) or array (H, W, C); float needs `policy.value_range`."""

    kind = "dataset"

    def __init__(self, dataset: Any, policy: Policy, *, name: str = "dataset") -> None:
        self.dataset, self.name, self.ignored = dataset, name, Counter()
        self.value_range = policy.value_range

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> UInt8Image:
        item = self.dataset[index]
        image = item[0] if isinstance(item, (tuple, list)) else item
        if isinstance(image, Image.Image):
            return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
        if isinstance(image, Tensor):
            array = image.numpy()
        elif isinstance(image, np.ndarray):
            array = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
        else:
            found = type(image).__name__
            raise DataError("E-DTYPE", f"{self.name}[{index}] is a {found}", hint="items are images or (image, label)")
        if array.ndim != 3 or array.shape[0] not in (1, 3):
            raise DataError("E-SHAPE", f"{self.name}[{index}] has shape {array.shape}", hint="images are (3, H, W)")
        check_dtype(array.dtype, self.value_range, f"{self.name}[{index}]")
        return as_uint8(array, self.value_range)
