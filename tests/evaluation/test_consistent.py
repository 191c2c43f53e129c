"""What is measured is consistent, whatever was measured; what was changed afterwards is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genbench.evaluation.consistent import check_value
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.result import MetricResult, Result

METRICS = [
    *("authenticity", "c2st", "class_histogram", "cmmd@tiny", "fd", "fid_infinity", "inception_score", "kd", "mind", "ndb"),
    *("near_copies", "prdc", "realism", "sharpness", "swd", "vendi", "wasserstein"),
]


def measured(images: NDArray[np.uint8], folder: Path) -> Result:
    """As it is read again from its files."""
    result = evaluate(images, ref="digits/train", extractor="tiny", metrics=METRICS, device="cpu", allow_small=True)
    return Result.load(result.save(folder))


@pytest.fixture(scope="module")
def result(digits: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Result:
    return measured(digits[2::3], tmp_path_factory.mktemp("result"))


def problems(result: Result) -> list[str]:
    return [f"{metric.key}: {problem}" for metric in result.metrics for problem in check_value(metric, result)]


def test_what_is_measured_is_consistent(result: Result) -> None:
    assert len(result.metrics) >= 18
    assert problems(result) == []


@pytest.mark.parametrize("kind", ["noisy", "copies of the reference", "a few, many times"])
def test_so_are_odd_sets(kind: str, digits: NDArray[np.uint8], tmp_path: Path) -> None:
    images = digits[2::3]
    if kind == "noisy":
        noise = np.random.default_rng(0).normal(0, 40, images.shape)
        images = np.clip(images + noise, 0, 255).astype(np.uint8)
    elif kind == "copies of the reference":
        images = digits[:500]
    else:
        images = images[:100].repeat(5, axis=0)
    assert problems(measured(images, tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"se": 1.0}, "is not that of"),
        ({"se": 1.0, "ci": None}, "its influence makes a standard error of"),
        ({"value": 9.0}, "does not contain the value"),
        ({"n": 10}, "images were used"),
        ({"n_real": 5000}, "more than the 1,198 images of the reference"),
        ({"se": None, "ci": None}, "no error bar and no reason"),
    ],
)
def test_what_was_changed_is_not(changes: dict[str, Any], sentence: str, result: Result) -> None:
    changed = result["fd"].model_copy(update=changes)
    assert any(sentence in problem for problem in check_value(changed, result))


def test_influence_of_other_images_is_not(result: Result) -> None:
    metric: MetricResult = result["fd"]
    own = result.influence[metric.key]
    for other in (replace(own, fake=own.fake[:-1]), replace(own, fake=3 * own.fake), replace(own, fake=own.fake * np.nan)):
        lie = result.model_copy().with_influence({metric.key: other})
        assert list(check_value(metric, lie))
