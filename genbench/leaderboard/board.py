"""Which rows stand in one table, in which order and with which ranks; the others stand below it with the reason.

A group is a metric, by which its rows are ranked, and all rows that have a value of it that was made in the same way (see
`genbench.comparison.comparable`). The largest group is the main table, unless another is asked for. Ranks and marks rest on the
error of every difference, see `genbench.leaderboard.seeds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from genbench.bench.table import Cell
from genbench.comparison.comparable import difference_in_making
from genbench.comparison.ranks import Rank
from genbench.errors import UsageError
from genbench.estimate import ARROWS, Better, badness
from genbench.evaluation.result import MetricResult
from genbench.leaderboard.row import Row, parted
from genbench.leaderboard.seeds import Place, places
from genbench.study.ratings import Ratings


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
    """A value in the table. place: among the others of its column, None for real images.

    apart: why the value does not compare with the others of its column, in which case it takes part in nothing.
    """

    cell: Cell
    place: Place | None = None
    apart: str | None = None

    @property
    def tied(self) -> bool:
        """Not significantly worse than the best of its column."""
        return self.place is not None and self.place.rank.tied_with_best

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.place is None else self.place.interval


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row of the table with its scores by metric; `key`: the one that ranks."""

    row: Row
    scores: dict[str, Score]
    key: str

    @property
    def rank(self) -> Rank | None:
        """None for real images."""
        place = self.scores[self.key].place
        return None if place is None else place.rank


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


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that is shown. groups: the main table first.

    documents, reports: by label, where copies of a row's results and its report lie in the site.
    """

    title: str
    groups: Sequence[Group]
    ratings: Ratings | None
    documents: Mapping[str, Sequence[str]]
    reports: Mapping[str, str]
    made: str
    notes: Sequence[str] = ()

    @property
    def main(self) -> Group:
        return self.groups[0]

    @property
    def files(self) -> list[str]:
        """All documents and reports."""
        return sorted([*(place for places in self.documents.values() for place in places), *self.reports.values()])


def make_groups(rows: Sequence[Row], *, by: str | None = None, like: str | None = None) -> list[Group]:
    """All groups, the main one first; each of them has every row, in its table or below.

    by: the metric that ranks the main group, by any of `MetricResult.names`, such as "fd@tiny". like: the label of a row that
    shall be in it. Raises UsageError where there is no such metric or row, several metrics, or no value at all.
    """
    left = [row for row in rows if row.keys]
    if not left:
        first = next((row.error for row in rows if row.error), "no metric has a value")
        raise UsageError("E-NO-ROWS", f"there is nothing to rank: {first}", hint="evaluate some images first")
    _check_like(left, like)
    asked = None if by is None else _keys_called(by, left)
    if like is not None and asked and not any(row.label == like and asked.intersection(row.keys) for row in left):
        raise UsageError("E-NAME", f"{like} has no value of {by}", hint="leave out --by or --like")
    kinds: list[tuple[str, list[Row]]] = []
    while left:
        key, members = _largest(left, asked if not kinds else None, like if not kinds else None)
        kinds.append((key, members))
        left = [row for row in left if row not in members]
    groups = [_group(key, members, rows) for key, members in kinds]
    return groups[:1] + [group for group in groups[1:] if group.systems]


def _check_like(rows: Sequence[Row], like: str | None) -> None:
    labels = [row.label for row in rows]
    if like is not None and like not in labels:
        raise UsageError("E-NAME", f"no row named {like!r}", hint=f"rows with values: {', '.join(labels)}")


def _keys_called(by: str, rows: Sequence[Row]) -> set[str]:
    """The keys of one metric, of any version. Raises UsageError for a name that none has, or several have."""
    metrics = {key: metric for row in rows for key in row.keys if (metric := row.metric(key)) is not None}
    exact = {key for key, metric in metrics.items() if by in (key, metric.short_name)}
    found = exact or {key for key, metric in metrics.items() if by in metric.names}
    names = sorted({metrics[key].short_name for key in found})
    if len(names) > 1:
        raise UsageError("E-NAME", f"several metrics are called {by!r}", hint=f"name one of them: {', '.join(names)}")
    if not found:
        there = sorted({name for key, metric in metrics.items() for name in (key, metric.short_name)})
        raise UsageError("E-NAME", f"no metric named {by!r} in these results", hint=f"there are: {', '.join(there)}")
    return found


def _largest(rows: Sequence[Row], asked: Set[str] | None, like: str | None) -> tuple[str, list[Row]]:
    """The metric and the rows of the largest group among these; of equal ones, that of the metric that is named first."""
    best: tuple[str, list[Row]] | None = None
    for key in dict.fromkeys(key for row in rows for key in row.keys):
        having = [row for row in rows if key in row.keys and (asked is None or key in asked)]
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
    return parted(rows, lambda one, other: _apart(other, one, key) is None)


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
    scores = {column.key: _scores(column.key, members) for column in columns}
    standings = [
        Standing(row=row, scores={key: found[row.label] for key, found in scores.items() if row.label in found}, key=key)
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
    ranked = places(key, [row for row in usual if not row.is_ceiling])
    return {
        row.label: Score(
            cell=row.cell(key),
            place=ranked.get(row.label),
            apart=None if row in usual else _first_apart(row, usual, key),
        )
        for row in having
    }


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
