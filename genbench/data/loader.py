"""Decoding in worker processes: batches of uint8 in the order of the source, the same for any number of workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from genbench.data.base import Batch, ImageSource, Policy, UInt8Image
from genbench.data.decode import BadImageError, decode, resize
from genbench.data.survey import Survey, bad_image, content_hash
from genbench.errors import DataError, SetupError

Decoded = tuple[int, UInt8Image | str]  # index and the image, or the reason why there is none


class _Decoding(Dataset[Decoded]):
    """One image at a time, in a worker: read, compare with the survey, decode, bring to the common size."""

    def __init__(self, source: ImageSource, survey: Survey, policy: Policy, start: int) -> None:
        self.source, self.policy, self.size = source, policy, survey.size
        self.usable, self.hashes = survey.usable[start:], survey.hashes[start:]

    def __len__(self) -> int:
        return len(self.usable)

    def __getitem__(self, position: int) -> Decoded:
        index = self.usable[position]
        item = self.source[index]
        if content_hash(item) != self.hashes[position]:
            name = self.source.item_name(index)
            raise DataError("E-CHANGED", f"{name} changed while it was being measured", hint="repeat when nothing writes there")
        if not isinstance(item, bytes):
            return index, resize(item, self.size)
        try:
            return index, resize(decode(item, self.policy), self.size)
        except BadImageError as error:
            if self.policy.on_bad == "fail":
                raise bad_image(self.source.item_name(index), str(error)) from None
            return index, str(error)


def batches(
    source: ImageSource, survey: Survey, policy: Policy, *, batch_size: int, workers: int, start: int = 0
) -> Iterator[Batch]:
    """Batches of the usable images from position `start` on.

    Raises DataError for an image that cannot be decoded under `on_bad = "fail"`, and for one that changed since the survey.
    """
    encoded = isinstance(source[survey.usable[0]], bytes)
    workers = workers if encoded and len(survey.usable) - start > 2 * batch_size else 0  # else starting them costs more
    loader: DataLoader[Decoded] = DataLoader(
        _Decoding(source, survey, policy, start),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_collate,
        # A process that has used CUDA must not be forked; where nothing has, forking is the fastest.
        multiprocessing_context=("spawn" if torch.cuda.is_initialized() else "fork") if workers else None,
        prefetch_factor=4 if workers else None,
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        hint = "it may have run out of memory or of shared memory (/dev/shm); try --num-workers 0"
        raise SetupError("E-WORKER", f"a decoding process died: {error}", hint=hint) from error


def _collate(items: list[Decoded]) -> Batch:
    good = [(index, image) for index, image in items if not isinstance(image, str)]
    bad = [(index, reason) for index, reason in items if isinstance(reason, str)]
    stacked = np.stack([image for _, image in good]) if good else np.empty((0, 3, 1, 1), dtype=np.uint8)
    return Batch(images=torch.from_numpy(stacked), indices=[index for index, _ in good], skipped=bad)
