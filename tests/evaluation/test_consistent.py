"""What is measured is consistent, whatever was measured; what was changed afterwards is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from genbench.data.sets.shapes import Shapes
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


def test_so_are_errors_that_are_not_plainly_those_of_the_influence(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    """Several pictures per prompt that agree better than chance, few images per class, an interval that is cut at zero."""
    images, prompts = Shapes().images("test").read_all()[:120].permute(0, 2, 3, 1).numpy(), Shapes().captions("test")
    captions = [prompts[number - number % 4] for number in range(120)]
    spoken = evaluate(images, captions=captions, metrics=["attribute_accuracy"], device="cpu")
    labels = load_digits().target[:60]
    classes = evaluate(
        digits[:60], ref="digits/train", metrics=["intra_fid@tiny"], labels=labels, device="cpu", allow_small=True
    )
    near = digits.copy()
    near[:2] = 255 - near[:2]
    cut = evaluate(near, ref=digits, metrics=["wasserstein@tiny"], device="cpu")
    assert spoken.metrics[0].method == "clusters"
    assert cut.metrics[0].ci is not None
    assert cut.metrics[0].ci[0] == 0
    for number, found in enumerate((spoken, classes, cut)):
        assert problems(Result.load(found.save(tmp_path / str(number)))) == []


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


def test_more_images_than_there_are_is_not(result: Result) -> None:
    changed = result["density"].model_copy(update={"n": 600})
    assert any("more than the 599 images listed" in problem for problem in check_value(changed, result))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_error_of_a_jackknife_is_near_that_of_its_influence(factor: float, result: Result) -> None:
    known = result["coverage"]
    assert known.method == "jackknife"
    changed = known.model_copy(update={"se": factor * (known.se or 0.0), "ci": None})
    assert any("its influence makes a standard error" in problem for problem in check_value(changed, result))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_sample_of_the_reference_tells_its_error_nearly(factor: float, result: Result) -> None:
    known = result["fd"]
    own = result.influence[known.key]
    assert own.real is not None
    sampled = result.model_copy().with_influence({known.key: replace(own, real=own.real[::4])})
    changed = known.model_copy(update={"se": factor * (known.se or 0.0), "ci": None})
    assert any("its influence makes" in problem for problem in check_value(changed, sampled)) == (factor != 1)


def test_influence_of_other_images_is_not(result: Result) -> None:
    metric: MetricResult = result["fd"]
    own = result.influence[metric.key]
    for other in (replace(own, fake=own.fake[:-1]), replace(own, fake=3 * own.fake), replace(own, fake=own.fake * np.nan)):
        lie = result.model_copy().with_influence({metric.key: other})
        assert list(check_value(metric, lie))
