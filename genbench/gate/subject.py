"""What is checked: a result that is there already, or images, which are measured as the baseline was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench import catalog
from genbench.errors import IncomparableError, UsageError
from genbench.evaluation.result import Images, Result
from genbench.gate.policy import Policy

SIDES = {"reference": "ref", "held_out": "held_out", "paired": "paired"}  # field of a result -> argument of `evaluate`


def result_of(subject: Any) -> Result | None:
    """The result that `subject` is: a `Result`, a .json file, or a folder with result.json. None for images."""
    if isinstance(subject, Result):
        return subject
    if not isinstance(subject, (str, Path)):
        return None
    path = Path(subject).expanduser()
    is_result = path.suffix == ".json" or (path / "result.json").is_file()
    return Result.load(path) if is_result else None


def measured(images: Any, base: Result | None, policy: Policy, evaluation: Mapping[str, Any]) -> Result:
    """Evaluate images under the protocol of `base`: its metrics, extractor, precision and reference.

    Without a base, the metrics of the policy's gates, or the usual ones. evaluation: further arguments of `evaluate`; they win.

    Raises UsageError where the baseline was compared with something that has no name to find it by.
    """
    from genbench.evaluation.evaluate import evaluate

    given = {name: value for name, value in evaluation.items() if value is not None}
    if base is None:
        gated = [gate.metric for gate in policy.gate]
        return evaluate(images, **{"metrics": gated or None, **given})
    return evaluate(images, **{**_as_before(base, given), **given})


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
    return IncomparableError("E-NO-BASELINE", f"{why}, so nobody knows how to measure these images", hint=hint)
