"""The plan of an evaluation: what is asked for, the networks it needs, and how the work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from genbench.errors import UsageError, Warned
from genbench.evaluation import environment
from genbench.evaluation.extract import Execution, Progress
from genbench.evaluation.measure import Measured, Networks, measure
from genbench.evaluation.reference import Resolved, Wanted
from genbench.evaluation.request import Request
from genbench.evaluation.result import Images, Result, Timing, warnings_of
from genbench.features.base import FeatureExtractor


@dataclass(kw_only=True)
class Plan:
    """Requests with the networks they need."""

    requests: list[Request]
    networks: Networks
    execution: Execution

    @classmethod
    def prepare(
        cls,
        requests: list[Request],
        weights: str | Path | None,
        device: str,
        batch_size: int,
        workers: int | None,
        progress: Progress,
    ) -> Plan:
        """Load every network; a missing weights file or device is an error before any image is read."""
        execution = prepare_execution(device, batch_size, workers, progress)
        return cls(requests=requests, networks=_load(requests, weights, execution.device), execution=execution)

    @property
    def wanted(self) -> list[Wanted]:
        """The network and layer of each request."""
        return [(self.networks[request.extractor, request.input], request.layer) for request in self.requests]

    @property
    def referenced(self) -> list[Wanted]:
        """What the reference must provide, each once."""
        pairs = zip(self.requests, self.wanted, strict=True)
        return list(dict.fromkeys(wanted for request, wanted in pairs if request.metric.takes != "probabilities"))

    def measure(
        self, fake: Mapping[Wanted, Tensor], reference: Resolved | None, *, allow_small: bool, explicit: bool
    ) -> Measured:
        """All requests on these features; see `genbench.evaluation.measure`."""
        real = reference.features if reference else {}
        return measure(self.requests, self.networks, fake, real, allow_small=allow_small, explicit=explicit)

    def result(
        self,
        measured: Measured,
        subject: Images,
        reference: Resolved | None,
        warnings: Iterable[Warned],
        timing: Timing,
        command: Sequence[str],
    ) -> Result:
        """The document, with influence beside it."""
        known = [*warnings, *(reference.warnings if reference else []), *measured.warnings]
        result = Result(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            subject=subject,
            reference=reference.description if reference else None,
            metrics=measured.metrics,
            env=environment.describe(self.execution.device),
            timing=timing,
            warnings=warnings_of(known),
            command=list(command),
        )
        return result.with_influence(measured.influence)


def _load(requests: Sequence[Request], weights: str | Path | None, device: torch.device) -> Networks:
    """Each network once. A weights file is for the one extractor that is asked for."""
    names = {request.extractor for request in requests}
    if weights is not None and len(names) > 1:
        raise UsageError("E-WEIGHTS", f"one weights file, but {len(names)} extractors: {', '.join(sorted(names))}")
    loaded: dict[tuple[str, str], FeatureExtractor] = {}
    for request in requests:
        key = request.extractor, request.input
        if key not in loaded:
            path = None if weights is None else Path(weights)
            network = request.extractor_class.load(input=request.input, precision=request.precision, weights=path)
            loaded[key] = network.to(device)
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
