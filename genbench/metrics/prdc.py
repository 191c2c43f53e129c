"""Precision, recall, density and coverage: which images fall into balls around images of the other side.

Each ball reaches to the k-th nearest other image of its own side. With real balls R_i and fake balls F_j:

    precision = share of fake images inside any R_i         density  = mean over fake images of #{i: inside R_i} / k
    recall    = share of real images inside any F_j         coverage = share of R_i that hold any fake image

Sources: Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, section 2 (precision and recall: k = 3, with the surface);
Naeem et al. 2020, https://arxiv.org/abs/2002.09797, equations 3 and 4 (density and coverage: k = 5, without the surface).

All four depend on how many images there are on either side: compare values of equal numbers only. They hold for the balls at
hand, and so do their error bars, which tell the chance in the images asked about and not that in where the balls lie.
"""

from __future__ import annotations

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

    holders = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)  # real balls that hold each fake image
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)  # real balls that hold a fake image
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)  # real images inside a fake ball
    for rows, columns, in_real, in_fake in balls(
        around_real, around_fake, real_radii=real_radii, fake_radii=fake_radii, closed=closed
    ):
        holders[columns] += in_real.sum(0)
        covered[rows] |= in_real.any(1)
        recalled[rows] |= in_fake.any(1)

    unmoved_real, unmoved_fake = _zeros(real), _zeros(fake)
    return {
        "precision": _share(holders > 0, real=unmoved_real, fake=None),
        "recall": _share(recalled, real=None, fake=unmoved_fake),
        "density": _density(holders.to(torch.float64) / k, real=unmoved_real),
        "coverage": _share(covered, real=None, fake=unmoved_fake),
    }


def _share(answers: Tensor, *, real: Tensor | None, fake: Tensor | None) -> Estimate:
    """The share of true answers; the side that was asked is None, the other one's influence is given (zero: it is fixed)."""
    indicator = answers.to(torch.float64)
    share, asked = float(indicator.mean()), len(indicator)
    pull = indicator - share
    return Estimate(
        value=share,
        se=(share * (1 - share) / asked) ** 0.5,
        ci=wilson_interval(share, asked),
        method="binomial",
        n=asked if fake is None else len(fake),
        n_real=asked if real is None else len(real),
        better="higher",
        influence=Influence(fake=pull if fake is None else fake, real=pull if real is None else real),
    )


def _density(densities: Tensor, *, real: Tensor) -> Estimate:
    value, se = float(densities.mean()), float(densities.std()) / len(densities) ** 0.5
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="mean",
        n=len(densities),
        n_real=len(real),
        better="higher",
        influence=Influence(fake=densities - value, real=real),
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
        "With the balls held fixed: Wilson's interval for precision (over fake images), recall and coverage (over real ones); "
        "the spread of the per-image density. The chance in where the balls lie is not part of it."
    ),
    summary="Precision, recall, density and coverage: overlap of the nearest-neighbour balls of real and generated images",
    source="Naeem et al. 2020, https://arxiv.org/abs/2002.09797; Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991",
)
