"""Nearest neighbours and balls around them, in blocks: memory grows with the block, not with the number of pairs.

Squared distances come from |x|² + |y|² - 2 x·y, in float32 where the outcome is beyond doubt and again in float64 where it
is not. Distances that differ by less than float64 resolves count as equal, so that an image and its copy are treated alike.

A comparison of |x - y|² with a squared radius r² around x is beyond doubt when they differ by more than
rounding · (|x|² + r²): only those y matter whose own square is at most 2|x|² + 2r².
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

BLOCK = 1024  # rows and columns of the distance matrix that are in memory at a time


@dataclass(frozen=True)
class Cloud:
    """Features (N, D) seen from `centre` (D,) float64; near the centre of mass the differences of squares lose few digits."""

    features: Tensor
    centre: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, index: Tensor | slice, dtype: torch.dtype) -> Tensor:
        """(B, D) of the rows `index`."""
        return (self.features[index].to(torch.float64) - self.centre).to(dtype)

    @cached_property
    def squares(self) -> Tensor:
        """(N,) float64 squared lengths."""
        return torch.cat([self.rows(block, torch.float64).square().sum(1) for block in blocks(len(self))])


def clouds(real: Tensor, fake: Tensor) -> tuple[Cloud, Cloud]:
    """Both sets from their common centre."""
    total = real.sum(0, dtype=torch.float64) + fake.sum(0, dtype=torch.float64)
    centre = total / (len(real) + len(fake))
    return Cloud(real, centre), Cloud(fake, centre)


def blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def squared_radii(cloud: Cloud, k: int) -> Tensor:
    """(N,) float64 squared distance from each point to its k-th nearest other point, 1 <= k < N."""
    coarse = _coarse_dtype(cloud.features)
    nearest, index = _nearest_others(cloud, k + 1, coarse)
    kth = index[:, k - 1]
    radii = torch.cat(
        [
            (cloud.rows(block, torch.float64) - cloud.rows(kth[block], torch.float64)).square().sum(1)
            for block in blocks(len(cloud))
        ]
    )
    # Is the k-th in this rounding the k-th in truth? Not certain unless it stands apart from its neighbours in the order.
    gap = nearest[:, k] - nearest[:, k - 1]
    if k > 1:
        gap = torch.minimum(gap, nearest[:, k - 1] - nearest[:, k - 2])
    doubtful = gap <= 2 * _rounding(cloud, coarse) * (cloud.squares + nearest[:, k - 1])
    for rows in doubtful.nonzero().flatten().split(BLOCK):
        radii[rows] = _kth_of_rows(cloud, rows, k)
    return radii


def balls(
    real: Cloud, fake: Cloud, *, real_radii: Tensor, fake_radii: Tensor, closed: bool
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Blocks of all pairs: rows of real, columns of fake, (B, C) fake in real's ball, (B, C) real in fake's ball.

    Radii are squared. closed: whether the surface belongs to the ball (<=) or not (<).
    """
    coarse = _coarse_dtype(real.features)
    for rows in blocks(len(real)):
        x = _Block.of(real, rows, coarse)
        for columns in blocks(len(fake)):
            y = _Block.of(fake, columns, coarse)
            yield rows, columns, *_decide(real, fake, rows, columns, x, y, real_radii[rows], fake_radii[columns], closed)


def _coarse_dtype(features: Tensor) -> torch.dtype:
    """float32 where its matrix product really is one: on a CPU, and not told to use fewer bits."""
    exact = features.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    return torch.float32 if exact else torch.float64
