"""How a run trained, what its knobs trade, and what its diagnostics say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from genbench import catalog
from genbench.bench.diagnose import usual
from genbench.bench.record import Value
from genbench.bench.sweep import Curve, traded
from genbench.estimate import ARROWS, Better, normal_interval
from genbench.pages import plots
from genbench.training.log import read_log

COUNTERS = {"stage", "step", "steps", "images", "seconds", "cpu_seconds", "peak_memory", "images_per_second"}
MOST_PANELS, MOST_POINTS = 12, 300
WIDE_RANGE = 100  # of a loss that stays positive: from there on its axis is logarithmic


@dataclass(frozen=True, kw_only=True)
class Training:
    """figures: one per quantity of the log; hidden: those beyond the first few, by name."""

    figures: tuple[Any, ...]
    lines: int
    hidden: str


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The curve of one knob; figures: each metric over the knob, and precision against recall."""

    knob: str
    title: str
    effect: str
    facts: str
    summary: str
    figures: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A number of a diagnostic and how to read it; unusual is None where nothing is."""

    name: str
    value: str
    usual: str
    unusual: bool | None
    meaning: str
    advice: str


def training(folder: Path, measured: Mapping[str, Value] = MappingProxyType({})) -> Training | None:
    """The curves of a run's log; None where there is none.

    measured: the run's metrics, of which the first is what `genbench run` validates by.
    """
    lines = read_log(folder)
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name not in COUNTERS and isinstance(value, (int, float)) and math.isfinite(value):
                series.setdefault((str(line.get("stage", "")), name), []).append((float(line.get("steps", 0)), float(value)))
    drawn = [(key, points) for key, points in series.items() if len(points) > 1]
    if not drawn:
        return None
    several = len({stage for (stage, _), _ in drawn}) > 1
    names = {"validation": _validation(measured)}
    panels = [(f"{stage + ': ' if several else ''}{names.get(name, name)}", points) for (stage, name), points in drawn]
    return Training(
        figures=tuple(_panel(name, points) for name, points in panels[:MOST_PANELS]),
        lines=len(lines),
        hidden=", ".join(name for name, _ in panels[MOST_PANELS:]),
    )


def _validation(measured: Mapping[str, Value]) -> str:
    """What the number of a validation is: the first metric, turned so that lower is better."""
    for name, found in measured.items():
        turned: dict[Better, str] = {"lower": name, "higher": f"−{name}", "zero": f"|{name}|"}
        return f"validation: {turned[found.better]} ↓"
    return "validation"


def _panel(name: str, points: Sequence[tuple[float, float]]) -> Any:
    stride = max(1, len(points) // MOST_POINTS)
    shown = [*points[::stride], points[-1]]
    values = [value for _, value in shown]
    with plots.drawing(3.4, 2.2) as (figure, axes):
        marker = "o" if len(points) < 12 else ""
        axes.plot([step for step, _ in shown], values, color=plots.COLOURS[0], linewidth=1.4, marker=marker, markersize=4)
        if min(values) > 0 and max(values) > WIDE_RANGE * min(values):
            plots.logarithmic(axes.yaxis)
        axes.set(xlabel="steps", title=name)
        axes.grid(alpha=0.2)
        words = f"From {values[0]:.4g} at the start to {values[-1]:.4g} after {shown[-1][0]:,.0f} steps."
        return plots.svg(figure, title=name, description=words)


def knobs(folder: Path) -> list[Knob]:
    """Of every curve that `genbench sweep` left in the run's folder."""
    found = []
    for path in sorted(folder.glob("sweeps/*/sweep.json")):
        try:
            found.append(_knob(Curve.model_validate_json(path.read_bytes())))
        except (OSError, ValidationError):  # a curve of another version is no reason to have no page
            continue
    return found


def _knob(curve: Curve) -> Knob:
    values = [point.quality.values() for point in curve.points]
    figures = [_over_knob(curve, name) for name in values[0]]
    pair = traded(list(values[0]))
    if pair:
        figures.append(_traded(curve, *pair))
    summary = curve.summary
    sentences = []
    if summary.least is not None:
        others = ", ".join(f"{value:g}" for value in summary.as_good if value != summary.least)
        tied = f"; as good within the errors: {others}" if others else ""
        sentences.append(f"The least Fréchet distance is at {summary.least:g}{tied}.")
    if summary.area is not None:
        sentences.append(f"The values cover {summary.area:.3f} of the square of recall and precision.")
    return Knob(
        knob=curve.knob,
        title=curve.title,
        effect=curve.effect,
        facts=f"{curve.n:,} samples at each of {len(curve.points)} values, seed {curve.seed}; the default is {curve.default:g}",
        summary=" ".join(sentences),
        figures=tuple(figures),
    )


def _over_knob(curve: Curve, name: str) -> Any:
    known = [(point.value, found) for point in curve.points if (found := point.quality.values()[name]).value is not None]
    half = normal_interval(0.0, 1.0)[1]
    knob = [value for value, _ in known]
    with plots.drawing(3.4, 2.4) as (figure, axes):
        values = [found.value or 0.0 for _, found in known]
        errors = [half * (found.se or 0.0) for _, found in known]
        axes.errorbar(knob, values, yerr=errors, marker="o", markersize=4, capsize=3, color=plots.COLOURS[0], linewidth=1.2)
        if knob and min(knob) > 0 and max(knob) >= 20 * min(knob):
            plots.logarithmic(axes.xaxis)
        arrow = ARROWS[known[0][1].better] if known else ""
        axes.set(xlabel=curve.knob, title=f"{name} {arrow}")
        axes.grid(alpha=0.2)
        words = "; ".join(f"{found.value:.4g} at {value:g}" for value, found in known)
        return plots.svg(figure, title=f"{name} over {curve.knob}", description=words)


def _traded(curve: Curve, precision: str, recall: str) -> Any:
    found = [(point.value, point.quality.values()) for point in curve.points]
    known = [(value, metrics[recall].value, metrics[precision].value) for value, metrics in found]
    corners = [(value, x, y) for value, x, y in known if x is not None and y is not None]
    with plots.drawing(3.4, 2.4) as (figure, axes):
        axes.plot([x for _, x, _ in corners], [y for _, _, y in corners], marker="o", color=plots.COLOURS[0], linewidth=1.2)
        for value, x, y in corners:
            axes.annotate(f"{value:g}", (x, y), textcoords="offset points", xytext=(5, 5))
        axes.set(xlabel=recall, ylabel=precision, xlim=(0, 1.04), ylim=(0, 1.04), title="variety against quality")
        axes.grid(alpha=0.2)
        words = "; ".join(f"at {value:g} recall {x:.3g}, precision {y:.3g}" for value, x, y in corners)
        return plots.svg(figure, title=f"{precision} against {recall}", description=words)


def findings(numbers: Mapping[str, float | None]) -> list[Finding]:
    """Diagnostics of a run's record that have a value, the unusual ones first."""
    readings = {}
    for name in catalog.names("diagnostics"):
        readings.update(catalog.find("diagnostics", name).reports)
    found = []
    for name, value in numbers.items():
        if value is None:
            continue
        reading = readings.get(name)
        judged = reading is not None and reading.usual != (None, None)
        unusual = not reading.is_usual(value) if reading and judged else None
        found.append(
            Finding(
                name=name,
                value=f"{value:.4g}",
                usual=usual(reading.usual).removeprefix("usual: ") if reading else "",
                unusual=unusual,
                meaning=_sentence(reading.meaning) if reading else "",
                advice=_sentence(reading.advice) if reading and unusual else "",
            )
        )
    return sorted(found, key=lambda finding: not finding.unusual)


def _sentence(text: str) -> str:
    return text and text[0].upper() + text[1:].rstrip(".") + "."
