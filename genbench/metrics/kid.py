"""Kernel distance: squared maximum mean discrepancy with the kernel k(x, y) = (x·y / D + 1)³; KID on Inception's features.

    KD = mean over i≠j of k(xi, xj) + mean over i≠j of k(yi, yj) - 2 mean over i, j of k(xi, yj)

Source: Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401, equation 4.

The default takes all pairs once: an unbiased U-statistic with no randomness, which may be slightly negative when the two sets
are alike. The protocol `subsets` is what other tools print, the mean over 100 random subsets of 1,000 images.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics.base import Metric

BLOCK = 1024  # rows and columns of the kernel matrix that are in memory at a time


def compute(
    *, real: Tensor, fake: Tensor, subsets: int | None = None, subset_size: int = 1000, seed: int = 2020
) -> dict[str, Estimate]:
    """{"kd": Estimate} of (M, D) and (N, D) features; time grows with (M + N)² D, memory does not.

    subsets: None for all pairs, else the number of random subsets with `subset_size` images of either side, drawn as by
    torch-fidelity 0.4. details["subset_std"] (divisor: subsets) tells how much the subsets differ and is no error of their
    mean; the error bar is that of all pairs with the little that the choice of subsets adds to it.
    Raises DataError for fewer than 2 images, fewer than `subset_size`, or numbers that are not finite; IncomparableError for
    different widths.
    """
    check_pair(real=real, fake=fake, metric="kid")
    pull_real, pull_fake = _projections(real, fake)
    value = float(pull_real.mean() + pull_fake.mean())
    variance = 4 * (float(pull_real.var()) / len(real) + float(pull_fake.var()) / len(fake))
    details = {}
    if subsets is not None:
        values = _subset_values(real, fake, subsets, subset_size, seed)
        value = float(values.mean())
        details = {"subset_std": float(values.std())}
        variance += float(values.var()) / subsets
    se = variance**0.5
    return {
        "kd": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="u-statistic",
            n=len(fake),
            n_real=len(real),
            better="lower",
            details=details,
            influence=Influence(fake=2 * (pull_fake - pull_fake.mean()), real=2 * (pull_real - pull_real.mean())),
        )
    }


def _projections(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """h (M,) and (N,): an image's mean kernel with the others of its side less that with the other side.

    The U-statistic is the sum of their means; twice their spread is its error (Hoeffding 1948).
    """
    across_real, across_fake = _sums_across(real, fake)
    within_real = _sums_within(real) / (len(real) - 1)
    within_fake = _sums_within(fake) / (len(fake) - 1)
    return within_real - across_real / len(fake), within_fake - across_fake / len(real)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """(B, C) of (x·y / D + 1)³ in float64, for blocks of rows (B, D) and (C, D)."""
    root = (x.to(torch.float64) @ y.to(torch.float64).T).div_(x.shape[1]).add_(1)
    return root * root * root


def _sums_across(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the kernel matrix (N, M) of two sets along its rows (N,) and its columns (M,)."""
    rows, columns = _zeros(x), _zeros(y)
    for x_block, into_rows in zip(x.split(BLOCK), rows.split(BLOCK), strict=True):
        for y_block, into_columns in zip(y.split(BLOCK), columns.split(BLOCK), strict=True):
            kernel = _kernel(x_block, y_block)
            into_rows += kernel.sum(1)
            into_columns += kernel.sum(0)
    return rows, columns


def _sums_within(x: Tensor) -> Tensor:
    """(N,) sums over j≠i of k(xi, xj); of two symmetric blocks only one is computed."""
    sums = _zeros(x)
    blocks, into = x.split(BLOCK), sums.split(BLOCK)
    for i, block in enumerate(blocks):
        into[i].add_(_kernel(block, block).fill_diagonal_(0).sum(1))
        for j in range(i + 1, len(blocks)):
            kernel = _kernel(block, blocks[j])
            into[i].add_(kernel.sum(1))
            into[j].add_(kernel.sum(0))
    return sums


def _zeros(x: Tensor) -> Tensor:
    return torch.zeros(len(x), dtype=torch.float64, device=x.device)


def _subset_values(real: Tensor, fake: Tensor, subsets: int, size: int, seed: int) -> np.ndarray:
    """(subsets,) distances between random subsets, drawn in torch-fidelity's order: fake, then real, from one stream."""
    fewer = min(len(real), len(fake))
    if fewer < size:
        side = "fake" if fewer == len(fake) else "real"
        raise DataError(
            "E-FEW",
            f"kid draws subsets of {size} images, and there are {fewer} {side} ones",
            hint=f"give more images, pass subset_size={fewer} or less, or use the default protocol, which takes all pairs",
        )
    random = np.random.RandomState(seed)
    values = np.empty(subsets)
    for i in range(subsets):
        some_fake = fake[torch.from_numpy(random.choice(len(fake), size, replace=False)).to(fake.device)]
        some_real = real[torch.from_numpy(random.choice(len(real), size, replace=False)).to(real.device)]
        pull_real, pull_fake = _projections(some_real, some_fake)
        values[i] = float(pull_real.mean() + pull_fake.mean())
    return values


metric = Metric(
    compute=compute,
    takes="features",
    reports={"kd": "lower"},
    on_inception={"kd": "kid"},
    protocols={"": {}, "subsets": {"subsets": 100, "subset_size": 1000, "seed": 2020}},
    min_n=100,
    error_bar=(
        "Hoeffding projection of the U-statistic over all pairs, both sides; with subsets, plus the variance of their mean. "
        "The spread over subsets that other tools print as ± is in details as subset_std and is no error bar."
    ),
    summary="Kernel distance (squared MMD with a cubic kernel) between the features of real and generated images, unbiased",
    source="Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401",
)
