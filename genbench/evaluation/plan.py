"""The plan of an evaluation: what is asked for, the networks it needs, and how the work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from genbench.errors import UsageError
from genbench.evaluation import environment
from genbench.evaluation.extract import Execution, Progress
from genbench.evaluation.inputs import Gathered, Inputs
from genbench.evaluation.measure import Measured, Networks, measure
from genbench.evaluation.reference import Wanted
from genbench.evaluation.request import Request
from genbench.evaluation.result import Result, Timing, warnings_of
from genbench.features.base import FeatureExtractor
from genbench.metrics.base import Takes


@dataclass(kw_only=True)
class Plan:
    """Requests with the networks they need.

    explicit: the user named the metrics, so one that cannot be computed is an error; by default it is left out with a warning.
    """

    requests: list[Request]
    explicit: bool
    networks: Networks
    execution: Execution

    @classmethod
    def prepare(
        cls,
        requests: list[Request],
        explicit: bool,
        weights: str | Path | None,
        device: str,
        batch_size: int,
        workers: int | None,
        progress: Progress,
    ) -> Plan:
        """Load every network; a missing weights file or device is an error before any image is read."""
        execution = prepare_execution(device, batch_size, workers, progress)
        return cls(
            requests=requests, explicit=explicit, networks=_load(requests, weights, execution.device), execution=execution
        )

    def network(self, request: Request) -> FeatureExtractor | None:
        """The network of a request, None for a metric of the images themselves."""
        return None if request.place is None else self.networks[request.place.extractor, request.place.input]

    def of(self, *takes: Takes) -> list[Request]:
        """The requests of metrics that take one of these."""
        return [request for request in self.requests if request.metric.takes in takes]

    @property
    def wanted(self) -> list[Wanted]:
        """The networks and layers that the generated images go through once, each once."""
        return self._places(request for request in self.requests if not request.metric.of_pairs)

    @property
    def referenced(self) -> list[Wanted]:
        """What the reference must provide, each once."""
        return self._places(request for request in self.requests if request.metric.needs_reference)

    @property
    def kept_apart(self) -> list[Wanted]:
        """What the held-out images must provide, each once."""
        return self._places(self.of("held_out"))

    def _places(self, requests: Iterable[Request]) -> list[Wanted]:
        found = ((self.network(request), request.place) for request in requests)
        return list(dict.fromkeys((network, place.layer) for network, place in found if network and place))

    def measure(self, inputs: Inputs, *, allow_small: bool) -> Measured:
        """All requests on these inputs; see `genbench.evaluation.measure`."""
        return measure(self.requests, self.networks, inputs, allow_small=allow_small, explicit=self.explicit)

    def result(self, measured: Measured, gathered: Gathered, timing: Timing, command: Sequence[str]) -> Result:
        """The document, with influence beside it."""
        sides = [side for side in (gathered.reference, gathered.held_out) if side]
        known = [*gathered.warnings, *(warning for side in sides for warning in side.warnings), *measured.warnings]
        result = Result(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            subject=gathered.subject,
            reference=gathered.reference.description if gathered.reference else None,
            held_out=gathered.held_out.description if gathered.held_out else None,
            paired=gathered.paired,
            metrics=measured.metrics,
            env=environment.describe(self.execution.device),
            timing=timing,
            warnings=warnings_of(known),
            command=list(command),
        )
        return result.with_influence(measured.influence, gathered.names)


def _load(requests: Sequence[Request], weights: str | Path | None, device: torch.device) -> Networks:
    """Each network once. A weights file is for the one extractor that is asked for and has weights to fetch."""
    places = [request.place for request in requests if request.place is not None]
    names = {place.extractor for place in places if weights is not None and place.extractor_class.download} or {
        place.extractor for place in places
    }
    if weights is not None and len(names) > 1:
        raise UsageError("E-WEIGHTS", f"one weights file, but {len(names)} extractors: {', '.join(sorted(names))}")
    loaded: dict[tuple[str, str], FeatureExtractor] = {}
    for request in requests:
        place = request.place
        if place is None or (place.extractor, place.input) in loaded:
            continue
        path = Path(weights) if weights is not None and place.extractor in names else None
        network = place.load(request.precision, path)
        loaded[place.extractor, place.input] = network.to(device)
    return loaded


def prepare_execution(device: str, batch_size: int, workers: int | None, progress: Progress) -> Execution:
    """Raises UsageError for a device that is not there and for counts that cannot be."""
    if batch_size < 1:
        raise UsageError("E-USAGE", f"a batch of {batch_size} images", hint="--batch-size is 1 or more")
    if workers is not None and workers < 0:
        raise UsageError("E-USAGE", f"{workers} worker processes", hint="--num-workers is 0 or more")
    return Execution(
        device=environment.choose_device(device),
        batch_size=batch_size,
        workers=_default_workers() if workers is None else workers,
        progress=progress,
    )


def _default_workers() -> int:
    """Processes that decode: one per core up to 8, none on a single core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores == 1 else min(cores, 8)
