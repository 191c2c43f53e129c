"""Precision, recall, density and coverage: which images fall into balls around images of the other side.

Each ball reaches to the k-th nearest other image of its own side. With real balls R_i and fake balls F_j:

    precision = share of fake images inside any R_i         density  = mean over fake images of #{i: inside R_i} / k
    recall    = share of real images inside any F_j         coverage = share of R_i that hold any fake image

Sources: Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, section 2 (precision and recall: k = 3, with the surface);
Naeem et al. 2020, https://arxiv.org/abs/2002.09797, equations 3 and 4 (density and coverage: k = 5, without the surface).

All four depend on how many images there are on either side: compare values of equal numbers only.

Errors: for precision and density those of a mean over the fake images, with the real balls held fixed; the chance in where
these lie is not in it. What recall and coverage count, real images and real balls, does not answer independently, as many share
the fake images that decide; a binomial error would be half of the true one in 64 dimensions. Coverage has a jackknife over the
fake images; recall one with their balls held fixed, beside the binomial error of the real images that it asks. Two sets against
one reference share only the second, so that the difference of their recalls keeps the chance in which balls were drawn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval, wilson_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._neighbours import balls, clouds, squared_radii
from genbench.metrics.base import Metric


def compute(*, real: Tensor, fake: Tensor, k: int = 5, closed: bool = False) -> dict[str, Estimate]:
    """{"precision", "recall", "density", "coverage"} of (M, D) real and (N, D) fake features.

    Shares lie in [0, 1]; density is at least 0 and near 1 for equal distributions. closed: whether an image exactly on the
    surface is inside. For identical sets of distinct images, precision, recall and coverage are 1, and density is 1 with
    the surface excluded and (k + 1) / k with it.
    Raises DataError for k images or fewer on a side or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="prdc", at_least=k + 1)
    around_real, around_fake = clouds(real=real, fake=fake)
    real_radii, fake_radii = squared_radii(around_real, k), squared_radii(around_fake, k)

    holders = _zeros(fake)  # real balls around each fake image
    held = _zeros(real)  # fake images in each real ball
    sum_of_held = _zeros(real)  # of their indices: the index itself where there is one
    reaching = _zeros(real)  # fake balls around each real image
    sum_of_reaching = _zeros(real)  # of their indices
    pairs = balls(around_real, around_fake, real_radii=real_radii, fake_radii=fake_radii, closed=closed)
    for rows, columns, in_real, in_fake in pairs:
        counted = in_real.to(torch.float64)
        holders[columns] += counted.sum(0)
        held[rows] += counted.sum(1)
        sum_of_held[rows] += counted @ columns.to(torch.float64)
        reached = in_fake.to(torch.float64)
        reaching[rows] += reached.sum(1)
        sum_of_reaching[rows] += reached @ columns.to(torch.float64)

    only_holder_of = torch.bincount(sum_of_held[held == 1].long(), minlength=len(fake))
    only_reached_by = torch.bincount(sum_of_reaching[reaching == 1].long(), minlength=len(fake))
    return {
        "precision": _share_of_fake(holders > 0, n_real=len(real)),
        "recall": _share_of_real(reaching > 0, only_reached_by, drawn=True),
        "density": _density(holders / k, n_real=len(real)),
        "coverage": _share_of_real(held > 0, only_holder_of, drawn=False),
    }


def _share_of_fake(answers: Tensor, n_real: int) -> Estimate:
    share, se, pull = _binomial(answers)
    return Estimate(
        value=share,
        se=se,
        ci=wilson_interval(share, len(answers)),
        method="binomial",
        n=len(answers),
        n_real=n_real,
        better="higher",
        influence=Influence(fake=pull),
    )


def _binomial(answers: Tensor) -> tuple[float, float, Tensor]:
    """The share of true answers, its standard error were they independent, and how much each pulls at it."""
    indicator = answers.to(torch.float64)
    share = float(indicator.mean())
    return share, (share * (1 - share) / len(indicator)) ** 0.5, indicator - share


def _density(densities: Tensor, n_real: int) -> Estimate:
    value, se = float(densities.mean()), float(densities.std()) / len(densities) ** 0.5
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="mean",
        n=len(densities),
        n_real=n_real,
        better="higher",
        influence=Influence(fake=densities - value),
    )


def _share_of_real(answers: Tensor, alone: Tensor, *, drawn: bool) -> Estimate:
    """The share of true `answers` (M,). Without fake image j, those that it alone gives, `alone` (N,) j, are lost: a jackknife.

    drawn: whether the chance in which real images were asked counts beside that.
    The interval is Wilson's for as many independent answers as would have this error.
    """
    share, binomial_se, pull_of_real = _binomial(answers)
    m, n = len(answers), len(alone)
    lost = alone.to(torch.float64)
    pull_of_fake = (n - 1) / m * (lost - lost.mean())
    of_fake = float(pull_of_fake.var() / n) ** 0.5
    se = math.hypot(binomial_se, of_fake) if drawn else of_fake
    independent = m * min(1.0, (binomial_se / se) ** 2) if binomial_se > 0 and se > 0 else m
    return Estimate(
        value=share,
        se=se,
        ci=wilson_interval(share, independent),
        method="jackknife",
        n=n,
        n_real=m,
        better="higher",
        influence=Influence(fake=pull_of_fake, real=pull_of_real if drawn else None),
    )


def _zeros(features: Tensor) -> Tensor:
    return torch.zeros(len(features), dtype=torch.float64, device=features.device)


metric = Metric(
    compute=compute,
    takes="features",
    reports={"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"},
    protocols={"k5": {"k": 5, "closed": False}, "k3": {"k": 3, "closed": True}},
    min_n=100,
    error_bar=(
        "Precision: binomial with Wilson's interval. Density: spread of the per-image density. Both hold the real balls fixed. "
        "Coverage: delete-one jackknife over the generated images. Recall: such a jackknife with their balls held fixed, and "
        "the binomial error of the real images. These two are rather too wide."
    ),
    summary="Precision, recall, density and coverage: overlap of the nearest-neighbour balls of real and generated images",
    sees="precision and density: images where no real ones are; recall and coverage: real ones that are not reached",
    blind="how often a region is hit, copies of training images",
    source="Naeem et al. 2020, https://arxiv.org/abs/2002.09797; Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991",
)
