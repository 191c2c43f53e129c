"""Sums of a kernel over all pairs of images, in blocks: time grows with (M + N)² D, memory does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Kernel = Callable[[Tensor, Tensor], Tensor]  # float64 rows (B, D) and (C, D) -> (B, C)

BLOCK = 1024  # rows and columns of the kernel matrix that are in memory at a time


@dataclass(frozen=True, kw_only=True)
class KernelSums:
    """For each image the sum of its kernel with the others of its side, itself left out, and with all of the other side.

    All float64: those of the real images (M,), those of the fake ones (N,).
    """

    within_real: Tensor
    within_fake: Tensor
    across_real: Tensor
    across_fake: Tensor

    def projections(self) -> tuple[Tensor, Tensor]:
        """h (M,) and (N,): an image's mean kernel with the others of its side less that with the other side.

        The unbiased squared MMD is the sum of their means; twice their spread is its error (Hoeffding 1948).
        """
        m, n = len(self.within_real), len(self.within_fake)
        return self.within_real / (m - 1) - self.across_real / n, self.within_fake / (n - 1) - self.across_fake / m


def kernel_sums(kernel: Kernel, *, real: Tensor, fake: Tensor) -> KernelSums:
    """The sums of features (M, D) and (N, D) of any float type; `kernel` is symmetric and gets float64."""
    across_real, across_fake = _across(kernel, real, fake)
    return KernelSums(
        within_real=_within(kernel, real),
        within_fake=_within(kernel, fake),
        across_real=across_real,
        across_fake=across_fake,
    )


def gaussian_kernel_less_one(x: Tensor, y: Tensor, *, sigma: float) -> Tensor:
    """(B, C) of exp(-|x - y|² / 2σ²) - 1, at most 0.

    The 1 cancels in every squared MMD. Without it no digits are lost where all distances are small beside σ, as they are
    between unit vectors under σ = 10.
    """
    products = (x @ y.T).mul_(2)
    minus_squares = products.sub_(x.square().sum(1)[:, None]).sub_(y.square().sum(1)).clamp_(max=0)  # rounding
    return minus_squares.div_(2 * sigma**2).expm1_()


def _across(kernel: Kernel, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the kernel matrix (N, M) of two sets along its rows (N,) and its columns (M,)."""
    rows, columns = _zeros(x), _zeros(y)
    for x_block, into_rows in zip(x.split(BLOCK), rows.split(BLOCK), strict=True):
        for y_block, into_columns in zip(y.split(BLOCK), columns.split(BLOCK), strict=True):
            values = kernel(x_block.to(torch.float64), y_block.to(torch.float64))
            into_rows += values.sum(1)
            into_columns += values.sum(0)
    return rows, columns


def _within(kernel: Kernel, x: Tensor) -> Tensor:
    """(N,) sums over j≠i of k(xi, xj); of two symmetric blocks only one is computed."""
    sums = _zeros(x)
    blocks, into = x.split(BLOCK), sums.split(BLOCK)
    for i, block in enumerate(blocks):
        rows = block.to(torch.float64)
        into[i].add_(kernel(rows, rows).fill_diagonal_(0).sum(1))
        for j in range(i + 1, len(blocks)):
            values = kernel(rows, blocks[j].to(torch.float64))
            into[i].add_(values.sum(1))
            into[j].add_(values.sum(0))
    return sums


def _zeros(x: Tensor) -> Tensor:
    return torch.zeros(len(x), dtype=torch.float64, device=x.device)
