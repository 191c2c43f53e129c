"""From what a user names to what metrics take: every side is opened, passed through the networks once, and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from genbench import catalog
from genbench.data.base import Policy
from genbench.data.captions import Captioned, captions_for, read_captions
from genbench.data.labels import as_names, labels_of
from genbench.errors import DataError
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Extracted, extract
from genbench.evaluation.inputs import Gathered, Inputs
from genbench.evaluation.pairs import match, measure_pairs, own_pairs
from genbench.evaluation.plan import Plan
from genbench.evaluation.reference import Resolved, Wanted, check_exists, resolve, views_of
from genbench.evaluation.request import Given

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
        if isinstance(self.captions, (str, Path)) and not Path(self.captions).expanduser().exists():
            read_captions(self.captions)  # a named set, or nothing that there is


def gather(sides: Sides, plan: Plan, policy: Policy) -> Gathered:
    """Open every side and extract what the plan's metrics take.

    What can be wrong with classes, captions and pairs is found before anything is decoded. Features are extracted in one pass
    for all metrics; pairs and descriptions, which are not kept, take a pass of their own.
    """
    execution = plan.execution
    subject = Collection.look(sides.images, policy, execution)
    classes = _classes(sides, subject) if plan.of("classes", "own_pairs") else None
    captions = _captions(sides, subject) if plan.of("text", "descriptions") else None
    asked = _asked(captions) if captions and plan.of("descriptions") else {}
    partners = Collection.look(sides.paired, policy, execution) if plan.of("pairs") else None
    pairs, unmatched = match(subject, partners) if partners else (None, [])
    own = own_pairs(subject, classes) if plan.of("own_pairs") else None

    reference = _resolved(sides.ref, plan.referenced, policy, plan, with_classes=bool(plan.of("classes")))
    held_out = _resolved(sides.held_out, plan.kept_apart, policy, plan)
    extracted = extract(subject.source, subject.surveyed, policy, views_of(plan.wanted), execution)
    kept = extracted.kept
    shown = _shown(subject, kept, plan) if asked else {}
    references = [captions[position].references for position in kept] if captions else []
    inputs = Inputs(
        fake=_features(plan, extracted),
        real=reference.features if reference else {},
        held_out=held_out.features if held_out else {},
        fake_classes=[classes[position] for position in kept] if classes else None,
        real_classes=reference.classes if reference else None,
        captions=[captions[position].caption for position in kept] if captions else (),
        references=references if any(references) else None,
        shown=list(shown.values()),
        asked=[asked[position] for position in shown],
        per_pair={
            **(measure_pairs(pairs, plan.of("pairs"), plan.networks, execution) if pairs else {}),
            **(measure_pairs(own, plan.of("own_pairs"), plan.networks, execution) if own else {}),
        },
    )
    return Gathered(
        inputs=inputs,
        subject=subject.describe(extracted.skipped),
        decoded=extracted.decoded,
        names=subject.names(kept),
        reference=reference,
        held_out=held_out,
        paired=partners.describe(()) if partners else None,
        warnings=[*subject.surveyed.warnings, *extracted.warnings, *unmatched],
    )


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


def _captions(sides: Sides, subject: Collection) -> dict[int, Captioned]:
    """The captions of every usable image, by position."""
    positions = subject.surveyed.usable
    return dict(zip(positions, captions_for(subject.names(positions), read_captions(sides.captions)), strict=True))


def _asked(captions: Mapping[int, Captioned]) -> dict[int, Any]:
    """What every caption asks for, as `genbench.data.sets.shapes` describes pictures."""
    shapes = catalog.find("datasets", "shapes")
    return {position: shapes.understand(captioned.caption) for position, captioned in captions.items()}


def _shown(subject: Collection, positions: Sequence[int], plan: Plan) -> dict[int, Any]:
    """What every image that can be decoded shows, as the parser of `shapes` sees it, by position."""
    shapes = catalog.find("datasets", "shapes")
    shown: dict[int, Any] = {}
    for decoded in subject.decoded(positions, plan.execution, batch_size=DESCRIBED):
        shown.update(zip(decoded.indices, shapes.describe(decoded.images), strict=True))
    return shown
