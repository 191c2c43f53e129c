"""What is checked: a result that is there already, or images, which are measured as the baseline was."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genbench import catalog
from genbench.errors import DataError, IncomparableError, UsageError, listed
from genbench.evaluation.result import DOCUMENT, Images, Result
from genbench.gate.baseline import is_baseline
from genbench.gate.policy import Policy

WITHOUT_EFFECT = ("device", "batch_size", "workers", "on_bad", "on_size_mix", "progress")  # of a result, whatever they say
SIDES = {"reference": "ref", "held_out": "held_out", "paired": "paired"}  # field of a result -> argument of `evaluate`


def result_of(subject: Any, evaluation: Mapping[str, Any]) -> Result | None:
    """The result that `subject` is: a `Result`, a .json file, or a folder with result.json. None for images.

    Raises UsageError for a baseline, for a folder of several results, and for what `evaluation` says of a result.
    """
    found = _stored(subject)
    given = [name for name, value in evaluation.items() if value is not None and name not in WITHOUT_EFFECT]
    if found is not None and given:
        _refuse_unknown(given)
        hint = "leave it out, or give the images themselves as the subject"
        raise UsageError("E-USAGE", f"{given[0]} says how images are measured, and a result is measured already", hint=hint)
    return found


def _refuse_unknown(names: Iterable[str]) -> None:
    from genbench.evaluation.evaluate import evaluate

    known = inspect.signature(evaluate).parameters
    for name in names:
        if name not in known:
            raise catalog.unknown("options", name, [*known, "baseline", "name", "policy", "worst"])


def _stored(subject: Any) -> Result | None:
    if isinstance(subject, Result):
        return subject
    if not isinstance(subject, (str, Path)):
        return None
    path = Path(subject).expanduser()
    if path.suffix == ".json" or (path / DOCUMENT).is_file():
        if is_baseline(path):
            hint = "give the images or a result: genbench check RESULT --baseline " + path.name
            raise UsageError("E-SUBJECT", f"{path.name} is a baseline, which is what others are compared with", hint=hint)
        return Result.load(path)
    below = sorted(found.parent for found in path.rglob(DOCUMENT) if found.is_file()) if path.is_dir() else []
    if below:
        count = "a result" if len(below) == 1 else f"{len(below)} results"
        raise UsageError("E-RUNS", f"{path} is a folder with {count} below it", hint=f"name one of them: {listed(below)}")
    return None


def measured(images: Any, base: Result | None, policy: Policy, evaluation: Mapping[str, Any]) -> Result:
    """Evaluate images under the protocol of `base`: its metrics, extractor, precision and reference.

    Without a base, the metrics of the policy's gates, or the usual ones. evaluation: further arguments of `evaluate`; they win.

    Raises UsageError where the baseline was compared with something that has no name to find it by.
    """
    from genbench.evaluation.evaluate import evaluate

    given = {name: value for name, value in evaluation.items() if value is not None}
    _refuse_unknown(given)
    as_before = {"metrics": [gate.metric for gate in policy.gate] or None} if base is None else _as_before(base, given)
    try:
        return evaluate(images, **{**as_before, **given})
    except DataError as error:
        if "--allow-small" not in error.hint:
            raise
        hint = "draw more images: values of so few are not comparable"
        raise DataError(error.code, error.message, hint=hint) from error


def _as_before(base: Result, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `evaluate` that repeat the evaluation of `base`."""
    from genbench.evaluation.request import again

    metrics, precision = again(base.metrics)
    found: dict[str, Any] = {"metrics": metrics, "precision": precision}
    for side, argument in SIDES.items():
        images = getattr(base, side)
        if images is not None and argument not in given:
            found[argument] = _by_name(images, argument)
    return found


def _by_name(images: Images, argument: str) -> str:
    """A named set or one of the hub. Whether it holds the same images as then is seen by its digest."""
    if images.kind == "hub" or (images.kind == "dataset" and images.name.partition("/")[0] in catalog.names("datasets")):
        return images.name
    option = "--" + argument.replace("_", "-")
    message = f"the baseline was measured with {images.name}, which has no name to find it by"
    raise UsageError("E-REF", message, hint=f"say where it is: {option} PATH ({argument}= in Python)")


def no_baseline(where: str, why: str) -> IncomparableError:
    """The error for images without anything to compare them with."""
    hint = f"write one: genbench evaluate IMAGES --ref REF -o FOLDER && genbench check FOLDER --update-baseline{where}"
    return IncomparableError("E-NO-BASELINE", f"nobody knows how to measure these images: {why}", hint=hint)
