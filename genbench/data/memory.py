"""A source read whole into memory, as training wants it; and examples moved to where they are used."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from genbench.batch import Examples
from genbench.data.arrays import ArraySource
from genbench.data.base import ImageSource, Pixels, Policy
from genbench.data.decode import decode, resize
from genbench.data.loader import batches
from genbench.data.survey import FEW, survey
from genbench.errors import DataError

BATCH = 256  # images that a worker process decodes at a time
MAX_WORKERS = 8


def read_all(source: ImageSource, *, image_size: int | None = None) -> Tensor:
    """Every image of `source`, in order: uint8 (N, C, H, W); C is 1 where all images are grey, else 3.

    image_size: cut each image's central square out and resize it (bicubic, antialiased) to this height and width.
    Raises DataError for no images, one that cannot be used, and, without an `image_size`, other than squares of one size.
    """
    images = _arrays(source) if isinstance(source, ArraySource) and image_size is None else _decoded(source, image_size)
    is_grey = all(torch.equal(images[:, 0], images[:, channel]) for channel in (1, 2))
    return images[:, :1].contiguous() if is_grey else images


def examples_on(examples: Examples, device: torch.device | str) -> Examples:
    """The examples in the device's memory where they fit into half of what is free there, else as they are.

    Only CUDA says how much is free; elsewhere examples stay in host memory, and batches travel.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return examples
    columns = (examples.images, examples.labels, examples.captions, examples.sources)
    size = sum(column.numel() * column.element_size() for column in columns if column is not None)
    free, _ = torch.cuda.mem_get_info(device)
    return examples.to(device) if size <= free // 2 else examples


def _arrays(source: ArraySource) -> Tensor:
    """Pixels that lie in one array need no pass over them."""
    images = source.read_all()
    if not images.numel():
        raise DataError("E-EMPTY", f"{source.name} holds no images", hint="give at least one image")
    _check_sizes(source.name, [f"{images.shape[3]}x{images.shape[2]}"])
    return images


def _decoded(source: ImageSource, image_size: int | None) -> Tensor:
    policy = Policy()
    source = source if image_size is None else _Squares(source, policy, image_size)
    workers = min(MAX_WORKERS, os.cpu_count() or 1) if len(source) >= FEW else 0
    found = survey(source, Policy(on_size_mix="resize"), workers=workers)
    _check_sizes(source.name, [size for size, _ in found.sizes.most_common()])
    return torch.cat([part.images for part in batches(source, found, policy, batch_size=BATCH, workers=workers)])


def _check_sizes(name: str, sizes: list[str]) -> None:
    """sizes: "WxH" of each size that occurs, the most common one first."""
    if len(sizes) > 1:
        message = f"{name} holds images of {len(sizes)} sizes ({', '.join(sizes[:3])}{', ...' if len(sizes) > 3 else ''})"
    elif len(set(sizes[0].split("x"))) > 1:
        message = f"{name} holds images of {sizes[0]} pixels, which are no squares"
    else:
        return
    hint = "name a size, such as image_size=32: central squares are cut out and resized to it"
    raise DataError("E-SIZE-MIX", message, hint=hint)


class _Squares(ImageSource):
    """The central squares of another source's images, resized."""

    def __init__(self, source: ImageSource, policy: Policy, size: int) -> None:
        super().__init__(name=source.name, kind=source.kind)
        self.ignored = source.ignored
        self._source, self._policy, self._size = source, policy, size

    def __len__(self) -> int:
        return len(self._source)

    def item_name(self, index: int) -> str:
        return self._source.item_name(index)

    def read(self, index: int) -> Pixels:
        item = self._source.read(index)
        pixels = decode(item, self._policy) if isinstance(item, bytes) else item
        _, height, width = pixels.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return resize(pixels[:, top : top + side, left : left + side], self._size, self._size)
