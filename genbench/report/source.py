"""What a page is about: a result of `genbench evaluate`, or the folder of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench.bench.record import Quality, Record, opened
from genbench.errors import DataError, UsageError, listed
from genbench.evaluation.result import DOCUMENT, Result, document_at

HINT = "give the folder or result.json of `genbench evaluate -o`, or the folder of one run"


@dataclass(frozen=True, kw_only=True)
class Source:
    """result: None where nothing was measured yet, the run failed, or its data are points of the plane.

    record: of a run of `genbench run`; config: of any run; folder: of the run, None for a plain result.
    """

    result: Result | None
    record: Record | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def has_model(self) -> bool:
        return self.folder is not None and (self.folder / "model.json").is_file()

    @property
    def quality(self) -> Quality | None:
        return self.record.final if self.record else None


def open_source(source: Result | str | Path) -> Source:
    """A result, the path of one, or the folder of a run. Raises DataError for anything else, UsageError for several runs."""
    if isinstance(source, Result):
        return Source(result=source)
    path, document = Path(source).expanduser(), document_at(source)
    found = opened(document)
    if isinstance(found, Record):
        result = found.final.evaluation if found.final else None
        folder = document.parent if document.name == DOCUMENT else None  # beside another name lies what is of another run
        return Source(result=result, record=found, config=found.config, folder=folder)
    if found is not None or document.is_file():
        return Source(result=found or Result.load(document))
    if path.is_dir() and (path / "model.json").is_file():
        return Source(result=None, config=config_of(path), folder=path)
    raise _no_source(path)


def config_of(folder: Path) -> dict[str, Any]:
    """What a run was asked for, as its folder says; empty where it does not."""
    try:
        return dict(json.loads((folder / "config.json").read_text()))
    except (OSError, TypeError, ValueError, RecursionError):
        return {}


def _no_source(path: Path) -> DataError | UsageError:
    if not path.exists():
        return DataError("E-NO-RESULT", f"no such file or folder: {path}", hint=HINT)
    below = sorted({found.parent.relative_to(path).as_posix() for found in path.rglob(DOCUMENT)}) if path.is_dir() else []
    if not below:
        return DataError("E-NO-RESULT", f"{path} holds no result and no trained model", hint=HINT)
    hint = f"name one of them: {listed(below)}; `genbench leaderboard` shows all"
    return UsageError("E-RUNS", f"{path} holds {len(below)} results, and a report is about one", hint=hint)
