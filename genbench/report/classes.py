"""Class by class: the distance within each class, with a warning on how little few images say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genbench.errors import GenbenchError
from genbench.estimate import Estimate, format_value
from genbench.evaluation.result import Result
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.report.features import Features, common_classes

LEAST = 10  # images of a class on either side
MOST = 200  # classes that are measured one by one


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """shrunk: the distance pulled towards the mean of all classes, by as much as its error is of their spread."""

    name: str
    n: str
    n_real: str
    value: str
    shrunk: str
    bar: float


@dataclass(frozen=True, kw_only=True)
class Classes:
    """rows: the class with the largest distance first; warning: empty where every class has images enough."""

    metric: str
    rows: tuple[ClassRow, ...]
    warning: str
    left_out: str


def classes(result: Result, features: Features | None) -> Classes | None:
    """From features where the classes of both sides are known, else from a metric that measured class by class; or None."""
    if features is not None and features.real is not None and features.fake_classes and features.real_classes:
        names = common_classes(features.fake_classes, features.real_classes)
        if 2 <= len(names) <= MOST:
            return _measured(features, features.fake_classes, features.real_classes, names)
    return _recorded(result)


def _measured(features: Features, fake: Sequence[str], real: Sequence[str], names: Sequence[str]) -> Classes:
    assert features.real is not None, "its caller has asked"
    of_fake, of_real = Counter(fake), Counter(real)
    fake_names, real_names = np.asarray(fake), np.asarray(real)
    found: dict[str, Estimate] = {}
    for name in names:
        if min(of_fake[name], of_real[name]) < LEAST:
            continue
        sides = (features.real[real_names == name], features.fake[fake_names == name])
        try:
            found[name] = fid.compute(real=FeatureSet(features=sides[0]), fake=FeatureSet(features=sides[1]))["fd"]
        except GenbenchError:  # the other classes may do
            continue
    shrunk = shrink({name: (float(estimate), estimate.se or 0.0) for name, estimate in found.items()})
    largest = max(map(float, found.values()), default=1.0) or 1.0
    rows = [
        ClassRow(
            name=name,
            n=f"{of_fake[name]:,}",
            n_real=f"{of_real[name]:,}",
            value=format_value(estimate.value, estimate.se),
            shrunk=f"{shrunk[name]:.3g}",
            bar=float(estimate) / largest,
        )
        for name, estimate in sorted(found.items(), key=lambda item: -float(item[1]))
    ]
    width = features.fake.shape[1]
    fewest = min((min(of_fake[name], of_real[name]) for name in found), default=0)
    warning = ""
    if fewest <= 10 * width:
        warning = (
            f"The smallest class has {fewest:,} images in {width:,} dimensions, so much of each distance is the bias of few "
            "images, which grows as they get fewer. Compare classes of equal numbers only, and trust an order where values lie "
            "apart by more than their errors: the shrunk column takes out of each what its error can explain."
        )
    alone = sorted(set(of_fake) ^ set(of_real)) + [name for name in names if name not in found]
    left_out = f"Left out, with fewer than {LEAST} images on a side: {_listed(alone)}." if alone else ""
    return Classes(metric=features.metric.short_name, rows=tuple(rows), warning=warning, left_out=left_out)


def shrink(found: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """(value, error) by class -> values shrunk towards their mean by empirical Bayes.

    Source: Morris 1983, Parametric empirical Bayes inference, with the moment estimate of the spread between classes.
    """
    if len(found) < 2:
        return {name: value for name, (value, _) in found.items()}
    values = [value for value, _ in found.values()]
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    between = max(0.0, spread - sum(error**2 for _, error in found.values()) / len(found))

    def kept(error: float) -> float:
        return between / (between + error**2) if between > 0 else (0.0 if error > 0 or math.isclose(spread, 0) else 1.0)

    return {name: mean + kept(error) * (value - mean) for name, (value, error) in found.items()}


def _recorded(result: Result) -> Classes | None:
    """The details "fd/cat" of intra_fid."""
    for metric in result.metrics:
        found = {key.partition("/")[2]: value for key, value in metric.details.items() if key.startswith("fd/")}
        if found:
            largest = max(found.values()) or 1.0
            rows = tuple(
                ClassRow(name=name, n="", n_real="", value=f"{value:.4g}", shrunk="", bar=value / largest)
                for name, value in sorted(found.items(), key=lambda item: -item[1])
            )
            warning = "Distances of few images are biased upwards: compare classes of equal numbers only."
            return Classes(metric=metric.short_name, rows=rows, warning=warning, left_out="")
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
