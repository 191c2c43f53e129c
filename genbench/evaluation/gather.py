"""From what a user names to what metrics take: every side is opened, passed through the networks once, and put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genbench import catalog
from genbench.data.base import Policy
from genbench.data.captions import captions_for, read_captions
from genbench.data.labels import as_names, labels_of
from genbench.errors import DataError, Warned
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Extracted, extract
from genbench.evaluation.inputs import Gathered, Inputs
from genbench.evaluation.pairs import match, measure_pairs, own_pairs
from genbench.evaluation.plan import Plan
from genbench.evaluation.reference import Resolved, Wanted, check_exists, resolve, views_of
from genbench.evaluation.request import Given, Request

DESCRIBED = 256  # images described at a time


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What a user names: the images, and what to see them beside; see `genbench.evaluate`."""

    images: Any
    ref: Any = None
    held_out: Any = None
    paired: Any = None
    captions: Any = None
    labels: Sequence[Any] | None = None

    @property
    def given(self) -> set[Given]:
        """What there is beside the images."""
        there: dict[Given, Any] = {
            "a reference": self.ref,
            "held-out images": self.held_out,
            "paired images": self.paired,
            "captions": self.captions,
        }
        return {name for name, side in there.items() if side is not None}

    def check(self, policy: Policy) -> None:
        """Cheap: raise where something that is named is not there."""
        for side in (self.ref, self.held_out, self.paired):
            check_exists(side, policy)
        if isinstance(self.captions, (str, Path)) and not Path(self.captions).exists():
            read_captions(self.captions)


def gather(sides: Sides, plan: Plan, policy: Policy) -> Gathered:
    """Open and extract everything that the plan's metrics take, each image and each network once for all metrics."""
    execution = plan.execution
    subject = Collection.look(sides.images, policy, execution)
    by_class = bool(plan.of("classes"))
    reference = _resolved(sides.ref, plan.referenced, policy, plan, with_classes=by_class)
    held_out = _resolved(sides.held_out, plan.kept_apart, policy, plan)
    extracted = extract(subject.source, subject.surveyed, policy, views_of(plan.wanted), execution)
    classes = _classes(sides, subject) if by_class or plan.of("own_pairs") else None
    captions, references = _captions(sides, subject, extracted) if plan.of("text", "descriptions") else ([], None)
    gathered = Gathered(
        inputs=Inputs(),
        subject=subject.describe(extracted.skipped),
        decoded=extracted.decoded,
        reference=reference,
        held_out=held_out,
        warnings=[*subject.surveyed.warnings, *extracted.warnings],
    )
    described = bool(plan.of("descriptions"))
    gathered.inputs = Inputs(
        fake=_features(plan, extracted),
        real=reference.features if reference else {},
        held_out=held_out.features if held_out else {},
        fake_classes=[classes[position] for position in extracted.kept] if classes else None,
        real_classes=reference.classes if reference else None,
        captions=captions,
        references=references,
        shown=_shown(subject, extracted.kept, plan) if described else (),
        asked=[catalog.find("datasets", "shapes").understand(caption) for caption in captions] if described else (),
        pairs=_paired(sides, plan, subject, gathered) | _own_pairs(plan, subject, classes),
    )
    return gathered


def _resolved(
    side: Any, wanted: Sequence[Wanted], policy: Policy, plan: Plan, *, with_classes: bool = False
) -> Resolved | None:
    return resolve(side, wanted, policy, plan.execution, with_classes=with_classes) if wanted else None


def _features(plan: Plan, extracted: Extracted) -> dict[Wanted, Tensor]:
    return {
        (view.extractor, layer): features
        for view, layers in zip(views_of(plan.wanted), extracted.features, strict=True)
        for layer, features in layers.items()
    }


def _classes(sides: Sides, subject: Collection) -> list[str] | None:
    """The class of every image of the source, by position."""
    if sides.labels is None:
        return labels_of(sides.images, subject.source)
    given, n = len(sides.labels), len(subject.source)
    if given != n:
        raise DataError("E-LABELS", f"{given} labels for {n} images", hint="give one per image")
    return as_names(sides.labels)


def _captions(sides: Sides, subject: Collection, extracted: Extracted) -> tuple[list[str], list[list[str]] | None]:
    """The caption of every image that was used, and its other captions where there are any."""
    found = captions_for(subject.names(extracted.kept), read_captions(sides.captions))
    references = [list(one.references) for one in found]
    return [one.caption for one in found], references if any(references) else None


def _shown(subject: Collection, positions: Sequence[int], plan: Plan) -> list[Any]:
    """What every image shows, as the parser of `shapes` sees it."""
    shapes, shown = catalog.find("datasets", "shapes"), []
    for decoded in subject.decoded(positions, plan.execution, batch_size=DESCRIBED):
        shown += shapes.describe(decoded.images)
    return shown


def _paired(sides: Sides, plan: Plan, subject: Collection, gathered: Gathered) -> dict[str, dict[str, Tensor]]:
    requests = plan.of("pairs")
    if not requests:
        return {}
    other = Collection.look(sides.paired, subject.policy, plan.execution)
    pairs, unmatched = match(subject, other)
    gathered.paired = other.describe(())
    gathered.warnings += unmatched
    if not plan.explicit:
        requests = _large_enough(requests, subject.surveyed.size, gathered)
    return measure_pairs(pairs, requests, plan.networks, plan.execution)


def _large_enough(requests: Sequence[Request], size: tuple[int, int], gathered: Gathered) -> list[Request]:
    """Of metrics that nobody asked for by name, those whose window fits into images of this size."""
    blank, fitting = torch.zeros(1, 3, *size, dtype=torch.uint8), []
    for request in requests:
        try:
            request.metric.compute(x=blank, y=blank, **request.metric.protocols[request.settings])
            fitting.append(request)
        except DataError as error:
            gathered.warnings.append(Warned("W-OMITTED", error.message))
    return fitting


def _own_pairs(plan: Plan, subject: Collection, classes: Sequence[str] | None) -> dict[str, dict[str, Tensor]]:
    requests = plan.of("own_pairs")
    if not requests:
        return {}
    pairs = own_pairs(subject, dict(enumerate(classes)) if classes else None)
    return measure_pairs(pairs, requests, plan.networks, plan.execution)
