"""Estimates from one number for each image, by every diagnostic in the same way: means, differences, ratios and shares.

Intervals are Student's, as those of `mean_estimate`; of shares, Wilson's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genbench.estimate import Better, Estimate, mean_estimate, student_interval, wilson_interval


def finite_mean(values: Tensor, *, better: Better, of: str = "images") -> Estimate:
    """The mean of one number (N,) for each image, or no value where some of them are not finite."""
    missing = _not_finite(values, of)
    if missing is not None:
        return Estimate(value=None, n=len(values), better=better, reason=missing)
    return mean_estimate(values, better=better)


def finite_difference(one: Tensor, other: Tensor, *, better: Better = "zero") -> Estimate:
    """mean(one) - mean(other) of independent numbers (N,) and (M,); no value where some of them are not finite."""
    n, m = len(one), len(other)
    missing = _not_finite(torch.cat([one.flatten(), other.flatten()]), "images")
    if missing is not None:
        return Estimate(value=None, n=n, n_real=m, better=better, reason=missing)
    value = float(one.double().mean() - other.double().mean())
    if min(n, m) < 2:
        return Estimate(value=value, n=n, n_real=m, better=better, reason="one value has no spread")
    se = math.sqrt(float(one.double().var()) / n + float(other.double().var()) / m)
    # The degrees of freedom of Welch's interval are never fewer than those of the smaller side.
    interval = student_interval(value, se, min(n, m) - 1)
    return Estimate(value=value, se=se, ci=interval, method="mean", n=n, n_real=m, better=better)


def finite_share(values: Tensor, hit: Callable[[Tensor], Tensor], *, better: Better, of: str = "images") -> Estimate:
    """The share of the numbers (N,) for which `hit` is true, or no value where some of them are not finite.

    A comparison with NaN is false, so that without this a share would count it as a miss.
    """
    missing = _not_finite(values, of)
    if missing is not None:
        return Estimate(value=None, n=len(values), better=better, reason=missing)
    return share_of(hit(values), better=better)


def share_of(hits: Tensor, *, better: Better) -> Estimate:
    """The share of independent images (N,) bool that are hits, with Wilson's interval."""
    n, share = len(hits), float(hits.double().mean())
    se = math.sqrt(share * (1 - share) / n)
    return Estimate(value=share, se=se, ci=wilson_interval(share, n), method="binomial", n=n, better=better)


def ratio_of_means(above: Tensor, below: Tensor, *, better: Better, nothing: str, n_real: int | None = None) -> Estimate:
    """mean(above) / mean(below) for numbers (N,) of the same N items; the error by the delta method.

    nothing: the reason for no value where the mean below is 0.
    """
    n = len(below)
    top, bottom = float(above.double().mean()), float(below.double().mean())
    if bottom <= 0:
        return Estimate(value=None, n=n, n_real=n_real, better=better, reason=nothing)
    value = top / bottom
    if n < 2:
        return Estimate(value=value, n=n, n_real=n_real, better=better, reason="one item has no spread")
    pull = (above.double() - value * below.double()) / bottom
    se = float(pull.std()) / n**0.5
    interval = student_interval(value, se, n - 1)
    return Estimate(value=value, se=se, ci=interval, method="mean", n=n, n_real=n_real, better=better)


def _not_finite(values: Tensor, of: str) -> str | None:
    count = int((~values.isfinite()).sum())
    return f"for {count} of {len(values)} {of} the number is not finite" if count else None
