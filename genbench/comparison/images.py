"""Compare sets of images: each is evaluated, and where all that is left is noise, permutations of the images decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genbench.comparison.compare import Comparison, check_arguments, concluded, differences, names_of
from genbench.comparison.pair import Pair
from genbench.comparison.permutation import can_permute, permutation_p
from genbench.data.base import Policy
from genbench.evaluation.evaluate import evaluate_sides
from genbench.evaluation.extract import Progress, quiet
from genbench.evaluation.gather import Sides

FEWEST = 199  # permutations by default, of which the smallest p is 1 / 200


def compare_images(
    *images: Any,
    ref: Any,
    names: Sequence[str] | None = None,
    alpha: float = 0.05,
    policy: Policy | None = None,
    permutations: int | None = None,
    seed: int = 0,
    progress: Progress = quiet,
    **options: Any,
) -> Comparison:
    """Compare sets of images by their metrics against `ref`; see `genbench.compare`, and `genbench.evaluate` for the options.

    The p of two distances that are both near zero is that of a permutation test, see `genbench.comparison.permutation`, unless
    the error, which is too large there, leaves a smaller one than permutations can.
    permutations: at most so many; each computes the metric twice. None: 199, or as many as it takes that the smallest p counts
    among all tests at `alpha`. 0: none, and such p stay too high.
    """
    check_arguments(len(images), names, alpha)
    sides = [Sides(images=one, ref=ref) for one in images]
    evaluated = [evaluate_sides(one, policy or Policy(), progress=progress, **options) for one in sides]
    results = [one.result for one in evaluated]
    found = differences(results)
    needed = permutations_needed(sum(pair.p is not None for pairs in found.values() for pair in pairs), alpha)
    most = max(FEWEST, needed) if permutations is None else permutations

    def tested(key: str, pair: Pair) -> Pair:
        if not most or not pair.near_zero or pair.p is None or pair.p < 1 / (1 + most):
            return pair
        base, current = evaluated[pair.base], evaluated[pair.current]
        if not can_permute(base, key):
            return pair
        paired = "images" in pair.difference.shares
        p = permutation_p(base, current, key, paired=paired, permutations=most, seed=seed, progress=progress)
        return replace(pair, p=p, test="permutation")

    found = {key: [tested(key, pair) for pair in pairs] for key, pairs in found.items()}
    made = concluded(found, names_of(results, images) if names is None else names, alpha, results)
    permuted = any(pair.test == "permutation" for pairs in found.values() for pair in pairs)
    if not permuted or most >= needed:
        return made
    note = f"p*: {most} permutations are too few to show a difference at {alpha:g} among all tests; {needed} are enough"
    return replace(made, notes=(*made.notes, note))


def permutations_needed(tests: int, alpha: float) -> int:
    """The fewest of which the smallest p, 1 / (1 + permutations), is below alpha / tests."""
    return int(tests / alpha * (1 + 1e-9))
