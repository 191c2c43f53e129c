"""Kernel distance: squared maximum mean discrepancy with the kernel k(x, y) = (x·y / D + 1)³; KID on Inception's features.

    KD = mean over i≠j of k(xi, xj) + mean over i≠j of k(yi, yj) - 2 mean over i, j of k(xi, yj)

Source: Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401, equation 4.

The default takes all pairs once: an unbiased U-statistic with no randomness, which may be slightly negative when the two sets
are alike. The protocol `subsets` is what other tools print, the mean over 100 random subsets of 1,000 images; `rbf` takes all
pairs with the Gaussian kernel of width 10, which torch-fidelity offers.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._mmd import Kernel, gaussian_kernel_less_one, kernel_sums
from genbench.metrics.base import Metric


def compute(
    *,
    real: Tensor,
    fake: Tensor,
    subsets: int | None = None,
    subset_size: int = 1000,
    seed: int = 2020,
    sigma: float | None = None,
) -> dict[str, Estimate]:
    """{"kd": Estimate} of (M, D) and (N, D) features; time grows with (M + N)² D, memory does not.

    subsets: None for all pairs, else the number of random subsets with `subset_size` images of either side, drawn as by
    torch-fidelity 0.4. details["subset_std"] (divisor: subsets) tells how much the subsets differ and is no error of their
    mean; the error bar is that of all pairs with the little that the choice of subsets adds to it.
    sigma: None for the cubic kernel, else the width of the Gaussian kernel exp(-|x - y|² / 2 sigma²), in units of the features.
    Raises DataError for fewer than 2 images, fewer than `subset_size`, or numbers that are not finite or so large that their
    kernel is not; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="kid")
    kernel = _kernel(sigma)
    pull_real, pull_fake = kernel_sums(kernel, real=real, fake=fake).projections()
    value = float(pull_real.mean() + pull_fake.mean())
    variance = 4 * (float(pull_real.var()) / len(real) + float(pull_fake.var()) / len(fake))
    if not math.isfinite(variance):
        raise DataError(
            "E-NON-FINITE",
            f"the kernel of kid overflows: features reach {max(float(side.abs().max()) for side in (real, fake)):.3g}",
            hint="look at these images and at the extractor's weights; features are of the order of 1",
        )
    details = {}
    if subsets is not None:
        values = _subset_values(kernel, real, fake, subsets, subset_size, seed)
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


def _kernel(sigma: float | None) -> Kernel:
    """(x·y / D + 1)³, or the Gaussian kernel of width `sigma`."""
    return _cubic if sigma is None else partial(gaussian_kernel_less_one, sigma=sigma)


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    """(B, C) of (x·y / D + 1)³ for blocks of float64 rows (B, D) and (C, D)."""
    root = (x @ y.T).div_(x.shape[1]).add_(1)
    return root * root * root


def _subset_values(kernel: Kernel, real: Tensor, fake: Tensor, subsets: int, size: int, seed: int) -> np.ndarray:
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
        pull_real, pull_fake = kernel_sums(kernel, real=some_real, fake=some_fake).projections()
        values[i] = float(pull_real.mean() + pull_fake.mean())
    return values


metric = Metric(
    compute=compute,
    takes="features",
    reports={"kd": "lower"},
    on={"inception": {"kd": "kid"}},
    protocols={"": {}, "subsets": {"subsets": 100, "subset_size": 1000, "seed": 2020}, "rbf": {"sigma": 10.0}},
    min_n=100,
    error_bar=(
        "Hoeffding projection of the U-statistic over all pairs, both sides; with subsets, plus the variance of their mean. "
        "The spread over subsets that other tools print as ± is in details as subset_std and is no error bar."
    ),
    summary="Kernel distance (squared MMD with a cubic kernel) between the features of real and generated images, unbiased",
    sees="every difference of the features up to third moments; unbiased, works with hundreds of images",
    blind="copies of training images, prompts",
    source="Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401",
)
