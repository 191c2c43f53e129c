"""The two ranges of an image and the only conversions between them: uint8 in [0, 255] and float in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """uint8 (..., H, W) in [0, 255] -> float32 of the same shape in [-1, 1]; 127.5 becomes 0."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """float (..., H, W) in [-1, 1] -> uint8 of the same shape, rounded to the nearest level; values outside are clipped."""
    return images.detach().to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
