"""What few seeds say: the error of a mean over seeds, what is borrowed from other systems, and the ranks of such means."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from genbench.comparison.ranks import Rank, adjusted, covariance_of, ranked, two_sided
from genbench.estimate import badness, student_interval
from genbench.evaluation.result import MetricResult
from genbench.leaderboard.row import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05  # the chance of any false claim about a column
ENOUGH = 4  # degrees of freedom: Student's t with fewer is so wide that what is lent would hide all that the images tell


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a row stands in a column, and the interval of its mean over seeds at `LEVEL`; None without an error bar.

    Of one seed it is that of the metric, about these samples alone; of several it counts what they differ in as well.
    """

    rank: Rank
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Spread:
    """Of one value per seed: their variance, the part of it that the sampling of images explains, and how many they are.

    freedom: degrees of freedom of the variance; 0 for one seed, of which nobody knows how much another would differ.
    borrowed: whether the variance is that of all systems.
    """

    variance: float = 0.0
    sampling: float = 0.0
    seeds: int = 1
    freedom: int = 0
    borrowed: bool = False

    @property
    def beyond(self) -> float:
        """What seeds add to the variance of the mean, beyond the sampling of images."""
        return max(0.0, self.variance - self.sampling) / self.seeds


def places(key: str, rows: Sequence[Row]) -> dict[str, Place]:
    """By label, where each of these comparable rows stands by its mean over seeds."""
    if not rows:
        return {}
    import numpy as np

    covariance, freedom = covariance_of([result for row in rows for result in row.results], key)
    ends = np.cumsum([len(row.results) for row in rows])
    own = [slice(end - len(row.results), end) for row, end in zip(rows, ends, strict=True)]
    spreads = pooled([_spread(row, key, covariance[part, part]) for row, part in zip(rows, own, strict=True)])
    means = np.array([[covariance[one, other].mean() for other in own] for one in own])
    least = np.array([[freedom[one, other].min() for other in own] for one in own])
    direction = rows[0].results[0].by_protocol[key].better
    found = ranks_of_means([badness(row.cell(key).mean, direction) for row in rows], means, spreads, least)
    intervals = [_interval(row, key, means[i, i], spreads[i], least[i, i]) for i, row in enumerate(rows)]
    return {row.label: Place(rank=r, interval=i) for row, r, i in zip(rows, found, intervals, strict=True)}


def _spread(row: Row, key: str, covariance: NDArray[Any]) -> Spread:
    """What seeds share, such as the noise of the reference, makes none of their spread."""
    values = [float(result.by_protocol[key]) for result in row.results]
    count = len(values)
    if count < 2:
        return Spread()
    shared = (covariance.sum() - covariance.trace()) / (count * (count - 1))
    sampling = float(covariance.trace() / count - shared)
    return Spread(statistics.variance(values), sampling, count, count - 1)


def pooled(spreads: Sequence[Spread]) -> list[Spread]:
    """Two or three seeds agree by chance now and then: a spread below the mean of all systems' is taken for that mean.

    So is that of one seed, which shows none, where the others have `ENOUGH` degrees of freedom. With fewer it stays about its
    samples alone, as where all have one seed. The chance of any false claim is the promised one where systems vary alike;
    benchmarks/leaderboard/false_claims.py measures it, also where they do not, and what is found.
    """
    freedom = sum(one.freedom for one in spreads)
    if freedom == 0:
        return list(spreads)
    variance, sampling = (
        sum(getattr(one, part) * one.freedom for one in spreads) / freedom for part in ("variance", "sampling")
    )
    alone = Spread(variance, sampling, 1, freedom, borrowed=True) if freedom >= ENOUGH else Spread()
    return [
        alone if one.freedom == 0 else replace(one, variance=variance, freedom=freedom, borrowed=True)
        if one.variance < variance else one
        for one in spreads
    ]  # fmt: skip


def ranks_of_means(
    values: Sequence[float], covariance: NDArray[Any], spreads: Sequence[Spread], freedom: NDArray[Any] | float = math.inf
) -> list[Rank]:
    """Ranks of means with this covariance of the sampling of images (K, K), to which what seeds add is added.

    freedom: degrees of freedom of the errors of their differences by sampling, (K, K) or one for all. As seeds and groups of
    images are few, a difference is tested by Student's t with Welch's degrees of freedom.
    """
    import numpy as np

    of_sampling = np.broadcast_to(freedom, covariance.shape)

    def p(i: int, j: int) -> float | None:
        sampling = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        variance, degrees = _welch(sampling, float(of_sampling[i, j]), (spreads[i], spreads[j]))
        return two_sided(values[i] - values[j], variance, degrees)

    pairs = combinations(range(len(values)), 2)
    return ranked(values, adjusted({pair: p(*pair) for pair in pairs}), ALPHA)


def _welch(sampling: float, freedom: float, spreads: Sequence[Spread]) -> tuple[float, float]:
    """The variance of a mean or of a difference of two, by the sampling of images and by seeds, and its degrees of freedom.

    Seeds estimate both parts together, and where theirs is the smaller one that is chance: each spread brings the uncertainty
    of its part of the whole. Spreads that are borrowed are one and the same estimate, and err together.

    Source: Satterthwaite 1946, An approximate distribution of estimates of variance components.
    """
    variance = sampling + sum(one.beyond for one in spreads)
    if not variance > 0:
        return variance, math.inf
    uncertain = (sampling / variance) ** 2 / max(1.0, freedom)
    shares = [((sampling / len(spreads) + one.beyond) / variance, one) for one in spreads if one.freedom > 0]
    uncertain += sum(share**2 / one.freedom for share, one in shares if not one.borrowed)
    borrowed = [(share, one.freedom) for share, one in shares if one.borrowed]
    if borrowed:
        uncertain += sum(share for share, _ in borrowed) ** 2 / borrowed[0][1]
    return variance, max(1.0, 1 / uncertain) if uncertain > 0 else math.inf


def _interval(row: Row, key: str, sampling: float, spread: Spread, freedom: float) -> tuple[float, float] | None:
    if len(row.results) == 1:
        return row.results[0].by_protocol[key].ci
    variance, degrees = _welch(sampling, freedom, [spread])
    if math.isnan(variance):
        return None
    low, high = student_interval(row.cell(key).mean, math.sqrt(max(0.0, variance)), degrees)
    return (max(0.0, low), min(1.0, high)) if _is_share([result.by_protocol[key] for result in row.results]) else (low, high)


def _is_share(metrics: Sequence[MetricResult]) -> bool:
    """Wilson's intervals, which shares have, stay in [0, 1] and lie unevenly about the value; all others lie evenly."""
    intervals = [(one.ci, float(one)) for one in metrics if one.ci is not None]
    inside = all(low >= 0 and high <= 1 for (low, high), _ in intervals)
    return inside and any(not math.isclose(value - low, high - value, abs_tol=1e-9) for (low, high), value in intervals)
