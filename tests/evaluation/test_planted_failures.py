"""One failure at a time, in growing doses, through the whole evaluation: the numbers that should move do, all others stay.

Held-out digits stand for the samples of a good model. A number stays where it moves by less than three of its standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import genbench

Pixels = NDArray[np.uint8]
DOSES = (0.0, 0.15, 0.3, 0.6)
METRICS = ("fd", "precision", "recall", "coverage", "class_histogram", "near_copies", "sharpness", "vendi")


@cache
def split() -> tuple[Pixels, Pixels, NDArray[np.int64]]:
    """Training images, test images (N, 8, 8) and the classes of the test images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.round(data.images * 255 / 16).astype(np.uint8)
    test = np.arange(len(pixels)) % 3 == 2
    return pixels[~test], pixels[test], data.target[test]


def copies(dose: float) -> Pixels:
    """A share of the images are training images."""
    train, test, _ = split()
    chosen = np.random.default_rng(0).permutation(len(test))[: round(dose * len(test))]
    found = test.copy()
    found[chosen] = train[np.random.default_rng(1).permutation(len(train))[: len(chosen)]]
    return found


def blur(dose: float) -> Pixels:
    _, test, _ = split()
    width = 0.3 + dose  # pixels; narrower filters change nothing
    return ndimage.gaussian_filter(test.astype(float), (0, width, width)).round().astype(np.uint8) if dose else test


def noise(dose: float) -> Pixels:
    _, test, _ = split()
    # Never darker than black, so weak noise has little to say on these black grounds: it begins at 40 levels.
    drawn = np.random.default_rng(0).normal(0, 40 + 200 * dose if dose else 0, test.shape)
    return (test + drawn).round().clip(0, 255).astype(np.uint8)


def lost_modes(dose: float) -> Pixels:
    """The last digits are gone, and the others stand in for them."""
    _, test, classes = split()
    kept = test[classes < round(10 * (1 - dose))]
    return kept[np.arange(len(test)) % len(kept)] if dose else test


def one_per_class(dose: float) -> Pixels:
    """A share of the images repeat the first of their class: no class is lost, all variety is."""
    _, test, classes = split()
    chosen = np.random.default_rng(0).permutation(len(test))[: round(dose * len(test))]
    found = test.copy()
    for index in chosen:
        found[index] = test[np.argmax(classes == classes[index])]
    return found


FAILURES: Mapping[str, tuple[Callable[[float], Pixels], dict[str, str], tuple[str, ...]]] = {
    # failure: how to plant it; what moves which way; what stays
    "copies": (copies, {"near_copies": "up"}, ("fd", "recall", "class_kl", "sharpness", "vendi")),
    "blur": (blur, {"sharpness": "down", "fd": "up"}, ("near_copies",)),
    "noise": (noise, {"sharpness": "up", "fd": "up"}, ("near_copies",)),
    "lost modes": (lost_modes, {"class_kl": "up", "fd": "up", "recall": "down", "vendi": "down"}, ("sharpness", "near_copies")),
    "one per class": (one_per_class, {"coverage": "down", "vendi": "down", "fd": "up"}, ("class_kl", "near_copies")),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_planted_failure_moves_its_numbers_and_no_others(failure: str) -> None:
    plant, moving, staying = FAILURES[failure]
    train, _, _ = split()
    results = [
        genbench.evaluate(rgb(plant(dose)), ref=rgb(train), metrics=METRICS, extractor="tiny", device="cpu") for dose in DOSES
    ]
    for name, direction in moving.items():
        values = [float(result[name]) for result in results]
        ordered = values if direction == "up" else values[::-1]
        assert all(low < high for low, high in pairwise(ordered)), (name, values)
        honest_error, last_error = (result[name].se or 0 for result in (results[0], results[-1]))
        assert abs(values[-1] - values[0]) > 3 * (honest_error**2 + last_error**2) ** 0.5, (name, values)
    for name in staying:
        honest, most = results[0][name], results[-1][name]
        allowed = 3 * ((honest.se or 0) ** 2 + (most.se or 0) ** 2) ** 0.5
        assert abs(float(most) - float(honest)) <= allowed, (name, float(honest), float(most), allowed)


def rgb(grey: Pixels) -> Pixels:
    """(N, 8, 8) -> (N, 8, 8, 3)."""
    return np.repeat(grey[..., None], 3, axis=3)
