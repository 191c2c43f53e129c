"""Which image is real: how often a system fools people, and whether that is as often as chance would.

Two one-sided tests (TOST) decide whether the share differs from one half by less than a margin. That a share does not differ
significantly from one half says nothing of the kind: with few votes none does.

Source: Schuirmann 1987, A comparison of the two one-sided tests procedure; d' of two alternatives is that of Macmillan and
Creelman 2005, Detection Theory, chapter 7; the share of errors is HYPE's, Zhou et al. 2019, https://arxiv.org/abs/1904.01121.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, Literal

from numpy.typing import NDArray

from genbench.estimate import LEVEL
from genbench.study.clusters import Clusters, effective_votes, score_test, share_of
from genbench.study.ratings import Fooling

MARGIN = 0.05  # the largest distance from one half that counts as none
POWER = 0.8  # of a test with the votes that are asked for
NORMAL = NormalDist()


def fooling(fooled: NDArray[Any], clusters: Clusters, *, margin: float = MARGIN, level: float = LEVEL) -> Fooling:
    """Of one system, (N,) votes: 1 where the generated image was taken for the real one, else 0."""
    share, se = share_of(fooled, clusters, level)
    alpha, number = 1 - level, clusters.number
    equivalent = max(
        score_test(share.value, se, number, 0.5 - margin, side=1), score_test(share.value, se, number, 0.5 + margin, side=-1)
    )
    verdict: Literal["indistinguishable", "distinguishable", "inconclusive"] = "inconclusive"
    if equivalent < alpha:
        verdict = "indistinguishable"
    elif share.p < alpha:
        verdict = "distinguishable"
    needs = None
    if verdict == "inconclusive" and se > 0:  # without any spread nobody knows how alike the raters are
        needs = _needed(share.n / effective_votes(share.value, se, number), margin, alpha)
    low, high = share.ci
    return Fooling(
        share=share,
        se=se,
        d_prime=d_prime(share.value),
        d_prime_ci=(d_prime(high), d_prime(low)),
        margin=margin,
        p_equivalent=equivalent,
        verdict=verdict,
        needs=needs,
    )


def d_prime(share: float) -> float | None:
    """sqrt(2) Phi^-1(1 - share): the distance of real and generated images in standard deviations of what people perceive."""
    return math.sqrt(2) * NORMAL.inv_cdf(1 - share) if 0 < share < 1 else None


def _needed(inflation: float, margin: float, alpha: float) -> int:
    """Votes with which the test of equivalence succeeds with POWER where nobody can tell; `inflation` is that of clusters.

    n = inflation (z_(1 - alpha) + z_(1 - (1 - POWER) / 2))² / (4 margin²)   (Chow, Shao and Wang 2008, Sample Size Calculations
    in Clinical Research, section 4.1.3, at a share of one half).
    """
    z = NORMAL.inv_cdf(1 - alpha) + NORMAL.inv_cdf(1 - (1 - POWER) / 2)
    return math.ceil(max(1.0, inflation) * z**2 * 0.25 / margin**2)
