"""Images that come from a generator: written to a temporary file as they come, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from genbench.data.arrays import first, one_image, to_images
from genbench.data.base import ImageSource, Pixels, Policy
from genbench.data.spool import SharedFile, Spool


class IteratorSource(ImageSource):
    """Batches or single images from `make()`, which returns an iterable, or all images as one tensor or array.

    Nothing is drawn before the first image is asked for; then everything is, once.
    """

    cheap = True

    def __init__(self, make: Callable[[], Any], policy: Policy, *, name: str) -> None:
        super().__init__(name=name, kind="iterator")
        self._make = make
        self._policy = policy

    def __len__(self) -> int:
        return len(self._spooled[1])

    def item_name(self, index: int) -> str:
        return f"image {index}"

    def read(self, index: int) -> Pixels:
        file, places = self._spooled
        offset, height, width = places[index]
        pixels = np.frombuffer(file.read(offset, 3 * height * width), dtype=np.uint8)
        return pixels.reshape(3, height, width)

    @cached_property
    def _spooled(self) -> tuple[SharedFile, list[tuple[int, int, int]]]:
        """The file, and (offset, height, width) of each image in it."""
        made = self._make()
        parts: Iterable[Any] = [made] if isinstance(made, (Tensor, np.ndarray)) else made
        spool, places = Spool(), []
        for part in parts:
            for image in self._images(first(part)):
                places.append((spool.write(np.ascontiguousarray(image).data), image.shape[1], image.shape[2]))
        return SharedFile(spool.finish()), places

    def _images(self, part: Any) -> Iterable[Pixels]:
        """The images of a batch (four axes) or the one image."""
        if isinstance(part, (Tensor, np.ndarray)) and part.ndim == 4:
            return list(to_images(part, self._policy).cpu().numpy())
        return [one_image(part, self._policy)]
