"""Permutation tests: uniform where there is no difference, small where there is one, and used where errors mislead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from making_results import gaussian, random
from numpy.typing import NDArray
from torch import Tensor

from genbench.comparison.holm import holm
from genbench.comparison.images import compare_images, permutations_needed
from genbench.comparison.permutation import can_permute, permutation_p
from genbench.data.base import Policy
from genbench.evaluation.evaluate import Evaluated, evaluate_sides
from genbench.evaluation.gather import Sides
from genbench.metrics.base import FeatureSet

KD = "kd@tiny/1 kd"


@pytest.fixture(scope="module")
def evaluated() -> Evaluated:
    """Some evaluation, in which tests put features of their own."""
    images = np.random.default_rng(0).integers(0, 255, (500, 8, 8, 3), dtype=np.uint8)
    return evaluate_sides(Sides(images=images, ref=images), Policy(), metrics="kd,fd", extractor="tiny")


def holding(evaluated: Evaluated, fake: Tensor, real: Tensor) -> Evaluated:
    inputs = evaluated.gathered.inputs
    changed = replace(inputs, fake=dict.fromkeys(inputs.fake, fake), real=dict.fromkeys(inputs.real, FeatureSet(features=real)))
    return replace(evaluated, gathered=replace(evaluated.gathered, inputs=changed))


def p_of(
    evaluated: Evaluated, sets: list[Tensor], real: Tensor, *, paired: bool = False, permutations: int = 99, seed: int = 0
) -> float:
    base, current = (holding(evaluated, fake, real) for fake in sets)
    return permutation_p(base, current, KD, paired=paired, permutations=permutations, seed=seed)


@pytest.mark.parametrize("paired", [False, True])
def test_without_a_difference_small_p_are_as_rare_as_they_claim(evaluated: Evaluated, paired: bool) -> None:
    """60 draws of two sets and a reference; paired ones have a large part in common."""
    found = []
    for seed in range(60):
        generator = random(seed)
        common = gaussian(40, generator) if paired else torch.zeros(40, 8)
        sets = [common + gaussian(40, generator) for _ in range(2)]
        found.append(p_of(evaluated, sets, math.sqrt(1 + paired) * gaussian(60, generator), paired=paired, seed=seed))
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(found) <= level)
        assert share <= level + 2.5 * math.sqrt(level * (1 - level) / 60)
    assert np.mean(np.array(found) <= 0.5) >= 0.35


def test_a_planted_difference_is_seen(evaluated: Evaluated) -> None:
    generator = random(0)
    sets = [gaussian(100, generator), gaussian(100, generator, shift=0.5)]
    assert p_of(evaluated, sets, gaussian(100, generator)) == 0.01  # of 99 deals none is as large


def test_pairs_are_dealt_out_as_pairs(evaluated: Evaluated) -> None:
    """Every image of the second set is a little farther away: clear in pairs, lost in the spread of the images without them."""
    generator = random(1)
    common = gaussian(100, generator)
    sets = [common, common + 0.1]
    real = gaussian(100, generator)
    assert p_of(evaluated, sets, real, paired=True) == 0.01
    assert p_of(evaluated, sets, real, paired=False) > 0.05


def test_the_same_images_have_p_of_one(evaluated: Evaluated) -> None:
    fake = gaussian(50, random(2))
    assert p_of(evaluated, [fake, fake], gaussian(50, random(3)), paired=True) == 1.0


def test_it_ends_early_where_p_is_large_and_repeats_itself(evaluated: Evaluated) -> None:
    generator = random(4)
    sets, real = [gaussian(60, generator), gaussian(60, generator)], gaussian(60, generator)
    first, again = (p_of(evaluated, sets, real, permutations=100_000) for _ in range(2))
    assert first == again > 0.01  # or it would run for minutes


def test_sets_of_unequal_size(evaluated: Evaluated) -> None:
    generator = random(5)
    sets = [gaussian(100, generator), gaussian(50, generator, shift=0.6)]
    assert p_of(evaluated, sets, gaussian(80, generator)) == 0.01


# -- of images -------------------------------------------------------------------------------------------------------------


def halves(digits: NDArray[np.uint8], brighter: int = 0) -> list[NDArray[np.uint8]]:
    order = np.random.default_rng(0).permutation(1797)
    first, second = digits[order[:150]], digits[order[150:300]]
    return [first, np.clip(second.astype(int) + brighter, 0, 255).astype(np.uint8)]


def test_near_zero_permutations_decide(digits: NDArray[np.uint8]) -> None:
    near = compare_images(
        *halves(digits),
        ref=digits[:300],
        metrics="kd,precision",
        extractor="tiny",
        names=["a", "b"],
        workers=0,
        permutations=49,
    )
    kd, precision = (metric.pairs[0] for metric in near.metrics)
    assert (kd.test, precision.test) == ("permutation", "normal")
    assert kd.p is not None
    assert kd.p > 0.05
    assert kd.verdict == "not distinguishable"
    assert "permutation test" in " ".join(near.notes)


@pytest.mark.parametrize(("tests", "alpha"), [(1, 0.05), (10, 0.05), (3, 0.01), (60, 0.05), (7, 0.3)])
def test_as_many_permutations_as_holm_needs(tests: int, alpha: float) -> None:
    needed = permutations_needed(tests, alpha)
    smallest = [1 / (1 + permutations) for permutations in (needed, needed - 1)]
    assert [holm([p] + [1.0] * (tests - 1))[0] < alpha for p in smallest] == [True, False]


def test_too_few_permutations_are_said(digits: NDArray[np.uint8]) -> None:
    made = {"ref": digits[:300], "metrics": "kd", "extractor": "tiny", "names": ["a", "b"], "workers": 0}
    few, enough = (compare_images(*halves(digits), permutations=number, **made) for number in (19, 20))
    assert "19 permutations are too few to show a difference at 0.05 among all tests; 20 are" in " ".join(few.notes)
    assert "too few" not in " ".join(enough.notes)


def test_far_from_zero_errors_do(digits: NDArray[np.uint8]) -> None:
    far = compare_images(
        *halves(digits, brighter=40), ref=digits[:300], metrics="kd", extractor="tiny", names=["a", "b"], workers=0
    )
    (pair,) = far["kd"].pairs
    assert (pair.test, pair.verdict) == ("normal", "worse")


def test_a_metric_by_class_is_left_to_its_errors(digits: NDArray[np.uint8]) -> None:
    made = evaluate_sides(
        Sides(images="digits/test", ref="digits/train"),
        Policy(),
        metrics="intra_fid,fd",
        extractor="tiny",
        allow_small=True,
        workers=0,
    )
    keys = list(made.result.by_protocol)
    assert [can_permute(made, key) for key in keys] == [False, True]
