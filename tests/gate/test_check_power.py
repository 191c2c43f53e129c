"""The two promises of a check, on a small scale: false alarms are rare, and what it says it would find, it finds.

benchmarks/check/power.py does the same at length; docs/check.md shows what came out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from results_for_checks import even, fixed, frechet, result_of, values

from genbench.comparison.difference import difference
from genbench.estimate import Influence
from genbench.gate.judge import judge
from genbench.gate.policy import Gate, Policy
from genbench.gate.power import detectable, needed_images
from genbench.gate.verdict import Check
from genbench.metrics import prdc


def unchanged(seed: int) -> Check:
    """Two fresh sets of one generator against a fresh reference: FD and a mean."""
    chance = torch.Generator().manual_seed(seed)
    real, *sets = (torch.randn(n, 4, generator=chance, dtype=torch.float64) for n in (500, 300, 300))
    base, current = (
        result_of({"fd": frechet(real, 0.3 + 1.2 * one), "ssim": values(0.0, seed=2 * seed + side, n=300)})
        for side, one in enumerate(sets)
    )
    return judge(base, current, Policy(alpha=0.05), name="default")


def test_twenty_times_no_change_raise_at_most_the_promised_alarms() -> None:
    """Of 20 checks at alpha = 0.05 more than 4 alarms would have a chance below 0.3 %."""
    alarms = sum(unchanged(seed).failed for seed in range(20))
    assert alarms <= 4


def test_the_smallest_detectable_change_of_a_mean_is_found_in_four_of_five() -> None:
    first = [result_of({"ssim": values(0.0, seed=seed)}) for seed in (10_000, 10_001)]
    change = judge(first[0], first[1], Policy(), name="").outcomes[0].detectable
    assert change is not None
    found, repeats = 0, 300
    for seed in range(repeats):
        base = result_of({"ssim": values(0.0, seed=2 * seed)})
        worse = result_of({"ssim": values(-change, seed=2 * seed + 1)})
        found += judge(base, worse, Policy(), name="").outcomes[0].verdict == "regressed"
    assert 0.72 < found / repeats < 0.88


def test_the_smallest_detectable_change_is_the_textbook_one_where_the_error_stays() -> None:
    base, current = (result_of({"score": even(fixed(5.0, se, method="mean"))}) for se in (0.3, 0.4))
    (outcome,) = judge(base, current, Policy(gate=[Gate(metric="score", max_increase=0.2)]), name="").outcomes
    found = difference(base, current, "score/1 score")
    assert found.se == pytest.approx(0.5, rel=1e-3)
    assert outcome.detectable == detectable(base, current, found, 0.2, 0.01)
    assert outcome.detectable == pytest.approx(0.2 + (2.326348 + 0.841621) * (found.se or 0), rel=1e-3)


def test_what_is_not_known_promises_nothing() -> None:
    """Without influence on either side no change is promised; with that of one side alone, a larger one than with both."""

    def seen(*kept: bool) -> float | None:
        made = [result_of({"fd": one}) for one in pair]
        for result, whole in zip(made, kept, strict=True):
            result.with_influence(result.influence if whole else {})
        return judge(*made, Policy(), name="").outcomes[0].detectable

    chance = torch.Generator().manual_seed(0)
    real, *sets = (torch.randn(400, 4, generator=chance, dtype=torch.float64) for _ in range(3))
    pair = [frechet(real, 0.3 + 1.2 * one) for one in sets]
    both = seen(True, True)
    assert both is not None
    assert all((seen(*kept) or 0.0) > both for kept in ((True, False), (False, True)))
    assert seen(False, False) is None


def test_nothing_is_promised_of_recall() -> None:
    """Its error grows faster than the images tell: benchmarks/check/power.py leaves it out, too."""
    chance = torch.Generator().manual_seed(0)
    real, *sets = (torch.randn(400, 4, generator=chance) for _ in range(3))
    made = [result_of({name: prdc.compute(real=real, fake=one)[name] for name in ("recall", "coverage")}) for one in sets]
    recall, coverage = judge(*made, Policy(), name="").outcomes
    assert "recall" in recall.name
    assert recall.detectable is None
    assert coverage.detectable is not None


def test_the_same_images_tell_what_others_would_show() -> None:
    """The difference of a set to itself has no error but that of arithmetic, which is nothing to plan with."""
    base = result_of({"ssim": values(0.5, seed=0)}, names=[str(i) for i in range(400)])
    same = base.subject.model_copy(update={"digest": "sha256:" + "1" * 64})
    base = base.model_copy(update={"subject": same})
    (outcome,) = judge(base, base, Policy(), name="").outcomes
    assert outcome.detectable == pytest.approx((2.326348 + 0.841621) * math.sqrt(2 / 400), rel=0.2)


def test_a_share_changes_by_whole_images() -> None:
    ones = (torch.arange(1000) < 1).double()
    share = fixed(0.001, math.sqrt(0.999 * 0.001 / 1000), n=1000, method="binomial", better="higher")
    base = result_of({"precision": replace(share, influence=Influence(fake=ones - 0.001))}, names=[str(i) for i in range(1000)])
    (outcome,) = judge(base, base, Policy(), name="").outcomes
    assert outcome.detectable == pytest.approx(1 / 1000)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_error_of_a_share_grows_as_that_of_a_share_does(share: float) -> None:
    """For 0 and 1 the tilted variance p(1 - p) is known: the equation of the module must hold with it, to first order."""
    n = 100_000
    ones = (torch.arange(n) < share * n).double()
    base = result_of({"kd": fixed(share, math.sqrt(share * (1 - share) / n), n=n, method="binomial")})
    base.with_influence({"kd@tiny/1 kd": Influence(fake=ones - share)})
    found = difference(base, base, "kd@tiny/1 kd")
    grown = detectable(base, base, found, 0.0, 0.01) or 0.0
    expected = share + grown
    own = share * (1 - share) / n
    variance = (found.se or 0) ** 2 + max(0.0, expected * (1 - expected) / n - own)
    assert grown == pytest.approx((2.326348 + 0.841621) * math.sqrt(variance), rel=1e-3)


def test_the_number_that_would_decide_decides() -> None:
    """With so many images the interval of the same difference no longer holds the margin."""
    base, current = result_of({"fd": fixed(5.0, 0.1)}), result_of({"fd": fixed(5.3, 0.1)})
    gate = Gate(metric="fd", max_increase=0.5)
    (outcome,) = judge(base, current, Policy(gate=[gate]), name="").outcomes
    assert outcome.verdict == "inconclusive"
    needs = outcome.needs_n or 0
    assert needs > 1000
    se = 0.1 * math.sqrt(1000 / needs)
    larger = [result_of({"fd": fixed(value, se, n=needs)}) for value in (5.0, 5.3)]
    assert judge(larger[0], larger[1], Policy(gate=[gate]), name="").outcomes[0].verdict == "ok"
    found = difference(base, current, "fd@tiny/1 fd")
    assert needed_images(found, found.worsening, alpha=0.01, alpha_worse=0.01) is None  # on the margin no number decides
