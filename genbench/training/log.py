"""The log of a run: one JSON object per line, and TensorBoard where asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench.errors import missing_extra
from genbench.files import write_atomic


class RunLog:
    """Lines of a log file; without a folder they go nowhere."""

    def __init__(self, folder: Path | None, *, tensorboard: bool = False) -> None:
        self._path = folder / "log.jsonl" if folder else None
        self._board = _board(folder) if folder and tensorboard else None

    def write(self, line: Mapping[str, Any]) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a") as file:
                file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, float):
                    self._board.add_scalar(f"{line['stage']}/{name}", value, line["step"])

    def rewind(self, steps: int) -> None:
        """Forget lines behind the checkpoint that the run goes on from; `steps` counts over all stages."""
        if self._path is not None and self._path.exists():
            kept = [line for line in read_log(self._path.parent) if line["steps"] <= steps]
            write_atomic(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first."""
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if _whole(line)] if path.exists() else []


def _whole(line: str) -> bool:
    """A process that was killed may leave half a line."""
    return line.startswith("{") and line.endswith("}")


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise missing_extra("tensorboard", "tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"))
