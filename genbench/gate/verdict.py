"""What `check` says: one verdict per gate, one sentence for all, one exit status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from genbench.comparison.difference import Difference
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.policy import Gate

Verdict = Literal["ok", "improved", "inconclusive", "regressed", "missing", "incomparable", "invalid"]

# The worst comes first, and decides the exit status: numbers that are none before a proven regression, and that before a
# baseline that is not there, which a new project may choose to forgive.
EXITS: Mapping[Verdict, int] = {
    "invalid": 5,
    "regressed": 1,
    "incomparable": 3,
    "missing": 3,
    "inconclusive": 0,  # 4 under --strict
    "ok": 0,
    "improved": 0,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The verdict of one gate and what it rests on.

    reason: one sentence. margin: the worsening that is allowed, in units of the metric; None where only limits are gated.
    p: of "it worsened by no more than the margin", one-sided and adjusted for all gates (Holm).
    detectable: the smallest true worsening that this gate calls a regression with 80 % power.
    needs_n: of an inconclusive gate, about how many images on both sides would decide it if the difference stays.
    """

    gate: Gate
    name: str
    verdict: Verdict
    reason: str
    base: MetricResult | None = None
    current: MetricResult | None = None
    difference: Difference | None = None
    margin: float | None = None
    p: float | None = None
    detectable: float | None = None
    needs_n: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the verdict may fail the check: a gate of severity "warning" is reported and never does."""
        return self.gate.severity == "error"


@dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of all gates of one subject against the baseline's entry `name`.

    alpha: the chance of any false alarm over all gates. hurt: per gated metric, the images that make it worse, worst first,
    each with its pull at the value in units of the metric (positive is worse).
    """

    name: str
    baseline: Result | None
    current: Result
    outcomes: tuple[Outcome, ...]
    alpha: float
    hurt: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def exit_code(self, *, strict: bool = False) -> int:
        """That of the worst verdict: 5 invalid, 1 regressed, 3 missing or incomparable, 4 inconclusive if strict, else 0.

        3 also where nothing was checked: silence is no success.
        """
        if not self.outcomes:
            return 3
        found = {outcome.verdict for outcome in self.outcomes if outcome.counts}
        for verdict, status in EXITS.items():
            if verdict in found:
                return 4 if strict and verdict == "inconclusive" else status
        return 0

    @property
    def failed(self) -> bool:
        return self.exit_code() != 0

    @property
    def summary(self) -> str:
        """One sentence: "1 regressed, 1 inconclusive, 2 ok"; warnings are told apart."""
        counted = [outcome.verdict for outcome in self.outcomes if outcome.counts]
        warned = [outcome.verdict for outcome in self.outcomes if not outcome.counts]
        parts = [f"{counted.count(verdict)} {verdict}" for verdict in EXITS if verdict in counted]
        parts += [f"{warned.count(verdict)} {verdict} (warning)" for verdict in EXITS if verdict in warned]
        return ", ".join(parts) or "nothing was gated"
