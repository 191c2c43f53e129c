"""Images that come one batch after the other and only once: an iterator, or a callable that returns one.

They are written to a temporary file as they come, so that memory stays bounded and they can be looked at twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from genbench.data.arrays import Arrays, to_images
from genbench.data.base import Policy
from genbench.errors import DataError
from genbench.files import cannot_write


def spool(batches: Iterable[Any], policy: Policy, *, name: str = "images") -> Arrays:
    """uint8 images of one size from batches (N, C, H, W), single images (C, H, W) or PIL images."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the memory map below)
    shape: tuple[int, ...] | None = None
    count = 0
    for item in batches:
        images = to_images(_as_batch(item), policy).numpy()
        if shape is None:
            shape = images.shape[1:]
        if images.shape[1:] != shape:
            raise DataError(
                "E-SIZE-MIX", f"{name}: first images of shape {shape}, then {images.shape[1:]}", hint="use one size"
            )
        try:
            file.write(images.tobytes())
        except OSError as error:
            raise cannot_write(Path(tempfile.gettempdir()), error) from error
        count += len(images)
    if shape is None:
        raise DataError("E-EMPTY", f"{name} gave no image", hint="pass an iterator that has not been used up")
    file.flush()
    array = np.memmap(file, dtype=np.uint8, mode="r", shape=(count, *shape))
    return Arrays(array, name=name, kind="iterator", policy=Policy(), channels_first=True)


def _as_batch(item: Any) -> Any:
    """A batch as it is; a single image as a batch of one; (images, labels) without the labels."""
    if isinstance(item, (tuple, list)) and item and isinstance(item[0], (Tensor, np.ndarray)):
        item = item[0]
    if isinstance(item, Image.Image):
        return [item]
    if isinstance(item, (Tensor, np.ndarray)) and item.ndim == 3:
        return item[None]
    return item
