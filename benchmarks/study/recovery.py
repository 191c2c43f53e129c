"""Do the intervals of `genbench study analyze` hold, and are they needed? Simulated raters, whose strengths are known.

python benchmarks/study/recovery.py --repeats 100 --seed 0

Per setting: the share of repeats in which the 95 % interval of a rating covers what endless votes would give, with errors as
they are and with every vote taken for independent; the mean error and the ratings' real spread; the share of repeats in which
the order by rating is the planted one, and in which an interval of ranks is wrong. Then the verdicts about "which is real",
of ten times as many repeats.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import combinations

import numpy as np
from simulated import Study

from genbench.study.analysis import analyze
from genbench.study.clusters import Clusters
from genbench.study.two_alternative import fooling

FIVE = {"a": 0.8, "b": 0.4, "c": 0.0, "d": -0.4, "e": -0.8}
LIKE = Study(strengths=FIVE)
SETTINGS = {
    "30 raters x 50, tastes": replace(LIKE, raters=30, taste=0.5, left=0.3),
    "60 raters x 50, tastes": replace(LIKE, raters=60, taste=0.5, left=0.3),
    "30 raters x 50, no tastes": replace(LIKE, raters=30),
    "30 raters x 50, tastes, a quarter ties": replace(LIKE, raters=30, taste=0.5, ties=0.25),
    "30 raters x 50, tastes, 20 images each": replace(LIKE, raters=30, taste=0.5, look=0.5, images=20),
    "30 raters x 50, tastes, 100 questions": replace(LIKE, raters=30, taste=0.5, look=0.5, questions=100),
    "8 raters x 100, tastes": replace(LIKE, raters=8, each=100, taste=0.5),
    "4 raters x 100, tastes": replace(LIKE, raters=4, each=100, taste=0.5),
    "4 raters x 300, all alike, tastes of 1": replace(
        LIKE, raters=4, each=300, taste=1.0, strengths=dict.fromkeys("abcde", 0.0)
    ),
    "30 raters x 50, tastes, two alike": replace(
        LIKE, raters=30, taste=0.5, strengths={"a": 0.5, "b": 0.5, "c": 0.0, "d": -0.5, "e": -0.5}
    ),
}


def ratings_row(name: str, study: Study, repeats: int, seed: int) -> str:
    names = list(study.strengths)
    truth = study.truth()
    values, errors, covered, naive, ordered, wrong = [], [], [], [], [], []
    for repeat in range(repeats):
        votes = study.votes(seed + repeat)
        found = analyze(votes)
        rated = [found[name] for name in names]
        values.append([one.rating for one in rated])
        errors.append([one.se for one in rated])
        covered.append([one.ci[0] <= value <= one.ci[1] for one, value in zip(rated, truth, strict=True)])
        alone = analyze(
            [vote.model_copy(update={"rater": vote.id, "left_image": vote.id, "right_image": f"{vote.id}-"}) for vote in votes]
        )
        naive.append([alone[n].ci[0] <= value <= alone[n].ci[1] for n, value in zip(names, truth, strict=True)])
        ordered.append(all(values[-1][i] > values[-1][j] for i, j in combinations(range(len(names)), 2) if truth[i] > truth[j]))
        wrong.append(any(not one.rank_low <= rank <= one.rank_high for one, rank in zip(rated, _ranks(truth), strict=True)))
    numbers = f"{np.mean(covered):6.1%} {np.mean(naive):8.1%} {np.mean(errors):7.3f} {np.std(values, axis=0).mean():7.3f}"
    order = f"{np.mean(ordered):7.0%}" if np.ptp(truth) > 1e-9 else "      –"
    return f"{name:<42}{numbers} {order} {np.mean(wrong):7.1%}"


def _ranks(truth: np.ndarray) -> list[int]:
    return [1 + int((truth > value + 1e-9).sum()) for value in truth]


def fooling_row(name: str, share: float, raters: int, each: int, taste: float, repeats: int, seed: int) -> str:
    """Raters answer wrongly with a probability of mean `share`, which differs from rater to rater with deviation `taste`."""
    verdicts, covered, n = [], [], raters * each
    clusters = Clusters(np.arange(n) // each, np.arange(2 * n).reshape(n, 2))
    for repeat in range(repeats):
        rng = np.random.default_rng(seed + repeat)
        own = rng.beta(*_beta(share, taste), raters) if taste else np.full(raters, share)
        found = fooling((rng.random(n) < np.repeat(own, each)).astype(float), clusters)
        verdicts.append(found.verdict)
        covered.append(found.share.ci[0] <= share <= found.share.ci[1])
    shares = [f"{np.mean([verdict == word for verdict in verdicts]):9.1%}" for word in ("indistinguishable", "distinguishable")]
    return f"{name:<42}{np.mean(covered):6.1%} {' '.join(shares)}"


def _beta(mean: float, deviation: float) -> tuple[float, float]:
    total = mean * (1 - mean) / deviation**2 - 1
    return mean * total, (1 - mean) * total


REALS = {
    "30 x 50, nobody can tell": (0.5, 30, 50, 0.0),
    "30 x 50, nobody can tell, tastes": (0.5, 30, 50, 0.08),
    "60 x 50, nobody can tell, tastes": (0.5, 60, 50, 0.08),
    "30 x 50, 45 % fooled: the margin itself": (0.45, 30, 50, 0.0),
    "30 x 50, 45 % fooled, tastes": (0.45, 30, 50, 0.08),
    "30 x 50, 35 % fooled, tastes": (0.35, 30, 50, 0.08),
    "30 x 1, nobody can tell": (0.5, 30, 1, 0.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'ratings':<42}{'covers':>6} {'as alone':>8} {'error':>7} {'spread':>7} {'order':>7} {'wrong':>7}")
    for name, study in SETTINGS.items():
        print(ratings_row(name, study, options.repeats, options.seed), flush=True)
    print(f"\n{'which is real':<42}{'covers':>6} {'indist.':>9} {'disting.':>9}")
    for name, setting in REALS.items():
        print(fooling_row(name, *setting, 10 * options.repeats, options.seed), flush=True)


if __name__ == "__main__":
    main()
