"""Structural similarity of two images in every place: means, variances and covariance under a small window.

    luminance l = (2 μx μy + C1) / (μx² + μy² + C1)        contrast and structure c = (2 σxy + C2) / (σx² + σy² + C2)

with C1 = (0.01 · 255)² and C2 = (0.03 · 255)². SSIM is the mean of l c over the places where the window fits; MS-SSIM
multiplies powers of the mean of c at several scales.

Source: Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861, equations 6 and 13; C3 = C2 / 2 joins contrast and structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2
BLOCK = 2**20  # float64 values of one image batch that are in memory at a time; about ten such maps are


class Structure(NamedTuple):
    """(B, C, H', W') float64 each, one value for each place of the window: l c and c."""

    similarity: Tensor
    contrast: Tensor


def gaussian_window(sigma: float) -> Tensor:
    """(2 r + 1,) float64 weights that sum to 1, with r = 3.5 sigma rounded: 11 for sigma 1.5, as scipy.ndimage cuts it off."""
    radius = int(3.5 * sigma + 0.5)
    weights = torch.exp(-torch.arange(-radius, radius + 1, dtype=torch.float64).square() / (2 * sigma**2))
    return weights / weights.sum()


def uniform_window(size: int) -> Tensor:
    """(size,) float64, equal weights that sum to 1."""
    return torch.full((size,), 1 / size, dtype=torch.float64)


def structure(x: Tensor, y: Tensor, window: Tensor, *, correction: float = 1.0) -> Structure:
    """Of float64 images (B, C, H, W) in [0, 255], wherever the square window fits.

    correction: what variances and covariance are multiplied by; n / (n - 1) makes them those of a sample.
    """
    mean_x, mean_y = _smooth(x, window), _smooth(y, window)
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance = (_smooth(x * y, window) - product) * correction
    variances = (_smooth(x.square() + y.square(), window) - squares) * correction  # σx² + σy²
    contrast = (2 * covariance + C2) / (variances + C2)
    return Structure(similarity=(2 * product + C1) / (squares + C1) * contrast, contrast=contrast)


def _smooth(x: Tensor, window: Tensor) -> Tensor:
    """`window` along rows and columns, where it fits.

    Added up weight by weight: on a CPU ten times as quick as a float64 convolution, and the same to the last bit in any batch.
    """
    for dim in (2, 3):
        places = x.shape[dim] - len(window) + 1
        total = x.narrow(dim, 0, places) * float(window[0])
        for offset in range(1, len(window)):
            total.add_(x.narrow(dim, offset, places), alpha=float(window[offset]))
        x = total
    return x


def in_blocks(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """(B,) of `function`, which is given some of the images at a time, as float64."""
    size = max(1, BLOCK // x.shape[1:].numel())
    parts = [function(one.double(), other.double()) for one, other in zip(x.split(size), y.split(size), strict=True)]
    return torch.cat(parts)
