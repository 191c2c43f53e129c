"""From features to estimates: every request is computed, checked and labelled with its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from torch import Tensor

from genbench.errors import DataError, IncomparableError, Warned
from genbench.estimate import Estimate, Influence
from genbench.evaluation.request import Request
from genbench.evaluation.result import Extractor, MetricResult
from genbench.features.base import FeatureExtractor
from genbench.metrics.base import FeatureSet

Networks = Mapping[tuple[str, str], FeatureExtractor]  # (extractor, input protocol) -> the loaded network


@dataclass(kw_only=True)
class Measured:
    """Results in the order of the requests; influence by "protocol name", such as "fd@tiny/1 fd"."""

    metrics: list[MetricResult] = field(default_factory=list)
    influence: dict[str, Influence] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)


def measure(
    requests: Sequence[Request],
    networks: Networks,
    fake: Mapping[tuple[FeatureExtractor, str], Tensor],
    real: Mapping[tuple[FeatureExtractor, str], FeatureSet],
    *,
    allow_small: bool,
    explicit: bool,
) -> Measured:
    """Compute every request. `explicit`: the user named the metrics, so one that cannot be computed is an error.

    Raises DataError E-TOO-FEW below a metric's smallest number of images, unless `allow_small`, which marks the value.
    """
    measured = Measured()
    for request in requests:
        network = networks[request.extractor, request.input]
        generated = fake[network, request.layer]
        reference = real.get((network, request.layer))
        notes = _too_few(request, generated, reference, allow_small)
        if request.metric.takes == "features" and reference is not None and reference.features is None:
            _refuse_or_omit(request, explicit, measured)
            continue
        estimates = _compute(request, generated, reference)
        singular = request.metric.takes == "distributions" and len(generated) <= generated.shape[1]
        if singular:
            text = f"{request.label}: {len(generated)} images in {generated.shape[1]} dimensions; its bias is large"
            measured.warnings.append(Warned("W-SINGULAR", text))
        for name in request.wanted:
            estimate = estimates[name]
            result = MetricResult.of(
                request.reported(name),
                estimate,
                protocol=request.protocol,
                layer=request.layer,
                extractor=Extractor(**asdict(network.identity)),
                comparable=not notes,
                notes=notes,
            )
            measured.metrics.append(result)
            if estimate.influence is not None:
                measured.influence[f"{request.protocol} {result.name}"] = estimate.influence
    return measured


def _compute(request: Request, generated: Tensor, reference: FeatureSet | None) -> dict[str, Estimate]:
    settings = request.metric.protocols[request.settings]
    if request.metric.takes == "probabilities":
        return request.metric.compute(logits=generated, **settings)
    assert reference is not None, "requests that need a reference are refused without one"
    if request.metric.takes == "features":
        return request.metric.compute(real=reference.features, fake=generated, **settings)
    return request.metric.compute(real=reference, fake=FeatureSet(features=generated), **settings)


def _too_few(request: Request, generated: Tensor, reference: FeatureSet | None, allow_small: bool) -> list[str]:
    """Why the value is not comparable, if small sets are allowed; else an error."""
    counts = {"images": len(generated)}
    if reference is not None and reference.n is not None:
        counts["reference images"] = reference.n
    needed = request.metric.min_n
    small = [f"{count:,} {what}, but {request.label} needs {needed:,}" for what, count in counts.items() if count < needed]
    if small and not allow_small:
        hint = "generate more, or pass --allow-small to get a value marked as not comparable"
        raise DataError("E-TOO-FEW", small[0], hint=hint)
    return small


def _refuse_or_omit(request: Request, explicit: bool, measured: Measured) -> None:
    text = f"{request.label} needs the reference's features, and its statistics hold moments only"
    if explicit:
        raise IncomparableError("E-NO-FEATURES", text, hint="pass the reference as images, or build statistics with features")
    measured.warnings.append(Warned("W-OMITTED", text))
