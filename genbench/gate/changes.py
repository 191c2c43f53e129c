"""What an update of the baseline changes, for the eyes of whoever accepts it."""

from __future__ import annotations

from genbench.estimate import ARROWS, badness, format_value
from genbench.evaluation.result import MetricResult, Result


def changes(old: Result | None, new: Result) -> list[str]:
    """One line per metric: "fd@tiny ↓  5.12 ± 0.03 → 5.31 ± 0.03 (worse)"."""
    before = old.by_protocol if old else {}
    after = new.by_protocol
    lines = [_line(before.get(key), metric) for key, metric in after.items()]
    return lines + [f"{metric.short_name} ({metric.protocol})  removed" for key, metric in before.items() if key not in after]


def _line(old: MetricResult | None, new: MetricResult) -> str:
    name = f"{new.short_name} {ARROWS[new.better]}  "
    if old is None or old.value is None or new.value is None:
        return f"{name}new: {new} ({new.protocol}, n={new.n:,})"
    apart = badness(new.value, new.better) - badness(old.value, old.better)
    word = "worse" if apart > 0 else "better" if apart < 0 else "the same"
    return f"{name}{format_value(old.value, old.se)} → {new} ({word})"
