"""Bradley-Terry ratings: the chance that i is preferred to j is 1 / (1 + exp(-(rating_i - rating_j))), by maximum likelihood.

A tie counts as half a win of either, which makes the rating the log-odds of the expected score; the left side has a log-odds
of its own, so that a preference for it changes no rating. Where a system never lost or never won, the likelihood has no maximum
(Ford 1957), and half a win and half a loss against a system of rating 0 are added to every system.

Source: Bradley and Terry 1952, Rank analysis of incomplete block designs; the side is Davidson and Beaver 1977, Extending the
Bradley-Terry model to incorporate within-pair order effects, equation 2.1. Without ties, on votes that prefer neither side,
equal to choix 0.4.1 (tests/parity/test_choix_parity.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genbench.study.clusters import Clusters, at_least

Array = NDArray[Any]
SIDE_PRECISION = 0.1  # of the prior of the side's log-odds: it only keeps them finite where one side won every vote
STEPS, TOLERANCE = 100, 1e-10
ROUNDING = 1e-12  # relative: a smaller loss of the objective is none, nor is a smaller eigenvalue of the information


@dataclass(frozen=True, eq=False)
class Strengths:
    """ratings: (K,) log-odds that sum to 0; covariance: (K, K) of them; left: log-odds of the left side between equals.

    bounded: whether the half wins and losses were needed.
    """

    ratings: Array
    covariance: Array
    left: float
    bounded: bool


def fit(left: Array, right: Array, scores: Array, systems: int, clusters: Clusters) -> Strengths:
    """Ratings of so many systems from N votes.

    left, right: (N,) integers, the systems on either side; scores: (N,) 1 where the left one is preferred, 0 the right one,
    0.5 for a tie. The systems must be connected by votes: `groups(win_matrix(...), strong=False)` is one group.
    """
    n = len(scores)
    design = np.zeros((n, systems + 1))
    design[np.arange(n), left] += 1.0
    design[np.arange(n), right] -= 1.0
    design[:, -1] = 1.0
    prior = 0.0 if len(groups(win_matrix(left, right, scores, systems), strong=True)) == 1 else 1.0
    theta = _maximum(design, scores, prior)
    expected = expit(design @ theta)
    bread = np.linalg.pinv(_information(design, theta, prior), rcond=ROUNDING, hermitian=True)  # votes say nothing of the sum
    covariance = bread @ clusters.covariance((scores - expected)[:, None] * design) @ bread
    # A system that never lost has no spread over raters, whatever their number. Nor have ties: two of four votes more are none.
    some = 1.0 if prior else (np.count_nonzero(scores != 0.5) + 2) / (n + 4)
    covariance = at_least(covariance, some * bread)
    centre = np.eye(systems) - 1.0 / systems
    ratings = theta[:-1] - theta[:-1].mean()
    return Strengths(ratings, centre @ covariance[:-1, :-1] @ centre, float(theta[-1]), bool(prior))


def win_matrix(left: Array, right: Array, scores: Array, systems: int) -> Array:
    """(K, K): entry (i, j) is the wins of i over j, a tie being half a win of either."""
    wins = np.zeros((systems, systems))
    np.add.at(wins, (left, right), scores)
    np.add.at(wins, (right, left), 1 - scores)
    return wins


def groups(wins: Array, *, strong: bool) -> list[list[int]]:
    """Systems that are connected by votes; strongly, where wins lead from each of a group to each other one and back.

    Strong groups are in order: no vote prefers a system to one of an earlier group.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, shortest_path

    graph = csr_array((wins > 0).astype(np.int8))
    count, labels = connected_components(graph, connection="strong" if strong else "weak")
    found = [np.flatnonzero(labels == label).tolist() for label in range(count)]
    if strong:  # how many systems a group beats, directly or through others: most first
        reach = np.isfinite(shortest_path(graph, unweighted=True))
        found.sort(key=lambda members: -int(reach[members[0]].sum()))
    return found


def _maximum(design: Array, scores: Array, prior: float) -> Array:
    """Newton's method; a step that does not raise the likelihood is halved."""
    theta = np.zeros(design.shape[1])
    value = _objective(design, scores, theta, prior)
    for _ in range(STEPS):
        slope = design.T @ (scores - expit(design @ theta))
        slope[:-1] += prior * (0.5 - expit(theta[:-1]))
        slope[-1] -= SIDE_PRECISION * theta[-1]
        step = np.linalg.pinv(_information(design, theta, prior), hermitian=True) @ slope
        least = value - ROUNDING * abs(value)
        while (reached := _objective(design, scores, theta + step, prior)) < least and np.abs(step).max() > TOLERANCE:
            step = step / 2
        theta, value = theta + step, reached
        if np.abs(step).max() < TOLERANCE:
            break
    return theta


def _objective(design: Array, scores: Array, theta: Array, prior: float) -> float:
    """The log-likelihood and the logarithms of the priors."""
    margin = design @ theta
    ratings = theta[:-1]
    votes = scores @ -np.logaddexp(0, -margin) + (1 - scores) @ -np.logaddexp(0, margin)
    halves = -0.5 * (np.logaddexp(0, ratings) + np.logaddexp(0, -ratings)).sum()
    return float(votes + prior * halves - 0.5 * SIDE_PRECISION * theta[-1] ** 2)


def _information(design: Array, theta: Array, prior: float) -> Array:
    """Minus the second derivative of the objective."""
    expected = expit(design @ theta)
    information = (design * (expected * (1 - expected))[:, None]).T @ design
    ratings = expit(theta[:-1])
    return np.asarray(information + np.diag([*(prior * ratings * (1 - ratings)), SIDE_PRECISION]))
