"""The difference of one metric between two sets of images, with the error that is left when what they share is taken out.

Two sets that were measured against the same reference share its noise, and two sets of the same names (prompts, seeds) that of
the names. Both show in the covariance of the influences: Var(b - a) = Var(a) + Var(b) - 2 Cov(a, b), with
Cov(a, b) = cov(real_a, real_b) / m + cov(fake_a, fake_b) / n, the second for paired images only. Pairing sets that have nothing
to do with each other costs nothing: their covariance is zero but for chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from genbench.comparison.comparable import difference_in_making, same_reference, uses_reference
from genbench.errors import IncomparableError
from genbench.estimate import LEVEL, ROUNDING, Better, Influence, badness
from genbench.evaluation.result import MetricResult, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL = NormalDist()
MANY = 200  # degrees of freedom from which Student's t is the normal distribution for every purpose here


@dataclass(frozen=True, kw_only=True)
class Difference:
    """current - base of one metric.

    value: in units of the metric; worsening: the same, signed so that positive is worse (of a metric whose best is zero, the
    change of its size). se: of both, None with a `reason`. freedom: degrees of freedom of se, infinite for the normal.
    shares: what was taken out of the error: "reference", "images" (paired by name), or nothing.
    """

    name: str
    protocol: str
    better: Better
    base: MetricResult
    current: MetricResult
    value: float
    worsening: float
    se: float | None
    freedom: float = math.inf
    shares: tuple[str, ...] = ()
    reason: str | None = None

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """(low, high) of the difference `value`, two-sided."""
        if self.se is None:
            return None
        half = quantile(0.5 + level / 2, self.freedom) * self.se
        return self.value - half, self.value + half

    def worst(self, alpha: float) -> float | None:
        """The upper end of the one-sided interval of the worsening: it is no worse than this, but for a chance of alpha."""
        return None if self.se is None else self.worsening + quantile(1 - alpha, self.freedom) * self.se

    def p_worse(self, margin: float = 0.0) -> float | None:
        """One-sided p of "it worsened by no more than `margin`". None without an error."""
        if self.se is None:
            return None
        excess = self.worsening - margin
        if self.se == 0:
            return 0.0 if excess > 0 else 1.0
        return tail(excess / self.se, self.freedom)

    def p_better(self) -> float | None:
        """One-sided p of "it did not improve"."""
        if self.se is None:
            return None
        if self.se == 0:
            return 0.0 if self.worsening < 0 else 1.0
        return tail(-self.worsening / self.se, self.freedom)

    @property
    def p(self) -> float | None:
        """Two-sided p of "there is no difference"."""
        worse, better = self.p_worse(), self.p_better()
        return None if worse is None or better is None else min(1.0, 2 * min(worse, better))


def difference(base: Result, current: Result, key: str) -> Difference:
    """The difference of the metric `key`, "fd@tiny/1 fd" (protocol and name), which both results have a value of.

    Raises IncomparableError where they were not made the same way, and KeyError for a metric that one of them does not have.
    """
    one, other = base.by_protocol[key], current.by_protocol[key]
    differs = difference_in_making(base, one, current, other)
    if differs is not None:
        hint = "evaluate both with the same command but for the images"
        raise IncomparableError("E-INCOMPARABLE", f"{one.name} of the two differs in {differs}", hint=hint)
    return between(base, one, current, other)


def between(base: Result, one: MetricResult, current: Result, other: MetricResult) -> Difference:
    """The difference of two values that are known to be comparable. Raises ValueError where one of them has no value."""
    a, b = float(one), float(other)
    # By how much each value moves badness: of a metric whose best is zero, values below zero count the other way round.
    slopes = [math.copysign(1.0, x) if one.better == "zero" else badness(1.0, one.better) for x in (a, b)]
    shares, covariance, direct, freedom = _shared(base, one, current, other, slopes)
    missing = next((metric for metric in (one, other) if metric.se is None), None)
    se = None
    if one.se is not None and other.se is not None:
        apart = one.se**2 + other.se**2 - 2 * slopes[0] * slopes[1] * covariance
        variance = max(apart, direct, 0.0)
        se = 0.0 if variance < ROUNDING**2 * max(1.0, a * a) else math.sqrt(variance)
    return Difference(
        name=one.name,
        protocol=one.protocol,
        better=one.better,
        base=one,
        current=other,
        value=b - a,
        worsening=badness(b, one.better) - badness(a, one.better),
        se=se,
        freedom=freedom,
        shares=shares,
        reason=None if missing is None else f"no error bar: {missing.reason}",
    )


def _shared(
    base: Result, one: MetricResult, current: Result, other: MetricResult, slopes: list[float]
) -> tuple[tuple[str, ...], float, float, float]:
    """What is shared, the covariance that this makes, the variance by influence alone (0 where unknown), and its freedom."""
    key = f"{one.protocol} {one.name}"
    a, b = base.influence.get(key), current.influence.get(key)
    freedom = math.inf
    if one.method in ("mean", "clusters"):
        freedom = min(one.n, other.n) - 1
    if a is None or b is None:
        return (), 0.0, 0.0, freedom
    shares, covariance, direct = [], 0.0, 0.0
    if a.real is not None and b.real is not None and uses_reference(base, one) and same_reference(base, current):
        of_a, of_b = _array(a.real), _array(b.real)
        if len(of_a) == len(of_b):
            shares.append("reference")
            covariance += _covariance(of_a, of_b) / len(of_a)
            direct += _variance(slopes[1] * of_b - slopes[0] * of_a) / len(of_a)
    sums_a, sums_b = _sums(a), _sums(b)
    if a.groups is not None or b.groups is not None:
        freedom = min(len(sums_a), len(sums_b)) - 1
    if _paired(base, a, current, b):
        shares.append("images")
        n, k = len(_array(a.fake)), len(sums_a)
        covariance += _covariance(sums_a, sums_b) * k / n**2
        direct += _variance(slopes[1] * sums_b - slopes[0] * sums_a) * k / n**2
    else:
        direct += sum(_variance(sums) * len(sums) / len(_array(i.fake)) ** 2 for sums, i in ((sums_a, a), (sums_b, b)))
    return tuple(shares), covariance, direct, freedom


def _paired(base: Result, a: Influence, current: Result, b: Influence) -> bool:
    """Whether row i of both is the image of one name, and of one group where there are groups."""
    import numpy as np

    n = len(_array(a.fake))
    if not (n == len(_array(b.fake)) == len(base.names) == len(current.names)) or list(base.names) != list(current.names):
        return False
    if a.groups is None and b.groups is None:
        return True
    return a.groups is not None and b.groups is not None and np.array_equal(_places(a.groups), _places(b.groups))


def _sums(influence: Influence) -> NDArray[Any]:
    """Of the generated images' pulls: one per group of images that belong together, one per image without groups."""
    import numpy as np

    pulls = _array(influence.fake)
    return pulls if influence.groups is None else np.bincount(_places(influence.groups), weights=pulls)


def _places(groups: Any) -> NDArray[Any]:
    """Any integers -> 0, 1, ..., equal where they were equal, in order of first appearance."""
    import numpy as np

    _, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _array(values: Any) -> NDArray[Any]:
    """Tensors that were computed and arrays that were read, as float64 arrays."""
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _covariance(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float((a - a.mean()) @ (b - b.mean())) / max(1, len(a) - 1)


def _variance(a: NDArray[Any]) -> float:
    return _covariance(a, a)


def quantile(level: float, freedom: float = math.inf) -> float:
    """Of the normal distribution, or of Student's t with few degrees of freedom."""
    if freedom >= MANY:
        return NORMAL.inv_cdf(level)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, level))


def tail(z: float, freedom: float = math.inf) -> float:
    """The probability of at least z."""
    if freedom >= MANY:
        return 0.5 * math.erfc(z / math.sqrt(2))
    from scipy.special import stdtr

    return float(stdtr(freedom, -z))
