"""The distance against the number of images: how much of it is bias, and where it would end with infinitely many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genbench.estimate import Estimate, format_value
from genbench.evaluation.result import MetricResult
from genbench.metrics import fid_infinity
from genbench.metrics.base import FeatureSet
from genbench.metrics.fid_infinity import Points
from genbench.pages import plots
from genbench.report.features import Features
from genbench.report.headline import interval_text


@dataclass(frozen=True, kw_only=True)
class Curve:
    """limit, interval: of the extrapolation to infinitely many images; bias: how far from it the value at n is, in words."""

    name: str
    limit: str
    interval: str
    bias: str
    subsets: int
    smallest: int
    figure: Any


def curve(features: Features) -> Curve | str:
    """The fit of `fid_infinity` on these features; a sentence where there is none."""
    assert features.reference is not None, "its caller has asked"
    metric = features.metric
    estimate, points = fid_infinity.extrapolated(real=features.reference, fake=FeatureSet(features=features.fake))
    if points is None or estimate.value is None:
        return f"{metric.short_name} cannot be extrapolated: {estimate.reason}"
    return Curve(
        name=metric.short_name,
        limit=format_value(estimate.value, estimate.se),
        interval=interval_text(estimate.ci),
        bias=_bias(metric, float(metric) - estimate.value),
        subsets=len(points.sizes),
        smallest=int(points.sizes.min()),
        figure=_figure(metric, estimate, points),
    )


def _bias(metric: MetricResult, above: float) -> str:
    """How far the value at its own number of images is from the limit."""
    if abs(above) < (metric.se or 0.0):
        return f"the value at {metric.n:,} images is within one standard error of it"
    return f"the value at {metric.n:,} images is {abs(above):.2g} {'above' if above > 0 else 'below'} it"


def line_of(estimate: Estimate, points: Points) -> tuple[float, float]:
    """(intercept, slope over 1/N) of the fitted line: through the extrapolation and the weighted mean of the points."""
    weights = points.sizes.double()
    x, y = 1 / weights, points.distances
    mean_x, mean_y = (float((weights * values).sum() / weights.sum()) for values in (x, y))
    intercept = float(estimate)
    return intercept, (mean_y - intercept) / mean_x


def _figure(metric: MetricResult, estimate: Estimate, points: Points) -> Any:
    sizes, distances = points.sizes.numpy(), points.distances.numpy()
    intercept, slope = line_of(estimate, points)
    numbers = np.unique(sizes)
    right = 1.06 / numbers[0]
    with plots.drawing(4.6, 3.2) as (figure, axes):
        axes.plot(
            [0, right], [intercept, intercept + slope * right], color=plots.INK, linewidth=1, alpha=0.6, label="fitted line"
        )
        axes.plot(1 / sizes, distances, "o", color=plots.COLOURS[5], markersize=3.5, label="disjoint subsets")
        _with_interval(axes, 1 / metric.n, metric.value, metric.ci, 0, f"all {metric.n:,} images")
        _with_interval(axes, 0.0, estimate.value, estimate.ci, 1, "extrapolated")
        ticks = [n for n in numbers if n in (numbers[0], numbers[-1])] + [
            int(n) for n in numbers[1:-1][:: max(1, len(numbers) // 4)]
        ]
        apart = _apart(sorted(ticks, reverse=True), right)
        axes.set_xticks([0, *(1 / n for n in apart)], ["∞", *(f"{n:,}" for n in apart)])
        axes.set(xlabel="number of images N, on an axis of 1/N", ylabel=metric.short_name, xlim=(-0.03 * right, right))
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
        words = (
            f"From {float(metric):.4g} at {metric.n:,} images to {float(estimate):.4g} at infinitely many, by a line in 1/N."
        )
        return plots.svg(figure, title=f"{metric.short_name} against the number of images", description=words)


def _apart(numbers: list[int], right: float) -> list[int]:
    """Those whose labels do not touch: the largest number first."""
    kept: list[int] = []
    last = 0.0
    for n in numbers:
        if 1 / n - last > 0.13 * right:
            kept.append(int(n))
            last = 1 / n
    return kept


def _with_interval(axes: Any, x: float, value: float | None, ci: tuple[float, float] | None, number: int, label: str) -> None:
    assert value is not None, "a point that is drawn has a value"
    bars = [[end] for end in plots.bar(value, ci)] if ci else None
    axes.errorbar(
        [x],
        [value],
        yerr=bars,
        fmt=plots.MARKERS[number],
        color=plots.COLOURS[number],
        capsize=3,
        label=label,
        zorder=3,
        clip_on=False,
    )
