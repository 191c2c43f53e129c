"""Ratings by maximum likelihood: laws, closed forms, and intervals that hold."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbench.estimate import student_interval
from genbench.study.bradley_terry import Strengths, fit, groups, win_matrix
from genbench.study.clusters import Clusters
from genbench.study.votes import Vote

Study = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/study/simulated.py"))["Study"]
NAMES = ["a", "b", "c", "d", "e"]
FIVE = dict(zip(NAMES, (0.8, 0.4, 0.0, -0.4, -0.8), strict=True))


def arrays(votes: list[Vote], names: list[str]) -> tuple[Any, Any, Any]:
    left, right = (np.array([names.index(getattr(vote, side)) for vote in votes]) for side in ("left", "right"))
    return left, right, np.array([{"left": 1.0, "right": 0.0, "tie": 0.5}[vote.choice] for vote in votes])


def fitted(votes: list[Vote], names: list[str] = NAMES, **options: Any) -> Strengths:
    return fit(*arrays(votes, names), len(names), Clusters.of(votes), **options)


def alone(n: int) -> Clusters:
    """Every vote by somebody else on other images."""
    return Clusters(np.arange(n), np.arange(2 * n).reshape(n, 2))


def test_two_systems_have_the_log_odds_of_their_votes() -> None:
    left = np.arange(100) % 2  # on either side as often, and with as many wins
    scores = np.where(left == 0, np.arange(100) < 80, np.arange(100) >= 80)
    found = fit(left, 1 - left, scores.astype(float), 2, alone(100))
    assert found.left == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.ratings, [np.log(4) / 2, -np.log(4) / 2], atol=1e-9)
    # The error of log-odds is (n p (1 - p))^-1/2, with the correction for 100 clusters.
    expected = np.sqrt(1 / (100 * 0.8 * 0.2) * 100 / 99)
    difference = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
    assert np.sqrt(difference) == pytest.approx(expected, rel=1e-9)


def test_ratings_sum_to_zero_and_so_does_their_covariance() -> None:
    found = fitted(Study(strengths=FIVE, taste=0.5).votes(0))
    assert found.ratings.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.covariance.sum(axis=0), 0, atol=1e-12)
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-12


def test_expected_scores_equal_the_votes() -> None:
    """The equation of the maximum: every system gets as many (half) wins as the model expects."""
    votes = Study(strengths=FIVE, ties=0.2, left=0.5).votes(1)
    left, right, scores = arrays(votes, NAMES)
    found = fitted(votes)
    expected = 1 / (1 + np.exp(-(found.ratings[left] - found.ratings[right] + found.left)))
    surplus = np.bincount(left, scores - expected, 5) - np.bincount(right, scores - expected, 5)
    np.testing.assert_allclose(surplus, 0, atol=1e-7)


def test_names_do_not_matter() -> None:
    votes = Study(strengths=FIVE, taste=0.3).votes(2)
    forward, backward = fitted(votes), fitted(votes, NAMES[::-1])
    np.testing.assert_allclose(forward.ratings, backward.ratings[::-1], atol=1e-9)
    np.testing.assert_allclose(forward.covariance, backward.covariance[::-1, ::-1], atol=1e-9)


def test_swapping_all_sides_turns_the_side_and_nothing_else() -> None:
    votes = Study(strengths=FIVE, left=0.7, ties=0.1).votes(3)
    left, right, scores = arrays(votes, NAMES)
    one = fit(left, right, scores, 5, Clusters.of(votes))
    other = fit(right, left, 1 - scores, 5, Clusters.of(votes))
    assert one.left > 0.3
    assert other.left == pytest.approx(-one.left, abs=1e-9)
    np.testing.assert_allclose(one.ratings, other.ratings, atol=1e-9)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-9)


def test_turning_every_vote_turns_every_rating() -> None:
    votes = Study(strengths=FIVE, ties=0.1).votes(4)
    left, right, scores = arrays(votes, NAMES)
    one, other = (fit(left, right, s, 5, Clusters.of(votes)) for s in (scores, 1 - scores))
    np.testing.assert_allclose(one.ratings, -other.ratings, atol=1e-9)


def test_ties_alone_rate_everybody_the_same() -> None:
    votes = Study(strengths=FIVE, ties=1.0, raters=5).votes(0)
    found = fitted(votes)
    np.testing.assert_allclose(found.ratings, 0, atol=1e-12)
    more = fitted(Study(strengths=FIVE, ties=1.0, raters=20).votes(0))
    assert 0 < more.covariance[0, 0] < found.covariance[0, 0] / 8  # fewer votes are decided, and there are more of them


def test_a_planted_order_is_found_despite_a_preference_for_the_left_and_careless_raters() -> None:
    study = Study(strengths={"a": 1.2, "b": 0.6, "c": 0.0, "d": -0.6, "e": -1.2}, raters=40, left=1.0, taste=0.4, careless=6)
    found = fitted(study.votes(5))
    assert list(np.argsort(-found.ratings)) == [0, 1, 2, 3, 4]
    assert found.left > 0.4


def test_a_system_that_never_lost_has_a_finite_rating_and_a_wide_interval() -> None:
    votes = [vote for vote in Study(strengths=FIVE, raters=20).votes(6) if "a" not in (vote.left, vote.right)]
    left, right, scores = arrays(votes, NAMES)
    left, right = np.append(left, [0] * 4), np.append(right, [1, 2, 3, 4])
    found = fit(left, right, np.append(scores, [1.0] * 4), 5, alone(len(left)))
    assert found.bounded
    assert found.ratings[0] == found.ratings.max()
    assert 1 < found.ratings[0] < 5
    assert found.covariance[0, 0] > 0.5  # four votes say little
    assert found.covariance[0, 0] > 10 * found.covariance[1, 1]


def test_all_votes_for_the_left_say_nothing_about_systems() -> None:
    votes = [vote.model_copy(update={"choice": "left"}) for vote in Study(strengths=FIVE, raters=40).votes(7)]
    found = fitted(votes)
    assert found.left > 3
    assert np.abs(found.ratings).max() < 1


def test_groups() -> None:
    left, right = np.array([0, 1, 3]), np.array([1, 2, 4])
    wins = win_matrix(left, right, np.array([1.0, 0.5, 0.0]), 5)
    assert wins[0, 1] == 1
    assert wins[1, 2] == wins[2, 1] == 0.5
    assert wins[4, 3] == 1
    assert sorted(map(sorted, groups(wins, strong=False))) == [[0, 1, 2], [3, 4]]
    best_first = groups(wins[:3, :3], strong=True)
    assert best_first == [[0], [1, 2]]


def test_people_with_tastes_are_less_certain_than_as_many_independent_votes() -> None:
    votes = Study(strengths=FIVE, raters=10, each=100, taste=1.0).votes(8)
    clustered = fitted(votes).covariance
    independent = fit(*arrays(votes, NAMES), 5, alone(len(votes))).covariance
    assert np.trace(clustered) > 1.5 * np.trace(independent)


def test_few_images_are_less_certain_than_many() -> None:
    votes = Study(strengths=FIVE, raters=40, look=0.8, images=5).votes(9)
    anew = [vote.model_copy(update={"left_image": vote.id, "right_image": f"{vote.id}-"}) for vote in votes]
    assert np.trace(fitted(votes).covariance) > 2 * np.trace(fitted(anew).covariance)


def test_somebody_who_votes_at_random_widens_the_intervals() -> None:
    votes = Study(strengths=FIVE, raters=20, each=50).votes(10)
    same = Study(strengths=FIVE, raters=1, each=1000).votes(11)
    random = Study(strengths=FIVE, raters=1, each=1000, careless=1).votes(11)

    def with_one_more(more: list[Vote]) -> float:
        return float(np.trace(fitted(votes + [vote.model_copy(update={"rater": "new"}) for vote in more]).covariance))

    assert with_one_more(random) > 1.2 * with_one_more(same)
    assert with_one_more(random) > np.trace(fitted(votes).covariance)


def test_intervals_cover() -> None:
    """About 95 % of intervals of raters with tastes of their own; benchmarks/study/recovery.py repeats it at length."""
    study = Study(strengths=FIVE, raters=30, each=50, taste=0.5, left=0.3)
    truth, inside = study.truth(), []
    for seed in range(3000, 3040):
        found = fitted(study.votes(seed))
        low, high = student_interval(found.ratings, np.sqrt(np.diag(found.covariance)), 29)
        inside.append((low <= truth) & (truth <= high))
    assert 0.90 <= np.mean(inside) <= 0.99  # of 40 studies, whose five intervals depend on each other
