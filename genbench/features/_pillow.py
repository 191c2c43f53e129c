"""Pillow's bicubic resizing of uint8 images, to the last bit, on batches and on any device.

CLIP and DINOv2 are defined on pictures that Pillow made smaller. Its filter rounds its weights to 22 binary digits, works
along the rows first, rounds to whole levels, and then works along the columns; torch's own filter on tensors differs by up to
20 levels of 255 where a picture of noise is enlarged. Here both steps are products of whole numbers below 2**53 in float64,
which are exact in every order. The values are those of Pillow up to 12, with which the published numbers were made, whatever
is installed: Pillow 13 begins with the columns where the height shrinks by more than the width (its pull request 9549).
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

BITS = 22  # of Pillow's weights
BUDGET = 1 << 23  # numbers of a block of images, in float64


def resize(images: Tensor, size: tuple[int, int], crop: tuple[int, int] | None = None) -> Tensor:
    """uint8 (N, C, H, W) -> uint8 (N, C, *size), or of that the middle (N, C, *crop), as torchvision's CenterCrop takes it."""
    (height, width), (rows, columns) = size, crop or size
    device = torch.device("cpu") if images.device.type == "mps" else images.device  # Apple's has no float64
    down = _weights(images.shape[2], height, _offset(height, rows), rows).to(device)
    across = _weights(images.shape[3], width, _offset(width, columns), columns).to(device)
    block = max(1, BUDGET // (images.shape[1] * images.shape[2] * max(images.shape[3], columns)))

    def resized(some: Tensor) -> Tensor:
        lines = _levels(some.to(device, torch.float64) @ across.T)
        return _levels(down @ lines).to(torch.uint8)

    return torch.cat([resized(some) for some in images.split(block)]).to(images.device)


def shorter_side(images: Tensor, size: int) -> tuple[int, int]:
    """(height, width) of the images once their shorter side has `size` pixels, the longer one cut to a whole number."""
    height, width = images.shape[-2:]
    return (int(size * height / width), size) if width <= height else (size, int(size * width / height))


def _offset(size: int, crop: int) -> int:
    return round((size - crop) / 2)  # to the even number, where in the middle


def _levels(sums: Tensor) -> Tensor:
    """Sums of levels times weights -> levels, still float64."""
    return ((sums + (1 << (BITS - 1))) / (1 << BITS)).floor_().clamp_(0, 255)


@functools.lru_cache(maxsize=32)
def _weights(before: int, after: int, first: int, count: int) -> Tensor:
    """(count, before) whole numbers in float64: what each old pixel gives to the new pixels `first`, `first` + 1, ....

    Keys 1981, Cubic convolution interpolation, with a = -1/2, stretched over the pixels that fall on one when shrinking.
    """
    a, scale = -0.5, before / after
    centres = (np.arange(first, first + count) + 0.5) * scale
    stretch = max(scale, 1.0)
    x = np.abs((np.arange(before) - centres[:, None] + 0.5) * (1.0 / stretch))
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    weights /= weights.cumsum(1)[:, -1:]  # a sum from left to right, as Pillow's
    return torch.from_numpy(np.trunc(weights * (1 << BITS) + np.copysign(0.5, weights)))
