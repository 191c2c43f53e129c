"""Wasserstein-1 distance: how far, on average, real images must be moved to become the generated ones.

    W1 = min over matchings π of the mean over i of |real_i - fake_π(i)|

Exact: by sorting where features have one number, else by linear assignment of equally many images of either side. Where there
are more than are matched, they are drawn at random: an image that stands on both sides on both or on neither, so identical
sets are at distance 0; images of one side only, independently of the other side. Sources: Villani 2009, Optimal Transport,
chapter 6; Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875, example 1: between two parallel lines at the distance θ it
is |θ|, where the Jensen-Shannon divergence is log 2 for all θ but 0.

Two samples of one distribution are not at distance 0: the value falls with the number of images, and ever more slowly in more
dimensions. Compare values of equal numbers only.

The error bar rests on the dual problem, max of mean u + mean v over u_i + v_j <= |real_i - fake_j|: the potentials u and v tell
how much the value changes with the weight of an image (del Barrio and Loubes 2019, https://arxiv.org/abs/1705.01299).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._order import drawn_alike
from genbench.metrics.base import Metric


def compute(*, real: Tensor, fake: Tensor, images: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """{"w1": Estimate} of (M, D) and (N, D) features, in their units.

    images: of either side that are matched, at most, where D > 1; memory grows with images², time with images³ at worst.
    details["matched"]: how many that were; with D = 1 all are.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="wasserstein")
    details = {}
    if real.shape[1] == 1:
        value, by_real, by_fake = _sorted(real.flatten().double(), fake.flatten().double())
        se = float(by_real.var() / len(real) + by_fake.var() / len(fake)) ** 0.5
    else:
        size = min(len(real), len(fake), images)
        some_real, some_fake = drawn_alike(real, fake, size, seed=seed, purpose="wasserstein")
        details["matched"] = size
        value, u, v = _matched(real[some_real], fake[some_fake])
        se = float((u.var() + v.var()) / size) ** 0.5
        by_real, by_fake = _spread_out(u, some_real, len(real)), _spread_out(v, some_fake, len(fake))
    low, high = normal_interval(value, se)
    return {
        "w1": Estimate(
            value=value,
            se=se,
            ci=(min(value, max(0.0, low)), high),
            method="influence",
            n=len(fake),
            n_real=len(real),
            better="lower",
            details=details,
            influence=Influence(fake=by_fake, real=by_real),
        )
    }


def _sorted(real: Tensor, fake: Tensor) -> tuple[float, Tensor, Tensor]:
    """∫ |F - G| of the distribution functions of (M,) and (N,), and the pulls of each number: ∫ of sign(F - G) up to it."""
    places, order = torch.cat([real, fake]).sort()
    steps = torch.cat([real.new_full((len(real),), 1 / len(real)), fake.new_full((len(fake),), -1 / len(fake))])
    ahead = steps[order].cumsum(0)[:-1]
    ahead = torch.where(ahead.abs() < 1e-12, 0.0, ahead)  # equal but for rounding
    gaps = places.diff()
    upto = torch.cat([gaps.new_zeros(1), (ahead.sign() * gaps).cumsum(0)])
    pull = torch.empty_like(upto)
    pull[order] = upto
    by_real, by_fake = -(pull[: len(real)]), pull[len(real) :]
    return float((ahead.abs() * gaps).sum()), by_real - by_real.mean(), by_fake - by_fake.mean()


def _matched(real: Tensor, fake: Tensor) -> tuple[float, Tensor, Tensor]:
    """The mean distance of the best matching of (S, D) and (S, D), and potentials u (S,) and v (S,) with mean 0."""
    from scipy.optimize import linear_sum_assignment

    x, y = real.double(), fake.double()
    centre = (x.mean(0) + y.mean(0)) / 2
    costs = torch.cdist(x - centre, y - centre)
    rows, columns = linear_sum_assignment(costs.cpu().numpy())
    assert (rows == np.arange(len(x))).all()
    to = torch.from_numpy(columns).to(costs.device)
    own = (x - y[to]).norm(dim=1)  # without the rounding of products, so that copies are at distance 0
    costs = costs[:, to]  # of real i and the partner of real k
    costs.fill_diagonal_(0).add_(own.diag())
    # Many potentials may fit one matching; the middle of the two extreme ones does not prefer a side.
    of_partner = (_potentials(costs - own[:, None]) + own - _potentials((costs - own).T)) / 2
    v = torch.empty_like(own)
    v[to] = of_partner
    u = own - of_partner
    return float(own.mean()), u - u.mean(), v - v.mean()


def _potentials(costs: Tensor) -> Tensor:
    """(S,) the largest w <= 0 with w_k <= w_i + costs_ik for all i and k: lengths of shortest paths, by Bellman and Ford.

    costs (S, S) has no negative cycle, since the matching is the best one, but for rounding.
    """
    w = costs.new_zeros(len(costs))
    for _ in range(len(costs)):
        shorter = (costs + w[:, None]).amin(0)
        if not (shorter < w - 1e-12).any():
            break
        w = torch.minimum(w, shorter)
    return w


def _spread_out(pull: Tensor, some: Tensor, n: int) -> Tensor:
    """(n,) the pull of all images where only `some` were drawn: its mean stays what it is."""
    everyone = pull.new_zeros(n)
    everyone[some] = pull * (n / len(some))
    return everyone


metric = Metric(
    compute=compute,
    takes="features",
    extractor="pixels",
    reports={"w1": "lower"},
    protocols={"2000": {"images": 2000, "seed": 0}},
    min_n=100,
    error_bar="Dual potentials of the best matching, both sides; rather too wide where the two distributions are alike.",
    summary="Wasserstein-1 distance, exact: mean distance of the best matching of real and generated images",
    sees="every difference, by how far it is: also where the two do not overlap",
    blind="small differences in many dimensions, where even two samples of the same images are far apart",
    source="Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875",
)
