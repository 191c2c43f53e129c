"""The ranges of an image and the only conversions between them: uint8 in [0, 255], float in [-1, 1] and levels 0, 1, ....

A dataset whose channels take L evenly spaced values ("levels": 256 for photographs, 17 for scikit-learn's digits, 2 for
binary images) is discrete. A density needs it dequantised: level k becomes a uniform draw from its bin
[-1 + 2k/L, -1 + 2(k+1)/L], so that the log density plus D log(2/L) bounds the log probability of the levels from below
(Theis et al. 2016, https://arxiv.org/abs/1511.01844, section 3.1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """uint8 (..., H, W) in [0, 255] -> float32 of the same shape in [-1, 1]; 127.5 becomes 0."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """float (..., H, W) in [-1, 1] -> uint8 of the same shape, rounded to the nearest level; values outside are clipped."""
    return images.detach().to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def to_levels(images: Tensor, levels: int) -> Tensor:
    """float in [-1, 1] -> int64 level 0..levels-1, the nearest one."""
    return images.add(1.0).mul(0.5 * (levels - 1)).round().clamp(0, levels - 1).to(torch.int64)


def from_levels(level: Tensor, levels: int) -> Tensor:
    """int64 level 0..levels-1 -> float32 in [-1, 1]; the first and the last level are black and white."""
    return level.to(torch.float32).mul(2.0 / (levels - 1)).sub(1.0)


def dequantize(images: Tensor, levels: int, uniform: Tensor) -> Tensor:
    """Values on the grid of levels in [-1, 1] -> a uniform draw from each value's bin; `uniform` in [0, 1), same shape.

    With levels = 0, for data that are continuous already, nothing changes.
    """
    return images if levels == 0 else (to_levels(images, levels) + uniform) * (2.0 / levels) - 1.0


def quantize(dequantized: Tensor, levels: int) -> Tensor:
    """The way back: a value in [-1, 1] -> the grid value of the bin it lies in; values outside go to the last bin."""
    if levels == 0:
        return dequantized
    return from_levels(dequantized.add(1.0).mul(0.5 * levels).floor().clamp(0, levels - 1), levels)


def log_bin_volume(dimensions: int, levels: int) -> float:
    """What turns a log density of dequantised images into (a bound of) the log probability of the levels: D log(2/L)."""
    return 0.0 if levels == 0 else dimensions * math.log(2.0 / levels)


def bits_per_dim(log_prob: Tensor, dimensions: int) -> Tensor:
    """Log probabilities of discrete images in nats -> bits per dimension, -log2 p / D; lower is better."""
    return -log_prob / (dimensions * math.log(2.0))
