"""The name is the file: listing, finding, and errors that teach."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from genbench import catalog
from genbench.errors import UsageError
from genbench.features.base import FeatureExtractor
from genbench.metrics.base import Metric


@pytest.mark.parametrize("kind", ["metrics", "extractors", "datasets"])
def test_every_listed_name_is_found(kind: catalog.Kind) -> None:
    listed = catalog.names(kind)
    assert listed == sorted(set(listed))
    for name in listed:
        catalog.find(kind, name)


def test_listing_imports_nothing() -> None:
    code = "import sys; from genbench import catalog; catalog.names('metrics'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_gets_suggestions() -> None:
    with pytest.raises(UsageError, match="no metric named 'fidd'") as caught:
        catalog.find("metrics", "fidd")
    assert caught.value.hint.startswith("did you mean fid")


def test_code_from_outside_is_named_by_module_and_object() -> None:
    assert isinstance(catalog.find("metrics", "genbench.metrics.fid:metric"), Metric)
    assert issubclass(catalog.find("extractors", "genbench.features.tiny:Tiny"), FeatureExtractor)


@pytest.mark.parametrize("name", ["no_such_module:X", "genbench.metrics.fid:no_such_object", "json:dumps"])
def test_code_from_outside_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        catalog.find("metrics", name)


ARGUMENTS = {
    "distributions": {"real", "fake"},
    "features": {"real", "fake"},
    "sample": {"fake"},
    "held_out": {"real", "held_out", "fake"},
    "classes": {"real", "fake", "real_classes", "fake_classes"},
    "pairs": {"x", "y"},
    "own_pairs": {"x", "y"},
    "text": {"images", "captions", "references", "embed"},
    "descriptions": {"shown", "asked"},
    "videos": {"real", "fake"},
    "points": {"fake", "modes", "sigma"},
}


@pytest.mark.parametrize("name", catalog.names("metrics"))
def test_contract_of_metrics(name: str) -> None:
    metric = catalog.find("metrics", name)
    parameters = inspect.signature(metric.per_pair or metric.compute).parameters
    assert ARGUMENTS[metric.takes] <= set(parameters)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    for settings in metric.protocols.values():
        assert ARGUMENTS[metric.takes] | set(settings) <= set(parameters)
    for place, names in metric.on.items():
        extractor, _, layer = place.partition(".")
        assert (layer or "pool") in catalog.find("extractors", extractor).layers
        assert set(names) <= set(metric.reports)
    if metric.extractor is not None:
        extractor = catalog.find("extractors", metric.extractor)
        assert metric.layer in extractor.layers
        assert not metric.variant or metric.variant in extractor.inputs
    for text in (metric.summary, metric.sees, metric.blind, metric.error_bar, metric.source):
        assert text
        assert "|" not in text


def test_no_two_metrics_report_the_same_name() -> None:
    names = [name for file in catalog.names("metrics") for name in catalog.find("metrics", file).reports]
    assert len(names) == len(set(names))
