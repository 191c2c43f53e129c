"""The baseline file: what a project holds to be good, in git, small and readable as a diff.

`genbench-baseline.json` ("genbench.baseline/1") has one entry per name: a result, why and at which commit it was accepted.
Beside it `genbench-baseline.influence.safetensors` keeps the influence of every image, which takes the noise that two sets
share, such as that of their reference, out of their difference.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json

from genbench import catalog, files
from genbench.documents import read_document
from genbench.errors import DataError, UsageError
from genbench.estimate import Influence
from genbench.evaluation.consistent import check_value
from genbench.evaluation.influence import arrays, load_influence, save_influence
from genbench.evaluation.result import MAX_BYTES, Document, Result, schema_of

FILE = "genbench-baseline.json"
SCHEMA = "genbench.baseline/1"
DEFAULT = "default"
NO_TIME = {"wall_s": 0.0, "cpu_s": 0.0, "extract_s": 0.0, "metrics_s": 0.0, "images_extracted": 0}
GIT_SECONDS = 5.0


class Entry(Document):
    """An accepted result. commit: of the working directory when it was accepted; dirty: with changes on top of it.

    influence: the hash of that of its images, by which it is known in the file beside; None for a result without.
    """

    created: str
    reason: str = ""
    commit: str | None = None
    dirty: bool | None = None
    influence: str | None = None
    result: Result


class _File(Document):
    schema_: Literal["genbench.baseline/1"]
    entries: dict[str, Entry]


@dataclass
class Baseline:
    """Accepted results by name."""

    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the files and can be borne."""
        lost = [name for name, entry in self.entries.items() if entry.influence and not entry.result.influence]
        cure = "take the file beside the baseline from version control again, or accept them anew; shared noise stays till then"
        return (f"the influence of the images of {', '.join(lost)} is missing: {cure}",) if lost else ()

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read a baseline and the influence beside it. Raises DataError for anything that is no `genbench.baseline/1`.

        Influence that is not there, or not that of its entry, is left out with a note: differences then keep shared noise.
        """
        path = Path(path)
        if not path.is_file():
            hint = "genbench check RESULT --update-baseline writes one"
            raise DataError("E-NO-BASELINE", f"no baseline at {path}", hint=hint)
        found = read_document(path, _parse, kind=SCHEMA, most=MAX_BYTES, code="E-BASELINE", hint=REPAIR)
        baseline = cls(dict(sorted(found.entries.items())))
        baseline._read_influence(beside(path))
        return baseline

    def save(self, path: str | Path) -> None:
        """Write both files, each in one step. Between the two steps, all entries that did not change are whole.

        An entry whose influence is missing stays known as such, until it is found again or another result is accepted.
        """
        path = Path(path)
        influence: dict[str, Influence] = {}
        names = []
        for name, entry in sorted(self.entries.items()):
            influence |= {f"{name}\t{key}": found for key, found in entry.result.influence.items()}
            names.append(json.dumps([name, *entry.result.image_names]))
        save_influence(beside(path), influence, names)
        document = {
            "schema": SCHEMA,
            "entries": {name: _slim(entry) for name, entry in self.entries.items()},
        }
        files.write_atomic(path, json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")

    def update(self, name: str, result: Result, *, reason: str = "") -> None:
        """Accept `result` as the entry `name`. Raises DataError for a result that holds a value which is none."""
        for metric in result.metrics:
            why = next(check_value(metric, result), None)
            if metric.value is None or not metric.comparable:
                why = metric.reason or "; ".join(metric.notes) or "marked as not comparable"
            if why:
                hint = "evaluate again without it, or with what it lacks"
                raise DataError("E-BASELINE", f"{metric.short_name} cannot be a baseline: {why}", hint=hint)
        if not result.metrics:
            raise DataError("E-BASELINE", "a result without metrics cannot be a baseline", hint="evaluate some")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        commit, dirty = revision()
        influence = _digest(result.influence, result.image_names)
        self.entries[name] = Entry(
            created=created, reason=reason, commit=commit, dirty=dirty, influence=influence, result=result
        )

    def choose(self, name: str | None) -> str:
        """The name of the entry that is meant: the one asked for, the only one, or "default".

        Raises UsageError where several could be.
        """
        if name is not None:
            return name
        if len(self.entries) == 1:
            return next(iter(self.entries))
        if not self.entries or DEFAULT in self.entries:
            return DEFAULT
        raise UsageError("E-NAME", "the baseline has several entries", hint=f"--name is one of: {', '.join(self.entries)}")

    def missing(self, name: str) -> str:
        """Why there is no such entry, and what there is."""
        if not self.entries:
            return "there is no baseline yet"
        return f"the baseline has no entry {name!r}: {catalog.unknown('entries', name, self.entries).hint}"

    def _read_influence(self, path: Path) -> None:
        influence, listed = load_influence(path)
        try:
            names = {entry: images for entry, *images in map(from_json, listed)}
        except (ValueError, TypeError) as error:
            raise DataError("E-INFLUENCE", f"{path} names no images: {error}", hint=REPAIR) from error
        for name, entry in self.entries.items():
            own = {key.partition(f"{name}\t")[2]: found for key, found in influence.items() if key.rpartition("\t")[0] == name}
            if _digest(own, names.get(name, ())) == entry.influence:
                entry.result.with_influence(own, names.get(name, ()))


def _parse(content: bytes) -> _File:
    document = from_json(content)
    for entry in document["entries"].values():
        entry["result"].setdefault("timing", NO_TIME)
    return _File.model_validate({**document, "schema_": document.get("schema")})


REPAIR = "take it from version control again, or remove it and write a new one with --update-baseline"


def is_baseline(path: Path) -> bool:
    """Whether a file is a baseline and not a result: both are JSON, and the schema says which."""
    return schema_of(path).startswith("genbench.baseline/")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[Baseline]:
    """The baseline of a file, or a new one, while no other process of this machine may change it.

    The lock is in the cache, so that nothing but baselines lies beside results and tests.
    """
    from filelock import FileLock

    folder = files.cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.lock"):
        yield Baseline.load(path) if path.exists() else Baseline()


def beside(path: Path) -> Path:
    """Where the influence of a baseline file is kept; the name is nobody else's, as that of weights could be."""
    return path.with_suffix(".influence.safetensors")


def _digest(influence: Mapping[str, Influence], names: Sequence[str]) -> str | None:
    """Of what `save_influence` writes, in whatever order and form; None for nothing."""
    if not influence:
        return None
    found = hashlib.sha256(json.dumps(list(names)).encode())
    for name, values in sorted(arrays(influence).items()):
        found.update(f"\n{name} {len(values)}\n".encode() + values.tobytes())
    return f"sha256:{found.hexdigest()}"


def _slim(entry: Entry) -> Mapping[str, Any]:
    """Without what changes at every run and what is as it is by default."""
    document = entry.model_dump(mode="json", exclude={"result"})
    result = entry.result.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"timing"})
    return {**document, "result": result}


def revision() -> tuple[str | None, bool | None]:
    """The commit of the working directory and whether tracked files differ from it; None where there is no git."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git("rev-parse", "HEAD").strip()
        return commit, bool(_git("status", "--porcelain", "--untracked-files=no").strip())
    return None, None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=GIT_SECONDS).stdout
