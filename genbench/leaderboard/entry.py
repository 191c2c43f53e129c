"""What lies in folders of results: one entry per document, whoever wrote it - `evaluate -o`, a run of a suite, a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from genbench import files
from genbench.bench.record import Likelihood, Record
from genbench.bench.suite import SHARED
from genbench.errors import DataError
from genbench.estimate import normal_interval
from genbench.evaluation.result import MAX_BYTES, Images, MetricResult, Result, Timing
from genbench.leaderboard.submission import FILE, Submission

PICTURES = ("samples.png", "samples.webp", "samples.jpg")
CEILING = "data"  # the family of real images, which are measured as if they were samples


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What training took, in seconds, and what sampling takes, in milliseconds and network passes per image; on what.

    None and "" where nobody says. evaluations is 0 for a model that samples without a network.
    """

    parameters: int | None = None
    train_seconds: float | None = None
    sample_ms: float | None = None
    evaluations: int | None = None
    hardware: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One document: one set of samples of one system.

    same: what must be equal for two entries to be seeds of one row, beside the label. result is None with an `error`.
    """

    label: str
    family: str
    seed: int | None
    same: str
    document: Path
    made: str
    result: Result | None
    costs: Costs = Costs()
    likelihood: Likelihood | None = None
    error: str | None = None
    url: str = ""
    licence: str = ""

    @property
    def folder(self) -> Path:
        return self.document.parent

    @property
    def picture(self) -> Path | None:
        """Samples beside the document, if there are any: a picture, or a folder of images."""
        found = [self.folder / name for name in (*PICTURES, "samples")]
        return next((path for path in found if path.exists()), None)

    @property
    def report(self) -> Path | None:
        path = self.folder / "report.html"
        return path if path.is_file() else None


def find_entries(paths: Iterable[Path], *, besides: Path | None = None) -> list[Entry]:
    """Every result, run and submission at or below these paths but not below `besides`, in the order of their paths.

    A document that lies in two places counts once. Raises DataError where there is nothing, or where one cannot be read.
    """
    paths = list(paths)
    found: dict[str, Entry] = {}
    for path in paths:
        for entry in _below(path, besides.resolve() if besides else None):
            found.setdefault(files.sha256(entry.document), entry)
    if not found:
        where = ", ".join(map(str, paths))
        raise DataError("E-NO-RESULTS", f"no results in {where}", hint="`genbench evaluate ... -o FOLDER` writes one")
    return list(found.values())


def _below(path: Path, besides: Path | None) -> Iterator[Entry]:
    if not path.exists():
        raise DataError("E-NO-PATH", f"there is no {path}", hint="name folders of results, or single documents")
    if path.is_file():
        yield from _of_file(path, needed=True)
        return
    submitted: set[Path] = set()
    for listing in sorted(path.rglob(FILE)):
        entries = _of_submission(listing)
        submitted |= {entry.document for entry in entries}
        yield from entries
    for document in sorted(path.rglob("*.json")):
        own = besides is not None and document.resolve().is_relative_to(besides)
        if document not in submitted and document.is_file() and not own:
            yield from _of_file(document, needed=False)


def schema_of(path: Path) -> str:
    """The value of "schema" of a JSON document, "" for what has none or is none."""
    if path.stat().st_size > MAX_BYTES:
        return ""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return ""
    schema = found.get("schema") if isinstance(found, dict) else None
    return schema if isinstance(schema, str) else ""


def _of_file(path: Path, *, needed: bool) -> Iterator[Entry]:
    schema = schema_of(path) if needed or b'"genbench.r' in _head(path) else ""
    if schema == "genbench.run/1":
        yield _of_record(path)
    elif schema == "genbench.result/1":
        yield _of_result(path)
    elif needed or schema.startswith(("genbench.run/", "genbench.result/")):
        what = schema or "no document of genbench"
        hint = "results of `genbench evaluate -o`, folders of `genbench run`, and submissions make rows"
        raise DataError("E-NO-RESULT", f"{path} is {what}, which makes no row", hint=hint)


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(200)


def _of_result(path: Path) -> Entry:
    result = Result.load(path)
    device = result.env.get("device", "")
    return Entry(
        label=result.subject.name,
        family="other",
        seed=None,
        same=str(path.resolve()),  # a result does not say how its images came about
        document=path,
        made=result.created,
        result=result,
        costs=Costs(hardware="" if device == "cpu" else device),
    )


def _of_record(path: Path) -> Entry:
    record = load_record(path)
    result = None
    if record.final is not None:
        result = record.final.evaluation or _of_points(record)
    return Entry(
        label=record.label,
        family=record.family,
        seed=record.config.get("seed"),
        same=json.dumps({name: value for name, value in record.config.items() if name != "seed"}, sort_keys=True),
        document=path,
        made=record.made,
        result=result,
        costs=_costs(record),
        likelihood=record.likelihood,
        error=record.error or (None if result else "it was not measured"),
    )


def load_record(path: Path) -> Record:
    """A run's document under any name. Raises DataError that names what is wrong in it."""
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise DataError("E-RECORD", f"{path} is no genbench.run/1: {where}: {first['msg']}") from error
    if record.final is not None and record.final.evaluation is not None:
        record.final.evaluation.beside(path.parent)
    return record


def _costs(record: Record) -> Costs:
    if record.cost is None:
        return Costs()
    device = record.environment.get("device", "")
    return Costs(
        parameters=record.cost.parameters,
        train_seconds=record.cost.train_seconds,
        sample_ms=1000 * record.cost.sample_seconds,
        evaluations=record.cost.evaluations,
        hardware=record.environment.get("cpu", device) if device == "cpu" else device,
    )


def _of_points(record: Record) -> Result:
    """Measurements of points of the plane as a result: comparable within the same data and settings of a suite."""
    shared = {name: record.config.get(name) for name in SHARED}
    dataset = str(shared["dataset"])
    measured = record.final.points if record.final else {}
    metrics = [
        MetricResult(
            name=name,
            value=found.value,
            se=found.se,
            ci=None if found.se is None else normal_interval(found.value, found.se),
            level=0.95,
            method="points",
            n=found.n,
            n_real=None,
            better=found.better,
            protocol=f"{name} of points, {dataset}/{shared['version']}",
            layer=None,
            extractor=None,
            reason=None if found.se is not None else "no error is known",
        )
        for name, found in measured.items()
    ]
    return Result(
        created=record.made,
        subject=Images(name=record.label, kind="points"),
        reference=None,
        metrics=metrics,
        env=record.environment,
        timing=Timing(wall_s=0, cpu_s=0, extract_s=0, metrics_s=0, images_extracted=0),
    )


def _of_submission(listing: Path) -> list[Entry]:
    told = Submission.load(listing)
    costs = Costs(
        parameters=told.parameters,
        train_seconds=told.training.seconds if told.training else None,
        sample_ms=told.sampling.ms_per_image if told.sampling else None,
        evaluations=told.sampling.evaluations if told.sampling else None,
        hardware=told.hardware,
    )
    entries = []
    for seed, document in zip(told.seeds, told.documents(listing.parent), strict=True):
        result = Result.load(document)
        entries.append(
            Entry(
                label=told.name,
                family=told.family,
                seed=seed,
                same=str(listing.resolve()),
                document=document,
                made=result.created,
                result=result,
                costs=costs,
                url=told.url,
                licence=told.licence,
            )
        )
    return entries
