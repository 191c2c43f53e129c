"""What of a result or run can be opened again, and why the rest cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench.data.base import Policy
from genbench.errors import DataError, GenbenchError
from genbench.evaluation.extract import Execution
from genbench.evaluation.result import Result
from genbench.files import offline_unless
from genbench.report.drawn import Drawn, draw
from genbench.report.features import Features, extract_features, main_distance
from genbench.report.reopen import Pictures, open_measured, recorded_sides
from genbench.report.source import Source


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user names beside the source, as in `write_report`. The rest is taken from the document, if it is near."""

    images: Any
    ref: Any
    data: str | None
    pictures: bool
    weights: Path | None
    device: str
    execution: Execution


@dataclass(kw_only=True)
class Seen:
    """What could be opened again. left_out: section -> a sentence on why it is not there, and what to pass."""

    result: Result | None
    pictures: Pictures | None = None
    features: Features | None = None
    drawn: Drawn | None = None
    again: str = ""
    left_out: dict[str, str] = field(default_factory=dict)


def see(source: Source, asked: Asked) -> Seen:
    """The pictures and features behind a source. Raises what opening raises for what the user named, and for that alone."""
    seen = Seen(result=source.result)
    if not asked.pictures:
        seen.left_out["pictures"] = "No pictures were asked for (--no-pictures)."
    elif source.record is not None and source.record.error:
        seen.left_out["pictures"] = "The run failed, so there are no samples."
    elif source.folder is None:
        _see_images(seen, asked)
    else:
        _see_samples(seen, source, asked)
    return seen


def _see_images(seen: Seen, asked: Asked) -> None:
    """The images of a result, from where the user or the document says."""
    result = seen.result
    if result is None:
        seen.left_out["pictures"] = "The document of the run is without its folder."
        return
    recorded, recorded_ref, policy = recorded_sides(result)
    named = asked.images is not None
    spec = asked.images if named else recorded
    if spec is None:
        seen.left_out["pictures"] = (
            f"This result does not say where its images ({result.subject.name}) lie below this folder: pass --images PATH, or "
            "run from the folder that holds them."
        )
        return
    with offline_unless(named):
        try:
            seen.pictures = open_measured(spec, result.subject, policy, asked.execution, option="--images")
        except GenbenchError as error:
            if named:
                raise
            seen.left_out["pictures"] = _reason(error)
            return
    named = asked.ref is not None
    with offline_unless(named):
        _see_features(seen, result, asked.ref if named else recorded_ref, named=named, spec=spec, asked=asked)


def _see_samples(seen: Seen, source: Source, asked: Asked) -> None:
    """The samples of a run, drawn again."""
    if not source.has_model and (source.record is None or source.record.family != "data"):
        seen.left_out["pictures"] = "The run's folder holds no model to draw samples from."
        return
    asked.execution.progress("drawing the samples again", 0, 1)
    with offline_unless(asked.data is not None):
        try:
            seen.drawn = draw(source, data=asked.data, device=asked.device)
        except GenbenchError as error:
            if asked.data is not None:
                raise
            seen.left_out["pictures"] = _reason(error)
            return
        if not seen.drawn.points:
            _see_drawn(seen, seen.drawn, asked)


def _see_drawn(seen: Seen, drawn: Drawn, asked: Asked) -> None:
    """Drawn samples as pictures, if they are those that were measured."""
    if seen.result is None:
        seen.result = drawn.evaluate(asked.device)
        seen.again = f"Nobody had measured this run: {seen.result.subject.n:,} samples were drawn and measured for this page."
    result, pixels = seen.result, drawn.pixels
    try:
        seen.pictures = open_measured(pixels, result.subject, Policy(), asked.execution, option="--data")
    except DataError as error:
        if error.code != "E-OTHER-IMAGES":
            raise
        seen.left_out["pictures"] = (
            "The model's samples here are not, to the last bit, those that were measured: another device, number of threads or "
            "version of torch rounds otherwise. Write the report where the run was made."
        )
        return
    _see_features(seen, result, drawn.reference, named=True, spec=pixels, asked=asked)


def _see_features(seen: Seen, result: Result, ref: Any, *, named: bool, spec: Any, asked: Asked) -> None:
    """Features of the images and of the reference `ref`. named: the reference is no word of a stranger."""
    metric = main_distance(result)
    if metric is None or seen.pictures is None:
        seen.left_out["distance"] = "No metric here compares features of known networks, such as fd@tiny or fid."
        return
    try:
        seen.features = extract_features(
            result, metric, seen.pictures, ref, asked=named, spec=spec, weights=asked.weights, execution=asked.execution
        )
    except DataError as error:
        if named:
            raise
        seen.left_out["distance"] = _reason(error)
    except GenbenchError as error:  # the network is not here as it was
        if asked.weights is not None:
            raise
        seen.left_out["distance"] = _reason(error)


def _reason(error: GenbenchError) -> str:
    return f"{error.message[0].upper()}{error.message[1:]}." + (
        f" {error.hint[0].upper()}{error.hint[1:]}." if error.hint else ""
    )
