"""The features behind a result's main distance, from the cache where `genbench evaluate` left them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from genbench import catalog
from genbench.comparison.comparable import same_images
from genbench.data.labels import labels_of
from genbench.errors import GenbenchError, IncomparableError
from genbench.evaluation.extract import Execution, View, extract
from genbench.evaluation.reference import resolve
from genbench.evaluation.request import Request, parse
from genbench.evaluation.result import MetricResult, Reference, Result
from genbench.evaluation.statistics import is_statistics
from genbench.features.base import FeatureExtractor, Identity
from genbench.metrics.base import FeatureSet, Metric
from genbench.report.reopen import Pictures, open_measured, other_images

OUTSIDE = re.compile(r"[\w.]+:[A-Z]")  # "package.module:Object", whose module would be imported
SMALL = 5000  # images of a reference that is known by its statistics and is sent through the network without being asked to


@dataclass(frozen=True, kw_only=True)
class Features:
    """fake: (N, D) of the generated images; reference: what the distance was measured to, None where it is not at hand.

    training: the reference as images, with `real` (M, D) their features; None where they are not at hand.
    """

    metric: MetricResult
    fake: Tensor
    reference: FeatureSet | None
    training: Pictures | None
    real: Tensor | None
    fake_classes: list[str] | None
    real_classes: list[str] | None


def request_of(metric: MetricResult) -> Request | None:
    """What was asked for to get this number; None for what comes from outside, which no document can make us run."""
    text, _, _ = metric.protocol.rpartition("/")
    extractor = metric.extractor.extractor if metric.extractor else None
    if (extractor is not None and extractor not in catalog.names("extractors")) or OUTSIDE.search(text):
        return None
    precision = metric.extractor.precision if metric.extractor else "fp32"
    if precision not in ("fp32", "tf32", "bf16"):
        return None
    try:
        return parse(text.replace(f"+{precision}", ""), None, precision)  # type: ignore[arg-type]
    except GenbenchError:
        return None


def catalogued(metric: MetricResult) -> Metric | None:
    """The entry of the catalogue behind a number."""
    request = request_of(metric)
    return None if request is None else request.metric


def main_distance(result: Result) -> MetricResult | None:
    """The first distance between distributions that has a value, else the first metric of the images' features with one."""
    of_features = None
    for metric in result.metrics:
        entry = None if metric.value is None else catalogued(metric)
        if entry is not None and entry.takes == "distributions":
            return metric
        if entry is not None and entry.takes == "features" and of_features is None:
            of_features = metric
    return of_features


def extract_features(
    result: Result,
    metric: MetricResult,
    pictures: Pictures,
    ref: Any,
    *,
    asked: bool,
    spec: Any,
    weights: Path | None,
    execution: Execution,
) -> Features:
    """Features under the metric's network and layer.

    spec, ref: where images and reference are; asked: the user named the reference, so its images are opened at any cost.
    Raises IncomparableError for another network than the result's, DataError for other images than the result's.
    """
    request = request_of(metric)
    assert request is not None, "the metric is in the catalogue"
    assert request.place is not None, "and looks at features"
    layer = request.place.layer
    network = request.place.load(request.precision, weights).to(execution.device)
    _check_network(network, metric)
    view, policy = View(extractor=network, layers=(layer,)), pictures.collection.policy
    fake = _extracted(pictures, view, execution)
    reference, training, real = None, None, None
    if ref is not None and result.reference is not None:
        resolved = resolve(ref, [(network, layer)], policy, execution)
        if not same_images(resolved.description, result.reference):
            raise other_images(resolved.description.name, resolved.description.digest, result.reference, "--ref")
        reference = resolved.features[network, layer]
        if _is_images(ref) and (asked or _is_cheap(result.reference)):
            training = open_measured(ref, result.reference, policy, execution, option="--ref")
            real = _extracted(training, view, execution)
    return Features(
        metric=metric,
        fake=fake,
        reference=reference,
        training=training,
        real=real,
        fake_classes=_classes(spec, pictures),
        real_classes=_classes(ref, training) if training else None,
    )


def _check_network(network: FeatureExtractor, metric: MetricResult) -> None:
    assert metric.extractor is not None, "a metric of features"
    differs = Identity(**metric.extractor.model_dump()).difference(network.identity)
    if differs:
        hint = "use the same weights file (--weights) and version of genbench, or leave pictures out with --no-pictures"
        what = f"the network of {metric.name} is not here as it was: {differs} (result / here)"
        raise IncomparableError("E-INCOMPARABLE", what, hint=hint)


def _extracted(pictures: Pictures, view: View, execution: Execution) -> Tensor:
    collection = pictures.collection
    found = extract(collection.source, collection.surveyed, collection.policy, [view], execution)
    (features,) = found.features[0].values()
    return features


def _is_images(ref: Any) -> bool:
    """Whether the reference can be opened as images; a statistics file cannot."""
    return not (isinstance(ref, (str, Path)) and Path(ref).is_file() and is_statistics(Path(ref)))


def _is_cheap(reference: Reference) -> bool:
    """Features of images that were measured are in the cache; those behind statistics are not."""
    return reference.made == "images" or (reference.n is not None and reference.n <= SMALL)


def _classes(spec: Any, pictures: Pictures) -> list[str] | None:
    labels = labels_of(spec, pictures.collection.source)
    return None if labels is None else [labels[position] for position in pictures.rows]


def common_classes(fake: Sequence[str] | None, real: Sequence[str] | None) -> list[str]:
    """The classes that both sides have, sorted."""
    return sorted(set(fake or ()) & set(real or ()))
