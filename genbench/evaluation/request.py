"""What a user asks for: `fid`, `fd@tiny`, `fid:clean`, `kid:subsets`, `precision@inception:k3`.

    NAME[@EXTRACTOR[.LAYER]][:INPUT][:PROTOCOL]

NAME is a metric's file or one of the names it reports; INPUT a way to resize that the extractor offers; PROTOCOL one of
the metric's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from genbench import catalog
from genbench.errors import UsageError
from genbench.features.base import FeatureExtractor, Precision
from genbench.metrics.base import Metric

DEFAULT_METRICS = ("fid", "kid", "inception_score", "prdc")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A metric with everything that its value depends on but the images; `wanted` are the reported names to show."""

    metric: Metric
    wanted: tuple[str, ...]
    extractor: str
    extractor_class: type[FeatureExtractor]
    layer: str
    input: str
    settings: str
    precision: Precision

    @property
    def label(self) -> str:
        """What the metric as a whole is called: the one name it reports, or that of its file."""
        names = list(self.metric.reports)
        return self.reported(names[0]) if len(names) == 1 else self.metric.compute.__module__.rpartition(".")[2]

    @property
    def protocol(self) -> str:
        """The name under which values may be compared, such as "fid:tf/1", "fd@tiny/1" or "prdc@tiny:k5/1"."""
        parts = [self.input] if len(self.extractor_class.inputs) > 1 else []
        parts += [self.settings] if self.settings else []
        name = self.extractor_class.name()
        where = name if self.layer in ("pool", "logits") else f"{name}.{self.layer}"
        where = "" if where == "inception" else f"@{where}"
        precision = "" if self.precision == "fp32" else f"+{self.precision}"
        return "".join([self.label, where, *(f":{part}" for part in parts), precision, f"/{self.metric.version}"])

    def reported(self, name: str) -> str:
        """The name a value is shown under: "fid" on Inception's pooled features, "fd" elsewhere."""
        return self.metric.on_inception.get(name, name) if self.on_inception else name

    @property
    def on_inception(self) -> bool:
        return self.extractor == "inception" and self.layer == "pool"


def parse_all(
    metrics: Sequence[str] | None, extractor: str | None, precision: Precision, *, has_reference: bool
) -> list[Request]:
    """Requests in the order asked; without a list, the default metrics that the extractor and the reference allow."""
    if metrics:
        requests = [parse(text, extractor, precision) for text in metrics]
        needing = [request.label for request in requests if request.metric.takes != "probabilities"]
        if needing and not has_reference:
            raise UsageError("E-NO-REF", f"{', '.join(needing)} needs a reference", hint="add --ref, such as --ref cifar10")
        return _merged(requests)
    requests = []
    for name in DEFAULT_METRICS:
        metric, _ = _find_metric(name)
        extractor_class = catalog.find("extractors", extractor or metric.extractor)
        if metric.takes == "probabilities" and "logits" not in extractor_class.layers:
            continue
        if metric.takes != "probabilities" and not has_reference:
            continue
        requests.append(parse(name, extractor, precision))
    if not requests:
        raise UsageError("E-NO-REF", "without a reference nothing can be measured on these features", hint="add --ref")
    return requests


def _merged(requests: Sequence[Request]) -> list[Request]:
    """`precision,recall` are two names of one computation."""
    merged: dict[str, Request] = {}
    for request in requests:
        same = merged.get(request.protocol)
        merged[request.protocol] = replace(same, wanted=tuple(dict.fromkeys(same.wanted + request.wanted))) if same else request
    return list(merged.values())


def parse(text: str, extractor: str | None = None, precision: Precision = "fp32") -> Request:
    """One request; `extractor` is the one for metrics that name none. Raises UsageError with what would be right."""
    head, *options = text.strip().split(":")
    name, _, place = head.partition("@")
    metric, wanted = _find_metric(name)
    if metric.takes == "points":
        hint = "use it in a suite on a set of points that has modes: ring or grid"
        raise UsageError("E-POINTS", f"{name} measures points of a known mixture, not images", hint=hint)
    extractor_name, layer = _split_place(place or extractor or metric.extractor)
    extractor_class = catalog.find("extractors", extractor_name)
    layer = layer or ("logits" if metric.takes == "probabilities" else "pool")
    if layer not in extractor_class.layers:
        hint = f"it has: {', '.join(extractor_class.layers)}"
        needs = "class probabilities" if layer == "logits" else f"a layer {layer!r}"
        raise UsageError("E-LAYER", f"{name} needs {needs}, which {extractor_name} does not give", hint=hint)
    input, settings = extractor_class.inputs[0], next(iter(metric.protocols))
    for option in options:
        if option in extractor_class.inputs:
            input = option
        elif option in metric.protocols:
            settings = option
        else:
            raise catalog.unknown("protocols", option, [*extractor_class.inputs, *filter(None, metric.protocols)])
    return Request(
        metric=metric,
        wanted=wanted,
        extractor=extractor_name,
        extractor_class=extractor_class,
        layer=layer,
        input=input,
        settings=settings,
        precision=precision,
    )


def _split_place(text: str) -> tuple[str, str]:
    """ "inception.768" -> ("inception", "768"); "package.module:Object" stays whole."""
    if ":" in text:
        return text, ""
    name, _, layer = text.partition(".")
    return name, layer


def _find_metric(name: str) -> tuple[Metric, tuple[str, ...]]:
    """The metric of that file name with all it reports, or the one that reports that name."""
    if ":" in name or name in catalog.names("metrics"):
        metric = catalog.find("metrics", name)
        return metric, tuple(metric.reports)
    known = {}
    for file in catalog.names("metrics"):
        metric = catalog.find("metrics", file)
        known.update({reported: (metric, (reported,)) for reported in metric.reports})
        known.update({alias: (metric, (reported,)) for reported, alias in metric.on_inception.items()})
    if name not in known:
        raise catalog.unknown("metrics", name, {*known, *catalog.names("metrics")})
    return known[name]
