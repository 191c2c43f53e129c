"""A number with its error bar."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Better = Literal["lower", "higher", "zero"]  # "zero": the nearer to zero from either side
ARROWS: Mapping[Better, str] = {"lower": "↓", "higher": "↑", "zero": "→0"}
LEVEL = 0.95  # of every interval
LARGEST = 1e100  # of a number in a document: its square is still one
VANISHING = 1e-9  # values and errors below it are what float64 leaves of a zero
NORMAL = NormalDist()
MANY = 200  # degrees of freedom from which Student's t is the normal distribution for every purpose here


@dataclass(frozen=True, kw_only=True)
class Influence:
    """How much each image pulls at a value: value - E[value] is about the mean of `fake` plus the mean of `real`.

    fake: (n,) float64, positive where the image raises the value; real: (m,) or None when the reference is kept fixed
    or its features are not known. groups: (n,) integers, equal for images that are not independent of each other, such as all
    of one prompt; None where all are. Tensors where they were computed, numpy arrays where they were read from a file.
    """

    fake: Tensor | NDArray[Any]
    real: Tensor | NDArray[Any] | None = None
    groups: Tensor | NDArray[Any] | None = None


def group_sums(influence: Influence) -> NDArray[Any]:
    """Of the generated images' pulls, as float64: one per group in order of first appearance, one per image without groups."""
    import numpy as np

    pulls = np.asarray(influence.fake, dtype=np.float64)
    return pulls if influence.groups is None else np.bincount(group_places(influence.groups), weights=pulls)


def group_places(groups: Any) -> NDArray[Any]:
    """Any integers -> 0, 1, ..., equal where they were equal, in order of first appearance."""
    import numpy as np

    _, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def influence_variance(influence: Influence, n_real: int | None, *, ddof: int = 1) -> float:
    """Of the value, var(fake) / n + var(real) / n_real, by sums of groups where images belong together; 0 of one alone.

    n_real: images of the reference, of which perhaps a sample only is known; None where none is used. ddof: of var(fake).
    """
    import numpy as np

    sums = group_sums(influence)
    found = _variance(sums, ddof) * len(sums) / len(influence.fake) ** 2
    if influence.real is not None and n_real:
        found += _variance(np.asarray(influence.real, dtype=np.float64), 1) / n_real
    return found


def _variance(numbers: NDArray[Any], ddof: int) -> float:
    return float(((numbers - numbers.mean()) ** 2).sum()) / max(1, len(numbers) - ddof)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value, its standard error and interval, and how they were made.

    value: finite, or None with a `reason`; NaN is refused.
    se: one standard error in units of the value, or None with a `reason`.
    ci: (low, high) at `level`; it covers the expected value of the same estimator on the same number of images.
    method: how the error bar was made: "influence", "jackknife", "u-statistic", "binomial",
        "mean" (the spread of the numbers that are averaged), "clusters" (of means of groups, such as all images of a prompt),
        "none".
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

    def _repr_html_(self) -> str:
        """A small table for a notebook."""
        interval = f"[{self.ci[0]:.4g}, {self.ci[1]:.4g}]" if self.ci else None
        corrected = None if self.bias_corrected is None else f"{self.bias_corrected:.4g}"
        rows = {
            f"value {ARROWS[self.better]}": str(self),
            f"{100 * self.level:g} % interval": interval,
            "bias-corrected": corrected,
            "images": f"{self.n:,}",
            "reference images": None if self.n_real is None else f"{self.n_real:,}",
            "error by": self.method,
            "note": self.reason,
        }
        cells = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items() if text)
        return f"<table>{cells}</table>"


def badness(value: float, better: Better) -> float:
    """A number that is smaller the better `value` is, to sort by."""
    return {"lower": value, "higher": -value, "zero": abs(value)}[better]


def worse_sign(value: float, better: Better) -> float:
    """1.0 where the metric gets worse as it grows from `value`, else -1.0: what turns changes into worsenings."""
    return math.copysign(1.0, value) if better == "zero" else badness(1.0, better)


def normal_interval(value: float, se: float, level: float = LEVEL) -> tuple[float, float]:
    """(low, high) of the normal interval around `value`."""
    return student_interval(value, se, math.inf, level)


def wilson_interval(share: float, n: float, level: float = LEVEL, *, freedom: float = math.inf) -> tuple[float, float]:
    """Wilson's interval for a share of n independent trials; it stays inside [0, 1] and has width at 0 and 1.

    freedom: degrees of freedom of Student's t in place of the normal distribution.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    z2 = student_quantile(0.5 + level / 2, freedom) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding must not push the share out


def clustered_share_interval(share: float, se: float, groups: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval for a share whose error `se` was estimated from so many groups of trials; it stays inside [0, 1].

    It is that of share (1 - share) / se² independent trials, with Student's t for the groups, at least 2, in place of the
    normal quantile (as Korn and Graubard 1998 do with another interval). Without any spread a group counts as one trial.
    """
    binomial = share * (1 - share)
    if binomial <= 0 or se <= 0:
        return wilson_interval(share, groups, level)
    return wilson_interval(share, binomial / se**2, level, freedom=groups - 1)


def mean_estimate(values: Tensor, *, better: Better, n_real: int | None = None, clusters: Tensor | None = None) -> Estimate:
    """The mean of `values` (N,) with the error of a mean.

    clusters: (N,) int64, equal for values that are not independent of each other, such as those of images of one prompt; the
    error is then that of a ratio of sums over clusters (Cochran 1977, Sampling Techniques, section 9A), with Student's t for
    so many of them. With fewer than two values or clusters there is no error, and `reason` says so.
    """
    numbers = values.double().flatten()
    n, value = len(numbers), float(numbers.mean())
    pull = numbers - value
    place = None
    if clusters is None:
        groups, sums = n, pull
    else:
        _, place = clusters.unique(return_inverse=True)
        groups = int(place.max()) + 1
        sums = pull.new_zeros(groups).index_add_(0, place, pull)
    influence = Influence(fake=pull, groups=place)
    if groups < 2:
        what = "value" if clusters is None else "independent group of values"
        return Estimate(value=value, n=n, n_real=n_real, better=better, reason=f"one {what} has no spread", influence=influence)
    se = math.sqrt(float(sums.square().sum()) * groups / (groups - 1)) / n
    return Estimate(
        value=value,
        se=se,
        ci=student_interval(value, se, groups - 1),
        method="mean" if clusters is None else "clusters",
        n=n,
        n_real=n_real,
        better=better,
        influence=influence,
    )


def student_interval(value: float, se: float, freedom: float, level: float = LEVEL) -> tuple[float, float]:
    """(low, high) of Student's t interval around `value`, for an error estimated with `freedom` degrees of freedom."""
    half = student_quantile(0.5 + level / 2, freedom) * se
    return value - half, value + half


def student_quantile(level: float, freedom: float = math.inf) -> float:
    """Of Student's t, which is the normal distribution with many degrees of freedom."""
    if freedom >= MANY:
        return NORMAL.inv_cdf(level)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, level))


def student_tail(t: float, freedom: float = math.inf) -> float:
    """The probability that Student's t is at least `t`."""
    if freedom >= MANY:
        return 0.5 * math.erfc(t / math.sqrt(2))
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def format_value(value: float | None, se: float | None) -> str:
    """`value ± se` with the digits that the error bar supports: two significant digits of the error."""
    if value is None:
        return "–"
    if se is None or se == 0:
        return f"{value:.4g}"
    if abs(value) < VANISHING and se < VANISHING:
        return "0"
    decimals = min(12, max(0, 1 - math.floor(math.log10(se))))
    return f"{value:.{decimals}f} ± {se:.{decimals}f}"
