"""People who vote: each has a taste of their own, some look at the left more, some do not look at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genbench.study import bradley_terry
from genbench.study.clusters import Clusters
from genbench.study.votes import REAL, Vote


@dataclass(frozen=True, kw_only=True)
class Study:
    """strengths: log-odds by system. taste, look: standard deviations of a rater's and of an image's own part of a strength.

    left: log-odds of the left side; ties: share of votes that cannot decide; careless: raters who vote at random; repeats: how
    often the same question comes up, to different raters; catches: catch trials of each rater.
    """

    strengths: Mapping[str, float]
    raters: int = 40
    each: int = 50
    taste: float = 0.0
    look: float = 0.0
    images: int = 100_000
    left: float = 0.0
    ties: float = 0.0
    careless: int = 0
    questions: int | None = None
    catches: int = 0
    kind: str = "pairwise"

    def votes(self, seed: int) -> list[Vote]:
        rng = np.random.default_rng(seed)
        names = list(self.strengths)
        k, n = len(names), self.raters * self.each
        strengths = np.array(list(self.strengths.values()))
        rater = np.repeat(np.arange(self.raters), self.each)
        asked = rng.integers(self.questions, size=n) if self.questions else np.arange(n)
        count = self.questions or n
        one = rng.integers(k, size=count)
        other = (one + rng.integers(1, k, size=count)) % k
        pictures = rng.integers(self.images, size=(count, 2))
        swap = rng.random(n) < 0.5
        left, right = np.where(swap, other[asked], one[asked]), np.where(swap, one[asked], other[asked])
        shown = np.where(swap[:, None], pictures[asked][:, ::-1], pictures[asked])
        taste = rng.normal(0, 1, (self.raters, k)) * self.taste
        look = rng.normal(0, 1, (k, self.images)) * self.look if self.look else np.zeros((k, 1))
        place = shown if self.look else np.zeros_like(shown)
        margin = strengths[left] - strengths[right] + taste[rater, left] - taste[rater, right] + self.left
        margin += look[left, place[:, 0]] - look[right, place[:, 1]]
        margin[rater < self.careless] = 0.0
        prefers_left = rng.random(n) < 1 / (1 + np.exp(-margin))
        tied = rng.random(n) < self.ties
        seconds = rng.lognormal(0.5, 0.4, n)
        found = []
        for i in range(n):
            choice = "tie" if tied[i] else "left" if prefers_left[i] else "right"
            names_here = {"left": names[left[i]], "right": names[right[i]]}
            correct = None
            if self.kind == "two_alternative":
                correct = "left" if names_here["left"] == REAL else "right"
            images = {"left_image": f"{shown[i, 0]}.png", "right_image": f"{shown[i, 1]}.png"}
            found.append(
                _vote(f"{seed}-{i}", rater[i], f"q{asked[i]}", choice, seconds[i], self.kind, correct, names_here | images)
            )
        for person in range(self.raters):
            for trial in range(self.catches):
                right_one = rng.random() < (0.5 if person < self.careless else 0.98)
                sides = {"left": names[0], "right": names[0], "left_image": "0.png", "right_image": "noise.png"}
                choice = "left" if right_one else "right"
                name = f"{seed}-{person}-catch-{trial}"
                found.append(_vote(name, person, f"c{trial}", choice, 2.0, self.kind, "left", sides, catch=True))
        return found

    def truth(self) -> np.ndarray:
        """What the ratings of endless votes come to: tastes flatten the average preference a little."""
        strengths = np.array(list(self.strengths.values()))
        k = len(strengths)
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        spread = (2 * (self.taste**2 + self.look**2)) ** 0.5
        left, right = np.array([(i, j) for i in range(k) for j in range(k) if i != j]).T
        margins = strengths[left] - strengths[right] + self.left
        scores = (1 / (1 + np.exp(-(margins[:, None] + spread * nodes)))) @ (weights / weights.sum())
        scores = scores * (1 - self.ties) + 0.5 * self.ties
        aside = Clusters(np.arange(len(left)), np.arange(2 * len(left)).reshape(-1, 2))
        return bradley_terry.fit(left, right, scores, k, aside).ratings


def _vote(
    name: str,
    rater: int,
    question: str,
    choice: str,
    seconds: float,
    kind: str,
    correct: str | None,
    sides: dict[str, str],
    *,
    catch: bool = False,
) -> Vote:
    fields = {"id": name, "study": "simulated", "rater": f"r{rater}", "question": question, "kind": kind, "choice": choice}
    time = "2026-11-21T00:00:00+00:00"
    return Vote.model_validate(fields | sides | {"correct": correct, "catch": catch, "seconds": float(seconds), "time": time})
