"""Number of statistically different bins: do the generated images fall as often as the real ones into each kind of image?

The bins are the cells of k-means on real images. In each, the shares of real and generated images are compared by a test:

    ndb    = share of bins whose z-test for two proportions rejects equality at the level alpha; of equal sets, about alpha
    ndb_js = Jensen-Shannon divergence between the two lists of shares, in nats, from 0 to log 2

Source: Richardson and Weiss 2018, https://arxiv.org/abs/1805.12462, section 3.

Here one half of the real images, drawn at random, makes the bins, and the other half is counted. The paper counts the images
that the bins were fitted to (protocol `paper`). As the cells then follow their own images, the divergence of equal sets comes
out too low in few dimensions and too high in many.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate, Influence, normal_interval, wilson_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._order import ranks
from genbench.metrics.base import Metric
from genbench.seeding import generator

BLOCK = 4096  # rows whose distances to all centres are in memory at a time
ROUNDS = 100  # of k-means, at most


def compute(
    *, real: Tensor, fake: Tensor, bins: int = 100, alpha: float = 0.05, split: bool = True, seed: int = 0
) -> dict[str, Estimate]:
    """{"ndb", "ndb_js"} of (M, D) and (N, D) features.

    split: whether other real images are counted than those that make the bins.
    details of ndb: "missing" and "crowded", the shares of bins with significantly fewer and more generated than real images.
    Raises DataError where there are fewer real images than bins need or numbers that are not finite; IncomparableError for
    different widths.
    """
    check_pair(real=real, fake=fake, metric="ndb")
    if len(real) < bins * (1 + split):
        needs = bins * (1 + split)
        raise DataError(
            "E-FEW", f"ndb with {bins} bins needs {needs} real images, got {len(real)}", hint="give more, or pass fewer bins"
        )
    random = generator(seed, "ndb")
    order = ranks(real).argsort(stable=True)
    order = order[torch.from_numpy(random.permutation(len(real))).to(order.device)]
    fitted = order[: len(real) // 2] if split else order
    counted = order[len(real) // 2 :] if split else order
    centres = k_means(real[fitted], bins, random)
    real_bin, fake_bin = nearest_centre(real[counted], centres), nearest_centre(fake, centres)
    return {
        "ndb": different(real_bin, fake_bin, alpha, n_real=len(real), bins=len(centres)),
        "ndb_js": divergence(real_bin, fake_bin, counted, n_real=len(real), bins=len(centres)),
    }


def k_means(features: Tensor, bins: int, random: np.random.Generator) -> Tensor:
    """(K, D) float64 means of at most `bins` cells of (N, D) features; fewer where fewer rows are distinct.

    k-means++ (Arthur and Vassilvitskii 2007), then Lloyd's rounds until no image changes its cell. A cell that loses all its
    images keeps its mean.
    """
    centres = features[random.integers(len(features))].double()[None]
    distances = _to_one(features, centres)
    while len(centres) < bins and float(distances.max()) > 0:
        reached = distances.cumsum(0)
        drawn = int(torch.searchsorted(reached, float(reached[-1]) * random.random(), right=True))
        centre = features[min(drawn, len(features) - 1)].double()[None]
        centres = torch.cat([centres, centre])
        distances = torch.minimum(distances, _to_one(features, centre))
    cells = nearest_centre(features, centres)
    for _ in range(ROUNDS):
        sums, counts = torch.zeros_like(centres), cells.bincount(minlength=len(centres)).double()
        for rows, where in zip(features.split(BLOCK), cells.split(BLOCK), strict=True):
            sums.index_add_(0, where, rows.double())
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        before, cells = cells, nearest_centre(features, centres)
        if bool((before == cells).all()):
            break
    return centres


def nearest_centre(features: Tensor, centres: Tensor) -> Tensor:
    """(N,) int64 index of the nearest of the centres (K, D)."""
    return torch.cat([torch.cdist(rows.double(), centres).argmin(1) for rows in features.split(BLOCK)])


def _to_one(features: Tensor, centre: Tensor) -> Tensor:
    """(N,) float64 squared distances to the one centre (1, D), exactly 0 for copies of it, as those of a product are not."""
    return torch.cat([(rows - centre).square_().sum(1) for rows in features.split(BLOCK)])


def different(real_bin: Tensor, fake_bin: Tensor, alpha: float, *, n_real: int, bins: int) -> Estimate:
    """The estimate of `ndb` from the bin of every image (m,) and (n,), as if the bins were given.

    Bins answer almost independently, each with the probability that its test rejects; at the shares that were seen this is
    about Φ(|z| - z_α), and the sum of P (1 - P) over the bins is the variance of their number.
    """
    normal = NormalDist()
    p, q = (cells.bincount(minlength=bins).double() / len(cells) for cells in (real_bin, fake_bin))
    m, n = len(real_bin), len(fake_bin)
    pooled = (p * m + q * n) / (m + n)
    error = (pooled * (1 - pooled) * (1 / m + 1 / n)).sqrt()
    z = torch.where(error > 0, (q - p) / error.masked_fill(error == 0, 1), 0.0)
    limit = normal.inv_cdf(1 - alpha / 2)
    share = float((z.abs() > limit).double().mean())
    power = torch.special.ndtr(z.abs() - limit) + torch.special.ndtr(-z.abs() - limit)
    se = float((power * (1 - power)).sum()) ** 0.5 / bins
    independent = max(bins, share * (1 - share) / se**2) if se > 0 else bins
    return Estimate(
        value=share,
        se=se,
        ci=wilson_interval(share, independent),
        method="binomial",
        n=n,
        n_real=n_real,
        better="lower",
        details={
            "bins": float(bins),
            "missing": float((z < -limit).double().mean()),
            "crowded": float((z > limit).double().mean()),
        },
    )


def divergence(real_bin: Tensor, fake_bin: Tensor, counted: Tensor, *, n_real: int, bins: int) -> Estimate:
    """The estimate of `ndb_js` from the bin of every image (m,) and (n,), as if the bins were given.

    counted: which of all real images the m are. The derivative is log(2p / (p + q)) / 2 by p, likewise by q; the second one
    gives the bias of finite counts.
    """
    p, q = (cells.bincount(minlength=bins).double() / len(cells) for cells in (real_bin, fake_bin))
    m, n = len(real_bin), len(fake_bin)
    both = (p + q).masked_fill(p + q == 0, 1)
    by_p, by_q = (torch.where(share > 0, share * 2 / both, 1.0).log() / 2 for share in (p, q))
    value = max(0.0, float((p * by_p + q * by_q).sum()))
    pull_real, pull_fake = by_p[real_bin] - by_p[real_bin].mean(), by_q[fake_bin] - by_q[fake_bin].mean()
    se = float(pull_real.var() / m + pull_fake.var() / n) ** 0.5
    bias = float((q / both * (1 - p)).sum() / m + (p / both * (1 - q)).sum() / n) / 4
    low, high = normal_interval(value, se)
    of_real = pull_real.new_zeros(n_real)
    of_real[counted] = pull_real * (n_real / m)
    return Estimate(
        value=value,
        se=se,
        ci=(min(value, max(0.0, low)), high),
        method="influence",
        n=n,
        n_real=n_real,
        better="lower",
        bias_corrected=value - bias,
        influence=Influence(fake=pull_fake, real=of_real),
    )


metric = Metric(
    compute=compute,
    takes="features",
    reports={"ndb": "lower", "ndb_js": "lower"},
    protocols={
        "k100": {"bins": 100, "alpha": 0.05, "split": True, "seed": 0},
        "paper": {"bins": 100, "alpha": 0.05, "split": False, "seed": 0},
    },
    min_n=1000,
    error_bar=(
        "ndb: the chance of each bin's test to come out otherwise, at the shares seen. "
        "ndb_js: delta method on the shares of the bins. Both hold the bins fixed, which other real images would move."
    ),
    summary="Share of k-means bins of real images that generated ones fill significantly less or more; divergence of shares",
    sees="kinds of images that are missing or too frequent",
    blind="images away from the real ones: each counts for the nearest bin; copies of training images",
    source="Richardson and Weiss 2018, https://arxiv.org/abs/1805.12462",
)
