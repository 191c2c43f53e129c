"""What there is to measure: features, classes, captions and pairs, as metrics take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, Warned
from genbench.estimate import Estimate, mean_estimate
from genbench.evaluation.reference import Resolved, Wanted
from genbench.evaluation.request import Request
from genbench.evaluation.result import Images
from genbench.features.base import EmbedsText, FeatureExtractor
from genbench.metrics.base import FeatureSet


class NoFeatures(IncomparableError):
    """The reference is statistics without the features, or the classes, that a metric needs."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that some metric takes; what none of them asked for is empty.

    fake, real, held_out: features by network and layer; *_classes: the class of each of their rows.
    captions, references: of each generated image: what it was asked to be, and other captions of it.
    shown, asked: what each generated image shows and was asked to show, as `genbench.data.sets.shapes` describes it.
    per_pair: protocol -> reported name -> one number per pair, for metrics of pairs.
    """

    fake: Mapping[Wanted, Tensor] = field(default_factory=dict)
    real: Mapping[Wanted, FeatureSet] = field(default_factory=dict)
    held_out: Mapping[Wanted, FeatureSet] = field(default_factory=dict)
    fake_classes: Sequence[str] | None = None
    real_classes: Sequence[str] | None = None
    captions: Sequence[str] = ()
    references: Sequence[Sequence[str]] | None = None
    shown: Sequence[Any] = ()
    asked: Sequence[Any] = ()
    per_pair: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Gathered:
    """What metrics take, and where it comes from; `names` are those of the generated images, row by row."""

    inputs: Inputs
    subject: Images
    decoded: int
    names: Sequence[str] = ()
    reference: Resolved | None = None
    held_out: Resolved | None = None
    paired: Images | None = None
    warnings: list[Warned] = field(default_factory=list)


def compute(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Estimate]:
    """The estimates of one request. Raises NoFeatures where statistics do not do, and what the metric raises."""
    metric, settings = request.metric, request.metric.protocols[request.settings]
    if metric.of_pairs:
        return {
            name: mean_estimate(values, better=metric.reports[name], n_real=len(values) if metric.takes == "pairs" else None)
            for name, values in inputs.per_pair[request.protocol].items()
        }
    assert metric.compute is not None, "a metric of anything else has it"
    estimates = metric.compute(**ARGUMENTS[metric.takes](request, network, inputs), **settings)
    return _with_class_names(estimates, inputs) if metric.takes == "classes" else estimates


def counts(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, int]:
    """How many images, or pairs, a metric would have on each side, as far as that is known."""
    takes = request.metric.takes
    if request.metric.of_pairs:
        return {"pairs": len(next(iter(inputs.per_pair[request.protocol].values())))}
    if takes == "descriptions":
        return {"images": len(inputs.shown)}
    place = _wanted(request, network)
    found = {"images": len(inputs.fake[place])}
    sides = {"reference images": inputs.real} if request.metric.needs_reference else {}
    sides |= {"held-out images": inputs.held_out} if takes == "held_out" else {}
    return found | {name: n for name, side in sides.items() if (n := side[place].n) is not None}


def _wanted(request: Request, network: FeatureExtractor | None) -> Wanted:
    assert request.place is not None, "a metric of features has a place"
    assert network is not None, "whose network is loaded"
    return network, request.place.layer


def _distributions(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    place = _wanted(request, network)
    return {"real": inputs.real[place], "fake": FeatureSet(features=inputs.fake[place])}


def _features(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    place = _wanted(request, network)
    return {"real": _kept(request, inputs.real[place], "reference"), "fake": inputs.fake[place]}


def _sample(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    return {"fake": inputs.fake[_wanted(request, network)]}


def _held_out(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    kept = _kept(request, inputs.held_out[_wanted(request, network)], "held-out set")
    return {**_features(request, network, inputs), "held_out": kept}


def _classes(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    hint = "put images into one folder per class, add arr_1 to the .npz, or name a set that has classes"
    for side, classes, more in (
        ("the images have", inputs.fake_classes, "; in Python pass labels="),
        ("the reference has", inputs.real_classes, ""),
    ):
        if classes is None:
            message = f"{request.label} needs the class of every image, and {side} none"
            raise NoFeatures("E-NO-CLASSES", message, hint=hint + more)
    fake, real = set(inputs.fake_classes or ()), set(inputs.real_classes or ())
    alone = {"only the images have": fake - real, "only the reference has": real - fake}
    if any(alone.values()):
        message = "; ".join(f"{side} {_listed(names)}" for side, names in alone.items() if names)
        hint = "every class of the reference must be generated, under the same name"
        raise DataError("E-CLASSES", f"{request.label} compares class by class: {message}", hint=hint)
    numbers = {name: number for number, name in enumerate(_class_names(inputs))}
    return {
        **_features(request, network, inputs),
        "fake_classes": torch.tensor([numbers[name] for name in inputs.fake_classes or ()]),
        "real_classes": torch.tensor([numbers[name] for name in inputs.real_classes or ()]),
    }


def _listed(names: Set[str]) -> str:
    """The first few names."""
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _class_names(inputs: Inputs) -> list[str]:
    """Class i of what a metric sees is the i-th of these."""
    return sorted({*(inputs.fake_classes or ()), *(inputs.real_classes or ())})


def _with_class_names(estimates: Mapping[str, Estimate], inputs: Inputs) -> dict[str, Estimate]:
    """Details "fd/3" of class 3 -> "fd/cat"."""
    names = _class_names(inputs)

    def renamed(key: str) -> str:
        head, slash, number = key.partition("/")
        return f"{head}/{names[int(number)]}" if slash else key

    return {
        report: replace(estimate, details={renamed(key): value for key, value in estimate.details.items()})
        for report, estimate in estimates.items()
    }


def _text(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    images = inputs.fake[_wanted(request, network)]
    if not isinstance(network, EmbedsText):
        raise DataError("E-NO-TEXT", f"{request.label} needs a network that also reads text", hint="use clip")
    return {"images": images, "captions": inputs.captions, "references": inputs.references, "embed": network.embed_text}


def _descriptions(request: Request, network: FeatureExtractor | None, inputs: Inputs) -> dict[str, Any]:
    return {"shown": inputs.shown, "asked": inputs.asked}


ARGUMENTS: Mapping[str, Callable[[Request, FeatureExtractor | None, Inputs], dict[str, Any]]] = {
    "distributions": _distributions,
    "features": _features,
    "sample": _sample,
    "held_out": _held_out,
    "classes": _classes,
    "text": _text,
    "descriptions": _descriptions,
}


def _kept(request: Request, side: FeatureSet, name: str) -> Tensor:
    if side.features is None:
        message = f"{request.label} needs the features of the {name}, and its statistics hold moments only"
        raise NoFeatures("E-NO-FEATURES", message, hint="pass it as images, or build statistics with features")
    return side.features
