"""Passes of a model's networks over images that leave no trace, and the numbers that come of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from genbench.diagnostics.base import BATCH
from genbench.estimate import Better, Estimate, mean_estimate, normal_interval, wilson_interval
from genbench.features._precision import computing
from genbench.models.base import device_of


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode and computes in float32 without gradients; afterwards it is as it was.

    So is torch's own chance, which a diagnostic has no use for but the layers of a network that is being built have.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]), computing("fp32", device_of(model)):
            yield
    finally:
        for module, training in modes:
            module.training = training


def blocks(n: int) -> list[slice]:
    """Of `n` rows, `BATCH` at a time."""
    return [slice(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


def in_blocks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function` of `BATCH` rows at a time, its values joined."""
    return torch.cat([function(x[block]) for block in blocks(len(x))])


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
    return Estimate(value=value, se=se, ci=normal_interval(value, se), method="mean", n=n, n_real=m, better=better)


def share_of(hits: Tensor, *, better: Better) -> Estimate:
    """The share of independent images (N,) bool that are hits, with Wilson's interval."""
    n, share = len(hits), float(hits.double().mean())
    se = math.sqrt(share * (1 - share) / n)
    return Estimate(value=share, se=se, ci=wilson_interval(share, n), method="binomial", n=n, better=better)


def _not_finite(values: Tensor, of: str) -> str | None:
    count = int((~values.isfinite()).sum())
    return f"for {count} of {len(values)} {of} the number is not finite" if count else None
