"""From inputs to estimates: every request is computed, checked and labelled with its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from genbench.errors import DataError, Warned
from genbench.estimate import Influence
from genbench.evaluation.inputs import Inputs, NoFeatures, compute, counts
from genbench.evaluation.request import Request
from genbench.evaluation.result import Extractor, MetricResult
from genbench.features.base import FeatureExtractor

Networks = Mapping[tuple[str, str], FeatureExtractor]  # (extractor, input protocol) -> the loaded network


@dataclass(kw_only=True)
class Measured:
    """Results in the order of the requests; influence by "protocol name", such as "fd@tiny/1 fd"."""

    metrics: list[MetricResult] = field(default_factory=list)
    influence: dict[str, Influence] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)


def measure(requests: Sequence[Request], networks: Networks, inputs: Inputs, *, allow_small: bool, explicit: bool) -> Measured:
    """Compute every request. `explicit`: one that cannot be computed is an error; else it is left out with a warning.

    Raises DataError E-TOO-FEW below a metric's smallest number of images, unless `allow_small`, which marks the value.
    """
    measured = Measured()
    for request in requests:
        network = None if request.place is None else networks[request.place.extractor, request.place.input]
        found = counts(request, network, inputs)
        notes = _too_few(request, found, allow_small)
        try:
            estimates = compute(request, network, inputs)
        except NoFeatures as error:
            if explicit:
                raise
            measured.warnings.append(Warned("W-OMITTED", error.message))
            continue
        if request.metric.takes == "distributions" and network is not None and request.place is not None:
            width = network.width(request.place.layer)
            if found["images"] <= width:
                text = f"{request.label}: {found['images']} images in {width} dimensions; its bias is large"
                measured.warnings.append(Warned("W-SINGULAR", text))
        for name in request.wanted:
            estimate = estimates[name]
            result = MetricResult.of(
                request.reported(name),
                estimate,
                protocol=request.protocol,
                layer=request.place.layer if request.place else None,
                extractor=Extractor(**asdict(network.identity)) if network else None,
                comparable=not notes,
                notes=notes,
            )
            measured.metrics.append(result)
            if estimate.influence is not None:
                measured.influence[result.key] = estimate.influence
    return measured


def _too_few(request: Request, counted: Mapping[str, int], allow_small: bool) -> list[str]:
    """Why the value is not comparable, if small sets are allowed; else an error."""
    needed = request.metric.min_n
    small = [f"{count:,} {what}, but {request.label} needs {needed:,}" for what, count in counted.items() if count < needed]
    if small and not allow_small:
        hint = "generate more, or pass --allow-small to get a value marked as not comparable"
        raise DataError("E-TOO-FEW", small[0], hint=hint)
    return small
