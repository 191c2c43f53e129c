"""The difference of one metric between two sets of images, with the error that is left when what they share is taken out.

Two sets that were measured against the same reference share its noise, and two sets of the same names (prompts, seeds) that of
the names. Both show in the covariance of the influences: Var(b - a) = Var(a) + Var(b) - 2 Cov(a, b), with
Cov(a, b) = cov(real_a, real_b) / m + cov(fake_a, fake_b) / n, the second for paired images only. Pairing sets that have nothing
to do with each other costs nothing: their covariance is zero but for chance.

Influence that tells of far more noise than the error bar of its own value is not that value's, and nothing is taken out.

What is left is never taken for less than arithmetic leaves open: the same images on another machine are no difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genbench.comparison.comparable import difference_in_making, same_reference, uses_reference
from genbench.errors import IncomparableError
from genbench.estimate import (
    ARROWS,
    LEVEL,
    VANISHING,
    Better,
    Influence,
    badness,
    format_value,
    group_places,
    group_sums,
    influence_variance,
    student_interval,
    student_quantile,
    student_tail,
)
from genbench.evaluation.result import MetricResult, Result
from genbench.pages import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLEARLY = 1.01  # more than Student's quantile with MANY degrees of freedom is above the normal one
# Standard errors of the arithmetic: half of what batches, threads and devices may change, of the value; and of its own error.
ARITHMETIC_OF_VALUE, ARITHMETIC_OF_ERROR = 0.5e-4, 0.01
TOO_LARGE = 1.5  # times the error bar: influence of the metrics here makes an error of at most 1.03 times it
CONTRADICTION = "influence and error bar of a value contradict each other; what the sets share is not taken out of the error"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """current - base of one metric.

    value: in units of the metric; worsening: the same, signed so that positive is worse (of a metric whose best is zero, the
    change of its size). se: of both, None with a `reason`. freedom: degrees of freedom of se, infinite for the normal.
    shares: what was taken out of the error: "reference", "images" (paired by name), or nothing. reason: also why
    that could not be told.
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

    def __str__(self) -> str:
        """ "+0.031 ± 0.012"."""
        text = format_value(self.value, self.se)
        return text if text.startswith("-") else f"+{text}"

    def _repr_html_(self) -> str:
        """A table of one line for a notebook."""
        interval, p = self.interval(), self.p
        between = "–" if interval is None else f"[{interval[0]:.3g}, {interval[1]:.3g}]"
        cells = [f"{self.name} {ARROWS[self.better]}", str(self.base), str(self.current), str(self), between]
        lines = [["metric", "base", "current", "difference", f"{100 * LEVEL:g} % interval", "p"]]
        return tables.as_html([*lines, [*cells, "–" if p is None else f"{p:.3g}"]], 1, caption=self.reason or "")

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """(low, high) of the difference `value`, two-sided."""
        if self.se is None:
            return None
        return student_interval(self.value, self.se, self.freedom, level)

    def worst(self, alpha: float) -> float | None:
        """The upper end of the one-sided interval of the worsening: it is no worse than this, but for a chance of alpha."""
        return None if self.se is None else self.worsening + student_quantile(1 - alpha, self.freedom) * self.se

    def p_worse(self, margin: float = 0.0) -> float | None:
        """One-sided p of "it worsened by no more than `margin`". None without an error."""
        if self.se is None:
            return None
        excess = self.worsening - margin
        if self.se == 0:
            return 0.0 if excess > 0 else 1.0
        return student_tail(excess / self.se, self.freedom)

    def p_better(self) -> float | None:
        """One-sided p of "it did not improve"."""
        if self.se is None:
            return None
        if self.se == 0:
            return 0.0 if self.worsening < 0 else 1.0
        return student_tail(-self.worsening / self.se, self.freedom)

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
        hint = "evaluate both with the same command but for the images, or leave this metric out"
        raise IncomparableError("E-INCOMPARABLE", f"{one.short_name} differs in {differs}", hint=hint)
    return between(base, one, current, other)


def between(base: Result, one: MetricResult, current: Result, other: MetricResult) -> Difference:
    """The difference of two values that are known to be comparable. Raises ValueError where one of them has no value."""
    a, b = float(one), float(other)
    joint = _together(base, one, current, other)
    reason = _no_error(one, other, joint)
    return Difference(
        name=one.name,
        protocol=one.protocol,
        better=one.better,
        base=one,
        current=other,
        value=b - a,
        worsening=badness(b, one.better) - badness(a, one.better),
        se=None if reason else _error(one, other, joint),
        freedom=joint.freedom,
        shares=joint.shares,
        reason=reason or joint.reason,
    )


def _no_error(one: MetricResult, other: MetricResult, joint: _Together) -> str | None:
    """Why there is no error bar, None where there is one."""
    missing = next((metric for metric in (one, other) if metric.se is None), None)
    if missing is not None:
        return f"no error bar: {missing.reason}"
    return None if joint.freedom >= 1 else "no error bar: one independent group of images has no spread"


@dataclass(frozen=True, kw_only=True)
class _Together:
    """What two values share, their covariance, the sum of their variances by influence alone, and the degrees of freedom.

    reason: why influence that is there was not used.
    """

    shares: tuple[str, ...] = ()
    covariance: float = 0.0
    variance: float = 0.0
    freedom: float = math.inf
    reason: str | None = None


def _error(one: MetricResult, other: MetricResult, joint: _Together) -> float:
    """One standard error of the difference, and of the worsening.

    Of a metric whose best is zero these are two where the values lie on either side of it, b - a and -b - a; the larger counts.
    """
    errors = [_own_error(metric, joint.freedom) for metric in (one, other)]
    alone = max(errors[0] ** 2 + errors[1] ** 2, joint.variance)
    opposite = one.better == "zero" and float(one) * float(other) < 0
    shared = -abs(joint.covariance) if opposite else joint.covariance
    arithmetic = math.hypot(ARITHMETIC_OF_VALUE * max(abs(float(one)), abs(float(other))), ARITHMETIC_OF_ERROR * max(errors))
    return math.hypot(math.sqrt(max(0.0, alone - 2 * shared)), arithmetic)


def _own_error(metric: MetricResult, freedom: float) -> float:
    """The standard error, or that of an interval as wide as the metric's where that is clearly larger.

    A share of 0 or 1 has an error of 0 and Wilson's interval, which is as wide as one image more or less makes it.
    """
    assert metric.se is not None, "only values with an error bar are tested"
    if metric.ci is None:
        return metric.se
    wide = (metric.ci[1] - metric.ci[0]) / 2 / student_quantile(0.5 + metric.level / 2, freedom)
    return wide if wide > CLEARLY * metric.se else metric.se


def _together(base: Result, one: MetricResult, current: Result, other: MetricResult) -> _Together:
    a, b = base.influence.get(one.key), current.influence.get(other.key)
    freedom = min(one.n, other.n) - 1 if one.method in ("mean", "clusters") else math.inf
    if a is None or b is None:
        return _Together(freedom=freedom)
    if _contradicts(one, a) or _contradicts(other, b):
        return _Together(freedom=freedom, reason=CONTRADICTION)
    shares, covariance = [], 0.0
    if _same_noise(base, one, a, current, other, b):
        shares.append("reference")
        covariance += _covariance(_array(a.real), _array(b.real)) / (one.n_real or 1)
    sums_a, sums_b = group_sums(a), group_sums(b)
    if a.groups is not None or b.groups is not None:
        freedom = min(len(sums_a), len(sums_b)) - 1
    if _paired(base, a, current, b):
        shares.append("images")
        covariance += _covariance(sums_a, sums_b) * len(sums_a) / len(_array(a.fake)) ** 2
    variance = influence_variance(a, one.n_real) + influence_variance(b, other.n_real)
    return _Together(shares=tuple(shares), covariance=covariance, variance=variance, freedom=freedom)


def _same_noise(base: Result, one: MetricResult, a: Influence, current: Result, other: MetricResult, b: Influence) -> bool:
    """Whether both errors count the chance in which images the reference holds, and it holds the same for both."""
    if a.real is None or b.real is None or one.n_real is None or one.n_real != other.n_real:
        return False
    return uses_reference(base, one) and same_reference(base, current) and len(_array(a.real)) == len(_array(b.real))


def _contradicts(metric: MetricResult, influence: Influence) -> bool:
    """Whether this cannot be the influence on that value: of other images, or of far more noise than its error bar says."""
    if metric.se is None or metric.method == "none":
        return False
    if len(_array(influence.fake)) != metric.n:
        return True
    most = TOO_LARGE * _own_error(metric, math.inf) + ARITHMETIC_OF_VALUE * abs(float(metric)) + VANISHING
    return not math.sqrt(influence_variance(influence, metric.n_real)) <= most


def _paired(base: Result, a: Influence, current: Result, b: Influence) -> bool:
    """Whether row i of both is the image of one name, and of one group where there are groups."""
    import numpy as np

    names = list(base.image_names)
    if not len(_array(a.fake)) == len(_array(b.fake)) == len(names) or names != list(current.image_names):
        return False
    if a.groups is None and b.groups is None:
        return True
    return a.groups is not None and b.groups is not None and np.array_equal(group_places(a.groups), group_places(b.groups))


def _array(values: Any) -> NDArray[Any]:
    """Tensors that were computed and arrays that were read, as float64 arrays."""
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _covariance(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float((a - a.mean()) @ (b - b.mean())) / max(1, len(a) - 1)
