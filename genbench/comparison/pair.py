"""Two of the results that are compared, by one metric: what was tested, and what may be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genbench.comparison.difference import Difference
from genbench.evaluation.result import MetricResult

Verdict = Literal["better", "not distinguishable", "worse", "not tested"]
VANISHING = ("influence", "u-statistic")  # methods whose errors vanish with the distance that they are of
NEAR = 2.0  # standard errors from zero


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What `current` is beside `base`, positions among the results.

    p: two-sided, of "there is no difference", and adjusted for everything that was tested (Holm); None without an error bar.
    test: "normal" by the error of the difference, Student's t where that has few degrees of freedom; "permutation" of images.
    """

    base: int
    current: int
    difference: Difference
    p: float | None
    adjusted: float | None = None
    test: Literal["normal", "permutation"] = "normal"
    verdict: Verdict = "not tested"

    @property
    def near_zero(self) -> bool:
        """Whether both values are distances so near zero that the error of their difference is too large."""
        return _near_zero(self.difference.base) and _near_zero(self.difference.current)


def _near_zero(metric: MetricResult) -> bool:
    """Whether a distance, as far as its bias is known, is within noise of zero."""
    if metric.better != "lower" or metric.method not in VANISHING or metric.n_real is None or metric.se is None:
        return False
    value = float(metric) if metric.bias_corrected is None else metric.bias_corrected
    return value < NEAR * metric.se
