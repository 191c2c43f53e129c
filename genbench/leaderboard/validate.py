"""Whether a document that somebody hands in says what can be true: of results, runs, baselines, ratings and submissions.

Without the images only consistency is checked: the parts of a document against each other, against the influence of every
image beside it, and against the networks and references of this version. Nothing of this loads torch, and nothing is fetched.
With the images, `genbench.leaderboard.recompute` measures again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from genbench.bench.record import Record
from genbench.errors import DataError, GenbenchError
from genbench.evaluation.consistent import check_images, check_value
from genbench.evaluation.influence import FILE as INFLUENCE
from genbench.evaluation.result import DOCUMENT, Result, schema_of
from genbench.gate.baseline import FILE as BASELINE
from genbench.gate.baseline import Baseline
from genbench.leaderboard import identities
from genbench.leaderboard.submission import FILE, Submission, check_links

KINDS = ("genbench.result/1", "genbench.run/1", "genbench.baseline/1", "genbench.ratings/1")
CHECKED = tuple(kind.rpartition("/")[0] + "/" for kind in KINDS)  # of any version: a later one is an error that says so


@dataclass(frozen=True)
class Problem:
    """One sentence. kind: "invalid" for what cannot be true, "incomparable" for what was made in another way than here."""

    kind: Literal["invalid", "incomparable"]
    text: str


@dataclass(kw_only=True)
class Validated:
    """One file: its schema, what is wrong with it, what could not be checked, and the results in it."""

    path: Path
    schema: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)  # of a submission's images, one per seed
    recomputed: bool = False

    @property
    def exit_code(self) -> int:
        """0, 5 for what cannot be true, 3 for what merely was made in another way."""
        kinds = {problem.kind for problem in self.problems}
        return 5 if "invalid" in kinds else 3 if kinds else 0

    def add(self, problems: Iterable[str], kind: Literal["invalid", "incomparable"] = "invalid") -> None:
        """Problems of one kind, a sentence each."""
        self.problems += [Problem(kind, text) for text in problems]

    def __str__(self) -> str:
        if self.problems:
            return f"{self.path}: " + "; ".join(problem.text for problem in self.problems)
        checked = "recomputed from the images" if self.recomputed else "consistent"
        return f"{self.path}: ok, {checked}"


def validate(paths: Iterable[Path]) -> list[Validated]:
    """Every document at or below these paths, in the order of their paths.

    Raises DataError for a path that does not exist, and where there is nothing to check.
    """
    paths = list(paths)
    found = [one for path in paths for one in _below(path)]
    if not found:
        where = ", ".join(map(str, paths))
        hint = f"a submission has {FILE} and result.json; see docs/leaderboard.md"
        raise DataError("E-NO-RESULTS", f"nothing to validate in {where}", hint=hint)
    _tell_copies(found)
    return found


def _tell_copies(found: Iterable[Validated]) -> None:
    """Of two submissions of the very same images, at most one is of the system that made them; a person has to look."""
    holders: dict[str, dict[Path, Validated]] = {}
    for one in found:
        for digest in one.digests:
            holders.setdefault(digest, {})[one.path] = one
    for sharing in holders.values():
        for path, one in sharing.items():
            one.add(f"it has the very images of {other.parent}" for other in sharing if other != path)


def _below(path: Path) -> Iterator[Validated]:
    if not path.exists():
        raise DataError("E-NO-PATH", f"there is no {path}", hint="name files or folders")
    if path.is_file():
        yield _submission(path) if path.name == FILE else _document(path)
        return
    yield from map(_submission, sorted(path.rglob(FILE)))
    for document in sorted(path.rglob("*.json")):
        named = document.name in (DOCUMENT, BASELINE)  # broken ones have no schema, and count
        if named or schema_of(document).startswith(CHECKED):
            yield _document(document, path)


def _document(path: Path, root: Path | None = None) -> Validated:
    """root: the folder that it was found in, out of which no link may lead."""
    schema = schema_of(path)
    found = Validated(path=path, schema=schema)
    try:
        if root is not None and path.is_file():
            check_links([path, path.with_name(INFLUENCE)], root)
        found.results = _results(path, schema, found)
        for result in found.results:
            _check(result, found)
    except GenbenchError as error:
        found.add([error.message])
    return found


def _results(path: Path, schema: str, found: Validated) -> list[Result]:
    """The results of a document of any kind; what is wrong with the rest of it is added to `found`."""
    if schema == "genbench.result/1":
        return [Result.load(path)]
    if schema == "genbench.run/1":
        record = Record.load(path)
        found.add(check_record(record))
        return [record.final.evaluation] if record.final and record.final.evaluation else []
    if schema == "genbench.baseline/1":
        baseline = Baseline.load(path)
        found.add(baseline.notes)
        return [entry.result for entry in baseline.entries.values()]
    if schema == "genbench.ratings/1":
        from genbench.study.ratings import Ratings

        Ratings.load(path)
        return []
    what = f"the schema {schema!r}" if schema else "no schema of genbench, or is no JSON"
    raise DataError("E-SCHEMA", f"it has {what}; this version checks {', '.join(KINDS)} and {FILE}")


def _submission(listing: Path) -> Validated:
    """The list and its fit to the results; the results themselves are documents of their own."""
    found = Validated(path=listing, schema="submission")
    try:
        told = Submission.load(listing)
        documents = told.documents(listing.parent)
        found.add(f"{path.name} is {schema_of(path) or 'no result'}" for path in documents if not _is_result(path))
        results = [Result.load(path) for path in documents if _is_result(path)]
        found.digests = [result.subject.digest for result in results if result.subject.digest]
        if len(set(found.digests)) < len(found.digests):
            found.add(["two seeds have the very same images"])
        if any(not (path.parent / INFLUENCE).is_file() for path in documents):
            found.notes.append(f"without {INFLUENCE} error bars cannot be checked and comparisons keep shared noise")
    except GenbenchError as error:
        found.add([error.message.removeprefix(f"{listing}: ")])
    return found


def _is_result(path: Path) -> bool:
    return schema_of(path) == "genbench.result/1"


# -- one result ------------------------------------------------------------------------------------------------------------


def _check(result: Result, found: Validated) -> None:
    found.add(check_images(result))
    for metric in result.metrics:
        found.add(f"{metric.name} ({metric.protocol}): {problem}" for problem in check_value(metric, result))
    found.add(_of_another(result))
    found.add(_of_no_network(result))
    found.add(dict.fromkeys(check_identity(result)), "incomparable")
    found.notes += _unknown(result)


def _of_another(result: Result) -> Iterator[str]:
    """Influence that was computed for another result."""
    strange = [key for key in result.influence if key not in result.by_protocol]
    if strange:
        yield f"{INFLUENCE} is of another result: it has {strange[0]}"
    count = result.subject.n
    if result.image_names and count is not None and len(result.image_names) != count:
        yield f"{INFLUENCE} names {len(result.image_names):,} images, and {count:,} were used"


def _of_no_network(result: Result) -> Iterator[str]:
    for metric in result.metrics:
        if metric.extractor is None and metric.name in identities.OF_FEATURES:
            yield f"{metric.name} ({metric.protocol}): it is of features, and nothing says which network made them"


def check_identity(result: Result) -> Iterator[str]:
    """Networks and named references against those of this version."""
    for metric in result.metrics:
        if metric.extractor is not None and (found := identities.difference(metric.extractor)):
            yield found
    for side in (result.reference, result.held_out):
        known = identities.references().get(side.name) if side else None
        if side is None or known is None:
            continue
        if side.digest != known.digest:
            yield f"reference: {side.name} has the digest {_short(side.digest)}, and this version's has {_short(known.digest)}"
        elif side.n != known.n:
            yield f"reference: {side.name} has {side.n} images here, and {known.n} in this version"


def _unknown(result: Result) -> Iterator[str]:
    """What a reader might believe was checked."""
    reference = result.reference
    if reference is not None and reference.name not in identities.references():
        yield f"the images of the reference {reference.name} are not known here"
    for metric in result.metrics:
        if (
            metric.extractor is not None
            and identities.KNOWN.get(metric.extractor.extractor, {}).get(metric.extractor.preprocess) == ""
        ):
            yield f"no hash of the weights of {metric.extractor.extractor} is published"
            return


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest.removeprefix("sha256:")[:12]


def check_record(record: Record) -> Iterator[str]:
    """A run beside its evaluation."""
    if record.error is not None:
        return
    if record.final is None:
        yield "neither an error nor a measurement"
    if record.cost is not None and min(record.cost.train_seconds, record.cost.sample_seconds) < 0:
        yield "a cost below zero"
