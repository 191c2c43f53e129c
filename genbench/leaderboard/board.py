"""Which rows stand in one table, in which order and with which ranks; the others stand below it with the reason.

A group is a metric, by which its rows are ranked, and all rows that have a value of it that was made in the same way (see
`genbench.comparison.comparable`). The largest group is the main table, unless another is asked for. Ranks and marks rest on the
error of every difference: what two systems share, such as the reference, is taken out, and what several seeds of one differ
in beyond the sampling of images is put in.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from genbench.bench.table import Cell
from genbench.comparison.comparable import difference_in_making
from genbench.comparison.difference import tail
from genbench.comparison.ranks import Rank, adjusted, covariance_of, ranked
from genbench.errors import UsageError
from genbench.estimate import ARROWS, Better, badness
from genbench.evaluation.result import MetricResult
from genbench.leaderboard.row import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05  # the chance of any false claim about a column


@dataclass(frozen=True, kw_only=True)
class Column:
    """A metric: its key ("fd@tiny/1 fd"), what it is called here ("fd@tiny"), and which direction is better."""

    key: str
    name: str
    better: Better

    @property
    def heading(self) -> str:
        return f"{self.name} {ARROWS[self.better]}"


@dataclass(frozen=True, kw_only=True)
class Score:
    """A value in the table. tied: not significantly worse than the best of its column; never so for real images.

    apart: why the value does not compare with the others of its column, in which case it takes part in nothing.
    """

    cell: Cell
    tied: bool = False
    apart: str | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row of the table with its rank by the group's metric, None for real images."""

    row: Row
    rank: Rank | None
    scores: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class Other:
    """A row that cannot stand in the table, and why, such as "n: 5,000 instead of 10,000 images"."""

    row: Row
    reason: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """One table. `columns`: of all metrics that any row has, the one by which it is ranked first."""

    columns: tuple[Column, ...]
    standings: tuple[Standing, ...]
    others: tuple[Other, ...]

    @property
    def column(self) -> Column:
        return self.columns[0]

    @property
    def systems(self) -> list[Standing]:
        """Without real images."""
        return [standing for standing in self.standings if not standing.row.is_ceiling]

    @cached_property
    def metric(self) -> MetricResult:
        found = self.standings[0].row.metric(self.column.key)
        assert found is not None
        return found

    @property
    def facts(self) -> dict[str, object]:
        """What all values of the first column have in common."""
        reference = self.standings[0].row.results[0].reference
        counts = sorted({f"{m.n:,}" for s in self.standings if (m := s.row.metric(self.column.key)) is not None})
        extractor = self.metric.extractor
        return {
            "protocol": self.metric.protocol,
            "reference": reference.name if reference else None,
            "reference images": f"{self.metric.n_real:,}" if self.metric.n_real else None,
            "images": " or ".join(counts),
            "extractor": f"{extractor.extractor} {extractor.version}" if extractor else None,
            "weights": extractor.weights_sha256[:12] if extractor and extractor.weights_sha256 != "none" else None,
        }

    @property
    def title(self) -> str:
        """ "fd@tiny on digits/train, 599 images"."""
        facts = self.facts
        against = f" against {facts['reference']}" if facts["reference"] else ""
        return f"{self.column.name}{against}, {facts['images']} images"


def make_groups(rows: Sequence[Row], *, by: str | None = None, like: str | None = None) -> list[Group]:
    """All groups, the main one first; each of them has every row, in its table or below.

    by: the metric that ranks the main group, as "fd@tiny" or with its protocol, "fd@tiny/1 fd". like: the label of a row that
    shall be in it. Raises UsageError where there is no such metric or row, or nothing has any value.
    """
    left = [row for row in rows if row.keys]
    if not left:
        first = next((row.error for row in rows if row.error), "no metric has a value")
        raise UsageError("E-NO-ROWS", f"there is nothing to rank: {first}", hint="evaluate some images first")
    _check_asked(left, by, like)
    kinds: list[tuple[str, list[Row]]] = []
    while left:
        key, members = _largest(left, by if not kinds else None, like if not kinds else None)
        kinds.append((key, members))
        left = [row for row in left if row not in members]
    groups = [_group(key, members, rows) for key, members in kinds]
    return groups[:1] + [group for group in groups[1:] if group.systems]


def _check_asked(rows: Sequence[Row], by: str | None, like: str | None) -> None:
    labels = [row.label for row in rows]
    if like is not None and like not in labels:
        raise UsageError("E-NAME", f"no row named {like!r}", hint=f"rows with values: {', '.join(labels)}")
    names = {name for row in rows for key in row.keys for name in _names(row, key)}
    if by is not None and by not in names:
        raise UsageError("E-NAME", f"no metric named {by!r} in these results", hint=f"there are: {', '.join(sorted(names))}")
    if like is not None and by is not None:
        row = rows[labels.index(like)]
        if not any(by in _names(row, key) for key in row.keys):
            raise UsageError("E-NAME", f"{like} has no value of {by}", hint="leave out --by or --like")


def _names(row: Row, key: str) -> tuple[str, ...]:
    metric = row.metric(key)
    return (key,) if metric is None else (key, metric.short_name)


def _largest(rows: Sequence[Row], by: str | None, like: str | None) -> tuple[str, list[Row]]:
    """The metric and the rows of the largest group among these; of equal ones, that of the metric that is named first."""
    best: tuple[str, list[Row]] | None = None
    for key in dict.fromkeys(key for row in rows for key in row.keys):
        having = [row for row in rows if key in row.keys and (by is None or by in _names(row, key))]
        for members in _classes(having, key):
            if like is not None and like not in [row.label for row in members]:
                continue
            if best is None or _size(members) > _size(best[1]):
                best = key, members
    assert best is not None
    return best


def _size(members: Sequence[Row]) -> tuple[int, int]:
    """Systems count before real images, which belong to every suite."""
    return sum(not row.is_ceiling for row in members), len(members)


def _classes(rows: Sequence[Row], key: str) -> list[list[Row]]:
    """Rows whose values of `key` compare. A value that is marked as not comparable compares with nothing."""
    classes: list[list[Row]] = []
    for row in rows:
        fits = (members for members in classes if all(_apart(row, other, key) is None for other in members))
        found = next(fits, None)
        if found is None:
            classes.append([row])
        else:
            found.append(row)
    return classes


def _apart(row: Row, other: Row, key: str) -> str | None:
    """What keeps the value of `row` from standing beside that of `other`; None for nothing."""
    mine, theirs = row.metric(key), other.metric(key)
    if mine is None or theirs is None:
        return "not measured"
    for metric in (mine, theirs):
        if not metric.comparable:
            return f"{metric.short_name} is marked as not comparable" + "".join(f": {note}" for note in metric.notes[:1])
    found = difference_in_making(row.results[0], mine, other.results[0], theirs)
    return found.replace(" and ", " instead of ") if found and found.count(" and ") == 1 else found


def _group(key: str, members: list[Row], rows: Sequence[Row]) -> Group:
    columns = _columns(key, members)
    scores = [_scores(column.key, members) for column in columns]
    placed = dict(_placed(key, [row for row in members if not row.is_ceiling]))
    standings = [
        Standing(
            row=row,
            rank=placed.get(row.label),
            scores={column.key: found[row.label] for column, found in zip(columns, scores, strict=True) if row.label in found},
        )
        for row in members
    ]
    standings.sort(key=lambda s: (not s.row.is_ceiling, badness(s.scores[key].cell.mean, columns[0].better)))
    others = [Other(row=row, reason=_reason(row, members, columns[0])) for row in rows if row not in members]
    return Group(columns=columns, standings=tuple(standings), others=tuple(others))


def _columns(key: str, members: Sequence[Row]) -> tuple[Column, ...]:
    found: dict[str, MetricResult] = {}
    for row in members:
        found |= {k: metric for k in row.keys if k not in found and (metric := row.metric(k)) is not None}
    names = [metric.short_name for metric in found.values()]
    columns = [
        Column(key=k, name=name if names.count(name) == 1 else f"{metric.name} ({metric.protocol})", better=metric.better)
        for (k, metric), name in zip(found.items(), names, strict=True)
    ]
    return tuple(sorted(columns, key=lambda column: column.key != key))


def _scores(key: str, members: Sequence[Row]) -> dict[str, Score]:
    """By label. Those that do not compare with most of the column stand apart."""
    having = [row for row in members if key in row.keys]
    usual = max(_classes(having, key), key=_size)
    ranked = dict(_placed(key, [row for row in usual if not row.is_ceiling]))
    return {
        row.label: Score(
            cell=row.cell(key),
            tied=row.label in ranked and ranked[row.label].tied_with_best,
            apart=None if row in usual else _first_apart(row, usual, key),
        )
        for row in having
    }


def _placed(key: str, rows: Sequence[Row]) -> list[tuple[str, Rank]]:
    """The rank of every row by its mean over seeds."""
    if not rows:
        return []
    import numpy as np

    direction = rows[0].results[0].by_protocol[key].better
    covariance = covariance_of([result for row in rows for result in row.results], key)
    mixing = np.zeros((len(rows), len(covariance)))  # each row is the mean of its own results
    spreads, start = [], 0
    for index, row in enumerate(rows):
        own = slice(start, start + len(row.results))
        mixing[index, own] = 1 / len(row.results)
        spreads.append(_spread([float(result.by_protocol[key]) for result in row.results], covariance[own, own]))
        start += len(row.results)
    if len(covariance) > len(rows):
        covariance = mixing @ covariance @ mixing.T
    values = [badness(row.cell(key).mean, direction) for row in rows]
    return [(row.label, rank) for row, rank in zip(rows, place(values, covariance, pooled(spreads)), strict=True)]


@dataclass(frozen=True)
class Spread:
    """Of one value per seed: their variance, the part of it that the sampling of images explains, and how many they are.

    freedom: degrees of freedom of the variance; 0 for one seed, of which nobody knows how much another would differ.
    """

    variance: float = 0.0
    sampling: float = 0.0
    seeds: int = 1
    freedom: int = 0

    @property
    def beyond(self) -> float:
        """What seeds add to the variance of the mean, beyond the sampling of images."""
        return max(0.0, self.variance - self.sampling) / self.seeds


def _spread(values: Sequence[float], covariance: NDArray[Any]) -> Spread:
    """What seeds share, such as the noise of the reference, makes none of their spread."""
    count = len(values)
    if count < 2:
        return Spread()
    shared = (covariance.sum() - covariance.trace()) / (count * (count - 1))
    sampling = float(covariance.trace() / count - shared)
    return Spread(statistics.variance(values), sampling, count, count - 1)


def pooled(spreads: Sequence[Spread]) -> list[Spread]:
    """Two or three seeds agree by chance now and then: a spread below the mean of all systems' is taken for that mean.

    The chance of any false claim then stays at the promised one where systems vary alike, and was at most twice as large in
    simulations of two seeds each where one system varies fifty times as much as the others.
    """
    freedom = sum(one.freedom for one in spreads)
    if freedom == 0:
        return list(spreads)
    mean = sum(one.variance * one.freedom for one in spreads) / freedom
    low = [one.freedom > 0 and one.variance < mean for one in spreads]
    return [replace(one, variance=mean, freedom=freedom) if below else one for one, below in zip(spreads, low, strict=True)]


def place(values: Sequence[float], covariance: NDArray[Any], spreads: Sequence[Spread]) -> list[Rank]:
    """Ranks of means with this covariance of the sampling of images (K, K), to which what seeds add is added.

    As seeds are few, a difference is tested by Student's t with Welch's degrees of freedom.
    """

    def p(i: int, j: int) -> float | None:
        sampling = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        variance = sampling + spreads[i].beyond + spreads[j].beyond
        apart = abs(values[i] - values[j])
        if math.isnan(variance):
            return None
        if variance <= 0:
            return float(apart == 0)
        several = [one for one in (spreads[i], spreads[j]) if one.beyond > 0]
        uncertain = sum((one.variance / one.seeds) ** 2 / one.freedom for one in several)
        freedom = variance**2 / uncertain if uncertain else math.inf
        return min(1.0, 2 * tail(apart / math.sqrt(variance), max(1.0, freedom)))

    pairs = combinations(range(len(values)), 2)
    return ranked(values, adjusted({pair: p(*pair) for pair in pairs}), ALPHA)


def _first_apart(row: Row, members: Sequence[Row], key: str) -> str | None:
    return next(filter(None, (_apart(row, member, key) for member in members)), None)


def _reason(row: Row, members: Sequence[Row], column: Column) -> str:
    """Why `row` does not stand among `members`."""
    if row.error:
        return f"failed: {row.error.splitlines()[0]}"
    if column.key not in row.keys:
        metric = row.metric(column.key)
        if metric is not None:
            return f"no {column.name}: {metric.reason}"
        measured = ", ".join(dict.fromkeys(m.short_name for k in row.keys if (m := row.metric(k)) is not None))
        return f"no {column.name} of the protocol {column.key.rpartition(' ')[0]}; measured: {measured}"
    return _first_apart(row, members, column.key) or "another table was asked for"
