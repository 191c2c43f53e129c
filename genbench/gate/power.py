"""What a check can see: the smallest worsening it finds, and how many images would decide an open one.

A regression is called where the worsening d exceeds the margin by z(1 - α) standard errors. A true worsening D is therefore
found with 80 % power where (Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2; Student's t for z
with few degrees of freedom)

    D = margin + (z(1 - α) + z(0.8)) SE(D).

What is worse is mostly also noisier, so SE(D) is not the SE of today: SE(D)² = SE² + growth D, solved for D. With φ the
influences of the n images, the growth is that of images which are weighted towards the harmful ones, E φ³ / E φ² / n
(exponential tilting; Efron 1981, Nonparametric standard errors and confidence intervals, section 7; exact for shares); of a
squared distance, whose variance grows as it does, at least E φ² / distance / n.
"""

from __future__ import annotations

import math

from genbench.comparison.difference import Difference, quantile
from genbench.estimate import Influence, badness
from genbench.evaluation.result import MetricResult

POWER = 0.8
MOST = 10**9  # images; a difference that needs more lies on the margin
DISTANCES = ("influence", "jackknife", "u-statistic")  # error bars of what compares distributions


def detectable(difference: Difference, margin: float, alpha: float, influence: Influence | None = None) -> float | None:
    """The smallest true worsening that a one-sided test at `alpha` calls more than `margin` in 80 % of cases.

    influence: of the baseline on its value, to tell how its error grows as it worsens; without it the error stays.
    """
    if difference.se is None:
        return None
    width = _width(difference, alpha)
    slope = width**2 * _growth(difference.base, influence)
    # (D - margin)² = width² SE² + slope D
    half = margin + slope / 2
    return half + math.sqrt(max(0.0, half**2 - margin**2 + (width * difference.se) ** 2))


def needed_images(difference: Difference, margin: float, *, alpha: float, alpha_worse: float) -> int | None:
    """About how many images on both sides would decide it with 80 % power, were the true worsening the measured one.

    alpha: level of the claim that it is no worse than `margin`; alpha_worse: of the claim that it is.
    None without an error, and where the worsening lies on the margin.
    """
    gap = abs(difference.worsening - margin)
    if difference.se is None or not gap > 0:
        return None
    width = _width(difference, alpha_worse if difference.worsening > margin else alpha)
    n = max(difference.current.n, difference.base.n) * (width * difference.se / gap) ** 2
    return _round_up(n) if n < MOST else None


def _growth(metric: MetricResult, influence: Influence | None) -> float:
    """By how much the variance of a value grows per unit of worsening; never less than nothing."""
    import numpy as np

    if influence is None or metric.value is None:
        return 0.0
    direction = math.copysign(1.0, metric.value) if metric.better == "zero" else badness(1.0, metric.better)
    pulls = direction * np.asarray(influence.fake, dtype=np.float64)
    pulls -= pulls.mean()
    variance = float((pulls**2).mean())
    if not variance > 0:
        return 0.0
    found = [float((pulls**3).mean()) / variance]
    if metric.better == "lower" and metric.method in DISTANCES and metric.se:
        distance = metric.value if metric.bias_corrected is None else metric.bias_corrected
        found.append(variance / max(distance, metric.se or 0.0))
    return max(0.0, *found) / len(pulls)


def _width(difference: Difference, alpha: float) -> float:
    return quantile(1 - alpha, difference.freedom) + quantile(POWER, difference.freedom)


def _round_up(n: float) -> int:
    """To two digits: more would pretend to know."""
    step = 10 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return math.ceil(n / step) * step
