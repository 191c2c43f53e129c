"""Precision, recall, density and coverage with their intervals, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbench.evaluation.result import MetricResult, Result
from genbench.pages import plots

NAMES = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True, kw_only=True)
class Manifold:
    """protocol: of the values; dots: each with its interval; plane: precision against recall, None without both."""

    protocol: str
    dots: Any
    plane: Any | None


def manifold(result: Result, others: Mapping[str, Result]) -> Manifold | None:
    """Of the first protocol that reports any of them; None where none does. others: by name, to draw beside this result."""
    found = _of_first_protocol(result)
    if not found:
        return None
    by_name = {metric.name: metric for metric in found}
    beside = {name: _matching(other, found) for name, other in others.items()}
    both = by_name.keys() >= {"precision", "recall"}
    return Manifold(
        protocol=found[0].protocol,
        dots=_dots(found, beside),
        plane=_plane(by_name, beside) if both else None,
    )


def _of_first_protocol(result: Result) -> list[MetricResult]:
    known = [metric for metric in result.metrics if metric.name in NAMES and metric.value is not None]
    return [metric for metric in known if metric.protocol == known[0].protocol]


def _matching(other: Result, found: Sequence[MetricResult]) -> dict[str, MetricResult]:
    theirs = other.by_protocol
    pairs = {metric.name: theirs.get(metric.key) for metric in found}
    return {name: metric for name, metric in pairs.items() if metric and metric.value is not None and metric.n == found[0].n}


def _dots(found: Sequence[MetricResult], beside: Mapping[str, Mapping[str, MetricResult]]) -> Any:
    rows = list(reversed(found))
    systems: list[tuple[str, Mapping[str, MetricResult]]] = [("these images", {metric.name: metric for metric in found})]
    systems += list(beside.items())
    with plots.drawing(4.4, 0.9 + 0.42 * len(rows) + 0.12 * len(beside)) as (figure, axes):
        top = 1.0
        for number, (label, metrics) in enumerate(systems):
            shift = 0.0 if len(systems) == 1 else 0.14 * ((len(systems) - 1) / 2 - number)
            known = [(place + shift, metrics[metric.name]) for place, metric in enumerate(rows) if metric.name in metrics]
            top = max([top, *((metric.ci or (0, float(metric)))[1] for _, metric in known)])
            _errorbar(axes, number, label, known)
        axes.set(
            yticks=range(len(rows)),
            yticklabels=[metric.name for metric in rows],
            xlim=(0, top * 1.03),
            ylim=(-0.6, len(rows) - 0.4),
        )
        axes.set_xlabel("value, with its 95 % interval")
        axes.grid(axis="x", alpha=0.25)
        if beside:
            axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
        words = "; ".join(f"{metric.name} {metric}" for metric in found)
        return plots.svg(figure, title="Precision, recall, density and coverage", description=words)


def _errorbar(axes: Any, number: int, label: str, known: Sequence[tuple[float, MetricResult]]) -> None:
    values = [float(metric) for _, metric in known]
    bars = [plots.bar(float(metric), metric.ci) for _, metric in known]
    filled = plots.COLOURS[number] if number == 0 else plots.PAPER
    axes.errorbar(
        values,
        [place for place, _ in known],
        xerr=[[low for low, _ in bars], [high for _, high in bars]],
        fmt=plots.MARKERS[number],
        color=plots.COLOURS[number],
        markerfacecolor=filled,
        capsize=3,
        clip_on=False,
        label=label,
    )


def _plane(own: Mapping[str, MetricResult], beside: Mapping[str, Mapping[str, MetricResult]]) -> Any:
    systems = {"these images": own} | {
        name: metrics for name, metrics in beside.items() if metrics.keys() >= {"precision", "recall"}
    }
    with plots.drawing(3.6, 3.4) as (figure, axes):
        for number, (label, metrics) in enumerate(systems.items()):
            x, y = metrics["recall"], metrics["precision"]
            bars = [[[end] for end in plots.bar(float(m), m.ci)] if m.ci else None for m in (x, y)]
            filled = plots.COLOURS[number] if number == 0 else plots.PAPER
            axes.errorbar(
                [float(x)],
                [float(y)],
                xerr=bars[0],
                yerr=bars[1],
                fmt=plots.MARKERS[number],
                color=plots.COLOURS[number],
                markerfacecolor=filled,
                capsize=3,
                label=label,
            )
        axes.set(
            xlabel="recall: real images that are reached",
            ylabel="precision: images where real ones are",
            xlim=(0, 1.02),
            ylim=(0, 1.02),
        )
        axes.grid(alpha=0.25)
        axes.set_aspect("equal")
        if len(systems) > 1:
            axes.legend(frameon=False, loc="lower left")
        words = "; ".join(f"{label}: recall {m['recall']}, precision {m['precision']}" for label, m in systems.items())
        return plots.svg(figure, title="Precision against recall", description=words)
