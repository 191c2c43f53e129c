"""How many modes of a known mixture are found, and how many samples lie on one: mode collapse as a number.

A sample is good where it lies within three standard deviations of the nearest mode, and that mode then counts as found.
Source: the ring and the grid of Gaussians of Metz et al. 2017, https://arxiv.org/abs/1611.02163, and Srivastava et al. 2017
(VEEGAN), https://arxiv.org/abs/1705.07761, section 4.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.estimate import Estimate, wilson_interval
from genbench.metrics._checks import check_rows, check_same_width
from genbench.metrics.base import Metric

REACH = 3.0  # standard deviations


def mode_coverage(*, fake: Tensor, modes: Tensor, sigma: float) -> dict[str, Estimate]:
    """Args:
        fake: (N, D) float samples.
        modes: (K, D) means of the mixture's components.
        sigma: their standard deviation, in units of the samples.

    Returns "modes_found", a count from 0 to K without error bar, and "high_quality", the share of good samples with a
    binomial error. Of a perfect sampler in two dimensions a share of 1 - exp(-9/2) = 0.989 is good.
    Raises DataError for no samples, no modes or numbers that are not finite; IncomparableError for different dimensions.
    """
    check_rows(modes, side="real", metric="mode_coverage", at_least=1)
    check_rows(fake, side="fake", metric="mode_coverage", at_least=1)
    check_same_width(real=modes.shape[1], fake=fake.shape[1])
    distance, nearest = torch.cdist(fake.double(), modes.double()).min(dim=1)
    good = distance <= REACH * sigma
    found, n = int(nearest[good].unique().numel()), len(fake)
    share = float(good.double().mean())
    reason = "a count; it can only grow with the number of samples"
    return {
        "modes_found": Estimate(value=float(found), reason=reason, n=n, better="higher"),
        "high_quality": Estimate(
            value=share,
            se=(share * (1 - share) / n) ** 0.5,
            ci=wilson_interval(share, n),
            method="binomial",
            n=n,
            better="higher",
        ),
    }


metric = Metric(
    compute=mode_coverage,
    takes="points",
    reports={"modes_found": "higher", "high_quality": "higher"},
    min_n=100,
    error_bar="binomial for the share of good samples; none for the count",
    summary="modes of a known mixture that are found, and the share of samples on one",
    sees="modes that are missed, samples between modes",
    blind="how evenly the modes are hit, their shape",
    source="Metz et al. 2017; Srivastava et al. 2017",
)
