"""The numbers first: each with its interval, direction, protocol and counts, and those of a run between floor and ceiling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench.bench.record import Measurement, Quality, Record, Value
from genbench.errors import DataError
from genbench.estimate import ARROWS, VANISHING, Better, format_value, normal_interval
from genbench.evaluation.result import DOCUMENT, MetricResult, Result
from genbench.report.source import Source

CARDS = 8  # metrics that get a card; the table below has all
WORDS: Mapping[Better, str] = {"lower": "lower is better", "higher": "higher is better", "zero": "nearer to zero is better"}
METHODS: Mapping[str, str] = {
    "influence": "influence functions",
    "jackknife": "jackknife",
    "u-statistic": "U-statistic",
    "binomial": "binomial",
    "mean": "error of a mean",
    "clusters": "error of a mean of groups",
    "none": "none",
}


@dataclass(frozen=True, kw_only=True)
class Number:
    """A metric as the page shows it, all in words; empty where there is nothing to say."""

    name: str
    arrow: str
    direction: str
    value: str
    interval: str
    level: str
    n: str
    n_real: str
    protocol: str
    method: str
    corrected: str
    reason: str
    notes: tuple[str, ...]
    comparable: bool


@dataclass(frozen=True, kw_only=True)
class Context:
    """The same metrics of this run and of what stands around it: rows of (what, one text per name)."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def numbers(source: Source) -> list[Number]:
    """Every metric of a result, or of a run on points of the plane."""
    if source.result is not None:
        return [of_metric(metric) for metric in source.result.metrics]
    points = source.quality.points if source.quality else {}
    return [of_points(name, found) for name, found in points.items()]


def of_metric(metric: MetricResult) -> Number:
    """A metric of images, in words."""
    return Number(
        name=metric.short_name,
        arrow=ARROWS[metric.better],
        direction=WORDS[metric.better],
        value=str(metric),
        interval=interval_text(metric.ci),
        level=percent(metric.level),
        n=f"{metric.n:,}",
        n_real="" if metric.n_real is None else f"{metric.n_real:,}",
        protocol=metric.protocol,
        method=METHODS.get(metric.method, metric.method),
        corrected="" if metric.bias_corrected is None else f"{metric.bias_corrected:.4g}",
        reason=metric.reason or "",
        notes=tuple(metric.notes),
        comparable=metric.comparable,
    )


def of_points(name: str, found: Measurement) -> Number:
    """A measurement of points of the plane, or of another kind that has no protocol, in words."""
    interval = None if found.se is None else normal_interval(found.value, found.se)
    return Number(
        name=name,
        arrow=ARROWS[found.better],
        direction=WORDS[found.better],
        value=format_value(found.value, found.se),
        interval=interval_text(interval),
        level="95 %",
        n=f"{found.n:,}",
        n_real="",
        protocol="on the coordinates",
        method="",
        corrected="",
        reason="",
        notes=(),
        comparable=True,
    )


def interval_text(interval: tuple[float, float] | None) -> str:
    """ "3.10 to 3.44", with the decimals of the error; empty without one."""
    if interval is None:
        return ""
    low, high = interval
    width = high - low
    if width < VANISHING:
        return f"{low:.4g} to {high:.4g}"
    decimals = min(12, max(0, 1 - math.floor(math.log10(width / 4))))  # as many as the standard error has
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """ "5 %", "5.3 %"."""
    return f"{100 * share:.{digits}f} %"


def significant(value: float, digits: int) -> str:
    """With so many significant digits, zeros at the end among them: numbers in a row are then equally long."""
    return f"{value:#.{digits}g}".rstrip(".").replace("-", "−")


def context(source: Source) -> Context | None:
    """A run between its floor, the untrained model, and its ceiling, held-out data; None where neither is known."""
    record = source.record
    if record is None or record.final is None or source.folder is None:
        return None
    best = record.best
    rows: list[tuple[str, Quality | None]] = [
        ("held-out data, the ceiling", _held_out(source.folder, record)),
        ("this model", record.final),
        (f"best on validation data, after {best.steps:,} steps" if best else "", best.quality if best else None),
        ("untrained, the floor", record.untrained),
    ]
    known = [(what, quality.values()) for what, quality in rows if quality is not None]
    if len(known) < 2:
        return None
    final = record.final.values()
    cells = [(what, tuple(_cell(found, name) for name in final)) for what, found in known]
    return Context(names=tuple(f"{name} {ARROWS[final[name].better]}" for name in final), rows=tuple(cells))


def _cell(found: Mapping[str, Value], name: str) -> str:
    known = found.get(name)
    return format_value(known.value, known.se) if known else "–"


def held_out_result(source: Source) -> Result | None:
    """The suite's measurement of real test images, beside the runs of the suite."""
    if source.folder is None or source.record is None:
        return None
    quality = _held_out(source.folder, source.record)
    return quality.evaluation if quality else None


def _held_out(folder: Path, record: Record) -> Quality | None:
    """Of the same suite as the run: RUNS/held-out beside RUNS/ENTRY/seed0."""
    place = folder.resolve().parent.parent / "held-out"
    if record.family == "data" or not (place / DOCUMENT).is_file():
        return None
    try:
        found = Record.load(place)
    except DataError:  # whatever lies there is not ours
        return None
    same = all(record.config.get(name) == value for name, value in found.config.items())
    return found.final if same else None


def split(found: Sequence[Number]) -> tuple[list[Number], list[Number]]:
    """Those that get a card, and all of them for the table."""
    return list(found[:CARDS]), list(found)
