"""A comparison as one JSON document, `genbench.comparison/1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.comparison.compare import Comparison
    from genbench.comparison.pair import Pair


def document(comparison: Comparison) -> dict[str, Any]:
    """Everything, with the pairs by name."""
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
                    for name, metric, rank in zip(names, compared.values, compared.ranks, strict=True)
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
