"""What lies in folders of results: one entry per document, whoever wrote it - `evaluate -o`, a run of a suite, a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench import files
from genbench.bench.record import Likelihood, Record
from genbench.bench.suite import SHARED
from genbench.errors import DataError
from genbench.estimate import normal_interval
from genbench.evaluation.influence import FILE as INFLUENCE
from genbench.evaluation.result import Images, MetricResult, Result, Timing, schema_of
from genbench.leaderboard.submission import FILE, SEEDS, Submission, check_links, within

PICTURES = ("samples.png", "samples.webp", "samples.jpg")


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

    same: what must be equal for two entries to be seeds of one row, beside the label. root: the folder out of which nothing is
    shown, whatever links lie in it. result is None with an `error`.
    """

    label: str
    family: str
    seed: int | None
    same: str
    document: Path
    root: Path
    made: str
    result: Result | None
    costs: Costs = Costs()
    likelihood: Likelihood | None = None
    error: str | None = None
    url: str = ""
    licence: str = ""

    @property
    def picture(self) -> Path | None:
        """Samples beside the document, if there are any: a picture, or a folder of images."""
        found = [self.document.with_name(name) for name in (*PICTURES, "samples")]
        return next((path for path in found if (path.is_file() or path.is_dir()) and within(path, self.root)), None)

    @property
    def is_submission(self) -> bool:
        return bool(self.url)


def find_entries(paths: Iterable[Path], *, besides: Path | None = None) -> list[Entry]:
    """Every result, run and submission at or below these paths but not below `besides`, in the order of their paths.

    A document that lies in two places counts once; but every submission counts, lest a copy take the place of what it copies.
    Raises DataError where there is nothing, where one cannot be read, and where a link leads out of its path.
    """
    paths = list(paths)
    found = [entry for path in paths for entry in _below(path, besides.resolve() if besides else None)]
    if not found:
        where = ", ".join(map(str, paths))
        raise DataError("E-NO-RESULTS", f"no results in {where}", hint="`genbench evaluate ... -o FOLDER` writes one")
    return _once(found)


def _once(entries: Sequence[Entry]) -> list[Entry]:
    submitted = {entry.document.resolve() for entry in entries if entry.is_submission}
    kept: dict[object, Entry] = {}
    for entry in entries:
        if entry.is_submission:
            kept.setdefault((entry.same, entry.document.resolve()), entry)
        elif entry.document.resolve() not in submitted:
            kept.setdefault(files.sha256(entry.document), entry)
    return list(kept.values())


def _below(path: Path, besides: Path | None) -> Iterator[Entry]:
    if not path.exists():
        raise DataError("E-NO-PATH", f"there is no {path}", hint="name folders of results, or single documents")
    if path.is_file():
        yield from _of_file(path, path.parent, needed=True)
        return
    submitted: set[Path] = set()
    for listing in sorted(path.rglob(FILE)):
        entries = _of_submission(listing)
        submitted |= {entry.document for entry in entries}
        yield from entries
    for document in sorted(path.rglob("*.json")):
        if document in submitted or not document.is_file():
            continue
        if besides is None or not document.resolve().is_relative_to(besides):
            yield from _of_file(document, path, needed=False)


def _of_file(path: Path, root: Path, *, needed: bool) -> Iterator[Entry]:
    schema = schema_of(path) if needed or b'"genbench.r' in _head(path) else ""
    if schema in ("genbench.run/1", "genbench.result/1"):
        check_links([*([] if needed else [path]), path.with_name(INFLUENCE)], root)
        yield _of_record(path, root) if schema == "genbench.run/1" else _of_result(path, root)
    elif needed or schema.startswith(("genbench.run/", "genbench.result/")):
        what = schema or "no document of genbench"
        hint = "results of `genbench evaluate -o`, folders of `genbench run`, and submissions make rows"
        raise DataError("E-NO-RESULT", f"{path} is {what}, which makes no row", hint=hint)


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(200)


def _of_result(path: Path, root: Path) -> Entry:
    result = Result.load(path)
    device = result.env.get("device", "")
    return Entry(
        label=result.subject.name,
        family="other",
        seed=None,
        same=str(path.resolve()),  # a result does not say how its images came about
        document=path,
        root=root,
        made=result.created,
        result=result,
        costs=Costs(hardware="" if device == "cpu" else device),
    )


def _of_record(path: Path, root: Path) -> Entry:
    record = Record.load(path)
    result = None
    if record.final is not None:
        result = record.final.evaluation or _of_points(record)
    return Entry(
        label=record.label,
        family=record.family,
        seed=_seed(record, path),
        same=json.dumps({name: value for name, value in record.config.items() if name != "seed"}, sort_keys=True),
        document=path,
        root=root,
        made=record.made,
        result=result,
        costs=_costs(record),
        likelihood=record.likelihood,
        error=record.error or (None if result else "it was not measured"),
    )


def _seed(record: Record, path: Path) -> int | None:
    seed = record.config.get("seed")
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and seed in SEEDS):
        return seed
    what = f"{path} is no genbench.run/1: config.seed: {str(seed)[:40]!r} is no seed"
    raise DataError("E-RECORD", what, hint="run it again, or leave the folder out")


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
                root=listing.parent,
                made=result.created,
                result=result,
                costs=costs,
                url=told.url,
                licence=told.licence,
            )
        )
    return entries
