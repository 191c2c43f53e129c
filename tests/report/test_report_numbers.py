"""The numbers of a report are those of the result, and what explains them adds up to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from genbench import seeding
from genbench.metrics import fid, fid_infinity
from genbench.metrics.base import FeatureSet
from genbench.pages import plots
from genbench.report import classes, headline, manifold, sample_size, spectrum
from genbench.report.source import open_source


def test_the_numbers_are_those_of_the_result(measured: Any) -> None:
    shown = headline.numbers(open_source(measured.folder))
    assert [number.name for number in shown] == [metric.short_name for metric in measured.result.metrics]
    for number, metric in zip(shown, measured.result.metrics, strict=True):
        assert number.value == str(metric)
        assert number.protocol == metric.protocol
        assert number.n == f"{metric.n:,}"
        assert metric.ci is not None
        assert metric.se is not None
        ends = [float(end.replace("−", "-")) for end in number.interval.split(" to ")]
        assert ends == pytest.approx(metric.ci, abs=metric.se)
        assert ends == pytest.approx(metric.ci, rel=0, abs=0.06 * metric.se)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((2.5234, 3.2222), "2.52 to 3.22"),
        ((0.8637, 0.9001), "0.8637 to 0.9001"),
        ((-0.0762, 0.0964), "−0.076 to 0.096"),
        ((1234.5, 1310.2), "1234 to 1310"),
        ((1.0, 1.0), "1 to 1"),
        (None, ""),
    ],
)
def test_intervals_have_the_decimals_of_their_error(interval: tuple[float, float] | None, text: str) -> None:
    assert headline.interval_text(interval) == text


def test_the_extrapolation_is_that_of_fid_infinity_and_its_line_is_least_squares(measured: Any) -> None:
    features = measured.features
    assert features.reference is not None
    curve = sample_size.curve(features)
    assert not isinstance(curve, str)
    expected = fid_infinity.compute(real=features.reference, fake=FeatureSet(features=features.fake))["fd_infinity"]
    assert curve.limit == str(expected)
    estimate, points = fid_infinity.extrapolated(real=features.reference, fake=FeatureSet(features=features.fake))
    assert points is not None
    sizes = points.sizes.double().numpy()
    slope, intercept = np.polyfit(1 / sizes, points.distances.numpy(), 1, w=np.sqrt(sizes))
    assert sample_size.line_of(estimate, points) == pytest.approx((intercept, slope), rel=1e-6, abs=1e-9)


def test_the_effective_rank_counts_equal_directions() -> None:
    assert spectrum.effective_rank(torch.ones(7, dtype=torch.float64)) == pytest.approx(7)
    assert spectrum.effective_rank(torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)) == pytest.approx(1)
    values = spectrum.eigenvalues(torch.diag(torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)))
    assert values.tolist() == pytest.approx([4, 2, 1])


def test_mean_and_covariance_make_up_the_distance(measured: Any) -> None:
    found = spectrum.spectrum(measured.features)
    assert found is not None
    terms = float(found.mean_term) + float(found.covariance_term)
    assert terms == pytest.approx(float(measured.features.metric), rel=0.01)


def test_each_class_has_the_distance_of_its_own_images(measured: Any) -> None:
    features = measured.features
    table = classes.classes(measured.result, features)
    assert table is not None
    assert sorted(row.name for row in table.rows) == sorted(map(str, range(10)))
    assert "128 dimensions" in table.warning
    assert features.real is not None
    assert features.fake_classes is not None
    assert features.real_classes is not None
    for row in table.rows[:2]:
        fake = features.fake[[name == row.name for name in features.fake_classes]]
        real = features.real[[name == row.name for name in features.real_classes]]
        assert row.value == str(fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"])
        assert row.n == str(len(fake))


def test_shrinking_takes_out_what_errors_explain() -> None:
    apart = {"a": (1.0, 1e-9), "b": (2.0, 1e-9), "c": (4.0, 1e-9)}
    assert classes.shrink(apart) == pytest.approx({name: value for name, (value, _) in apart.items()})
    noise = classes.shrink({"a": (1.0, 5.0), "b": (2.0, 5.0), "c": (3.0, 5.0)})
    assert list(noise.values()) == pytest.approx([2.0, 2.0, 2.0])
    half = classes.shrink({"a": (0.0, 0.5), "b": (2.0, 0.5)})
    assert 0 < half["a"] < 1 < half["b"] < 2


def test_shrunk_values_are_nearer_to_the_truth() -> None:
    chance = seeding.generator(0, "test/shrink")
    raw = shrunk = 0.0
    for _ in range(200):
        truth = chance.normal(5, 1, 10)
        seen = truth + chance.normal(0, 1, 10)
        pulled = classes.shrink({str(i): (float(value), 1.0) for i, value in enumerate(seen)})
        raw += float(((seen - truth) ** 2).sum())
        shrunk += float(((np.array(list(pulled.values())) - truth) ** 2).sum())
    assert shrunk < 0.7 * raw


def test_an_interval_beside_its_value_is_drawn(measured: Any) -> None:
    """A correction of bias, or a stranger, can move the interval away from the value."""
    assert plots.bar(2.0, (1.5, 2.25)) == (0.5, 0.25)
    assert plots.bar(2.0, (2.5, 3.0)) == (0.0, 1.0)
    assert plots.bar(2.0, None) == (0.0, 0.0)
    metrics = [metric.model_copy(update={"value": 1.5}) for metric in measured.result.metrics]
    assert manifold.manifold(measured.result.model_copy(update={"metrics": metrics}), {}) is not None
