"""genbench measures and benchmarks generative image models.

    import genbench
    result = genbench.evaluate("samples/", ref="digits", extractor="tiny")
    result["fd"].value, result["fd"].ci
    genbench.load_model("runs/vae").generate(16, seed=0)

Importing it loads nothing; a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.comparison.compare import compare
    from genbench.errors import GenbenchError
    from genbench.estimate import Estimate
    from genbench.evaluation.evaluate import evaluate
    from genbench.evaluation.evaluator import Evaluator
    from genbench.evaluation.result import Result
    from genbench.gate.check import check
    from genbench.models.base import GenerativeModel
    from genbench.report.write import write_report
    from genbench.training.loop import train
    from genbench.training.saved import load_model

__version__ = "0.1.0"
__all__ = [
    "Estimate",
    "Evaluator",
    "GenbenchError",
    "GenerativeModel",
    "Result",
    "check",
    "compare",
    "evaluate",
    "load_model",
    "train",
    "write_report",
]

_HOME = {
    "Estimate": "genbench.estimate",
    "Evaluator": "genbench.evaluation.evaluator",
    "GenbenchError": "genbench.errors",
    "GenerativeModel": "genbench.models.base",
    "Result": "genbench.evaluation.result",
    "check": "genbench.gate.check",
    "compare": "genbench.comparison.compare",
    "evaluate": "genbench.evaluation.evaluate",
    "load_model": "genbench.training.saved",
    "train": "genbench.training.loop",
    "write_report": "genbench.report.write",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
