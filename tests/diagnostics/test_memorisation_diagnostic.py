"""Memorisation: training images handed out again, in graded shares and with graded noise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_generators import Drawing, Linear, grey, subject, textures

from genbench.data.dataset import Dataset
from genbench.diagnostics.memorisation import compute, diagnostic, training_features
from genbench.estimate import Estimate
from genbench.training.saved import build_model


@pytest.fixture(scope="module")
def data() -> Dataset:
    return grey(200)


def found(data: Dataset, images: Tensor) -> dict[str, Estimate]:
    return compute(subject(Drawing(data.spec, images), data, n=len(images)))


def test_new_images_are_no_copies(data: Dataset) -> None:
    readings = found(data, textures(200, 11))
    assert float(readings["copied"]) == pytest.approx(0, abs=0.02)
    gap = readings["authenticity_gap"]
    assert gap.se is not None
    assert abs(float(gap)) < 4 * gap.se
    assert all(diagnostic.reports[name].is_usual(float(estimate)) for name, estimate in readings.items())


def test_the_share_of_copies_is_found(data: Dataset) -> None:
    train, fresh = data.train.batch().x, textures(200, 11)
    none = float(found(data, fresh)["copied"])
    for share in (0.1, 0.3, 0.7):
        copies = round(200 * share)
        readings = found(data, torch.cat([train[:copies], fresh[copies:]]))
        assert float(readings["copied"]) == pytest.approx(none + share, abs=0.03)
        assert not diagnostic.reports["copied"].is_usual(float(readings["copied"]))


def test_the_nearer_to_training_images_the_less_authentic(data: Dataset) -> None:
    train, fresh = data.train.batch().x, textures(200, 11)
    gaps = [float(found(data, torch.lerp(train, fresh, dose))["authenticity_gap"]) for dose in (0.0, 0.1, 0.4, 1.0)]
    assert gaps == sorted(gaps)
    assert gaps[0] < -0.3


def test_all_training_images_are_searched(data: Dataset) -> None:
    whole = subject(Drawing(data.spec, textures(20, 11)), data, n=20)
    assert training_features(whole).shape == (200, 128)
    late = data.train.batch().x[-20:]
    assert float(found(data, late)["copied"]) > 0.9


def test_does_not_apply_where_repeats_are_no_fault(data: Dataset) -> None:
    assert diagnostic.applies(Drawing(data.spec, textures(20, 11)))
    assert not diagnostic.applies(Linear()), "near copies of points of the plane are common by chance"
    assert not diagnostic.applies(build_model("texture", data.spec, {})), "a model of one image is to repeat it"
