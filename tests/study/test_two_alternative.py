"""Which is real: shares, d', and verdicts that need evidence either way."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from genbench.estimate import wilson_interval
from genbench.study.clusters import Clusters
from genbench.study.two_alternative import d_prime, fooling


def spread(n: int, raters: int) -> Clusters:
    """n votes of so many raters, each on images of its own."""
    return Clusters(np.arange(n) * raters // n, np.arange(2 * n).reshape(n, 2))


def answers(n: int, share: float) -> np.ndarray:
    """Of which a share is fooled, as evenly among the raters as can be."""
    return (np.floor(np.arange(1, n + 1) * share) > np.floor(np.arange(n) * share)).astype(float)


def test_independent_votes_have_wilsons_interval() -> None:
    found = fooling(answers(10_000, 0.3), spread(10_000, 10_000))
    assert found.share.value == pytest.approx(0.3)
    assert found.share.ci == pytest.approx(wilson_interval(0.3, 10_000), abs=2e-5)
    assert found.se == pytest.approx(math.sqrt(0.3 * 0.7 / 10_000), rel=1e-3)


def test_d_prime() -> None:
    assert d_prime(0.5) == 0
    assert d_prime(1 - NormalDist().cdf(1 / math.sqrt(2))) == pytest.approx(1)
    assert d_prime(0.0) is None
    found = fooling(answers(400, 0.25), spread(400, 40))
    assert found.d_prime_ci[0] < found.d_prime < found.d_prime_ci[1]
    assert found.d_prime == pytest.approx(-d_prime(0.75))


@pytest.mark.parametrize("n", [20, 100, 200])
def test_few_votes_at_one_half_are_not_indistinguishable(n: int) -> None:
    found = fooling(answers(n, 0.5), spread(n, 20))
    assert found.share.p > 0.5  # not significantly different from chance
    assert found.verdict == "inconclusive"
    assert found.needs > n


def test_enough_votes_at_one_half_are() -> None:
    verdicts = [fooling(answers(n, 0.5), spread(n, 50)).verdict for n in (100, 200, 400, 3000, 10_000)]
    assert verdicts == ["inconclusive", "inconclusive", *["indistinguishable"] * 3]


def test_a_larger_margin_needs_fewer() -> None:
    wide, narrow = (fooling(answers(200, 0.5), spread(200, 50), margin=margin) for margin in (0.15, 0.02))
    assert wide.verdict == "indistinguishable"
    assert narrow.verdict == "inconclusive"
    assert narrow.needs == pytest.approx(fooling(answers(200, 0.5), spread(200, 50)).needs * (0.05 / 0.02) ** 2, rel=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_far_from_one_half_is_distinguishable_on_either_side(share: float) -> None:
    found = fooling(answers(200, share), spread(200, 20))
    assert found.verdict == "distinguishable"
    assert found.needs is None


def test_the_sides_of_one_half_are_alike() -> None:
    low, high = (fooling(values, spread(300, 30)) for values in (answers(300, 0.4), 1 - answers(300, 0.4)))
    assert low.share.value == pytest.approx(1 - high.share.value)
    assert low.share.ci == pytest.approx(tuple(1 - end for end in high.share.ci[::-1]))
    assert low.p_equivalent == pytest.approx(high.p_equivalent)
    assert low.d_prime == pytest.approx(-high.d_prime)


@pytest.mark.parametrize("everybody", [0.0, 1.0])
def test_nobody_or_everybody(everybody: float) -> None:
    found = fooling(np.full(60, everybody), spread(60, 20))
    assert found.verdict == "distinguishable"
    assert found.d_prime is None
    low, high = found.share.ci
    assert high - low > 0.1  # 20 people, not 60 votes


@pytest.mark.parametrize("raters", [2, 5, 6, 7, 10, 40])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.4, 0.5, 1.0])
def test_interval_p_and_verdict_agree(raters: int, share: float) -> None:
    found = fooling(answers(20 * raters, share), spread(20 * raters, raters))
    low, high = found.share.ci
    assert (low <= 0.5 <= high) == (found.share.p >= 0.05)
    assert (found.verdict == "distinguishable") == (not low <= 0.5 <= high)


def test_nothing_is_asked_for_where_nobody_knows_how_alike_raters_are() -> None:
    found = fooling(np.zeros(100), spread(100, 5))
    assert (found.verdict, found.needs) == ("inconclusive", None)  # five people who agree are as rare as p = 0.06
    assert fooling(answers(100, 0.5), spread(100, 5)).needs > 100


def test_people_and_images_that_differ_widen_the_interval() -> None:
    """Half of the people, or of the images, are fooled always and the others never."""
    values = np.arange(400) // 20 < 10
    one_each = fooling(values.astype(float), spread(400, 400)).se
    by_rater = fooling(values.astype(float), spread(400, 20)).se
    images = np.stack([np.arange(400) // 20, 1000 + np.arange(400)], axis=1)
    by_image = fooling(values.astype(float), Clusters(np.arange(400), images)).se
    assert by_rater > 4 * one_each
    assert by_image > 4 * one_each


def test_intervals_and_verdicts_hold_with_people_who_differ() -> None:
    """At the margin itself the verdict "indistinguishable" is wrong, and comes at most in about 5 % of studies."""
    covered, claimed = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        own = rng.beta(15, 15 * 0.55 / 0.45, 30)
        found = fooling((rng.random(1500) < np.repeat(own, 50)).astype(float), spread(1500, 30))
        covered.append(found.share.ci[0] <= 0.45 <= found.share.ci[1])
        claimed.append(found.verdict == "indistinguishable")
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.mean(claimed) <= 0.08


def test_the_votes_asked_for_decide() -> None:
    needs = fooling(answers(100, 0.5), spread(100, 100)).needs
    decided = []
    for seed in range(100):
        values = (np.random.default_rng(seed).random(needs) < 0.5).astype(float)
        decided.append(fooling(values, spread(needs, needs)).verdict == "indistinguishable")
    assert 0.7 <= np.mean(decided) <= 0.95
