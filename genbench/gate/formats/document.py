"""For programs: one JSON document, `genbench.check/1`."""

from __future__ import annotations

import json
import math
from typing import Any

from genbench.comparison.difference import Difference
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.verdict import Check, Outcome

SCHEMA = "genbench.check/1"


def as_json(check: Check, *, strict: bool = False) -> str:
    return json.dumps(document(check, strict=strict), indent=2, ensure_ascii=True, allow_nan=False)


def document(check: Check, *, strict: bool = False) -> dict[str, Any]:
    """Strings, finite numbers, None, lists and dicts alone. `verdict`: of the gate that decides the exit status."""
    content = {
        "schema": SCHEMA,
        "name": check.name,
        "exit": check.exit_code(strict=strict),
        "strict": strict,
        "summary": check.summary,
        "alpha": check.alpha,
        "baseline": None if check.baseline is None else _side(check.baseline),
        "current": _side(check.current),
        "gates": [_gate(outcome) for outcome in check.outcomes],
        "hurt": {metric: [{"image": name, "pull": pull} for name, pull in found] for metric, found in check.hurt.items()},
        "notes": list(check.notes),
    }
    return _finite(content)


def _side(result: Result) -> dict[str, Any]:
    reference = None if result.reference is None else {"name": result.reference.name, "digest": result.reference.digest}
    subject = {"name": result.subject.name, "digest": result.subject.digest, "n": result.subject.n}
    return {"created": result.created, "subject": subject, "reference": reference}


def _gate(outcome: Outcome) -> dict[str, Any]:
    measured = outcome.current or outcome.base
    return {
        "metric": outcome.name,
        "protocol": measured.protocol if measured else None,
        "better": measured.better if measured else None,
        "verdict": outcome.verdict,
        "severity": outcome.gate.severity,
        "reason": outcome.reason,
        "baseline": _value(outcome.base),
        "current": _value(outcome.current),
        "difference": _difference(outcome.difference),
        "margin": outcome.margin,
        "p": outcome.p,
        "detectable": outcome.detectable,
        "needs_n": outcome.needs_n,
        "gate": outcome.gate.model_dump(exclude_none=True),
    }


def _value(metric: MetricResult | None) -> dict[str, Any] | None:
    return None if metric is None else {"value": metric.value, "se": metric.se, "n": metric.n, "reason": metric.reason}


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    interval = found.interval()
    return {
        "value": found.value,
        "worsening": found.worsening,
        "se": found.se,
        "ci": None if interval is None else list(interval),
        "shares": list(found.shares),
        "reason": found.reason,
    }


def _finite(value: Any) -> Any:
    """NaN and infinity are no JSON: null in their place."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
