"""Two results or many, metric by metric: the differences with their errors, a word for each, and who ranks where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from genbench import catalog
from genbench.comparison.difference import Difference, difference
from genbench.comparison.holm import holm
from genbench.comparison.ranks import Rank, ranked
from genbench.errors import IncomparableError, UsageError
from genbench.estimate import Better, badness
from genbench.evaluation.result import MetricResult, Result

Verdict = Literal["better", "not distinguishable", "worse", "not tested"]
DISTANCES = ("influence", "u-statistic")  # methods whose errors vanish with the distance that they are of
NEAR = 2.0  # standard errors from zero


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What `current` is beside `base`, positions among the results.

    p: two-sided, of "there is no difference", and adjusted for everything that was tested (Holm); None without an error bar.
    test: "normal" by the error of the difference, Student's t where that has few degrees of freedom; "permutation" of images.
    """

    base: int
    current: int
    difference: Difference
    p: float | None
    adjusted: float | None = None
    test: Literal["normal", "permutation"] = "normal"
    verdict: Verdict = "not tested"

    @property
    def near_zero(self) -> bool:
        """Whether both values are distances so near zero that the error of their difference is too large."""
        return _near_zero(self.difference.base) and _near_zero(self.difference.current)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One metric: its values and ranks in the order of the results, and every pair of them, each against an earlier one.

    key: as in `Result.by_protocol`; name: with the extractor, "fd@tiny".
    """

    key: str
    name: str
    protocol: str
    better: Better
    metrics: tuple[MetricResult, ...]
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
        """The metric of that name, "fd@tiny" or "fd"."""
        for metric in self.metrics:
            if name in (metric.name, metric.metrics[0].name):
                return metric
        raise KeyError(f"no metric {name!r}; there are: {', '.join(metric.name for metric in self.metrics)}")

    def to_json(self) -> str:
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
        results: two or more of `genbench.evaluate`, or their files, or the folders of these.
        names: what to call them; by default what their images are called.
        alpha: the chance of any false claim, over everything tested (Holm).
        metrics: only these, such as "fd@tiny,precision"; by default all that every result has.

    Raises:
        IncomparableError: a metric was made in two ways; the message names what differs. Or no metric is in all of them.
        UsageError: fewer than two results, names that do not fit them, metrics that none of them has.
        DataError: a file that is no result.
    """
    check(len(results), names, alpha)
    loaded = [result if isinstance(result, Result) else Result.load(result) for result in results]
    return finish(differences(loaded, metrics), call(loaded, results, names), alpha, loaded)


def check(count: int, names: Sequence[str] | None, alpha: float) -> None:
    """Raises UsageError for fewer than two results, an alpha out of range, and names that are too few, too many or alike."""
    if count < 2:
        raise UsageError("E-USAGE", f"{count} result to compare", hint="give two or more")
    if not 0 < alpha < 1:
        raise UsageError("E-USAGE", f"alpha {alpha:g}", hint="alpha is a chance between 0 and 1, such as 0.05")
    if names is not None and (len(names) != count or len(set(names)) < count):
        raise UsageError("E-USAGE", f"{len(names)} names for {count} results", hint="give each a name of its own")


def differences(results: Sequence[Result], metrics: str | Sequence[str] | None = None) -> dict[str, list[Pair]]:
    """Per metric that all results have a value of, every pair; see `compare` for the errors."""
    wanted = _wanted(results, metrics)
    found: dict[str, list[Pair]] = {}
    for key in _common(results, wanted):
        if all(result.by_protocol[key].value is not None for result in results):
            found[key] = [_pair(results, i, j, key) for i, j in combinations(range(len(results)), 2)]
    return found


def finish(pairs: Mapping[str, list[Pair]], names: Sequence[str], alpha: float, results: Sequence[Result]) -> Comparison:
    """Adjust all tests together, and say in words, ranks and notes what follows."""
    tested = [pair.p for found in pairs.values() for pair in found if pair.p is not None]
    adjusted = iter(holm(tested))
    done = {key: [_judged(pair, adjusted, alpha) for pair in found] for key, found in pairs.items()}
    return Comparison(
        names=tuple(names),
        alpha=alpha,
        tests=len(tested),
        metrics=tuple(_compared(key, found, results, alpha) for key, found in done.items()),
        left_out=tuple(_left_out(results, names, set(pairs))),
        notes=tuple(_notes(done, results)),
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
    metrics = tuple(result.by_protocol[key] for result in results)
    first = metrics[0]
    p = {(pair.base, pair.current): 1.0 if pair.adjusted is None else pair.adjusted for pair in pairs}
    return Compared(
        key=key,
        name=first.short_name,
        protocol=first.protocol,
        better=first.better,
        metrics=metrics,
        pairs=tuple(pairs),
        ranks=tuple(ranked([badness(float(metric), first.better) for metric in metrics], p, alpha)),
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
            for name in (metric.name, metric.short_name, metric.protocol, key):
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


def _left_out(results: Sequence[Result], names: Sequence[str], compared: set[str]) -> Iterator[str]:
    """A sentence for each metric that stands in some results and in no comparison."""
    everything = {key: metric for result in results for key, metric in result.by_protocol.items()}
    for key, metric in everything.items():
        if key in compared:
            continue
        lacking = [name for name, result in zip(names, results, strict=True) if key not in result.by_protocol]
        without = [
            f"{name} has no value ({found.reason})"
            for name, result in zip(names, results, strict=True)
            if (found := result.by_protocol.get(key)) is not None and found.value is None
        ]
        if lacking or without:
            yield f"{metric.protocol} {metric.name}: " + "; ".join([*(f"not in {name}" for name in lacking), *without])


# -- words -----------------------------------------------------------------------------------------------------------------


def _notes(pairs: Mapping[str, list[Pair]], results: Sequence[Result]) -> Iterator[str]:
    """What was taken out of the errors, and where they are larger than they need be."""
    found: dict[str, list[str]] = {}
    for all_pairs in pairs.values():
        name = all_pairs[0].difference.base.short_name
        for sentence in dict.fromkeys(_sentence(pair) for pair in all_pairs):
            if sentence:
                found.setdefault(sentence, []).append(name)
    yield from (f"{', '.join(dict.fromkeys(names))}: {sentence}" for sentence, names in found.items())
    if any(not result.influence for result in results):
        yield "without influence.safetensors beside a result, what sets share is not taken out, and errors are too large"


def _sentence(pair: Pair) -> str:
    shares = pair.difference.shares
    if reason := pair.difference.reason or pair.difference.base.reason or pair.difference.current.reason:
        return reason
    if pair.test == "permutation":
        return "so near zero that the error is too large; p* is that of a permutation test"
    if pair.near_zero:
        return (
            "so near zero that the error is too large and p too high; images instead of results (--ref) get a permutation test"
        )
    what = {"reference": "the reference", "images": "the images' names"}
    return f"the sets share {' and '.join(what[one] for one in shares)}, which is taken out of the error" if shares else ""


def _near_zero(metric: MetricResult) -> bool:
    """Whether a distance, as far as its bias is known, is within noise of zero."""
    if metric.better != "lower" or metric.method not in DISTANCES or metric.n_real is None or metric.se is None:
        return False
    value = float(metric) if metric.bias_corrected is None else metric.bias_corrected
    return value < NEAR * metric.se


def call(results: Sequence[Result], given: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """The names given; else what the images are called, where that tells them apart, else the folders, else numbered."""
    if names is not None:
        return list(names)
    called = [result.subject.name for result in results]
    if len(set(called)) < len(called):
        called = [_folder(Path(one)) if isinstance(one, (str, Path)) else name for name, one in zip(called, given, strict=True)]
    return distinct(called)


def distinct(names: Sequence[str]) -> list[str]:
    """Those that occur more than once are numbered by their place."""
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _folder(path: Path) -> str:
    """ "runs/a/result.json" and "runs/a" are a."""
    return path.resolve().parent.name if path.name == "result.json" else path.resolve().stem


# -- the document ----------------------------------------------------------------------------------------------------------


def document(comparison: Comparison) -> dict[str, Any]:
    """`genbench.comparison/1`: everything, with the pairs by name."""
    names = comparison.names
    return {
        "schema": "genbench.comparison/1",
        "alpha": comparison.alpha,
        "tests": comparison.tests,
        "names": list(names),
        "metrics": [
            {
                "name": compared.name,
                "protocol": compared.protocol,
                "better": compared.better,
                "results": [
                    {"name": name, "value": metric.value, "se": metric.se, "ci": metric.ci, "n": metric.n, **vars(rank)}
                    for name, metric, rank in zip(names, compared.metrics, compared.ranks, strict=True)
                ],
                "pairs": [_pair_document(pair, names, 1 - comparison.alpha) for pair in compared.pairs],
            }
            for compared in comparison.metrics
        ],
        "left_out": list(comparison.left_out),
        "notes": list(comparison.notes),
    }


def _pair_document(pair: Pair, names: Sequence[str], level: float) -> dict[str, Any]:
    found = pair.difference
    return {
        "base": names[pair.base],
        "current": names[pair.current],
        "difference": found.value,
        "worsening": found.worsening,
        "se": found.se,
        "interval": found.interval(level),
        "level": level,
        "p": pair.p,
        "p_adjusted": pair.adjusted,
        "test": pair.test,
        "shares": list(found.shares),
        "verdict": pair.verdict,
        "reason": found.reason,
    }
