"""What a project allows: gates on metrics, from `genbench.toml` or `[tool.genbench.check]` of pyproject.toml.

[check]
alpha = 0.01                  # the chance of any false alarm, over all gates (Holm)

[[check.gate]]
metric = "fid"                # as in results: "fid", "fd@tiny", or with its protocol: "fid:clean/1"
max = 6.0                     # absolute limits: max, min
max_increase = 0.15           # the worsening that is allowed, in units of the metric
max_increase_rel = "3%"       # or of the baseline's value; the larger of the two is the margin
test = "noninferiority"       # none | difference | noninferiority

[[check.gate]]
metric = "precision"
max_decrease = 0.01
severity = "warning"          # reported, never fails
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from genbench.documents import Table
from genbench.errors import UsageError
from genbench.estimate import Better
from genbench.evaluation.result import Finite

ALPHA = 0.01

Test = Literal["none", "difference", "noninferiority"]


def _percent(value: Any) -> Any:
    """ "3%" -> 0.03. A bare number could mean 3 % or 300 %, so it is refused."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            pass
    if value is None:
        return None
    raise ValueError('write a percentage, such as "3%"')


Margin = Annotated[Finite, Field(ge=0)]
Percent = Annotated[Margin | None, BeforeValidator(_percent)]


class Gate(Table):
    """What one metric must fulfil. A margin is max_increase where lower or zero is best, and max_decrease where higher is."""

    metric: str = Field(min_length=1)
    max: Finite | None = None
    min: Finite | None = None
    max_increase: Margin | None = None
    max_increase_rel: Percent = None
    max_decrease: Margin | None = None
    max_decrease_rel: Percent = None
    test: Test | None = None
    severity: Literal["error", "warning"] = "error"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.has_margin and self.test == "none":
            raise ValueError("a margin is of a difference, and test = 'none' looks at none; remove one of them")
        if self.test == "noninferiority" and not self.has_margin:
            raise ValueError("noninferiority needs a margin: max_increase or max_decrease")
        if self.test == "none" and self.max is None and self.min is None:
            raise ValueError("without max, min or a test there is nothing to check")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    @property
    def has_margin(self) -> bool:
        margins = (self.max_increase, self.max_increase_rel, self.max_decrease, self.max_decrease_rel)
        return any(margin is not None for margin in margins)

    @property
    def kind(self) -> Test:
        """The test that is made: by default noninferiority where there is a margin, else difference."""
        return self.test or ("noninferiority" if self.has_margin else "difference")

    def margin(self, value: float, better: Better) -> float:
        """The worsening that is allowed of the baseline's `value`: the larger of the absolute and the relative margin.

        Raises UsageError for a margin on the side where the metric improves.
        """
        wrong, right = ("decrease", "increase") if better != "higher" else ("increase", "decrease")
        for kind in ("", "_rel"):
            if getattr(self, f"max_{wrong}{kind}") is not None:
                direction = {"lower": "lower", "higher": "higher", "zero": "nearer to zero"}[better]
                message = f"{self.metric} is better when {direction}, so max_{wrong}{kind} limits no worsening"
                raise UsageError("E-POLICY", message, hint=f"give max_{right}{kind} (on the command line --max-{right})")
        absolute, relative = getattr(self, f"max_{right}"), getattr(self, f"max_{right}_rel")
        return max(absolute or 0.0, (relative or 0.0) * abs(value))


class Policy(Table):
    """Without any gate, every metric that baseline and subject share is tested for a difference."""

    alpha: float = Field(default=ALPHA, gt=0, le=0.5)
    gate: list[Gate] = Field(default_factory=list)

    @property
    def needs_baseline(self) -> bool:
        """Whether anything is compared: absolute limits alone need no baseline."""
        return not self.gate or any(gate.kind != "none" for gate in self.gate)
