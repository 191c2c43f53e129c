"""What the text, the Markdown and the JUnit form of a check share: one row per gate, and the sentences around the table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from genbench.estimate import ARROWS
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.verdict import Check, Outcome

SHOWN_IMAGES = 3  # of those that hurt a metric most
SHOWN_METRICS = 2  # for which images are named
FINE = ("ok", "improved")


class Row(NamedTuple):
    """The cells of one gate. Names stand in them as they are: every format makes them harmless in its own way."""

    metric: str
    baseline: str
    current: str
    difference: str
    margin: str
    verdict: str


HEADINGS = Row("metric", "baseline", "current", "difference [95 % CI]", "margin", "verdict")
WORDS = (0, len(HEADINGS) - 1)  # columns that hold no numbers


def rows(check: Check) -> list[Row]:
    names = [outcome.name for outcome in check.outcomes]
    return [_row(outcome, twice=names.count(outcome.name) > 1) for outcome in check.outcomes]


def _row(outcome: Outcome, *, twice: bool) -> Row:
    """`twice`: another gate has the same name, so that the protocol tells them apart."""
    measured = outcome.current or outcome.base
    name = outcome.name if measured is None or not twice else f"{outcome.name} ({measured.protocol})"
    digits = _digits(outcome)
    return Row(
        metric=name if measured is None else f"{name} {ARROWS[measured.better]}",
        baseline=_value(outcome.base, digits),
        current=_value(outcome.current, digits),
        difference=_difference(outcome, digits),
        margin="–" if outcome.margin is None else f"{outcome.margin:.3g}",
        verdict=verdict(outcome),
    )


def _digits(outcome: Outcome) -> int | None:
    """Decimals that show two digits of the error of the difference; None where it is not known."""
    se = outcome.difference.se if outcome.difference else None
    return None if not se else min(12, max(0, 1 - math.floor(math.log10(se))))


def number(value: float, digits: int | None, sign: str = "") -> str:
    return format(value, f"{sign}.4g" if digits is None else f"{sign}.{digits}f")


def _value(metric: MetricResult | None, digits: int | None) -> str:
    return "–" if metric is None or metric.value is None else number(metric.value, digits)


def _difference(outcome: Outcome, digits: int | None) -> str:
    if outcome.difference is None:
        return "–"
    shown, interval = number(outcome.difference.value, digits, "+"), outcome.difference.interval()
    if interval is None:
        return shown
    return f"{shown} [{number(interval[0], digits, '+')}, {number(interval[1], digits, '+')}]"


def verdict(outcome: Outcome) -> str:
    """One word, in capitals where it fails the check, with what would decide an inconclusive one."""
    if not outcome.counts:
        return f"{outcome.verdict} (warning)"
    if outcome.verdict == "inconclusive":
        return "inconclusive" + (f" (decided by about {outcome.needs_n:,} images)" if outcome.needs_n else "")
    return outcome.verdict if outcome.verdict in FINE else outcome.verdict.upper()


def protocols(check: Check) -> str:
    """Of the gated metrics, each once."""
    measured = [outcome.current or outcome.base for outcome in check.outcomes]
    return ", ".join(dict.fromkeys(metric.protocol for metric in measured if metric is not None)) or "nothing measured"


def baseline(check: Check, against: str = "") -> str:
    """What the subject is compared with: `against` (a file or a commit) and the day when it was measured."""
    if check.baseline is None:
        return "no baseline"
    return ", ".join(["baseline " + (against or check.baseline.subject.name), check.baseline.created[:10]])


def counts(result: Result) -> str:
    return "–" if result.subject.n is None else f"{result.subject.n:,}"


def power(check: Check) -> str:
    """The smallest change that this many images show, or nothing where it is not known."""
    parts = [f"{outcome.name} {outcome.detectable:.2g}" for outcome in check.outcomes if outcome.detectable is not None]
    return f"smallest worsening found with 80 % power, n = {counts(check.current)}: {', '.join(parts)}" if parts else ""


def reasons(check: Check) -> list[tuple[str, str]]:
    """(metric, sentence) of every gate whose row does not say all: what is wrong with it or which limit it broke."""
    return [
        (outcome.name, outcome.reason)
        for outcome in check.outcomes
        if outcome.verdict not in FINE and not (outcome.verdict == "inconclusive" and outcome.needs_n)
    ]


def hurt(check: Check) -> Iterator[tuple[str, list[str]]]:
    """("images that hurt fd most", their names) of the metrics that are not fine, the failing ones first."""
    order = {outcome.name: outcome.verdict not in FINE for outcome in check.outcomes}
    named = sorted((name for name in check.hurt if check.hurt[name]), key=lambda name: not order.get(name, False))
    for name in named[:SHOWN_METRICS]:
        pulls = [pull for _, pull in check.hurt[name]]
        alike = len(pulls) > SHOWN_IMAGES and pulls[0] == pulls[-1]
        how = "all alike, such as" if alike else "most"
        yield f"images that hurt {name} {how}", [image for image, _ in check.hurt[name][:SHOWN_IMAGES]]


def acceptable(check: Check) -> bool:
    """Whether taking the subject as the new baseline would change what fails: not of values that are none, nor of limits."""
    failing = [outcome for outcome in check.outcomes if outcome.counts and outcome.verdict not in FINE]
    compared = [outcome for outcome in failing if outcome.gate.kind != "none" and outcome.current is not None]
    return bool(compared) and all(outcome.verdict != "invalid" for outcome in failing)


def conclusion(check: Check, strict: bool) -> str:
    return f"{check.summary} → exit {check.exit_code(strict=strict)}"
