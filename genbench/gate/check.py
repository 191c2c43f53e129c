"""Whether a set of images is worse than the baseline beyond noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genbench.errors import UsageError
from genbench.evaluation.result import Result, schema_of
from genbench.gate.baseline import DEFAULT, FILE, Baseline
from genbench.gate.judge import judge
from genbench.gate.policy import Policy
from genbench.gate.policy_file import find_policy, load_policy
from genbench.gate.subject import measured, no_baseline, result_of
from genbench.gate.verdict import Check

RESULTS = ("genbench.result/", "genbench.run/")


def check(
    subject: Any,
    *,
    baseline: str | Path | Baseline | Result = FILE,
    name: str | None = None,
    policy: str | Path | Policy | None = None,
    worst: str | Path | None = None,
    **evaluation: Any,
) -> Check:
    """Compare a result, or images, with the baseline, gate by gate.

    Args:
        subject: a `Result`, its document or folder, the folder of a run; or images in any form that `genbench.evaluate` takes,
            which are then measured as the baseline was: the same metrics, extractor, precision and, if it is a named set,
            reference.
        baseline: the baseline file, a `Baseline`, or a result or run to compare with.
        name: of the baseline's entry; by default the only one, or "default".
        policy: a `Policy` or its file; by default the nearest genbench.toml or pyproject.toml of the working directory.
        worst: a PNG file for the images that hurt most, where `subject` is images.
        evaluation: of `genbench.evaluate`, for images: ref, held_out, paired, captions, labels, device, batch_size, ....

    Returns:
        verdicts; `exit_code()` is what the command leaves with, and `failed` whether that is not 0.

    Raises:
        GenbenchError: for a policy, baseline or images that cannot be used. IncomparableError for images without a baseline.
    """
    policy = policy if isinstance(policy, Policy) else find_policy() if policy is None else load_policy(policy)
    base, entry, lacking, notes = _base(baseline, name)
    result = result_of(subject, evaluation)
    if result is not None:
        if worst is not None:
            raise UsageError("E-WORST", "a result has no images to draw", hint="give the images themselves as the subject")
        return judge(base, result, policy, name=entry, lacking=lacking, notes=notes)
    if base is None and policy.needs_baseline:
        raise no_baseline(f" --name {name}" if name else "", lacking)
    if worst is not None and isinstance(subject, Iterator):
        subject = _kept(subject, evaluation)
    found = judge(base, measured(subject, base, policy, evaluation), policy, name=entry, lacking=lacking, notes=notes)
    if worst is not None:
        from genbench.gate.contact import save_worst

        save_worst(Path(worst), found, subject, evaluation)
    return found


def _kept(images: Iterator[Any], evaluation: Mapping[str, Any]) -> Any:
    """Images that come once, to be looked at twice."""
    from genbench.data.open import open_images
    from genbench.gate.contact import data_policy

    return open_images(images, policy=data_policy(evaluation))


def _base(given: str | Path | Baseline | Result, name: str | None) -> tuple[Result | None, str, str, tuple[str, ...]]:
    """The result to compare with, the name of its entry, why there is none, and notes."""
    if isinstance(given, (str, Path)):
        path = Path(given).expanduser()
        if not path.exists():
            return None, name or DEFAULT, f"there is no baseline at {path.name}", ()
        given = Result.load(path) if path.is_dir() or schema_of(path).startswith(RESULTS) else Baseline.load(path)
    if isinstance(given, Result):
        return given, name or given.label, "", ()
    entry = given.choose(name)
    if entry not in given.entries:
        return None, entry, given.missing(entry), given.notes
    return given.entries[entry].result, entry, "", given.notes
