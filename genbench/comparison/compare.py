"""Two results or many, metric by metric: the differences with their errors, a word for each, and who ranks where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from genbench import catalog
from genbench.comparison.difference import difference
from genbench.comparison.holm import holm
from genbench.comparison.notes import left_out, notes
from genbench.comparison.pair import Pair, Verdict
from genbench.comparison.ranks import Rank, ranked
from genbench.errors import IncomparableError, UsageError
from genbench.estimate import Better, badness
from genbench.evaluation.result import DOCUMENT, MetricResult, Result

SMALLEST = 1e-15  # alpha of which 1 - alpha is not yet 1


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One metric: its values and ranks in the order of the results, and every pair of them, each against an earlier one.

    key: as in `Result.by_protocol`; name: with the extractor, "fd@tiny".
    """

    key: str
    name: str
    protocol: str
    better: Better
    values: tuple[MetricResult, ...]
    pairs: tuple[Pair, ...]
    ranks: tuple[Rank, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several results come to beside each other; `str` is a table, `to_json` one document.

    alpha: the chance of any false claim over all tests. tests: how many there were. metrics: those that all results have;
    left_out: for each other one a sentence why. notes: what a reader should know about the errors.
    """

    names: tuple[str, ...]
    alpha: float
    tests: int
    metrics: tuple[Compared, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Compared:
        """The metric of that name, "fd@tiny" or "fd"; see `MetricResult.names`."""
        for metric in self.metrics:
            if name in metric.values[0].names:
                return metric
        raise KeyError(f"no metric {name!r}; there are: {', '.join(metric.name for metric in self.metrics)}")

    def to_json(self) -> str:
        from genbench.comparison.document import document

        return json.dumps(document(self), indent=2, allow_nan=False)

    def __str__(self) -> str:
        from genbench.comparison.formats import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from genbench.comparison.formats import as_html

        return as_html(self)


def compare(
    *results: Result | str | Path,
    names: Sequence[str] | None = None,
    alpha: float = 0.05,
    metrics: str | Sequence[str] | None = None,
) -> Comparison:
    """Compare results metric by metric, every pair of them.

    Args:
        results: two or more of `genbench.evaluate`, or their files, or the folders of these, or those of runs.
        names: what to call them; by default what their runs or their images are called.
        alpha: the chance of any false claim, over everything tested (Holm).
        metrics: only these, such as "fd@tiny,precision"; by default all that every result has.

    Raises:
        IncomparableError: a metric was made in two ways; the message names what differs. Or no metric is in all of them, or
            none has a value in all.
        UsageError: fewer than two results, names that do not fit them, metrics that none of them has.
        DataError: a file that is no result.
    """
    check_arguments(len(results), names, alpha)
    loaded = [result if isinstance(result, Result) else Result.load(result) for result in results]
    return concluded(differences(loaded, metrics), names_of(loaded, results) if names is None else names, alpha, loaded)


def check_arguments(count: int, names: Sequence[str] | None, alpha: float) -> None:
    """Raises UsageError for fewer than two results, an alpha out of range, and names that are too few, too many or alike."""
    if count < 2:
        raise UsageError("E-USAGE", f"{count} result to compare", hint="give two or more")
    if not SMALLEST <= alpha < 1:
        raise UsageError("E-USAGE", f"alpha {alpha:g}", hint="alpha is a chance between 0 and 1, such as 0.05")
    if names is not None and (len(names) != count or len(set(names)) < count):
        raise UsageError("E-USAGE", f"{len(names)} names for {count} results", hint="give each a name of its own")


def differences(results: Sequence[Result], metrics: str | Sequence[str] | None = None) -> dict[str, list[Pair]]:
    """Per metric that all results have a value of, every pair; see `compare` for the errors."""
    common = _common(results, _wanted(results, metrics))
    found: dict[str, list[Pair]] = {}
    for key in common:
        if all(result.by_protocol[key].value is not None for result in results):
            found[key] = [_pair(results, i, j, key) for i, j in combinations(range(len(results)), 2)]
    if not found:
        reasons = (m.reason for result in results for key, m in result.by_protocol.items() if key in common and m.value is None)
        raise IncomparableError(
            "E-INCOMPARABLE",
            f"no metric has a value in all of them: {next(filter(None, reasons))}",
            hint="evaluate all again with what was lacking, or with other metrics",
        )
    return found


def concluded(pairs: Mapping[str, list[Pair]], names: Sequence[str], alpha: float, results: Sequence[Result]) -> Comparison:
    """Adjust all tests together, and say in words, ranks and notes what follows."""
    tested = [pair.p for found in pairs.values() for pair in found if pair.p is not None]
    adjusted = iter(holm(tested))
    done = {key: [_judged(pair, adjusted, alpha) for pair in found] for key, found in pairs.items()}
    return Comparison(
        names=tuple(names),
        alpha=alpha,
        tests=len(tested),
        metrics=tuple(_compared(key, found, results, alpha) for key, found in done.items()),
        left_out=tuple(left_out(results, names, set(pairs))),
        notes=tuple(notes(done, results)),
    )


def _pair(results: Sequence[Result], i: int, j: int, key: str) -> Pair:
    found = difference(results[i], results[j], key)
    return Pair(base=i, current=j, difference=found, p=found.p)


def _judged(pair: Pair, adjusted: Iterator[float], alpha: float) -> Pair:
    if pair.p is None:
        return pair
    p = next(adjusted)
    words: tuple[Verdict, Verdict] = ("better", "worse")
    return replace(pair, adjusted=p, verdict=words[pair.difference.worsening > 0] if p < alpha else "not distinguishable")


def _compared(key: str, pairs: Sequence[Pair], results: Sequence[Result], alpha: float) -> Compared:
    values = tuple(result.by_protocol[key] for result in results)
    first = values[0]
    p = {(pair.base, pair.current): 1.0 if pair.adjusted is None else pair.adjusted for pair in pairs}
    return Compared(
        key=key,
        name=first.short_name,
        protocol=first.protocol,
        better=first.better,
        values=values,
        pairs=tuple(pairs),
        ranks=tuple(ranked([badness(float(value), first.better) for value in values], p, alpha)),
    )


# -- which metrics ---------------------------------------------------------------------------------------------------------


def _wanted(results: Sequence[Result], metrics: str | Sequence[str] | None) -> set[str] | None:
    """The keys asked for, None for all."""
    if metrics is None:
        return None
    asked = [text.strip() for text in metrics.split(",")] if isinstance(metrics, str) else list(metrics)
    calls: dict[str, set[str]] = {}  # what a metric may be called -> its keys
    for result in results:
        for key, metric in result.by_protocol.items():
            for name in metric.names:
                calls.setdefault(name, set()).add(key)
    for name in asked:
        if name not in calls:
            raise catalog.unknown("metrics", name, sorted(calls))
    return {key for name in asked for key in calls[name]}


def _common(results: Sequence[Result], wanted: set[str] | None) -> list[str]:
    """The keys that all results have, in the order of the first. Raises IncomparableError where all have it in other ways."""
    made = [{k: m for k, m in result.by_protocol.items() if wanted is None or k in wanted} for result in results]
    common = [key for key in made[0] if all(key in one for one in made)]
    ways = [{name: [m.protocol for m in one.values() if m.short_name == name] for name in _short(one)} for one in made]
    settled = {made[0][key].short_name for key in common}
    for name in ways[0]:
        if name not in settled and all(name in one for one in ways):
            protocols = list(dict.fromkeys(", ".join(one[name]) for one in ways))
            raise IncomparableError(
                "E-INCOMPARABLE",
                f"{name} differs in protocol: {' and '.join(protocols)}",
                hint="evaluate all with the same command but for the images, or leave it out with --metrics",
            )
    if not common:
        has = "; ".join(", ".join(_short(one)) or "none" for one in made)
        raise IncomparableError(
            "E-INCOMPARABLE",
            f"no metric is in all of them: {has}",
            hint="evaluate all with the same command but for the images",
        )
    return common


def _short(metrics: Mapping[str, MetricResult]) -> list[str]:
    return list(dict.fromkeys(metric.short_name for metric in metrics.values()))


# -- names -----------------------------------------------------------------------------------------------------------------


def names_of(results: Sequence[Result], given: Sequence[Any]) -> list[str]:
    """What runs or images are called, where that tells them apart, else the folders, else numbered. given: the arguments."""
    called = [result.label for result in results]
    if len(set(called)) < len(called):
        called = [_folder(Path(one)) if isinstance(one, (str, Path)) else name for name, one in zip(called, given, strict=True)]
    return distinct(called)


def distinct(names: Sequence[str]) -> list[str]:
    """Those that occur more than once are numbered by their place."""
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _folder(path: Path) -> str:
    """ "runs/a/result.json" and "runs/a" are a."""
    return path.resolve().parent.name if path.name == DOCUMENT else path.resolve().stem
