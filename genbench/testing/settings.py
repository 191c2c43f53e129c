"""What a test allows: the keyword arguments of the marker and of `check`, as a policy for the metrics that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import ValidationError

from genbench import catalog
from genbench.errors import UsageError, first_mistake
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.policy import ALPHA, Gate, Policy

OF_METRICS = ("max", "min", "max_increase", "max_increase_rel", "max_decrease", "max_decrease_rel", "test", "severity")
OF_TESTS = ("alpha", "min_n", "on_inconclusive")

OnInconclusive = Literal["pass", "fail", "xfail"]


@dataclass(frozen=True)
class Settings:
    """metrics: setting -> a value for every metric, or {metric: value}."""

    metrics: Mapping[str, Any]
    alpha: float = ALPHA
    min_n: int = 0
    on_inconclusive: OnInconclusive = "pass"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Raises UsageError for a name that is no setting, or a value that a setting cannot have."""
        for name in given:
            if name not in OF_METRICS + OF_TESTS:
                raise catalog.unknown("settings", name, [*OF_METRICS, *OF_TESTS])
        choice = given.get("on_inconclusive", "pass")
        if choice not in get_args(OnInconclusive):
            hint = f"on_inconclusive is one of: {', '.join(get_args(OnInconclusive))}"
            raise UsageError("E-USAGE", f"on_inconclusive={choice!r}", hint=hint)
        of_tests = {name: given[name] for name in OF_TESTS if name in given}
        return cls({name: given[name] for name in OF_METRICS if name in given}, **of_tests)

    def policy(self, result: Result) -> Policy:
        """A gate for every metric that was measured: with its margin or limits where some are given, else for a difference.

        A value without an error bar is gated only where something is said of it alone: no difference can be told from noise.
        """
        for setting, value in self.metrics.items():
            for name in value if isinstance(value, Mapping) else ():
                if not any(name in metric.names for metric in result.metrics):
                    measured = ", ".join(metric.short_name for metric in result.metrics)
                    raise UsageError("E-NAME", f"{setting} names {name}, which was not measured", hint=f"measured: {measured}")
        names = [metric.short_name for metric in result.metrics]
        called = {key: m.short_name if names.count(m.short_name) == 1 else key for key, m in result.by_protocol.items()}
        try:
            gates = [self._gate(called[key], m) for key, m in result.by_protocol.items() if m.se is not None or self._names(m)]
            return Policy(alpha=self.alpha, gate=gates)
        except ValidationError as error:
            raise _mistake(error) from error

    def _names(self, metric: MetricResult) -> bool:
        """Whether a setting is of this metric, and not of all."""
        return any(name in value for value in self.metrics.values() if isinstance(value, Mapping) for name in metric.names)

    def _gate(self, name: str, metric: MetricResult) -> Gate:
        found = {setting: self._value(setting, metric) for setting in self.metrics}
        return Gate.model_validate({"metric": name} | {name: value for name, value in found.items() if value is not None})

    def _value(self, setting: str, metric: MetricResult) -> Any:
        value = self.metrics[setting]
        if isinstance(value, Mapping):
            return next((value[name] for name in metric.names if name in value), None)
        up = setting.startswith("max_increase") and metric.better == "higher"
        down = setting.startswith("max_decrease") and metric.better != "higher"
        return None if up or down else value


def _mistake(error: ValidationError) -> UsageError:
    given = error.errors()[0]["input"]
    whole = given.get("metric", "settings") if isinstance(given, Mapping) else "settings"
    return UsageError("E-POLICY", first_mistake(error, whole), hint="docs/ci.md lists the settings")
