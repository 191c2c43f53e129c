"""A number with its error bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Better = Literal["lower", "higher"]
LEVEL = 0.95  # of every interval


@dataclass(frozen=True, kw_only=True)
class Influence:
    """How much each image pulls at a value: value - E[value] is about the mean of `fake` plus the mean of `real`.

    fake: (n,) float64, positive where the image raises the value; real: (m,) or None when the reference is kept fixed
    or its features are not known.
    """

    fake: Tensor
    real: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value, its standard error and interval, and how they were made.

    value: finite, or None with a `reason`; NaN is refused.
    se: one standard error in units of the value, or None with a `reason`.
    ci: (low, high) at `level`; it covers the expected value of the same estimator on the same number of images.
    method: how the error bar was made: "influence", "jackknife", "u-statistic", "binomial",
        "mean" (the spread of the numbers that are averaged), "none".
    n, n_real: images on either side; n_real is None where the reference does not say or is not used.
    bias_corrected: the value with its finite-sample bias removed, where an estimator for it exists.
    details: further numbers of the same computation, such as the spread over subsets that peers print.
    """

    value: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    level: float = LEVEL
    method: str = "none"
    n: int
    n_real: int | None = None
    better: Better
    bias_corrected: float | None = None
    reason: str | None = None
    details: Mapping[str, float] = field(default_factory=dict)
    influence: Influence | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = [self.value, self.se, self.bias_corrected, *(self.ci or ()), *self.details.values()]
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise ValueError(f"an estimate holds finite numbers or None with a reason, not {numbers}")
        if (self.value is None or self.se is None) and not self.reason:
            raise ValueError("an estimate without a value or an error bar needs a reason")

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError(f"no value: {self.reason}")
        return self.value

    def __str__(self) -> str:
        return format_value(self.value, self.se)


def normal_interval(value: float, se: float, level: float = LEVEL) -> tuple[float, float]:
    """(low, high) of the normal interval around `value`."""
    half = NormalDist().inv_cdf(0.5 + level / 2) * se
    return value - half, value + half


def wilson_interval(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval for a share of n independent trials; it stays inside [0, 1] and has width at 0 and 1.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding must not push the share out


def format_value(value: float | None, se: float | None) -> str:
    """`value ± se` with the digits that the error bar supports: two significant digits of the error."""
    if value is None:
        return "–"
    if se is None or se == 0:
        return f"{value:.4g}"
    decimals = min(12, max(0, 1 - math.floor(math.log10(se))))
    return f"{value:.{decimals}f} ± {se:.{decimals}f}"
