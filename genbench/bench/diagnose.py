"""What ails a trained model: every diagnostic that applies, with what is usual and what to try."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from genbench import catalog
from genbench.bench.trained import TrainedRun, open_run
from genbench.diagnostics.base import Diagnostic, Subject
from genbench.errors import GenbenchError, UsageError
from genbench.estimate import Better, Estimate, format_value
from genbench.evaluation import environment
from genbench.evaluation.result import Document, Finite
from genbench.models.base import GenerativeModel, Scores

LEAST = 8  # images of each kind
DETAILS = 6  # of a finding that text shows


class Finding(Document):
    """One number of one diagnostic and how to read it; unusual is None where there is no number or nothing is unusual."""

    diagnostic: str
    name: str
    value: Finite | None
    se: Finite | None
    ci: tuple[Finite, Finite] | None
    method: str
    n: int
    n_real: int | None
    better: Better
    reason: str | None
    details: dict[str, Finite]
    usual: tuple[Finite | None, Finite | None]
    unusual: bool | None
    meaning: str
    advice: str
    source: str


class Diagnosis(Document):
    """All findings about one run.

    n, n_test: samples and test images looked at; points: whether the data are points of the plane, whose features are their
    coordinates; likelihood: the kind of the model's, None where it has none; seconds: of each diagnostic; skipped: diagnostics
    that do not apply to such a model; failed: those that could not be computed, and why.
    """

    schema_: Literal["genbench.diagnosis/1"] = Field(default="genbench.diagnosis/1", alias="schema")
    model: str
    title: str
    family: str
    likelihood: str | None
    data: str
    n: int
    n_test: int
    points: bool
    seed: int
    findings: list[Finding]
    failed: dict[str, str]
    skipped: list[str]
    seconds: dict[str, Finite]
    environment: dict[str, str]
    made: str

    model_config = ConfigDict(populate_by_name=True)

    def to_json(self) -> str:
        return self.model_dump_json(indent=2, by_alias=True)

    @property
    def unusual(self) -> list[Finding]:
        """The findings outside of what is usual."""
        return [finding for finding in self.findings if finding.unusual]


def diagnose(
    run: Path,
    *,
    data: str | None = None,
    n: int = 512,
    only: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[str, int, int], None] = lambda task, done, total: None,
) -> Diagnosis:
    """Every diagnostic that applies to the model of a run, or those named in `only`.

    n: images of each kind, real and generated. Raises UsageError for an unknown name and for one that does not apply.
    """
    if n < LEAST:
        raise UsageError("E-USAGE", f"--n {n}", hint=f"a diagnosis takes {LEAST} images of each kind at least")
    names = list(dict.fromkeys(only)) if only else catalog.names("diagnostics")
    known: dict[str, Diagnostic] = {name: catalog.find("diagnostics", name) for name in names}
    opened = open_run(run, data=data, device=environment.choose_training_device(device))
    chosen, failed = _applicable(known, opened.model)
    skipped = [name for name in names if name not in chosen and name not in failed]
    if only and skipped:
        raise _not_applicable(skipped[0], opened.model)
    return _computed(opened, chosen, skipped, failed, n, seed, progress)


def _applicable(known: Mapping[str, Diagnostic], model: GenerativeModel) -> tuple[dict[str, Diagnostic], dict[str, str]]:
    """Those that apply to the model, and for those that cannot even be asked, why."""
    chosen, failed = {}, {}
    for name, diagnostic in known.items():
        try:
            if diagnostic.applies(model):
                chosen[name] = diagnostic
        except Exception as error:  # asking may run the model
            failed[name] = _reason(error)
    return chosen, failed


def _not_applicable(name: str, model: GenerativeModel) -> UsageError:
    every = {other: catalog.find("diagnostics", other) for other in catalog.names("diagnostics")}
    applicable, _ = _applicable(every, model)
    hint = f"these do: {', '.join(applicable)}"
    return UsageError("E-NOT-APPLICABLE", f"the diagnostic {name} does not apply to {model.title}", hint=hint)


def _reason(error: Exception) -> str:
    """In a line; with its kind where it is none of our own."""
    if isinstance(error, GenbenchError):
        return error.message
    kind = type(error).__name__.lstrip("_")  # such as torch's _LinAlgError
    return ": ".join([kind, *str(error).strip().splitlines()[:1]])


def _computed(
    opened: TrainedRun,
    chosen: Mapping[str, Diagnostic],
    skipped: list[str],
    failed: dict[str, str],
    n: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Diagnosis:
    subject = Subject(model=opened.model, data=opened.dataset, n=n, seed=seed)
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    for done, (name, diagnostic) in enumerate(chosen.items()):
        progress("diagnostics", done, len(chosen))
        started = time.perf_counter()
        try:
            estimates = diagnostic.compute(subject)
        except Exception as error:  # whatever it is, the other diagnostics may be possible
            failed[name] = _reason(error)
        else:
            findings += [_finding(name, diagnostic, reported, estimate) for reported, estimate in estimates.items()]
        seconds[name] = time.perf_counter() - started
    progress("diagnostics", len(chosen), len(chosen))
    model = opened.model
    return Diagnosis(
        model=opened.name,
        title=model.title,
        family=catalog.family(opened.name),
        likelihood=model.likelihood if isinstance(model, Scores) else None,
        data=opened.dataset.name,
        n=n,
        n_test=len(subject.real),
        points=model.spec.is_points,
        seed=seed,
        findings=findings,
        failed=failed,
        skipped=skipped,
        seconds=seconds,
        environment=environment.describe(subject.device),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _finding(name: str, diagnostic: Diagnostic, reported: str, estimate: Estimate) -> Finding:
    reading = diagnostic.reports[reported]
    shared = {key: getattr(estimate, key) for key in ("value", "se", "ci", "method", "n", "n_real", "better", "reason")}
    judged = estimate.value is not None and reading.usual != (None, None)
    return Finding(
        diagnostic=name,
        name=reported,
        **shared,
        details=dict(estimate.details),
        usual=reading.usual,
        unusual=not reading.is_usual(float(estimate)) if judged else None,
        meaning=_sentence(reading.meaning),
        advice=_sentence(reading.advice),
        source=diagnostic.source,
    )


def _sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return text and text[0].upper() + text[1:].rstrip(".") + "."


def as_text(diagnosis: Diagnosis, width: int = 110) -> str:
    """One paragraph a finding: its name, value and usual range, what it means, and what to try where it is unusual."""
    import textwrap

    def indented(text: str) -> list[str]:
        return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")

    kinds = f"{diagnosis.n:,} samples, {diagnosis.n_test:,} test images, seed {diagnosis.seed}"
    where = "; features of points are their coordinates" if diagnosis.points else ""
    lines = [f"{diagnosis.title} on {diagnosis.data}, {kinds}{where}", ""]
    longest = max((len(finding.name) for finding in diagnosis.findings), default=0)
    values = [format_value(finding.value, finding.se) for finding in diagnosis.findings]
    widest = max(map(len, values), default=0)
    for finding, value in zip(diagnosis.findings, values, strict=True):
        mark = "!" if finding.unusual else " "
        lines.append(f"{mark} {finding.name:<{longest}}  {value:<{widest}}  {usual(finding.usual)}".rstrip())
        if finding.value is None:
            lines += indented(f"No value: {finding.reason}.")
            continue
        lines += indented(finding.meaning)
        if finding.details:
            lines += indented(_listed(finding.details))
        if finding.unusual:
            lines += indented(f"Try: {finding.advice}")
    lines += [f"  {name}: failed: {reason}" for name, reason in diagnosis.failed.items()]
    judged = sum(finding.unusual is not None for finding in diagnosis.findings)
    return "\n".join(
        [*lines, "", f"{len(diagnosis.unusual)} of {judged} numbers that have a usual range are outside of it (!)"]
    )


def _listed(details: Mapping[str, float]) -> str:
    """The first few further numbers; JSON has all."""
    shown = ", ".join(f"{name} {value:.3g}" for name, value in list(details.items())[:DETAILS])
    return f"Details: {shown}" + (f" and {len(details) - DETAILS} more" if len(details) > DETAILS else "")


def usual(limits: tuple[float | None, float | None]) -> str:
    """The usual range in words."""
    low, high = limits
    if low is None:
        return "" if high is None else f"usual: at most {high:g}"
    return f"usual: at least {low:g}" if high is None else f"usual: {low:g} to {high:g}"
