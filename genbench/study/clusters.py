"""Errors of what votes come to, when the raters and the images are both drawn at random from many.

Votes of one rater resemble each other, and so do votes on one image. The covariance of a sum of contributions is therefore
that of the sums over raters, plus what votes that share an image have in common beyond that,

    V = V_raters + (V_images - V_votes)+ ,        V = V_votes + (V - V_votes)+ ,

where ( )+ leaves out negative eigenvalues, so that V is never below the error of either raters or independent votes alone.

Source: Cameron, Gelbach and Miller 2011, Robust inference with multiway clustering; V_images, of votes that share either of
their two images, is Aronow, Samii and Assenova 2015, Cluster-robust variance estimation for dyadic data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbench.estimate import LEVEL, student_tail, wilson_interval
from genbench.study.ratings import Share
from genbench.study.votes import Vote

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Who voted and on which images: integers from 0, (N,) each; images (N, 2), of the left and of the right side."""

    raters: Array
    images: Array

    @classmethod
    def of(cls, votes: Sequence[Vote]) -> Clusters:
        """Those of votes, in their order; an image is told from one of the same name by its system."""
        raters = numbered([vote.rater for vote in votes])
        sides = [[(vote.left, vote.left_image) for vote in votes], [(vote.right, vote.right_image) for vote in votes]]
        return cls(raters, numbered([*sides[0], *sides[1]]).reshape(2, -1).T)

    def __getitem__(self, chosen: Array) -> Clusters:
        """Of the votes of this mask."""
        return Clusters(numbered(self.raters[chosen].tolist()), numbered(self.images[chosen].ravel().tolist()).reshape(-1, 2))

    @property
    def number(self) -> int:
        """Of independent groups of votes: raters, or images where there are fewer; of a single rater, votes."""
        raters = _count(self.raters)
        return min(raters, _count(self.images)) if raters > 1 else len(self.raters)

    def covariance(self, contributions: Array) -> Array:
        """(N, P) contributions of votes, each about mean 0 -> (P, P) covariance of their sum."""
        votes = contributions.T @ contributions
        raters = _of_sums(contributions, self.raters) if _count(self.raters) > 1 else votes
        low, high = np.sort(self.images, axis=1).T
        same_pair = np.unique(low * len(low) * 2 + high, return_inverse=True)[1]
        either = np.concatenate([self.images[:, 0], self.images[:, 1]])
        # Votes on the same two images share both, and are counted twice by the first term.
        images = _of_sums(np.concatenate([contributions] * 2), either, 1) - _of_sums(contributions, same_pair, 1)
        return at_least(raters + _positive(images - votes), votes)


def at_least(covariance: Array, floor: Array) -> Array:
    """A covariance that is below neither of the two in any direction."""
    return floor + _positive(covariance - floor)


def share_of(values: Array, clusters: Clusters, level: float = LEVEL) -> tuple[Share, float]:
    """The mean of (N,) values of 0, 0.5 or 1 with Wilson's interval for so many effective votes, and its standard error.

    The two-sided p is that of the score test against one half. Interval and test use Student's t for the number of groups, so
    that p is below 1 - level exactly where the interval excludes one half.
    """
    n, share = len(values), float(values.mean())
    groups = clusters.number
    se = float(clusters.covariance(((values - share) / n)[:, None])[0, 0]) ** 0.5
    interval = wilson_interval(share, effective_votes(share, se, groups), level, freedom=max(1, groups - 1))
    p = min(1.0, 2 * min(score_test(share, se, groups, 0.5, side) for side in (-1, 1)))
    return Share(value=share, ci=interval, n=n, p=p), se


def score_test(share: float, se: float, groups: int, null: float, side: int) -> float:
    """One-sided p of "the share is at most null" (side 1) or "at least null" (side -1)."""
    effective = effective_votes(share, se, groups)
    return student_tail(side * (share - null) / (null * (1 - null) / effective) ** 0.5, max(1, groups - 1))


def effective_votes(share: float, se: float, groups: int) -> float:
    """How many independent votes would have the same error; without any spread, a group counts as one vote."""
    return share * (1 - share) / se**2 if se > 0 and 0 < share < 1 else groups


def numbered(keys: Sequence[Any]) -> Array:
    """Hashable keys -> integers from 0, in order of first appearance."""
    places: dict[Any, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)


def _count(labels: Array) -> int:
    return int(labels.max()) + 1 if labels.size else 0


def _of_sums(contributions: Array, labels: Array, correction: float | None = None) -> Array:
    """The sum over groups of the outer product of each group's sum; times groups / (groups - 1) unless told otherwise."""
    groups = _count(labels)
    sums = np.zeros((groups, contributions.shape[1]))
    np.add.at(sums, labels, contributions)
    return np.asarray(sums.T @ sums * (groups / (groups - 1) if correction is None else correction))


def _positive(matrix: Array) -> Array:
    """The part of a symmetric matrix with positive eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * values.clip(min=0)) @ vectors.T)
