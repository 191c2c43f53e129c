"""What a user asks for: `fid`, `fd@tiny`, `fid:clean`, `kid:subsets`, `precision@inception:k3`.

    NAME[@EXTRACTOR[.LAYER]][:INPUT][:PROTOCOL]

NAME is a metric's file or one of the names it reports; INPUT a variant that the extractor offers, such as a way to resize;
PROTOCOL one of the metric's settings. A metric of the images themselves has no extractor.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import torch

from genbench import catalog
from genbench.errors import UsageError
from genbench.evaluation.result import MetricResult
from genbench.features.base import FeatureExtractor, Precision
from genbench.metrics.base import Metric, Takes

DEFAULT_METRICS = ("fid", "kid", "inception_score", "prdc")
DEFAULT_PAIRED = ("ssim", "psnr", "l1", "l2")
DEFAULT_CAPTIONED = ("clip_score",)


Given = Literal["a reference", "held-out images", "paired images", "captions"]
CODES: Mapping[Given, str] = {
    "a reference": "REF",
    "held-out images": "HELD-OUT",
    "paired images": "PAIRED",
    "captions": "CAPTIONS",
}
HINTS: Mapping[Given, str] = {
    "a reference": "add --ref, such as --ref cifar10",
    "held-out images": "add --held-out: real images that were not trained on, such as cifar10/test",
    "paired images": "add --paired: what each image should be, under the same name",
    "captions": "add --captions: a .csv or .jsonl of names and captions, or a folder with a .txt beside each image",
}


@dataclass(frozen=True)
class Place:
    """A network by name, one of its variants and one of its layers: where features come from."""

    extractor: str
    extractor_class: type[FeatureExtractor]
    layer: str
    input: str

    def load(self, precision: Precision, weights: Path | None) -> FeatureExtractor:
        """The network with its weights, from `weights` if given. Takes no numbers of torch's random stream."""
        with torch.random.fork_rng(devices=[]):  # an evaluation inside a training loop leaves its chance alone
            return self.extractor_class.load(input=self.input, precision=precision, weights=weights)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A metric with everything that its value depends on but the images; `wanted` are the reported names to show.

    place: None for a metric of the images themselves.
    """

    metric: Metric
    wanted: tuple[str, ...]
    place: Place | None
    settings: str
    precision: Precision

    @property
    def label(self) -> str:
        """What the metric as a whole is called: the one name it reports, or that of its file."""
        names = list(self.metric.reports)
        return self.reported(names[0]) if len(names) == 1 else self.metric.name

    @property
    def protocol(self) -> str:
        """The name under which values may be compared, such as "fid:tf/1", "fd@tiny/1", "prdc@tiny:k5/1" or "ssim/1"."""
        parts, precision = [], ""
        if self.place is not None:
            parts += [self.place.input] if len(self.place.extractor_class.inputs) > 1 else []
            precision = "" if self.precision == "fp32" else f"+{self.precision}"
        parts += [self.settings] if self.settings else []
        return "".join([self.label, self._where, *(f":{part}" for part in parts), precision, f"/{self.metric.version}"])

    @property
    def _where(self) -> str:
        """ "@tiny"; nothing for the place that a metric has by itself, or that its name already says."""
        if self.place is None or self._home in self.metric.on:
            return ""
        home = self.place.extractor == self.metric.extractor and self.place.layer == self.metric.layer
        return "" if home else f"@{self._home}"

    @property
    def _home(self) -> str:
        """ "inception", "inception.spatial": the layer is said where it is not the one that the metric looks at by itself."""
        assert self.place is not None, "asked of metrics of features only"
        name = self.place.extractor_class.name()
        return name if self.place.layer == self.metric.layer else f"{name}.{self.place.layer}"

    def reported(self, name: str) -> str:
        """The name a value is shown under: "fid" on Inception's pooled features, "fd" elsewhere."""
        return name if self.place is None else self.metric.on.get(self._home, {}).get(name, name)


def parse_all(
    metrics: str | Sequence[str] | None,
    extractor: str | None,
    precision: Precision,
    *,
    given: Set[Given],
    can_take: Collection[Takes] | None = None,
) -> list[Request]:
    """Requests in the order asked; without a list, the default metrics that the extractor and what is given allow.

    metrics: a list, or one string with commas. can_take: what the caller has ways to give at all; None: everything.
    Raises UsageError where a metric needs what is not given, and says how to give it; and for an empty list.
    """
    if metrics is not None:
        texts = [text for text in metrics.split(",") if text.strip()] if isinstance(metrics, str) else metrics
        if not texts:
            raise UsageError(
                "E-NO-METRIC", "an empty list of metrics", hint="name some, or leave the list out for the usual ones"
            )
        requests = [parse(text, extractor, precision) for text in texts]
        for request in requests:
            _check_given(request, given, can_take)
        return _merged(requests)
    usual = [*(DEFAULT_PAIRED if "paired images" in given else ()), *(DEFAULT_CAPTIONED if "captions" in given else ())]
    requests = [parse(name, None, precision) for name in usual]
    for name in DEFAULT_METRICS if not requests or "a reference" in given else ():
        metric = catalog.find("metrics", name)
        extractor_class = catalog.find("extractors", extractor or metric.extractor)
        if metric.layer in extractor_class.layers and needs(metric) <= given:
            requests.append(parse(name, extractor, precision))
    if not requests:
        raise UsageError("E-NO-REF", "without a reference nothing can be measured on these features", hint="add --ref")
    return requests


def _check_given(request: Request, given: Set[Given], can_take: Collection[Takes] | None) -> None:
    """UsageError for a request that lacks what its metric needs."""
    if can_take is not None and request.metric.takes not in can_take:
        message = f"{request.label} needs more than the images and a reference, and here there is nothing else"
        raise UsageError("E-METRIC", message, hint="sample images and use `genbench evaluate` (genbench.evaluate) on them")
    for need in sorted(needs(request.metric)):
        if need not in given:
            raise UsageError(f"E-NO-{CODES[need]}", f"{request.label} needs {need}", hint=HINTS[need])


def needs(metric: Metric) -> Set[Given]:
    """What must be given beside the images."""
    found: set[Given] = {"a reference"} if metric.needs_reference else set()
    more: Mapping[str, Given] = {
        "held_out": "held-out images",
        "pairs": "paired images",
        "text": "captions",
        "descriptions": "captions",
    }
    return found | ({more[metric.takes]} if metric.takes in more else set())


def again(metrics: Sequence[MetricResult]) -> tuple[list[str], Precision]:
    """What asks for the same values again, for `evaluate(metrics=..., precision=...)`: the way back from stored protocols.

    Raises UsageError for a value that cannot be asked for by its name: one of a network from outside, or of a later genbench.
    """
    given = next((metric.extractor.precision for metric in metrics if metric.extractor is not None), "fp32")
    precision = cast(Precision, given)
    for metric in metrics:
        try:
            parse(metric.request, None, precision)
        except UsageError as error:
            message = f"{metric.name} with the protocol {metric.protocol} cannot be asked for by its name: {error.message}"
            hint = "evaluate the images with `genbench evaluate -o FOLDER`, and give that folder"
            raise UsageError("E-PROTOCOL", message, hint=hint) from error
    return [metric.request for metric in metrics], precision


def _merged(requests: Sequence[Request]) -> list[Request]:
    """`precision,recall` are two names of one computation."""
    merged: dict[str, Request] = {}
    for request in requests:
        same = merged.get(request.protocol)
        merged[request.protocol] = replace(same, wanted=tuple(dict.fromkeys(same.wanted + request.wanted))) if same else request
    return list(merged.values())


def parse(text: str, extractor: str | None = None, precision: Precision = "fp32") -> Request:
    """One request; `extractor` is the one for metrics that name none. Raises UsageError with what would be right."""
    name, where, options = _parts(text.strip())
    metric, wanted, home = _find_metric(name)
    if metric.takes == "points":
        hint = "use it in a suite on a set of points that has modes: ring or grid"
        raise UsageError("E-POINTS", f"{name} measures points of a known mixture, not images", hint=hint)
    if metric.takes == "videos":
        hint = "`genbench diagnose` uses it on models of videos; from Python call its compute on uint8 (N, C, T, H, W)"
        raise UsageError("E-VIDEOS", f"{name} measures videos, not images", hint=hint)
    if metric.extractor is None and where:
        raise UsageError(
            "E-PLACE", f"{name} looks at the images themselves, not at features of {where}", hint=f"ask for {name}"
        )
    # --extractor is meant for metrics that any features serve; those with a network of their own (CLIP's, LPIPS') keep it.
    anywhere = extractor if metric.extractor == "inception" else None
    place = None if metric.extractor is None else _place(name, where or home or anywhere, metric)
    settings = next(iter(metric.protocols))
    for option in options:
        if place is not None and option in place.extractor_class.inputs:
            place = replace(place, input=option)
        elif option in metric.protocols:
            settings = option
        else:
            inputs = place.extractor_class.inputs if place else ()
            raise catalog.unknown("protocols", option, [*inputs, *filter(None, metric.protocols)])
    return Request(metric=metric, wanted=wanted, place=place, settings=settings, precision=precision)


def _parts(text: str) -> tuple[str, str, list[str]]:
    """ "fd@tiny:k3" -> name, place and options; an extractor from outside, "fd@package.module:Object", has a capital letter."""
    name, _, rest = text.partition("@")
    if outside := re.match(r"[\w.]+:[A-Z]\w*", rest):
        return name, outside[0], [option for option in rest[outside.end() :].split(":") if option]
    head, *options = text.split(":")
    name, _, where = head.partition("@")
    return name, where, options


def parse_place(text: str) -> Place:
    """ "tiny", "inception:clean", "inception.768", "package.module:Object": where features come from, without a metric.

    Raises UsageError with what there is.
    """
    _, where, options = _parts(f"@{text}")
    name, layer = _split_place(where)
    extractor_class = catalog.find("extractors", name)
    layer = layer or "pool"
    if layer not in extractor_class.layers:
        raise catalog.unknown(f"layers of {name}", layer, extractor_class.layers)
    for option in options:
        if option not in extractor_class.inputs:
            raise catalog.unknown(f"inputs of {name}", option, extractor_class.inputs)
    return Place(name, extractor_class, layer, options[-1] if options else extractor_class.inputs[0])


def _place(asked_for: str, text: str | None, metric: Metric) -> Place:
    """Where `text`, "inception.768", or else the metric itself says that features come from."""
    name, layer = _split_place(text or str(metric.extractor))
    extractor_class = catalog.find("extractors", name)
    layer = layer or metric.layer
    if layer not in extractor_class.layers:
        hint = f"it has: {', '.join(extractor_class.layers)}"
        needs = "class probabilities" if layer == "logits" else f"a layer {layer!r}"
        raise UsageError("E-LAYER", f"{asked_for} needs {needs}, which {name} does not give", hint=hint)
    variant = metric.variant if metric.variant and name == metric.extractor else extractor_class.inputs[0]
    return Place(name, extractor_class, layer, variant)


def _split_place(text: str) -> tuple[str, str]:
    """ "inception.768" -> ("inception", "768"); "package.module:Object" stays whole."""
    if ":" in text:
        return text, ""
    name, _, layer = text.partition(".")
    return name, layer


def _find_metric(name: str) -> tuple[Metric, tuple[str, ...], str | None]:
    """The metric of that file name with all it reports, or the one that reports that name; and the place of such a name."""
    if ":" in name or name in catalog.names("metrics"):
        metric = catalog.find("metrics", name)
        return metric, tuple(metric.reports), None
    known: dict[str, tuple[Metric, tuple[str, ...], str | None]] = {}
    for file in catalog.names("metrics"):
        metric = catalog.find("metrics", file)
        known.update({reported: (metric, (reported,), None) for reported in metric.reports})
        known.update(dict(_names_elsewhere(metric)))
    if name not in known:
        raise catalog.unknown("metrics", name, {*known, *catalog.names("metrics")})
    return known[name]


def _names_elsewhere(metric: Metric) -> Iterable[tuple[str, tuple[Metric, tuple[str, ...], str]]]:
    """ "sfid" -> the Fréchet distance on "inception.spatial"."""
    for place, names in metric.on.items():
        for reported, alias in names.items():
            yield alias, (metric, (reported,), place)
