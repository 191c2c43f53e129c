"""Every metric refuses what it cannot measure with a sentence, and gives defined results where that is strange."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genbench.catalog import find, names
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate
from genbench.metrics.base import FeatureSet, Metric

METRICS = ["cmmd", "fid", "fid_infinity", "inception_score", "kid", "mind", "prdc", "swd"]
PAIRED = ["cmmd", "fid", "fid_infinity", "kid", "mind", "prdc", "swd"]


def measure(name: str, fake: torch.Tensor, real: torch.Tensor | None = None, **settings: Any) -> dict[str, Estimate]:
    metric: Metric = find("metrics", name)
    if metric.takes == "sample":
        return metric.compute(fake=fake, **settings)
    real = torch.randn(60, 8, generator=torch.Generator().manual_seed(9)) if real is None else real
    if metric.takes == "distributions":
        return metric.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake), **settings)
    return metric.compute(real=real, fake=fake, **settings)


@pytest.fixture
def fake() -> torch.Tensor:
    return torch.randn(60, 8, generator=torch.Generator().manual_seed(1))


def test_they_are_in_the_catalogue() -> None:
    assert set(METRICS) <= set(names("metrics"))


@pytest.mark.parametrize("name", METRICS)
def test_reports_what_it_says(name: str, fake: torch.Tensor) -> None:
    metric: Metric = find("metrics", name)
    for settings in metric.protocols.values():
        if "subset_size" in settings:
            continue  # it needs 1,000 images; tests/metrics/test_kid.py
        got = measure(name, fake, **settings)
        assert {report: estimate.better for report, estimate in got.items()} == dict(metric.reports)
        for estimate in got.values():
            assert estimate.n == 60
            assert estimate.se is not None
            assert estimate.ci is not None
            assert estimate.ci[0] <= float(estimate) <= estimate.ci[1]
            assert estimate.influence is not None
            assert len(estimate.influence.fake) == 60
            assert abs(float(estimate.influence.fake.mean())) < 1e-12 * (1 + float(estimate.influence.fake.abs().max()))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_not_finite(name: str, bad: float, fake: torch.Tensor) -> None:
    fake[7, 2] = fake[30, 0] = bad
    with pytest.raises(DataError, match=r"2 of 60 fake images have features that are not finite; the first is image 7"):
        measure(name, fake)


@pytest.mark.parametrize("name", PAIRED)
def test_not_finite_reference(name: str, fake: torch.Tensor) -> None:
    with pytest.raises(DataError, match="1 of 60 real images"):
        measure(name, fake, fake.clone().index_fill_(0, torch.tensor(5), float("nan")))


@pytest.mark.parametrize("name", PAIRED)
def test_different_widths(name: str, fake: torch.Tensor) -> None:
    with pytest.raises(IncomparableError, match="8 features each and the fake ones 5"):
        measure(name, fake[:, :5])


@pytest.mark.parametrize("name", METRICS)
def test_too_few_images(name: str, fake: torch.Tensor) -> None:
    for few in (0, 1):
        with pytest.raises(DataError, match=rf"at least \d+ fake images, got {few}"):
            measure(name, fake[:few])


@pytest.mark.parametrize("name", METRICS)
def test_not_a_matrix(name: str, fake: torch.Tensor) -> None:
    with pytest.raises(UsageError, match=r"takes \(N, D\) fake features, not \(60, 4, 2\)"):
        measure(name, fake.view(60, 4, 2))


@pytest.mark.parametrize("name", METRICS)
def test_constant_features_give_defined_results(name: str) -> None:
    constant = torch.full((60, 8), 3.0)
    for estimate in [*measure(name, constant).values(), *measure(name, constant, constant).values()]:
        assert estimate.value is not None
        assert estimate.se is not None


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_images_does_not_matter(name: str, fake: torch.Tensor) -> None:
    if name == "inception_score":
        pytest.skip("its splits follow the order by definition")
    shuffled = fake[torch.randperm(60, generator=torch.Generator().manual_seed(2))]
    for report, estimate in measure(name, fake).items():
        again = measure(name, shuffled)[report]
        assert float(again) == pytest.approx(float(estimate), rel=1e-10)
        assert again.se == pytest.approx(estimate.se, rel=1e-9)
        if estimate.bias_corrected is not None:
            assert again.bias_corrected == pytest.approx(estimate.bias_corrected, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("name", PAIRED)
def test_worse_under_growing_noise(name: str) -> None:
    if name == "cmmd":
        pytest.skip("it looks at directions only, and noise around zero keeps these")
    generator = torch.Generator().manual_seed(3)
    real = torch.randn(400, 8, generator=generator)
    clean = torch.randn(400, 8, generator=generator)
    noise = torch.randn(400, 8, generator=generator)
    steps = [measure(name, clean + level * noise, real) for level in (0.0, 0.5, 1.0, 2.0, 4.0)]
    reports = find("metrics", name).reports
    for report in reports:
        if report == "recall":
            continue  # fake balls grow with the noise, so recall may rise
        values = [float(step[report]) * (1 if reports[report] == "lower" else -1) for step in steps]
        assert values == sorted(values), report
        assert values[-1] > values[0]
