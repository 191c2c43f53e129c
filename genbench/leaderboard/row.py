"""Rows: the seeds of one system together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from genbench.bench.table import Cell, averaged, likelihood_cells
from genbench.comparison.comparable import difference_in_making
from genbench.evaluation.result import DOCUMENT, MetricResult, Result
from genbench.leaderboard.entry import Costs, Entry
from genbench.leaderboard.submission import CEILING

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system. `entries`: one per seed, in the order of the seeds, those that failed as well."""

    label: str
    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return next((entry for entry in self.entries if entry.result is not None), self.entries[0])

    @cached_property
    def results(self) -> list[Result]:
        return [entry.result for entry in self.entries if entry.result is not None]

    @property
    def family(self) -> str:
        return self.first.family

    @property
    def is_ceiling(self) -> bool:
        """Real images, which show what can be reached and take part in no rank."""
        return self.family == CEILING

    @property
    def error(self) -> str | None:
        """Why there is nothing at all; one seed that failed of several shows in `seeds`."""
        return None if self.results else self.entries[0].error

    @property
    def seeds(self) -> str:
        """ "3", "2 of 3" where one failed, "–" for real images."""
        if self.is_ceiling:
            return "–"
        done, asked = len(self.results), len(self.entries)
        return str(done) if done == asked else f"{done} of {asked}"

    @property
    def made(self) -> str:
        """The day of the newest document."""
        return max(entry.made for entry in self.entries)[:10]

    @cached_property
    def keys(self) -> list[str]:
        """The metrics that every seed has a value of."""
        found = [[key for key, metric in result.by_protocol.items() if metric.value is not None] for result in self.results]
        return [key for key in (found[0] if found else []) if all(key in keys for keys in found)]

    def metric(self, key: str) -> MetricResult | None:
        """Of the first seed that has it, with or without a value: what all seeds have in common."""
        return next((result.by_protocol[key] for result in self.results if key in result.by_protocol), None)

    def cell(self, key: str) -> Cell:
        """Mean over seeds, standard error over samples of one seed, standard deviation over seeds."""
        metrics = [result.by_protocol[key] for result in self.results]
        return averaged([float(metric) for metric in metrics], [metric.se for metric in metrics])

    @property
    def likelihood(self) -> Cell | None:
        cells = likelihood_cells([entry.likelihood for entry in self.entries if entry.likelihood is not None])
        return next(iter(cells.values()), None)

    @property
    def costs(self) -> Costs:
        """Means over seeds."""
        found = [entry.costs for entry in self.entries if entry.result is not None] or [Costs()]
        return replace(
            found[0],
            train_seconds=_mean(cost.train_seconds for cost in found),
            sample_ms=_mean(cost.sample_ms for cost in found),
        )

    @property
    def picture(self) -> Path | None:
        return next((entry.picture for entry in self.entries if entry.picture is not None), None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def make_rows(entries: Iterable[Entry]) -> tuple[list[Row], list[str]]:
    """Rows in the order of their first entry, each with a label of its own, and notes on what was left out."""
    notes: list[str] = []
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.label, entry.same), []).append(entry)
    rows = []
    for (label, _), group in groups.items():
        kept, left = _newest(group)
        notes += [f"{label}: {entry.document} is an older run of the same seed and left out" for entry in left]
        rows += [Row(label=label, entries=tuple(part)) for part in parted(kept, _comparable)]
    return _told_apart(rows), notes


def _newest(group: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """One entry per seed in the order of seeds, and those that a newer run replaced."""
    newest: dict[int | None, Entry] = {}
    for entry in sorted(group, key=lambda entry: (entry.result is not None, entry.made)):
        newest[entry.seed] = entry
    kept = sorted(newest.values(), key=lambda entry: -1 if entry.seed is None else entry.seed)
    return kept, [entry for entry in group if entry not in kept]


def parted(things: Sequence[T], together: Callable[[T, T], bool]) -> list[list[T]]:
    """Each joins the first part whose members all may stand `together` with it, or begins one of its own."""
    parts: list[list[T]] = []
    for thing in things:
        part = next((part for part in parts if all(together(one, thing) for one in part)), None)
        if part is None:
            parts.append([thing])
        else:
            part.append(thing)
    return parts


def _comparable(one: Entry, other: Entry) -> bool:
    """Whether two seeds were measured in the same way; those that were not make a row of their own."""
    if one.result is None or other.result is None:
        return True
    mine, theirs = one.result.by_protocol, other.result.by_protocol
    return all(difference_in_making(one.result, mine[key], other.result, theirs[key]) is None for key in mine if key in theirs)


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows of one label get the name of their folder or file beside it, and a number where that is not enough."""
    named = list(rows)
    for mark_of in (_where, None):
        labels = [row.label for row in named]
        for index, row in enumerate(named):
            if labels.count(row.label) > 1:
                mark = mark_of(row) if mark_of else str(1 + labels[:index].count(row.label))
                named[index] = replace(row, label=f"{rows[index].label} ({mark})")
    return named


def _where(row: Row) -> str:
    """ "week1" for week1/vae/seed0/result.json, "vae" for vae/result.json and for vae.json."""
    document = row.first.document.resolve()
    if document.name != DOCUMENT:
        return document.stem
    of_run = document.parent.name.startswith("seed")
    return (document.parents[2] if of_run else document.parent).name
