"""From two results and a policy to verdicts.

Per gate, with d the worsening and its margin, the first that holds:

    a value is none, or contradicts its parts     invalid
    made in different ways                        incomparable
    no value on one of the sides                  missing
    no error bar to tell a change from noise      invalid
    beyond max or min                             regressed
    d > margin, Holm-adjusted p <= alpha          regressed
    d < 0, Holm-adjusted p <= alpha               improved
    difference                                    ok
    upper end of d at level alpha <= margin       ok
    otherwise                                     inconclusive

The adjustment keeps the chance of any false alarm over all gates at alpha. That nothing is worse needs none: it is claimed only
where every single gate may claim it (Berger 1982, Multiparameter hypothesis testing and acceptance sampling). Comparisons are
written so that what is no number never passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from genbench import catalog
from genbench.comparison.difference import Difference, difference
from genbench.comparison.holm import holm
from genbench.errors import IncomparableError, UsageError
from genbench.estimate import format_value
from genbench.evaluation.consistent import check_value
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.hurt import hurt_most
from genbench.gate.policy import Gate, Policy
from genbench.gate.power import detectable, needed_images
from genbench.gate.verdict import Check, Outcome

Metrics = Mapping[str, MetricResult]


def judge(
    base: Result | None, current: Result, policy: Policy, *, name: str, lacking: str = "", notes: Sequence[str] = ()
) -> Check:
    """The verdict of every gate. Without gates, every metric that both sides have is tested for a difference.

    lacking: why there is no `base`. Raises UsageError for a gate that fits several metrics, or a margin on the wrong side.
    """
    old: Metrics = base.by_protocol if base else {}
    new: Metrics = current.by_protocol
    gates, told = (policy.gate, []) if policy.gate else _usual(old, new)
    outcomes = [_seen(gate, base, old, current, new, lacking) for gate in gates]
    outcomes = _tested(base, current, outcomes, policy.alpha)
    return Check(
        name=name,
        baseline=base,
        current=current,
        outcomes=tuple(outcomes),
        alpha=policy.alpha,
        hurt=hurt_most(current, outcomes),
        notes=(*notes, *told, *_unshared(base, current, outcomes), *_blind(outcomes)),
    )


def _usual(old: Metrics, new: Metrics) -> tuple[list[Gate], list[str]]:
    """Gates for what both sides have, or should have: a metric under another protocol is no reason to pass."""
    shared = [key for key in old if key in new]
    elsewhere = [key for key in old if key not in new and _fitting(new, old[key].short_name)]
    tested = [key for key in shared if old[key].value is None or new[key].value is None or _has_error(old[key], new[key])]
    without = [new[key].short_name for key in shared if key not in tested]
    keys = [*(tested or shared), *elsewhere] or list(old) or list(new)
    alone = [old[key].short_name for key in old if key not in shared and key not in keys]
    notes = [f"not checked, because they have no error bar: {', '.join(without)}"] if without and tested else []
    notes += [f"not checked, because the subject lacks them: {', '.join(alone)}"] if alone else []
    return [Gate(metric=key) for key in keys], notes


def _has_error(*metrics: MetricResult) -> bool:
    return all(metric.se is not None for metric in metrics)


def _seen(gate: Gate, base: Result | None, old: Metrics, current: Result, new: Metrics, lacking: str) -> Outcome:
    """The outcome as far as this gate alone decides it; "ok" with a difference is still to be tested."""
    before, after = _pair(gate, old, new)
    known = before or after
    outcome = Outcome(
        gate=gate, name=known.short_name if known else gate.metric, verdict="ok", reason="", base=before, current=after
    )
    compares = gate.kind != "none"
    for side, metric, result in (("subject", after, current), ("baseline", before if compares else None, base)):
        if metric is not None and result is not None and (why := _invalid(metric, result)):
            return replace(outcome, verdict="invalid", reason=f"the {side} has no usable value: {why}")
    if after is None or (compares and before is None):
        return replace(outcome, verdict="missing", reason=_absent(gate, old, new, after, lacking))
    if compares and before is not None and before.protocol != after.protocol:
        reason = f"{after.name} of the two differs in protocol: {before.protocol} and {after.protocol}"
        return replace(outcome, verdict="incomparable", reason=reason)
    if not compares and not after.comparable:
        return replace(outcome, verdict="incomparable", reason=f"the value stands alone: {'; '.join(after.notes)}")
    if compares and base is not None and before is not None:
        try:
            found = difference(base, current, after.key)
        except IncomparableError as error:
            return replace(outcome, verdict="incomparable", reason=error.message)
        outcome = replace(outcome, margin=gate.margin(float(before), after.better))
        if why := _untestable(found, outcome.margin or 0.0):
            return replace(outcome, verdict="invalid", reason=f"{why}; gate it with max or min and test = 'none'")
        outcome = replace(outcome, difference=found)
    if broken := _limit(gate, after):
        return replace(outcome, verdict="regressed", reason=broken)
    return replace(outcome, reason="within its limits")


def _invalid(metric: MetricResult, result: Result) -> str | None:
    if metric.value is None:
        return metric.reason or "none"
    if not math.isfinite(metric.value) or not math.isfinite(metric.se or 0.0):
        return "it is not a finite number"
    return next(check_value(metric, result), None)


def _untestable(found: Difference, margin: float) -> str | None:
    """Why a difference cannot be told from noise."""
    if found.se is None:
        return found.reason or "no error bar"
    p = found.p_worse(margin)
    finite = p is not None and all(map(math.isfinite, (found.worsening, found.se, p)))
    return None if finite else "the difference or its error is not a finite number"


def _limit(gate: Gate, metric: MetricResult) -> str | None:
    """What the value breaks; the point itself counts, whatever its error."""
    value = float(metric)
    shown = format_value(value, metric.se)
    if gate.max is not None and not value <= gate.max:
        return f"{shown} is above the limit of {gate.max:g}"
    if gate.min is not None and not value >= gate.min:
        return f"{shown} is below the limit of {gate.min:g}"
    return None


def _tested(base: Result | None, current: Result, outcomes: Sequence[Outcome], alpha: float) -> list[Outcome]:
    """With the tests of all gates together."""
    tested = [outcome for outcome in outcomes if outcome.difference is not None]
    worse = iter(holm([_difference(outcome).p_worse(outcome.margin or 0.0) or 0.0 for outcome in tested]))
    better = iter(holm([_difference(outcome).p_better() or 0.0 for outcome in tested]))
    level = alpha / max(1, len(tested))
    decided = []
    for outcome in outcomes:
        if outcome.difference is not None and base is not None:
            seen = detectable(base, current, outcome.difference, outcome.margin or 0.0, level)
            outcome = _decide(replace(outcome, detectable=seen), next(worse), next(better), alpha, level)
        decided.append(outcome)
    return decided


def _decide(outcome: Outcome, p: float, p_better: float, alpha: float, level: float) -> Outcome:
    """`level`: of a single gate where the family has `alpha`."""
    found, margin = _difference(outcome), outcome.margin or 0.0
    outcome = replace(outcome, p=p)
    if outcome.verdict != "ok":
        return outcome
    allowed = f"the allowed {margin:.3g}" if margin else "chance explains"
    if not p > alpha:
        reason = f"it worsened by {found.worsening:.3g}, more than {allowed} ({_p_of(p)})"
        return replace(outcome, verdict="regressed", reason=reason)
    if p_better <= alpha:
        return replace(outcome, verdict="improved", reason=f"it improved by {-found.worsening:.3g} ({_p_of(p_better)})")
    if outcome.gate.kind == "difference":
        shown = f"by more than {allowed}" if margin else "beyond chance"
        return replace(outcome, reason=f"not shown to be worse {shown} ({_p_of(p)})")
    worst = found.worst(alpha)
    if worst is not None and worst <= margin:
        return replace(outcome, reason=f"it is worse by at most {max(worst, 0.0):.3g}, within the allowed {margin:.3g}")
    needs = needed_images(found, margin, alpha=alpha, alpha_worse=level)
    reason = f"it may be worse by {worst:.3g}, and {margin:.3g} is allowed"
    reason += f"; about {needs:,} images would decide" if needs else ""
    return replace(outcome, verdict="inconclusive", reason=reason, needs_n=needs)


def _difference(outcome: Outcome) -> Difference:
    assert outcome.difference is not None, "only compared gates are tested"
    return outcome.difference


def _p_of(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def _pair(gate: Gate, old: Metrics, new: Metrics) -> tuple[MetricResult | None, MetricResult | None]:
    """The metric that a gate means on either side; under the same key where both have it under one."""
    before, after = _fitting(old, gate.metric), _fitting(new, gate.metric)
    both = [key for key in before if key in after]
    if len(both) > 1 or (gate.kind == "none" and not both and len(after) > 1):
        hint = f"name one with its protocol: {', '.join(both or after)}"
        raise UsageError("E-POLICY", f"{gate.metric} could be several metrics", hint=hint)
    if both:
        return old[both[0]], new[both[0]]
    if before and not after:  # a gate that names a whole key still finds the metric of another protocol
        after = _fitting(new, old[before[0]].short_name)
    return (old[before[0]] if before else None), (new[after[0]] if after else None)


def _fitting(metrics: Metrics, text: str) -> list[str]:
    """Keys of the metrics called so: "fd", "fd@tiny", "precision@tiny:k5", "prdc@tiny:k5/1 precision"."""
    return [key for key, metric in metrics.items() if text in metric.names]


def _absent(gate: Gate, old: Metrics, new: Metrics, after: MetricResult | None, lacking: str) -> str:
    if after is not None:
        return lacking or f"the baseline has no {gate.metric}; --update-baseline with a result that has it adds it"
    if _fitting(old, gate.metric):
        return f"the subject has no {gate.metric}; evaluate it with that metric too"
    known = {metric.short_name for metric in (*old.values(), *new.values())}
    return f"neither side has {gate.metric}; {catalog.unknown('metrics', gate.metric, known).hint}"


def _unshared(base: Result | None, current: Result, outcomes: Sequence[Outcome]) -> list[str]:
    """A note where influence is not there to take out what both sides share."""
    if base is None or not any(outcome.difference for outcome in outcomes):
        return []
    bare = [side for side, result in (("baseline", base), ("subject", current)) if not result.influence]
    text = f"without the influence file of the {' and the '.join(bare)} the noise that both share stays in the error"
    return [text] if bare else []


def _blind(outcomes: Sequence[Outcome]) -> list[str]:
    """A note on tests for a difference that pass nearly whatever happens, because the noise is as large as the value."""
    names = [outcome.name for outcome in outcomes if outcome.gate.kind == "difference" and _overlooks(outcome)]
    text = "so few images that a value twice as bad may pass: {}; use more images, or a margin with test = 'noninferiority'"
    return [text.format(", ".join(names))] if names else []


def _overlooks(outcome: Outcome) -> bool:
    before, seen = outcome.base, outcome.detectable
    if before is None or seen is None or before.better != "lower":
        return False
    return 0 < float(before) < seen
