"""Nearest neighbours and the balls they span, in blocks: memory grows with the block, not with the number of pairs.

Squared distances come from |x|² + |y|² - 2 x·y in float32. Where its rounding leaves the outcome in doubt they are done again
in float64, and where that does too, by summing squared differences. So exact copies and ties are told from near ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

BLOCK = 1024  # rows and columns of the distance matrix that are in memory at a time
CHUNK = 128  # rows that are in memory in float64 at a time


@dataclass(frozen=True)
class Cloud:
    """Features (N, D) seen from `centre` (D,) float64: near the middle, differences of squares lose few digits."""

    features: Tensor
    centre: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, D) of the rows `index` (B,)."""
        return torch.cat([(self.features[some] - self.centre).to(dtype) for some in index.split(CHUNK)])

    def blocks(self) -> tuple[Tensor, ...]:
        """Indices (B,) of all rows, block by block."""
        return torch.arange(len(self), device=self.features.device).split(BLOCK)

    @cached_property
    def squares(self) -> Tensor:
        """(N,) float64 squared lengths."""
        return torch.cat([(some - self.centre).square_().sum(1) for some in self.features.split(CHUNK)])

    def rounding(self, index: Tensor, squared: Tensor, dtype: torch.dtype) -> Tensor:
        """(B,) by how much squared distances of about `squared` (B,) from the points `index` may be off in `dtype`.

        A product of D terms is off by about √D units of rounding (Higham and Mary 2019; on features it is some 50 times less).
        Only points y at about the distance r from x matter, and these have |y|² <= 2|x|² + 2r².
        """
        unit = torch.finfo(dtype).eps / 2
        return (4 + self.features.shape[1] ** 0.5) * unit * (3 * self.squares[index] + 2 * squared)


def clouds(*, real: Tensor, fake: Tensor) -> tuple[Cloud, Cloud]:
    """Both sets of features, (M, D) and (N, D), seen from their common mean."""
    chunks = [chunk for side in (real, fake) for chunk in side.split(CHUNK)]
    total = torch.stack([chunk.sum(0, dtype=torch.float64) for chunk in chunks]).sum(0)
    centre = total / (len(real) + len(fake))
    return Cloud(real, centre), Cloud(fake, centre)


def squared_radii(cloud: Cloud, k: int) -> Tensor:
    """(N,) float64 squared distance from each point to its k-th nearest other point, 1 <= k < N."""
    coarse = coarse_dtype(cloud)
    nearest, others = _nearest_others(cloud, k + 1, coarse)
    everyone = torch.arange(len(cloud), device=nearest.device)
    radii = squared_differences(cloud, everyone, cloud, others[:, k - 1])
    # The k-th in coarse rounding is the k-th in truth if it stands clear of the next, and of the one before.
    gaps = nearest.diff(dim=1)[:, max(0, k - 2) :].amin(1)
    unclear = gaps <= 2 * cloud.rounding(everyone, nearest[:, k - 1], coarse)
    for rows in unclear.nonzero().flatten().split(BLOCK):
        radii[rows] = _kth_of_rows(cloud, rows, k)
    return radii


def balls(
    real: Cloud, fake: Cloud, *, real_radii: Tensor, fake_radii: Tensor, closed: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Block by block of all pairs: indices (B,) of real and (C,) of fake, (B, C) fake in real's ball, (B, C) real in fake's.

    The radii are squared. closed: whether the surface belongs to the ball (distance <= radius) or not (<).
    """
    coarse = coarse_dtype(real, fake)
    for rows in real.blocks():
        x = _Part.of(real, real_radii, rows, coarse)
        for columns in fake.blocks():
            y = _Part.of(fake, fake_radii, columns, coarse)
            yield rows, columns, *_inside(x, y, closed)


@dataclass(frozen=True)
class _Part:
    """Some balls of a cloud, by `index` (B,) into its points and squared `radii`, and what a block needs of them in one dtype:
    the centres (B, D), their squared lengths, and the squared radii less and plus what rounding may hide."""

    cloud: Cloud
    radii: Tensor
    index: Tensor
    rows: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(cloud: Cloud, radii: Tensor, index: Tensor, dtype: torch.dtype) -> _Part:
        slack = cloud.rounding(index, radii[index], dtype)
        return _Part(
            cloud=cloud,
            radii=radii,
            index=index,
            rows=cloud.rows(index, dtype),
            squares=cloud.squares[index].to(dtype),
            low=(radii[index] - slack).to(dtype),
            high=(radii[index] + slack).to(dtype),
        )

    def in_float64(self, some: Tensor) -> _Part:
        return _Part.of(self.cloud, self.radii, self.index[some], torch.float64)


def _inside(x: _Part, y: _Part, closed: bool) -> tuple[Tensor, Tensor]:
    """(B, C) whether y is in x's ball, and (B, C) whether x is in y's."""
    distances = squared_distances(x.rows, x.squares, y.rows, y.squares)
    in_x, in_y = distances < x.low[:, None], distances < y.low
    unclear = (in_x ^ (distances <= x.high[:, None])) | (in_y ^ (distances <= y.high))
    if not unclear.any():
        return in_x, in_y
    if distances.dtype != torch.float64:
        i, j = unclear.any(1).nonzero().flatten(), unclear.any(0).nonzero().flatten()
        in_x[i[:, None], j], in_y[i[:, None], j] = _inside(x.in_float64(i), y.in_float64(j), closed)
        return in_x, in_y
    i, j = unclear.nonzero(as_tuple=True)
    exact = squared_differences(x.cloud, x.index[i], y.cloud, y.index[j])
    x_radii, y_radii = x.radii[x.index[i]], y.radii[y.index[j]]
    in_x[i, j] = exact <= x_radii if closed else exact < x_radii
    in_y[i, j] = exact <= y_radii if closed else exact < y_radii
    return in_x, in_y


def squared_distances(x: Tensor, x_squares: Tensor, y: Tensor, y_squares: Tensor) -> Tensor:
    """(B, C) of |x - y|² for rows (B, D) and (C, D) with their squared lengths; negative only by rounding."""
    return torch.addmm(y_squares, x, y.T, alpha=-2).add_(x_squares[:, None])


def squared_differences(a: Cloud, i: Tensor, b: Cloud, j: Tensor) -> Tensor:
    """(P,) float64 of |a_i - b_j|² for P pairs, without cancellation: the same for all copies of an image."""
    pairs = zip(i.split(CHUNK), j.split(CHUNK), strict=True)
    return torch.cat([(a.features[i].to(torch.float64) - b.features[j]).square_().sum(1) for i, j in pairs])


def _nearest_others(cloud: Cloud, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(N, k) squared distances in `dtype` to the k nearest other points, ascending, and their indices.

    Places that fewer than k others leave are infinite. Of two symmetric blocks only one is computed.
    """
    n, device = len(cloud), cloud.features.device
    nearest = torch.full((n, k), torch.inf, dtype=dtype, device=device)
    others = torch.zeros((n, k), dtype=torch.int64, device=device)
    nearest_of, others_of, blocks = nearest.split(BLOCK), others.split(BLOCK), cloud.blocks()
    for i, rows in enumerate(blocks):
        x, x_squares = cloud.rows(rows, dtype), cloud.squares[rows].to(dtype)
        for j in range(i, len(blocks)):
            y, y_squares = cloud.rows(blocks[j], dtype), cloud.squares[blocks[j]].to(dtype)
            distances = squared_distances(x, x_squares, y, y_squares)
            if i == j:
                distances.fill_diagonal_(torch.inf)
            else:
                keep_nearest(nearest_of[j], others_of[j], distances.T.contiguous(), rows)
            keep_nearest(nearest_of[i], others_of[i], distances, blocks[j])
    return nearest, others


def keep_nearest(nearest: Tensor, others: Tensor, distances: Tensor, index: Tensor) -> None:
    """Merge distances (B, C) to the points `index` (C,) into the k best (B, k) so far, in place."""
    k = nearest.shape[1]
    found, where = distances.topk(min(k, len(index)), dim=1, largest=False)
    best, order = torch.cat([nearest, found], 1).topk(k, dim=1, largest=False)
    nearest.copy_(best)
    others.copy_(torch.cat([others, index[where]], 1).gather(1, order))


def _kth_of_rows(cloud: Cloud, rows: Tensor, k: int) -> Tensor:
    """(B,) squared distance from the points `rows` to their k-th nearest other point, beyond the doubt of float32.

    The 4k nearest by products in float64 are put in order by their differences.
    """
    candidates = min(4 * k, len(cloud) - 1)
    x, x_squares = cloud.rows(rows, torch.float64), cloud.squares[rows]
    nearest = x.new_full((len(rows), candidates), torch.inf)
    others = rows[:, None].repeat(1, candidates)
    for columns in cloud.blocks():
        distances = squared_distances(x, x_squares, cloud.rows(columns, torch.float64), cloud.squares[columns])
        distances[rows[:, None] == columns] = torch.inf
        keep_nearest(nearest, others, distances, columns)
    squared = squared_differences(cloud, rows.repeat_interleave(candidates), cloud, others.flatten())
    return squared.view(-1, candidates).kthvalue(k, dim=1).values


def coarse_dtype(*clouds: Cloud) -> torch.dtype:
    """float32 where a matrix product in it really is one, on a CPU that was not told to use fewer bits, and cannot overflow."""
    true_float32 = clouds[0].features.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    small = all(float(cloud.squares.max()) < torch.finfo(torch.float32).max / 16 for cloud in clouds)
    return torch.float32 if true_float32 and small else torch.float64


def nearest(cloud: Cloud, among: Cloud, k: int) -> tuple[Tensor, Tensor]:
    """(N, k) float64 squared distances from each point of `cloud` to its k nearest in `among`, ascending, and their indices.

    1 <= k <= M; a point that is in both clouds is its own nearest. Of equally near ones the earlier comes first; where more
    than 3 k + 9 others are as near as the k-th, which of these are named is open, and the distances are not.
    """
    coarse = coarse_dtype(cloud, among)
    squared, index, clear = _nearest_among(cloud, among, k, torch.arange(len(cloud), device=cloud.features.device), coarse)
    for rows in (~clear).nonzero().flatten().split(BLOCK):
        squared[rows], index[rows], _ = _nearest_among(cloud, among, k, rows, torch.float64)
    return squared, index


def _nearest_among(cloud: Cloud, among: Cloud, k: int, rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """As `nearest` for the points `rows` (B,), with (B,) whether the rounding of `dtype` cannot have hidden a nearer one.

    The 4 k + 9 nearest by products are put in order by their differences.
    """
    candidates = min(4 * k + 9, len(among))
    squared = torch.empty(len(rows), k, dtype=torch.float64, device=rows.device)
    index = torch.empty(len(rows), k, dtype=torch.int64, device=rows.device)
    clear = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    blocks = zip(rows.split(BLOCK), squared.split(BLOCK), index.split(BLOCK), clear.split(BLOCK), strict=True)
    for some, into_squared, into_index, into_clear in blocks:
        x, x_squares = cloud.rows(some, dtype), cloud.squares[some].to(dtype)
        found = torch.full((len(some), candidates), torch.inf, dtype=dtype, device=rows.device)
        others = torch.zeros((len(some), candidates), dtype=torch.int64, device=rows.device)
        for columns in among.blocks():
            y, y_squares = among.rows(columns, dtype), among.squares[columns].to(dtype)
            keep_nearest(found, others, squared_distances(x, x_squares, y, y_squares), columns)
        others, _ = others.sort(dim=1)
        exact = squared_differences(cloud, some.repeat_interleave(candidates), among, others.flatten())
        exact, order = exact.view(-1, candidates).sort(dim=1, stable=True)
        into_squared.copy_(exact[:, :k])
        into_index.copy_(others.gather(1, order[:, :k]))
        if candidates < len(among):
            furthest = found[:, -1].to(torch.float64)
            into_clear.copy_(furthest - cloud.rounding(some, furthest, dtype) > exact[:, k - 1])
    return squared, index, clear
