"""What a check can see: the smallest worsening it finds, and how many images would decide an open one.

A regression is called where the worsening d exceeds the margin by z(1 - α) standard errors. A true worsening D is therefore
found with 80 % power where (Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2; Student's t for z
with few degrees of freedom)

    D = margin + (z(1 - α) + z(0.8)) SE(D).

What is worse is mostly also noisier, so SE(D) is not the SE of today: SE(D)² = SE² + growth D, solved for D. With φ the
influences of the n images, the growth is that of images which are weighted towards the harmful ones, E φ³ / E φ² / n
(exponential tilting; Efron 1981, Nonparametric standard errors and confidence intervals, section 7; exact for shares); of a
squared distance, whose variance grows as it does, at least E φ² / distance / n. Without influences nothing is promised: an
error that stays would promise more than they do. Nor of recall: its error grows faster than its images tell.

Of the very same images the difference has no error but that of arithmetic. What is told then is what other images of such a
generator would show: everything but the images is shared.
"""

from __future__ import annotations

import math

from genbench.comparison.difference import Difference, between
from genbench.estimate import Influence, student_quantile, worse_sign
from genbench.evaluation.result import MetricResult, Result

POWER = 0.8
MOST = 10**9  # images; a difference that needs more lies on the margin
DISTANCES = ("influence", "jackknife", "u-statistic")  # error bars of what compares distributions


def detectable(base: Result, current: Result, found: Difference, margin: float, alpha: float) -> float | None:
    """The smallest true worsening that a one-sided test at `alpha` calls more than `margin` in 80 % of cases.

    None where it is not known: without an error, and without influence that tells how the error grows as the value worsens.
    """
    influence = base.influence.get(found.base.key) or current.influence.get(found.base.key)
    if found.se is None or influence is None or _untold(found.base, influence):
        return None
    if base.subject.digest is not None and base.subject.digest == current.subject.digest:
        nameless = current.model_copy().with_influence(current.influence)
        found = between(base, found.base, nameless, found.current)
    width = _width(found, alpha)
    slope = width**2 * _growth(found.base, influence)
    # (D - margin)² = width² SE² + slope D
    half = margin + slope / 2
    smallest = half + math.sqrt(max(0.0, half**2 - margin**2 + (width * (found.se or 0.0)) ** 2))
    return max(smallest, 1 / found.base.n) if found.base.method == "binomial" else smallest  # a share changes by whole images


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


def _growth(metric: MetricResult, influence: Influence) -> float:
    """By how much the variance of a value grows per unit of worsening; never less than nothing."""
    import numpy as np

    pulls = worse_sign(float(metric), metric.better) * np.asarray(influence.fake, dtype=np.float64)
    pulls -= pulls.mean()
    variance = float((pulls**2).mean())
    if not variance > 0:
        return 0.0
    found = [float((pulls**3).mean()) / variance]
    if metric.better == "lower" and metric.method in DISTANCES and metric.se:
        distance = float(metric) if metric.bias_corrected is None else metric.bias_corrected
        found.append(variance / max(distance, metric.se or 0.0))
    return max(0.0, *found) / len(pulls)


def _untold(metric: MetricResult, influence: Influence) -> bool:
    """Whether it is a share of the reference's images, asked about balls that were drawn too, as recall is."""
    return metric.method == "jackknife" and metric.better == "higher" and influence.real is not None


def _width(difference: Difference, alpha: float) -> float:
    return student_quantile(1 - alpha, difference.freedom) + student_quantile(POWER, difference.freedom)


def _round_up(n: float) -> int:
    """To two digits: more would pretend to know."""
    step = 10 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return math.ceil(n / step) * step
