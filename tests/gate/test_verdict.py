"""Verdicts: the table of judge.py line by line, what is no number never passes, and the worst verdict decides."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations_with_replacement

import pytest
import torch
from results_for_checks import even, fixed, frechet, result_of, values

from genbench.errors import UsageError
from genbench.estimate import Estimate, Influence
from genbench.evaluation.result import Result
from genbench.gate.hurt import worst_images
from genbench.gate.judge import judge
from genbench.gate.policy import Gate, Policy
from genbench.gate.verdict import EXITS, Check, Outcome, Verdict


def one(
    base: Estimate | None, current: Estimate, gate: Gate | None = None, *, alpha: float = 0.01, metric: str = "fd"
) -> Outcome:
    """The outcome of one gate of one metric."""
    policy = Policy(alpha=alpha, gate=[gate] if gate else [])
    old = None if base is None else result_of({metric: base})
    (outcome,) = judge(old, result_of({metric: current}), policy, name="default", lacking="no baseline").outcomes
    return outcome


MARGIN = Gate(metric="fd", max_increase=0.5)


@pytest.mark.parametrize(
    ("base", "current", "gate", "verdict"),
    [
        (5.0, 5.05, None, "ok"),
        (5.0, 6.0, None, "regressed"),
        (5.0, 4.0, None, "improved"),
        (5.0, 5.05, MARGIN, "ok"),
        (5.0, 5.4, MARGIN, "inconclusive"),
        (5.0, 5.6, MARGIN, "inconclusive"),
        (5.0, 7.0, MARGIN, "regressed"),
        (5.0, 4.0, MARGIN, "improved"),
        (5.0, 7.0, Gate(metric="fd", max_increase=0.5, severity="warning"), "regressed"),
        (5.0, 5.7, Gate(metric="fd", max_increase=0.5, test="difference"), "ok"),
        (5.0, 5.0, Gate(metric="fd", max=4.9), "regressed"),
        (5.0, 5.0, Gate(metric="fd", min=5.1, test="none"), "regressed"),
        (5.0, 9.0, Gate(metric="fd", max=10, test="none"), "ok"),
        (None, 5.0, None, "missing"),
        (None, 5.0, Gate(metric="fd", max=6), "missing"),
        (None, 5.0, Gate(metric="fd", max=6, test="none"), "ok"),
        (None, 7.0, Gate(metric="fd", max=6, test="none"), "regressed"),
        (5.0, 5.0, Gate(metric="kid"), "missing"),
    ],
)
def test_verdicts(base: float | None, current: float, gate: Gate | None, verdict: Verdict) -> None:
    outcome = one(None if base is None else fixed(base), fixed(current), gate)
    assert outcome.verdict == verdict
    assert outcome.reason


def test_the_direction_of_the_metric_counts() -> None:
    up = [fixed(value, 0.01, better="higher") for value in (0.7, 0.9)]
    assert one(up[0], up[1]).verdict == "improved"
    assert one(up[1], up[0]).verdict == "regressed"
    zero = [fixed(value, 0.01, better="zero") for value in (-0.1, 0.5)]
    assert one(zero[0], zero[1]).verdict == "regressed"
    assert one(zero[1], zero[0]).verdict == "improved"


@pytest.mark.parametrize("gate", [None, MARGIN, Gate(metric="fd", max=1e9, test="none"), Gate(metric="fd", test="difference")])
def test_what_is_no_number_never_passes(gate: Gate | None) -> None:
    assert one(fixed(5.0), fixed(None), gate).verdict == "invalid"
    result = result_of({"fd": fixed(5.0)})
    for field in ("value", "se"):
        for number in (math.nan, math.inf):
            broken = result.metrics[0].model_copy(update={field: number})
            current = result.model_copy(update={"metrics": [broken]})
            check = judge(result, current, Policy(gate=[gate] if gate else []), name="default")
            assert (check.outcomes[0].verdict, check.exit_code(strict=False)) == ("invalid", 5)


def test_a_baseline_that_is_no_number_is_invalid() -> None:
    assert one(fixed(None), fixed(5.0)).verdict == "invalid"


def test_groups_that_are_all_one_decide_nothing_and_hide_nothing() -> None:
    """An error with no degrees of freedom is invalid, and leaves the regression of another metric in place."""
    base, current = (result_of({"ssim": values(mean, seed=0), "fd": fixed(fd)}) for mean, fd in ((0.5, 5.0), (0.1, 50.0)))
    for result in (base, current):
        alone = replace(result.influence["ssim/1 ssim"], groups=torch.zeros(400, dtype=torch.int64))
        metric = result.metrics[0].model_copy(update={"method": "clusters", "se": 0.0, "ci": None})
        result.metrics[0] = metric
        result.with_influence({"ssim/1 ssim": alone})
    ssim, fd = judge(base, current, Policy(), name="default").outcomes
    assert (ssim.verdict, fd.verdict) == ("invalid", "regressed")
    assert fd.p is not None
    assert fd.p < 1e-6


def test_a_value_that_contradicts_its_influence_is_invalid() -> None:
    """Influence of far more noise than the error bar would hide a regression behind it."""
    base, current = result_of({"ssim": values(0.5, seed=0)}), result_of({"ssim": values(-0.5, seed=1)})
    assert judge(base, current, Policy(), name="default").outcomes[0].verdict == "regressed"
    noise = replace(current.influence["ssim/1 ssim"], fake=1e5 * current.influence["ssim/1 ssim"].fake)
    for sides in ((base, current), (current, base)):
        lie = sides[1].model_copy().with_influence({"ssim/1 ssim": noise})
        for old, new in ((sides[0], lie), (lie, sides[0])):
            (outcome,) = judge(old, new, Policy(), name="default").outcomes
            assert outcome.verdict == "invalid"
            assert "its influence makes a standard error of" in outcome.reason
    moved = current.metrics[0].model_copy(update={"ci": (1.0, 2.0)})
    told = judge(base, current.model_copy(update={"metrics": [moved]}), Policy(), name="default").outcomes[0]
    assert (told.verdict, "does not contain" in told.reason) == ("invalid", True)


def test_a_test_that_overlooks_what_is_twice_as_bad_says_so() -> None:
    noisy, sharp = (result_of({"fd": even(fixed(5.0, se))}) for se in (3.0, 0.1))
    assert "a value twice as bad may pass: fd@tiny" in judge(noisy, noisy, Policy(), name="default").notes[0]
    assert not judge(sharp, sharp, Policy(), name="default").notes
    negative = result_of({"kd": even(fixed(-0.4, 0.5))})  # nothing is twice as bad as that
    assert not any("twice as bad" in note for note in judge(negative, negative, Policy(), name="default").notes)
    margin = Gate(metric="fd", max_increase=0.5, test="difference")
    assert "by more than the allowed 0.5" in judge(sharp, sharp, Policy(gate=[margin]), name="default").outcomes[0].reason


def test_images_whose_pulls_are_equal_stand_in_the_order_of_another_metric() -> None:
    """All images outside of the reference pull a share alike; the farthest of them is named first."""
    n = 400
    inside = torch.arange(n) < 200
    share = Influence(fake=inside.double() - 0.5)
    distance = torch.linspace(-1, 1, n, dtype=torch.float64).flip(0).roll(250)
    estimates = {
        "precision": replace(fixed(0.5, 0.5 / math.sqrt(n - 1), n=n, method="binomial", better="higher"), influence=share),
        "fd": replace(fixed(5.0, float(distance.std()) / math.sqrt(n), n=n), influence=Influence(fake=distance)),
    }
    current = result_of(estimates, names=[str(i) for i in range(n)])
    named = worst_images(current, current["precision"], current.metrics)
    assert [name for name, _ in named[:3]] == ["250", "251", "252"]
    assert [name for name, _ in worst_images(current, current["precision"])[:3]] == ["200", "201", "202"]


@pytest.mark.parametrize("gate", [None, MARGIN, Gate(metric="fd", max_increase=0.5, test="difference")])
def test_without_an_error_bar_no_difference_passes(gate: Gate | None) -> None:
    outcome = one(fixed(5.0, None), fixed(50.0, None), gate)
    assert outcome.verdict == "invalid"
    assert "no error bar" in outcome.reason
    assert "test = 'none'" in outcome.reason
    assert one(fixed(5.0, None), fixed(50.0, None), Gate(metric="fd", max=9, test="none")).verdict == "regressed"
    both = [result_of({"fd": fixed(5.0), "kd": fixed(value, None)}) for value in (5.0, 50.0)]
    check = judge(both[0], both[1], Policy(), name="default")
    assert [outcome.name for outcome in check.outcomes] == ["fd@tiny"]
    assert check.notes[0] == "not checked, because they have no error bar: kd@tiny"


def test_another_protocol_reference_or_size_is_incomparable_and_named() -> None:
    base = result_of({"precision": fixed(0.7, 0.01, better="higher")})
    other = result_of({"precision": fixed(0.7, 0.01, better="higher")}, protocols={"precision": "prdc@tiny:k3/1"})
    for policy in (
        Policy(),
        Policy(gate=[Gate(metric="precision@tiny")]),
        Policy(gate=[Gate(metric="prdc@tiny:k5/1 precision")]),
    ):
        check = judge(base, other, policy, name="default")
        assert (check.outcomes[0].verdict, check.exit_code(strict=False)) == ("incomparable", 3)
        assert "protocol: prdc@tiny:k5/1 and prdc@tiny:k3/1" in check.outcomes[0].reason
    moved = judge(result_of({"fd": fixed(5.0)}), result_of({"fd": fixed(5.0)}, digest="sha256:other"), Policy(), name="default")
    assert moved.outcomes[0].verdict == "incomparable"
    assert "reference: digits/train" in moved.outcomes[0].reason
    more = judge(result_of({"fd": fixed(5.0)}), result_of({"fd": fixed(5.0, n=2000)}), Policy(), name="default")
    assert "n: 1,000 and 2,000 images" in more.outcomes[0].reason


def test_a_gate_is_found_by_all_its_names_and_must_mean_one_metric() -> None:
    base = result_of({"fd": fixed(5.0), "precision": fixed(0.7, 0.01, better="higher")})
    for name in ("precision", "precision@tiny", "precision@tiny:k5", "prdc@tiny:k5/1 precision"):
        (outcome,) = judge(base, base, Policy(gate=[Gate(metric=name)]), name="default").outcomes
        assert (outcome.name, outcome.verdict) == ("precision@tiny", "ok")
    double = base.model_copy(
        update={"metrics": [*base.metrics, base.metrics[0].model_copy(update={"protocol": "fd@pixels/1"})]}
    )
    with pytest.raises(UsageError, match="fd could be several metrics") as caught:
        judge(double, double, Policy(gate=[Gate(metric="fd")]), name="default")
    assert "fd@pixels/1 fd" in caught.value.hint
    with pytest.raises(UsageError, match="limits no worsening"):
        judge(base, base, Policy(gate=[Gate(metric="precision", max_increase=0.1)]), name="default")


def test_a_metric_that_nobody_measured_is_missing_with_its_neighbours() -> None:
    outcome = one(fixed(5.0), fixed(5.0), Gate(metric="fd@tini"))
    assert "neither side has fd@tini; did you mean fd@tiny?" in outcome.reason


def test_the_family_has_one_chance_of_a_false_alarm() -> None:
    """A p that is small alone is not small among ten."""
    names = [f"m{i}" for i in range(10)]
    base = result_of({name: even(fixed(5.0)) for name in names})
    current = result_of({name: even(fixed(5.0 + (0.36 if name == "m0" else 0.0))) for name in names})
    alone = judge(base, current, Policy(gate=[Gate(metric="m0")]), name="default").outcomes[0]
    among = judge(base, current, Policy(), name="default").outcomes[0]
    assert (alone.verdict, among.verdict) == ("regressed", "ok")
    assert among.p == pytest.approx(10 * (alone.p or 0))
    assert (among.detectable or 0) > (alone.detectable or 0)


def test_images_that_hurt_most_are_named_in_the_direction_of_the_metric() -> None:
    chance = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(600, 4, generator=chance, dtype=torch.float64) for _ in range(2))
    worse = fake.clone()
    worse[300:330] += 10
    names = [f"{i:04d}.png" for i in range(600)]
    base, current = (result_of({"fd": frechet(real, one)}, names=names) for one in (fake, worse))
    check = judge(base, current, Policy(), name="default")
    assert check.outcomes[0].verdict == "regressed"
    named = check.hurt["fd@tiny"]
    assert {name for name, _ in named} <= set(names[300:330])
    assert [pull for _, pull in named] == sorted((pull for _, pull in named), reverse=True)
    assert all(pull > 0 for _, pull in named)
    similar = result_of({"ssim": values(0.0, seed=1)}, names=[str(i) for i in range(400)])
    lower = judge(result_of({"ssim": values(1.0, seed=0)}), similar, Policy(), name="default")
    pulls = similar.influence["ssim/1 ssim"].fake
    assert lower.hurt["ssim"][0][0] == str(int(pulls.argmin()))  # type: ignore[union-attr]
    assert not judge(base, base, Policy(), name="default").hurt


def check_of(*verdicts: Verdict, warnings: tuple[Verdict, ...] = ()) -> Check:
    gates = [(verdict, Gate(metric="fd")) for verdict in verdicts]
    gates += [(verdict, Gate(metric="fd", severity="warning")) for verdict in warnings]
    outcomes = tuple(Outcome(gate=gate, name="fd", verdict=verdict, reason="") for verdict, gate in gates)
    return Check(name="default", baseline=None, current=None, outcomes=outcomes, alpha=0.01)


@pytest.mark.parametrize(("one", "other"), list(combinations_with_replacement(EXITS, 2)))
def test_the_worst_verdict_decides(one: Verdict, other: Verdict) -> None:
    order: list[Verdict] = list(EXITS)
    worst = min(one, other, key=order.index)
    for strict in (False, True):
        expected = 4 if strict and worst == "inconclusive" else EXITS[worst]
        assert check_of(one, other).exit_code(strict=strict) == check_of(other, one).exit_code(strict=strict) == expected


@pytest.mark.parametrize("verdict", EXITS)
def test_warnings_never_fail(verdict: Verdict) -> None:
    check = check_of("ok", warnings=(verdict,))
    assert (check.exit_code(strict=True), check.failed) == (0, False)
    assert f"1 {verdict} (warning)" in check.summary


def test_silence_is_no_success() -> None:
    assert check_of().exit_code(strict=False) == 3
    empty: Result = result_of({})
    assert judge(empty, empty, Policy(), name="default").failed
