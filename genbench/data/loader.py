"""The second pass: decoded batches in order, the same for every number of workers and every batch size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genbench.data.base import BadImageError, Decoded, ImageSource, Pixels, Policy
from genbench.data.decode import decode, resize
from genbench.data.survey import Survey, content_hash
from genbench.data.workers import in_order
from genbench.errors import DataError


def batches(
    source: ImageSource, survey: Survey, policy: Policy, *, batch_size: int, workers: int, start: int = 0
) -> Iterator[Decoded]:
    """The images survey.usable[start:], `batch_size` at a time; a batch is smaller by what it had to skip.

    Raises DataError for an image that cannot be decoded (unless `policy.on_bad` is "skip") and for one that is no longer
    what the survey saw; SetupError where a worker process dies.
    """
    task = _Decode(source, policy, survey, batch_size, start)
    count = -(-(len(survey.usable) - start) // batch_size)
    for indices, pixels, skipped in in_order(task, count, 0 if source.cheap else workers):
        yield Decoded(indices=indices, images=torch.from_numpy(pixels), skipped=skipped)


@dataclass(frozen=True)
class _Decode:
    """Task k: the k-th batch after `start`; runs in worker processes."""

    source: ImageSource
    policy: Policy
    survey: Survey
    batch_size: int
    start: int

    def __call__(self, task: int) -> tuple[list[int], NDArray[np.uint8], list[tuple[int, str]]]:
        begin = self.start + task * self.batch_size
        indices, images, skipped = [], [], []
        for index in self.survey.usable[begin : begin + self.batch_size]:
            try:
                images.append(self._image(index))
                indices.append(index)
            except BadImageError as error:
                if self.policy.on_bad == "fail":
                    raise error.named(self.source.item_name(index)) from error
                skipped.append((index, error.message))
        pixels = np.stack(images) if images else np.empty((0, 3, *self.survey.size), dtype=np.uint8)
        return indices, pixels, skipped

    def _image(self, index: int) -> Pixels:
        """uint8 (3, H, W) of the size all images have."""
        item = self.source.read(index)
        if content_hash(item) != self.survey.hashes[index]:
            name = self.source.item_name(index)
            hint = "measure images that stay as they are: no files being written, no random transforms"
            raise DataError("E-CHANGED", f"{name} changed while it was being measured", hint=hint)
        pixels = decode(item, self.policy) if isinstance(item, bytes) else item
        if pixels.shape[1:] == self.survey.size:
            return pixels
        return resize(pixels, *self.survey.size)
