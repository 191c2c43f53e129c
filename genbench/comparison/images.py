"""Compare sets of images: each is evaluated, and where all that is left is noise, permutations of the images decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genbench.comparison.compare import Comparison, Pair, call, check, differences, finish
from genbench.comparison.permutation import can_permute, permutation_p
from genbench.data.base import Policy
from genbench.evaluation.evaluate import evaluate_sides
from genbench.evaluation.extract import Progress, quiet
from genbench.evaluation.gather import Sides

PERMUTATIONS = 199  # the smallest p is 1 / 200


def compare_images(
    *images: Any,
    ref: Any,
    names: Sequence[str] | None = None,
    alpha: float = 0.05,
    policy: Policy | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    progress: Progress = quiet,
    **options: Any,
) -> Comparison:
    """Compare sets of images by their metrics against `ref`; see `genbench.compare`, and `genbench.evaluate` for the options.

    The p of two distances that are both near zero is that of a permutation test, see `genbench.comparison.permutation`, unless
    the error, which is too large there, leaves a smaller one than permutations can.
    permutations: at most so many; each computes the metric twice. 0: none, and such p stay too high.
    """
    check(len(images), names, alpha)
    sides = [Sides(images=one, ref=ref) for one in images]
    evaluated = [evaluate_sides(one, policy or Policy(), progress=progress, **options) for one in sides]
    results = [one.result for one in evaluated]
    called = call(results, images, names)

    def tested(key: str, pair: Pair) -> Pair:
        if not permutations or not pair.near_zero or pair.p is None or pair.p < 1 / (1 + permutations):
            return pair
        base, current = evaluated[pair.base], evaluated[pair.current]
        if not can_permute(base, key):
            return pair
        paired = "images" in pair.difference.shares
        p = permutation_p(base, current, key, paired=paired, permutations=permutations, seed=seed, progress=progress)
        return replace(pair, p=p, test="permutation")

    pairs = {key: [tested(key, pair) for pair in found] for key, found in differences(results).items()}
    return finish(pairs, called, alpha, results)
