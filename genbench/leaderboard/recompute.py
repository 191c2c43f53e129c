"""A result measured again, from its images, under the protocol that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from genbench import files
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.evaluation.command import options_of, place_of, policy_of
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.extract import Progress
from genbench.evaluation.request import again
from genbench.evaluation.result import Images, MetricResult, Result
from genbench.leaderboard.submission import Archive
from genbench.leaderboard.validate import Problem

TOLERANCE = 1e-4  # relative, of the value or of its error where that is larger; what machines and batches may change
OF_STANDARD_ERROR = 0.01  # relative, likewise


def recompute(
    result: Result, images: Path, *, ref: str | None, weights: Path | None, device: str, progress: Progress
) -> tuple[list[Problem], list[str]]:
    """What of a result is not so when its images are measured again, and what could not be measured again.

    ref: the other side where it is no named set. Raises IncomparableError for a protocol that this version does not have,
    DataError where a side that is needed cannot be found.
    """
    _, options = options_of(result.command)
    policy = policy_of(options)
    requests, notes = _requests(result)
    if not requests:
        raise IncomparableError("E-INCOMPARABLE", "no metric can be measured again", hint=notes[0] if notes else "")
    precision = again(requests)[1]
    fresh = evaluate(
        str(images),
        ref=ref or _place(result.reference, options, "--ref"),
        held_out=_place(result.held_out, options, "--held-out"),
        paired=_place(result.paired, options, "--paired"),
        captions=place_of(None, options.get("--captions")),
        metrics=[metric.request for metric in requests],
        precision=precision,
        weights=weights,
        device=device,
        on_bad="skip" if result.subject.skipped else policy.on_bad,
        on_size_mix="resize" if len(result.subject.sizes) > 1 else policy.on_size_mix,
        background=policy.background,
        value_range=policy.value_range,
        allow_small=any(not metric.comparable for metric in requests),
        progress=progress,
    )
    return [*(Problem("invalid", text) for text in _sides(result, fresh)), *_values(requests, fresh)], notes


def _requests(result: Result) -> tuple[list[MetricResult], list[str]]:
    """The metrics that can be asked for by their names, and a sentence for each of the others."""
    found, notes = [], []
    for metric in result.metrics:
        try:
            again([metric])
            found.append(metric)
        except UsageError as error:
            notes.append(f"not measured again: {error.message}")
    return found, notes


def _place(side: Images | None, options: Mapping[str, str], option: str) -> str | None:
    """Where a side of the result is: a named set, or what the recorded command says. None where there is no such side."""
    if side is None:
        return None
    found = place_of(side, options.get(option))
    if found is None:
        hint = "name them with --ref" if option == "--ref" else "evaluate where they are, and use `genbench compare`"
        raise DataError("E-NO-PATH", f"the images {side.name} that the result names for {option} are not here", hint=hint)
    return found


def _sides(result: Result, fresh: Result) -> Iterator[str]:
    """Other images, or another reference. Digests of pixels and of files do not compare."""
    for side in ("subject", "reference", "held_out", "paired"):
        one, other = getattr(result, side), getattr(fresh, side)
        alike = one is not None and other is not None and bool(one.formats) == bool(other.formats)
        if alike and one.digest and other.digest and one.digest != other.digest:
            what = "images" if side == "subject" else side.replace("_", "-")
            yield f"these are not the {what} that were measured: {one.digest[7:19]} in the result, {other.digest[7:19]} here"


def _values(metrics: list[MetricResult], fresh: Result) -> Iterator[Problem]:
    for metric in metrics:
        other = fresh.by_protocol.get(metric.key)
        name = f"{metric.name} ({metric.protocol})"
        if other is None:
            yield Problem("incomparable", f"{name}: this version measures {', '.join(fresh.by_protocol)} instead")
        elif found := difference(metric, other):
            yield Problem("invalid", f"{name}{found}")


def difference(metric: MetricResult, other: MetricResult) -> str:
    """What a reader of `metric` is told wrongly, when `other` is what its images give here; empty where nothing is."""
    if metric.value is None or other.value is None:
        return "" if metric.value is other.value else f": {metric} in the result, {other} here"
    if abs(metric.value - other.value) > TOLERANCE * max(abs(other.value), other.se or 0.0):
        return f" is {other.value:.6g} here, not {metric.value:.6g}"
    if metric.se is not None and other.se is not None and abs(metric.se - other.se) > OF_STANDARD_ERROR * other.se:
        return f": its standard error is {other.se:.4g} here, not {metric.se:.4g}"
    if (metric.n, metric.n_real, metric.better) != (other.n, other.n_real, other.better):
        return f": n, n_real and direction are {other.n}, {other.n_real}, {other.better} here"
    return ""


def check_archive(path: Path, archive: Archive) -> Iterator[str]:
    """A file of images against what a submission says of it."""
    if path.stat().st_size != archive.bytes:
        yield f"{path.name} has {path.stat().st_size:,} bytes, not the {archive.bytes:,} of the submission"
    elif (found := files.sha256(path)) != archive.sha256:
        yield f"{path.name} has the sha256 {found[:12]}, not the {archive.sha256[:12]} of the submission"
