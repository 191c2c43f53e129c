"""The ratio of two means over the same items, with its error."""

from __future__ import annotations

from torch import Tensor

from genbench.estimate import Better, Estimate, normal_interval


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
    interval = normal_interval(value, se)
    return Estimate(value=value, se=se, ci=interval, method="mean", n=n, n_real=n_real, better=better)
