"""The comparison table of a folder of runs: one row per system, averaged over seeds, between a floor and a ceiling."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from genbench.bench.record import Cost, Likelihood, Quality, Record
from genbench.bench.suite import SHARED
from genbench.errors import IncomparableError
from genbench.estimate import ARROWS, Better, badness, format_value
from genbench.pages import escape, tables

FLOOR = "untrained, best of all"
TEXTS = ("family", "condition", "seeds")  # columns of words
NOTE = (
    "± one standard error over samples; in brackets the standard deviation over seeds. best: the checkpoint that did best on "
    "validation data. ≤, ≥: a bound of the true value; kinds of likelihood do not compare. evaluations: passes of the network."
)


@dataclass(frozen=True)
class Cell:
    """mean over seeds; se: root mean square of the standard errors over samples; sd: over seeds, None for one seed."""

    mean: float
    se: float | None = None
    sd: float | None = None
    prefix: str = ""
    suffix: str = ""
    kind: str = ""
    digits: Callable[[float], str] | None = None

    def __str__(self) -> str:
        text = self.digits(self.mean) if self.digits else format_value(self.mean, self.se)
        spread = f" ({self.sd:.2g})" if self.sd is not None and not self.digits else ""
        return f"{self.prefix}{text}{spread}{self.suffix}"


@dataclass(frozen=True)
class Row:
    """One line: what it is, its cells by column, and why it has none."""

    label: str
    texts: Mapping[str, str]
    cells: Mapping[str, Cell] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Table:
    """What runs of one suite come to.

    quality, costs: headings of the cell columns, in order; better: the direction of those that have one; facts: under which
    conditions and where the runs were made.
    """

    quality: Sequence[str]
    costs: Sequence[str]
    better: Mapping[str, Better]
    rows: Sequence[Row]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return [*self.quality, *self.costs]

    def lines(self, columns: Sequence[str], texts: Sequence[str] = TEXTS) -> list[list[str]]:
        """Headings and rows as strings; rows without any of these columns are left out, but for those that failed."""
        arrows = [f"{name} {ARROWS[self.better[name]]}" if name in self.better else name for name in columns]
        shown = [row for row in self.rows if row.error or any(name in row.cells for name in columns)]
        cells = [[str(row.cells[name]) if name in row.cells else "–" for name in columns] for row in shown]
        named = [[row.label, *(row.texts.get(name, "") for name in texts)] for row in shown]
        return [["system", *texts, *arrows], *(left + right for left, right in zip(named, cells, strict=True))]

    @property
    def blocks(self) -> list[tuple[list[list[str]], int]]:
        """Two tables, quality and cost: lines, and how many of their columns are words."""
        return [(self.lines(self.quality), 1 + len(TEXTS)), (self.lines(self.costs, ()), 1)]

    def _repr_html_(self) -> str:
        return "".join(tables.as_html(lines, words) for lines, words in self.blocks)

    def failures(self) -> list[str]:
        """A sentence for each system that failed, under one seed or all."""
        return [f"failed: {row.label}: {row.error.splitlines()[0]}" for row in self.rows if row.error]


def make_table(records: Iterable[Record]) -> Table:
    """The table of these runs. Raises IncomparableError where they were measured on different data or by different metrics."""
    records = list(records)
    _check_comparable(records)
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.label, []).append(record)
    better: dict[str, Better] = {
        name: found.better for record in records if record.final for name, found in record.final.values().items()
    }
    first = next(iter(better), None)
    rows = [_row(label, group, first) for label, group in groups.items()]
    ceiling = [row for row, group in zip(rows, groups.values(), strict=True) if group[0].family == "data"]
    systems = [row for row in rows if row not in ceiling]
    if first is not None:
        systems.sort(key=lambda row: badness(row.cells[first].mean, better[first]) if first in row.cells else float("inf"))
        better |= {f"{first} best": better[first], f"{first} untrained": better[first]}
    present = {name for row in systems for name in row.cells}
    metrics = [name for name in better if name in present or not name.endswith((" best", " untrained"))]
    quality = [*metrics, *(name for name in LIKELIHOODS if name in present)]
    costs = [name for name in COSTS if name in present]
    return Table(quality, costs, better, [*ceiling, *systems, *_floor(records, better)], _facts(records))


def _facts(records: list[Record]) -> dict[str, Any]:
    """What all runs share, and each value of what they do not: budgets, seeds, machines, dates."""
    shared = {name: records[0].config.get(name) for name in SHARED}
    trained = [record for record in records if "model" in record.config]
    several = {name: _distinct(record.config[name] for record in trained) for name in ("budget", "seed", "threads")}
    machines = _distinct(record.environment for record in trained if record.environment)
    return {**shared, **several, "environment": machines, "made": _distinct(record.made[:10] for record in records)}


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each once, in order of appearance."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _check_comparable(records: list[Record]) -> None:
    for record in records[1:]:
        for name in SHARED:
            first, own = records[0].config.get(name), record.config.get(name)
            if first != own:
                what = f"{record.label} has {name} = {own}, {records[0].label} has {first}"
                hint = "make a table of the runs of one suite"
                raise IncomparableError("E-INCOMPARABLE", f"these runs cannot stand in one table: {what}", hint=hint)
    _check_labels(records)


def _check_labels(records: list[Record]) -> None:
    """Runs of one label are averaged as seeds, so they must be the same but for the seed."""
    kept: dict[tuple[str, Any], Record] = {}
    for record in records:
        key = (record.label, record.config.get("seed"))
        first = next((other for (label, _), other in kept.items() if label == record.label), None)
        if key in kept or (first is not None and _without_seed(first) != _without_seed(record)):
            what = f"two runs are called {record.label!r} and differ in more than the seed, or have the same"
            raise IncomparableError("E-INCOMPARABLE", what, hint="give entries labels of their own, or name one folder only")
        kept[key] = record


def _without_seed(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.config.items() if name != "seed"}


# Column -> what of the cost it shows, and how.
COSTS: Mapping[str, tuple[Callable[[Cost], float], Callable[[float], str]]] = {
    "parameters": (lambda cost: cost.parameters, lambda value: short_count(value)),
    "steps": (lambda cost: cost.steps, "{:,.0f}".format),
    "train s": (lambda cost: cost.train_seconds, "{:.3g}".format),
    "train CPU s": (lambda cost: cost.train_cpu_seconds, "{:.3g}".format),
    "ms/image": (lambda cost: 1000 * cost.sample_seconds, "{:.3g}".format),
    "evaluations": (lambda cost: cost.evaluations, "{:.0f}".format),
    "peak MB": (lambda cost: cost.peak_memory / 1e6, "{:.0f}".format),
}


def short_count(value: float) -> str:
    """ "198 k", "61.8 M"."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def _row(label: str, group: list[Record], first: str | None) -> Row:
    done = [record for record in group if record.error is None]
    texts = {"family": group[0].family, "condition": _condition(group[0]), "seeds": _seeds(group, done)}
    error = next((record.error for record in group if record.error), "")
    if not done:
        return Row(label, texts, error=error)
    cells = _quality_cells([record.final for record in done if record.final])
    if first is not None:
        best = _quality_cells([record.best.quality for record in done if record.best])
        untrained = _quality_cells([record.untrained for record in done if record.untrained])
        cells |= {f"{first} best": best[first]} if first in best else {}
        cells |= {f"{first} untrained": untrained[first]} if first in untrained else {}
    cells |= likelihood_cells([record.likelihood for record in done if record.likelihood])
    costs = [record.cost for record in done if record.cost]
    for name, (read, digits) in COSTS.items() if costs else ():
        cells[name] = Cell(statistics.fmean(map(read, costs)), digits=digits)
    return Row(label, texts, cells, error)


def _condition(record: Record) -> str:
    return {"unconditional": "–", "single_image": "one image", "paired": "image"}.get(record.task, record.task)


def _seeds(group: list[Record], done: list[Record]) -> str:
    if group[0].family == "data":
        return "–"
    return str(len(done)) if len(done) == len(group) else f"{len(done)} of {len(group)}"


def _quality_cells(qualities: list[Quality]) -> dict[str, Cell]:
    cells = {}
    for name in qualities[0].values() if qualities else ():
        found = [quality.values()[name] for quality in qualities]
        values = [value.value for value in found if value.value is not None]
        if values:
            cells[name] = averaged(values, [value.se for value in found])
    return cells


def averaged(values: list[float], errors: Sequence[float | None]) -> Cell:
    """Of one value and error per seed."""
    known = [error for error in errors if error is not None]
    se = statistics.fmean(error**2 for error in known) ** 0.5 if known else None
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Cell(statistics.fmean(values), se, sd)


LIKELIHOODS = ("bits/dim", "log density")

# How a likelihood came about, in a word; kinds are never compared with each other.
KINDS: Mapping[str, str] = {
    "exact": "exact",
    "exact, dequantised": "dequantised",
    "lower bound": "bound",
    "lower bound, binarised": "bound, binarised",
}


def likelihood_cells(found: list[Likelihood]) -> dict[str, Cell]:
    """By column, "bits/dim" or "log density"; one likelihood per seed, all of one kind."""
    if not found:
        return {}
    kind, unit = found[0].kind, found[0].unit
    if unit == "nats":  # continuous data are not dequantised
        kind = kind.partition(",")[0]
    # Bits per dimension of a bound are at least those of the model; a log density in nats at most.
    prefix = "" if kind == "exact" else "≥ " if unit == "nats" else "≤ "
    plain = averaged([one.measured.value for one in found], [one.measured.se for one in found])
    cell = replace(plain, prefix=prefix, suffix=f" {KINDS.get(kind, kind)}", kind=kind)
    return {"bits/dim" if unit == "bits/dim" else "log density": cell}


def _floor(records: list[Record], better: Mapping[str, Better]) -> list[Row]:
    """For each metric the best value that any untrained system reaches."""
    untrained = [record.untrained.values() for record in records if record.untrained]
    if not untrained:
        return []
    cells = {}
    for name, direction in better.items():
        values = [found[name] for found in untrained if name in found and found[name].value is not None]
        if values:
            best = min(values, key=lambda value: badness(value.value or 0.0, direction))
            cells[name] = Cell(best.value or 0.0, best.se)
    return [Row(FLOOR, {"family": "–", "condition": "–", "seeds": "–"}, cells)]


# -- formats ---------------------------------------------------------------------------------------------------------------


def as_text(table: Table) -> str:
    """Quality and cost, one below the other, aligned for a terminal."""
    blocks = [tables.as_text(lines, words) for lines, words in table.blocks]
    return "\n\n".join([*blocks, "\n".join([*table.failures(), NOTE])])


def as_markdown(table: Table) -> str:
    """Two tables, quality and cost."""
    blocks = [tables.as_markdown(lines, words) for lines, words in table.blocks]
    return "\n\n".join([*blocks, *map(escape.markdown, table.failures()), NOTE])


def as_csv(table: Table) -> str:
    """Numbers in full, with their errors in columns of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    parts = [f"{name}{part}" for name in table.columns for part in ("", " se", " sd")]
    writer.writerow(["system", *TEXTS, *parts, "likelihood", "error"])
    for row in table.rows:
        cells = [row.cells.get(name) for name in table.columns]
        numbers = [number for cell in cells for number in ((cell.mean, cell.se, cell.sd) if cell else (None,) * 3)]
        texts = [escape.csv_cell(text) for text in (row.label, *(row.texts.get(name, "") for name in TEXTS))]
        kind = next((cell.kind for cell in cells if cell and cell.kind), "")
        writer.writerow(
            [*texts, *("" if number is None else repr(number) for number in numbers), kind, escape.csv_cell(row.error)]
        )
    return out.getvalue().rstrip("\n")


def as_latex(table: Table) -> str:
    """Two tabulars for booktabs, quality and cost."""
    blocks = [tables.as_latex(lines, words) for lines, words in table.blocks]
    return "\n\n".join([*blocks, *(f"% {escape.one_line(line)}" for line in (*table.failures(), NOTE))])


def as_json(table: Table) -> str:
    rows = [
        {
            "system": row.label,
            **row.texts,
            "cells": {name: _numbers(cell) for name, cell in row.cells.items()},
            "error": row.error or None,
        }
        for row in table.rows
    ]
    shape = {"schema": "genbench.table/1", **table.facts, "columns": table.columns, "better": dict(table.better)}
    document = {**shape, "rows": rows}
    return json.dumps(document, indent=1)


def _numbers(cell: Cell) -> dict[str, Any]:
    kind = {"kind": cell.kind} if cell.kind else {}
    return {"mean": cell.mean, "se": cell.se, "sd": cell.sd, "text": str(cell)} | kind


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
    "json": as_json,
}


def render(table: Table, format: str) -> str:
    """The table in one of FORMATS."""
    return FORMATS[format](table)
