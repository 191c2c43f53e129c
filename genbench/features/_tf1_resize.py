"""TensorFlow 1's bilinear resize, which is inside the graphs and the tools on which FID and others are defined."""

from __future__ import annotations

import torch
from torch import Tensor


def tf1_bilinear(images: Tensor, size: int) -> Tensor:
    """uint8 (N, C, H, W) -> float32 (N, C, size, size) in [0, 255]: along the rows, then along the columns, not rounded.

    Agrees with TensorFlow's ResizeBilinear of align_corners=False to the bit. It blurs nothing when it shrinks an image.
    """
    return _stretch(_stretch(images.float(), size, dim=3), size, dim=2)


def _stretch(x: Tensor, result: int, dim: int) -> Tensor:
    """`x` linearly interpolated to `result` along `dim`. Pixel i reads at i * size / result: corners, not centres."""
    size = x.shape[dim]
    place = torch.arange(result, dtype=torch.float32, device=x.device) * torch.tensor(size / result, dtype=torch.float32)
    low = place.long()
    high = (low + 1).clamp_max(size - 1)
    share = (place - low).view(-1, *[1] * (x.dim() - 1 - dim))
    start = x.index_select(dim, low)
    return x.index_select(dim, high).sub_(start).mul_(share).add_(start)
