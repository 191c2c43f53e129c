"""Nearest neighbours and the balls they span, in blocks: memory grows with the block, not with the number of pairs.

Squared distances come from |x|² + |y|² - 2 x·y, in float32 where the outcome is beyond doubt and again in float64 where it
is not. What float64 cannot tell apart counts as equal, so an image and its exact copy are treated alike everywhere.
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
    """Features (N, D) seen from `centre` (D,) float64: near the middle, differences of squares lose few digits."""

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
        return torch.cat([self.rows(block, torch.float64).square().sum(1) for block in _blocks(len(self))])

    def rounding(self, squared_radii: Tensor, dtype: torch.dtype) -> Tensor:
        """(N,) by how much a squared distance near `squared_radii` (N,) from each point may be off in `dtype`.

        A product of D terms is off by about √D units of rounding (Higham and Mary 2019; on features it is some 50 times less).
        Only points y at about the distance r from x matter, and these have |y|² <= 2|x|² + 2r².
        """
        unit = torch.finfo(dtype).eps / 2
        return (4 + self.features.shape[1] ** 0.5) * unit * (3 * self.squares + 2 * squared_radii)


def clouds(*, real: Tensor, fake: Tensor) -> tuple[Cloud, Cloud]:
    """Both sets of features, (M, D) and (N, D), seen from their common mean."""
    total = sum((rows.to(torch.float64).sum(0) for side in (real, fake) for rows in side.split(BLOCK)), start=torch.zeros(()))
    centre = total / (len(real) + len(fake))
    return Cloud(real, centre), Cloud(fake, centre)


def squared_radii(cloud: Cloud, k: int) -> Tensor:
    """(N,) float64 squared distance from each point to its k-th nearest other point, 1 <= k < N."""
    coarse = _coarse_dtype(cloud)
    nearest, index = _nearest_others(cloud, k + 1, coarse)
    radii = torch.cat([_squared_differences(cloud, rows, index[rows, k - 1]) for rows in _blocks(len(cloud))])
    # The k-th in coarse rounding is the k-th in truth if it stands clear of the next, and of the one before.
    gaps = nearest.diff(dim=1)[:, max(0, k - 2) :].amin(1)
    unclear = gaps <= 2 * cloud.rounding(nearest[:, k - 1], coarse)
    for rows in unclear.nonzero().flatten().split(BLOCK):
        radii[rows] = _kth_of_rows(cloud, rows, k)
    return radii


def balls(
    real: Cloud, fake: Cloud, *, real_radii: Tensor, fake_radii: Tensor, closed: bool
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Block by block of all pairs: rows of real, columns of fake, (B, C) fake in real's ball, (B, C) real in fake's ball.

    The radii are squared. closed: whether the surface belongs to the ball (distance <= radius) or not (<).
    """
    coarse = _coarse_dtype(real)
    for rows in _blocks(len(real)):
        x = _Part.of(real, real_radii, rows, coarse)
        for columns in _blocks(len(fake)):
            y = _Part.of(fake, fake_radii, columns, coarse)
            open_balls, closed_balls = _inside(x, y)
            answer = closed_balls if closed else open_balls
            unclear = (open_balls[0] ^ closed_balls[0]) | (open_balls[1] ^ closed_balls[1])
            if coarse != torch.float64 and unclear.any():
                i, j = unclear.any(1).nonzero().flatten(), unclear.any(0).nonzero().flatten()
                x_fine = _Part.of(real, real_radii, i + rows.start, torch.float64)
                y_fine = _Part.of(fake, fake_radii, j + columns.start, torch.float64)
                for matrix, fine in zip(answer, _inside(x_fine, y_fine)[closed], strict=True):
                    matrix[i[:, None], j] = fine
            yield rows, columns, *answer


@dataclass(frozen=True)
class _Part:
    """Some points of a cloud: (B, D) rows, (B,) squares, and squared radii less and plus their rounding."""

    rows: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(cloud: Cloud, radii: Tensor, index: Tensor | slice, dtype: torch.dtype) -> _Part:
        slack = cloud.rounding(radii, dtype)[index]
        return _Part(
            rows=cloud.rows(index, dtype),
            squares=cloud.squares[index].to(dtype),
            low=(radii[index] - slack).to(dtype),
            high=(radii[index] + slack).to(dtype),
        )


def _inside(x: _Part, y: _Part) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Who is in whose ball, (y in x's, x in y's), each (B, C): without the surface, and with it."""
    distances = _squared_distances(x.rows, x.squares, y.rows, y.squares)
    x_low, x_high, y_low, y_high = x.low[:, None], x.high[:, None], y.low, y.high
    return (distances < x_low, distances < y_low), (distances <= x_high, distances <= y_high)


def _squared_distances(x: Tensor, x_squares: Tensor, y: Tensor, y_squares: Tensor) -> Tensor:
    """(B, C) of |x - y|² for rows (B, D) and (C, D) with their squared lengths; negative only by rounding."""
    return torch.addmm(y_squares, x, y.T, alpha=-2).add_(x_squares[:, None])


def _squared_differences(cloud: Cloud, rows: slice, partners: Tensor) -> Tensor:
    """(B,) float64 squared distance of each row to its partner, without cancellation."""
    return (cloud.rows(rows, torch.float64) - cloud.rows(partners, torch.float64)).square().sum(1)


def _nearest_others(cloud: Cloud, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(N, k) squared distances in `dtype` to the k nearest other points, ascending, and their indices.

    Places that fewer than k others leave are infinite. Of two symmetric blocks only one is computed.
    """
    n, device = len(cloud), cloud.features.device
    nearest = torch.full((n, k), torch.inf, dtype=dtype, device=device)
    index = torch.zeros((n, k), dtype=torch.int64, device=device)
    blocks = _blocks(n)
    for i, rows in enumerate(blocks):
        x, x_squares = cloud.rows(rows, dtype), cloud.squares[rows].to(dtype)
        for columns in blocks[i:]:
            y, y_squares = cloud.rows(columns, dtype), cloud.squares[columns].to(dtype)
            distances = _squared_distances(x, x_squares, y, y_squares)
            if columns == rows:
                distances.fill_diagonal_(torch.inf)
            else:
                _keep_nearest(nearest[columns], index[columns], distances.T.contiguous(), rows.start)
            _keep_nearest(nearest[rows], index[rows], distances, columns.start)
    return nearest, index


def _keep_nearest(nearest: Tensor, index: Tensor, distances: Tensor, offset: int) -> None:
    """Merge distances (B, C) to the points from `offset` on into the best (B, k) so far, in place."""
    k = nearest.shape[1]
    found, where = distances.topk(min(k, distances.shape[1]), dim=1, largest=False)
    best, order = torch.cat([nearest, found], 1).topk(k, dim=1, largest=False)
    nearest.copy_(best)
    index.copy_(torch.cat([index, where + offset], 1).gather(1, order))


def _kth_of_rows(cloud: Cloud, rows: Tensor, k: int) -> Tensor:
    """(B,) squared distance from the points `rows` to their k-th nearest other point, all in float64."""
    x, x_squares = cloud.rows(rows, torch.float64), cloud.squares[rows]
    nearest = x.new_full((len(rows), k), torch.inf)
    for columns in _blocks(len(cloud)):
        distances = _squared_distances(x, x_squares, cloud.rows(columns, torch.float64), cloud.squares[columns])
        own = rows - columns.start
        here = ((own >= 0) & (own < distances.shape[1])).nonzero().flatten()
        distances[here, own[here]] = torch.inf
        nearest = torch.cat([nearest, distances], 1).topk(k, dim=1, largest=False).values
    return nearest[:, -1].clamp(min=0)


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _coarse_dtype(cloud: Cloud) -> torch.dtype:
    """float32 where a matrix product in it really is one: on a CPU that was not told to use fewer bits."""
    true_float32 = cloud.features.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    return torch.float32 if true_float32 else torch.float64
