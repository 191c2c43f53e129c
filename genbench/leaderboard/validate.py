"""Whether a document that somebody hands in says what can be true: of results, runs, baselines, ratings and submissions.

Without the images only consistency is checked: the parts of a document against each other, against the influence of every
image beside it, and against the networks and references of this version. Nothing of this loads torch, and nothing is fetched.
With the images, `genbench.leaderboard.recompute` measures again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genbench.bench.record import Record
from genbench.errors import DataError, GenbenchError
from genbench.estimate import Influence, normal_interval
from genbench.evaluation.influence import FILE as INFLUENCE
from genbench.evaluation.result import Images, MetricResult, Result
from genbench.leaderboard import identities
from genbench.leaderboard.entry import load_record, schema_of
from genbench.leaderboard.submission import FILE, Submission

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ROUNDING = 1e-6  # relative: what printing and reading a number may change
OF_ERROR = 0.02  # relative: influence is kept with 24 bits, and some errors are a jackknife's
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
    recomputed: bool = False

    @property
    def exit_code(self) -> int:
        """0, 5 for what cannot be true, 3 for what merely was made in another way."""
        kinds = {problem.kind for problem in self.problems}
        return 5 if "invalid" in kinds else 3 if kinds else 0

    def add(self, problems: Iterable[str], kind: Literal["invalid", "incomparable"] = "invalid") -> None:
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
    return found


def _below(path: Path) -> Iterator[Validated]:
    if not path.exists():
        raise DataError("E-NO-PATH", f"there is no {path}", hint="name files or folders")
    if path.is_file():
        yield _submission(path) if path.name == FILE else _document(path)
        return
    listings = sorted(path.rglob(FILE))
    yield from map(_submission, listings)
    for document in sorted(path.rglob("*.json")):
        schema = schema_of(document)
        named = document.name in ("result.json", "genbench-baseline.json")  # broken ones have no schema, and count
        if named or schema.startswith(CHECKED):
            yield _document(document)


def _document(path: Path) -> Validated:
    schema = schema_of(path)
    found = Validated(path=path, schema=schema)
    try:
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
        record = load_record(path)
        found.add(check_record(record))
        return [record.final.evaluation] if record.final and record.final.evaluation else []
    if schema == "genbench.baseline/1":
        from genbench.gate.baseline import Baseline

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
        digests = [result.subject.digest for result in results if result.subject.digest]
        if len(set(digests)) < len(digests):
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
    for key, metric in result.by_protocol.items():
        name = f"{metric.name} ({metric.protocol})"
        found.add(f"{name}: {problem}" for problem in check_metric(metric, result))
        influence = result.influence.get(key)
        if influence is not None:
            found.add(f"{name}: {problem}" for problem in check_influence(metric, influence, result))
    found.add(_of_another(result))
    found.add(dict.fromkeys(check_identity(result)), "incomparable")
    found.notes += _unknown(result)


def check_images(result: Result) -> Iterator[str]:
    """Counts and digests of every side."""
    for side in ("subject", "reference", "held_out", "paired"):
        images: Images | None = getattr(result, side)
        if images is None:
            continue
        if images.n is not None and images.listed is not None and images.n + len(images.skipped) != images.listed:
            yield f"{side}: {images.n} images and {len(images.skipped)} skipped are not the {images.listed} listed"
        if images.sizes and images.n is not None and sum(images.sizes.values()) < images.n:
            yield f"{side}: the sizes of {sum(images.sizes.values())} images, but {images.n} images"
        if images.digest is not None and not DIGEST.fullmatch(images.digest):
            yield f"{side}: {images.digest[:20]!r} is no digest"
    if not result.metrics:
        yield "no metric"
    if len(result.by_protocol) < len(result.metrics):
        yield "a metric of one protocol stands twice"


def check_metric(metric: MetricResult, result: Result) -> Iterator[str]:
    """The value, its error, its interval and its counts against each other."""
    if metric.value is None:
        return
    if metric.se is not None and metric.se < 0:
        yield f"the standard error {metric.se:g} is negative"
    if metric.se is None and not metric.reason:
        yield "no error bar and no reason"
    if metric.ci is not None:
        yield from _check_interval(metric, metric.value, metric.ci)
    if not 0.5 <= metric.level < 1:
        yield f"the level {metric.level:g} of its interval"
    subject, reference = result.subject, result.reference
    if metric.n < 1 or (subject.n is not None and metric.method == "influence" and metric.n != subject.n):
        yield f"n is {metric.n:,}, and {subject.n:,} images were used"
    elif subject.listed is not None and metric.extractor is not None and metric.n > subject.listed:
        yield f"n is {metric.n:,}, more than the {subject.listed:,} images listed"
    if metric.n_real is not None and reference is not None and reference.n is not None and metric.n_real > reference.n:
        yield f"n_real is {metric.n_real:,}, more than the {reference.n:,} images of the reference"
    if not re.fullmatch(r"[^/\s]+/\d+", metric.protocol):
        yield f"{metric.protocol!r} is no protocol"


def _check_interval(metric: MetricResult, value: float, ci: tuple[float, float]) -> Iterator[str]:
    slack = ROUNDING * max(abs(value), ci[1] - ci[0])
    if not ci[0] - slack <= value <= ci[1] + slack:
        yield f"the interval [{ci[0]:.4g}, {ci[1]:.4g}] does not contain the value {value:.4g}"
    elif metric.se is not None and metric.method in ("influence", "u-statistic"):
        expected = normal_interval(value, metric.se, metric.level)
        if any(abs(one - other) > slack for one, other in zip(ci, expected, strict=True)):
            yield f"the interval [{ci[0]:.4g}, {ci[1]:.4g}] is not that of {value:.4g} ± {metric.se:.2g}"


def check_influence(metric: MetricResult, influence: Influence, result: Result) -> Iterator[str]:
    """The pulls of the images against the value's counts and its error."""
    import numpy as np

    fake = np.asarray(influence.fake, dtype=float)
    real = None if influence.real is None else np.asarray(influence.real, dtype=float)
    if not np.isfinite(fake).all() or (real is not None and not np.isfinite(real).all()):
        yield "its influence holds values that are no numbers"
        return
    if len(fake) != metric.n and metric.method != "none":
        yield f"n is {metric.n:,}, and the influence beside it is of {len(fake):,} images"
        return
    share = _share(fake, metric)
    if share is not None and metric.value is not None and abs(share - metric.value) > 1e-4:
        yield f"the influence of every image makes the value {share:.4g}, not {metric.value:.4g}"
    error = _error(fake, real, influence.groups, metric)
    if error is None or metric.se is None or metric.method == "none":
        return
    # A held-out set adds noise of its own, which no influence tells: the error may then only be larger.
    low = metric.se * (1 - OF_ERROR)
    if error > metric.se * (1 + OF_ERROR) + 1e-12 or (error < low - 1e-12 and result.held_out is None):
        yield f"its influence makes a standard error of {error:.4g}, not {metric.se:.4g}"


def _share(fake: NDArray[Any], metric: MetricResult) -> float | None:
    """The value of a share of the images, whose pulls are 1 - value and -value; None for what is none."""
    low, high = float(fake.min()), float(fake.max())
    whole = metric.method == "binomial" and abs(high - low - 1) < 1e-4 and abs(float(fake.mean())) < 1e-4
    return -low if whole else None


def _error(fake: NDArray[Any], real: NDArray[Any] | None, groups: Any, metric: MetricResult) -> float | None:
    """sqrt(var(fake) / n + var(real) / n_real), by sums of groups where images belong together. None of one image."""
    import numpy as np

    if groups is not None:
        _, place = np.unique(np.asarray(groups), return_inverse=True)
        sums = np.bincount(place, weights=fake)
    else:
        sums = fake
    if len(sums) < 2:
        return None
    variance = float(np.var(sums, ddof=1)) * len(sums) / len(fake) ** 2
    if real is not None and len(real) > 1:  # of a large reference only a sample of the images may be known
        variance += float(np.var(real, ddof=1)) / (metric.n_real or len(real))
    return math.sqrt(variance)


def _of_another(result: Result) -> Iterator[str]:
    """Influence that was computed for another result."""
    strange = [key for key in result.influence if key not in result.by_protocol]
    if strange:
        yield f"{INFLUENCE} is of another result: it has {strange[0]}"
    count = result.subject.n
    if result.names and count is not None and len(result.names) != count:
        yield f"{INFLUENCE} names {len(result.names):,} images, and {count:,} were used"


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
    if record.cost is not None:
        cost = record.cost
        if (
            min(cost.parameters, cost.steps, cost.images, cost.evaluations) < 0
            or min(cost.train_seconds, cost.sample_seconds) < 0
        ):
            yield "a cost below zero"
    first = record.final.evaluation.metrics[:1] if record.final and record.final.evaluation else []
    asked = record.config.get("metrics") or []
    if first and isinstance(asked, list) and len(asked) > len(record.final.evaluation.metrics):  # type: ignore[union-attr]
        yield f"{len(asked)} metrics were asked for, and there are fewer"
