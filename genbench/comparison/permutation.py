"""A test of images instead of errors, for where errors mislead: two sets that are both as near to the reference as noise.

The error bar of a distance is made of its first derivative, which vanishes where the distance does. There it is too large by
about √2, and a difference of two such distances is seen late. A permutation test needs no error: if both sets were drawn from
one distribution, it would not matter which image belongs to which. So the images of both are dealt out anew, again and again,
the metric is computed of both new sets against the same reference, and p is the share of deals whose difference is as large as
the one that was found. Images of common names are dealt out pair by pair, so that what a name has in common stays.

Small p means: not the same distribution, in a way that this metric's difference sees.

Sources: Phipson and Smyth 2010, Permutation p-values should never be zero; Besag and Clifford 1991, Sequential Monte Carlo
p-values, for the early end.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbench import seeding
from genbench.evaluation.evaluate import Evaluated
from genbench.evaluation.extract import Progress, quiet
from genbench.evaluation.inputs import Inputs, compute
from genbench.evaluation.request import Request

ENOUGH = 20  # deals as large as what was found, after which p is known to be no small one


def permutation_p(
    base: Evaluated, current: Evaluated, key: str, *, paired: bool, permutations: int, seed: int = 0, progress: Progress = quiet
) -> float:
    """Two-sided p of "both sets come from one distribution", by the difference of the metric `key` ("fd@tiny/1 fd").

    (1 + deals as large) / (1 + deals), or deals as large / deals where these ended early; so it is at least
    1 / (1 + permutations), and no more than alpha with a chance of alpha where there is no difference.
    paired: row i of both sets has one name. The metric takes features of the images and of a reference.
    """
    request, name = _request(base, key)
    network = base.plan.network(request)
    here = current.plan.network(request)
    assert request.place is not None, "a metric of features has a place"
    assert network is not None, "whose network was loaded"
    assert here is not None, "for both alike"
    there = (network, request.place.layer)
    rows = [base.gathered.inputs.fake[there], current.gathered.inputs.fake[here, request.place.layer]]
    pool, real = torch.cat(rows), {there: base.gathered.inputs.real[there]}

    def value(fake: Tensor) -> float:
        return float(compute(request, network, Inputs(fake={there: fake}, real=real))[name])

    def apart(members: NDArray[np.bool_]) -> float:
        chosen = torch.from_numpy(members).to(pool.device)
        return abs(value(pool[~chosen]) - value(pool[chosen]))

    found = apart(np.arange(len(pool)) >= len(rows[0])) * (1 - 1e-9)  # equal deals count, whatever rounding says
    random = seeding.generator(seed, "comparison/permutation")
    larger = 0
    for deal in range(1, permutations + 1):
        larger += apart(_dealt(len(rows[0]), len(rows[1]), random, paired=paired)) >= found
        progress(f"permute {name}", deal, permutations)
        if larger == ENOUGH:
            return larger / deal
    return (1 + larger) / (1 + permutations)


def can_permute(evaluated: Evaluated, key: str) -> bool:
    """Whether the metric takes nothing but features of the images and of a reference."""
    return _request(evaluated, key)[0].metric.takes in ("distributions", "features")


def _dealt(n: int, m: int, random: np.random.Generator, *, paired: bool) -> NDArray[np.bool_]:
    """(n + m,) which images of the pool make up the second set of a deal."""
    if paired:
        swapped = random.random(n) < 0.5
        return np.concatenate([swapped, ~swapped])
    second = np.zeros(n + m, dtype=np.bool_)
    second[random.permutation(n + m)[:m]] = True
    return second


def _request(evaluated: Evaluated, key: str) -> tuple[Request, str]:
    """Whose value has this key, and under which name the metric reports it."""
    for request in evaluated.plan.requests:
        for name in request.wanted:
            if f"{request.protocol} {request.reported(name)}" == key:
                return request, name
    raise KeyError(key)
