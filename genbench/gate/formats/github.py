"""What GitHub Actions shows by itself: annotations, which are lines of output, and the summary of a step, which is a file.

Neither needs a token, a permission or the network, so pull requests from forks get them too. The runner takes commands from
both streams of a step (only stdout is documented); lines go to stderr unless they are what was asked for.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from genbench.gate.formats.rows import FINE
from genbench.gate.verdict import Check, Outcome
from genbench.pages.escape import one_line

MOST_OF_A_TYPE = 10  # annotations that one step may make; GitHub drops the rest without a word
SUMMARY_BYTES = 900_000  # of the summary of a step; above 1 MiB GitHub rejects the whole of it
CUT = "\n\n*The rest does not fit into the summary of a step.*\n"

Level = Literal["error", "warning"]
LEVELS: tuple[Level, ...] = ("error", "warning")


def as_annotations(check: Check, *, strict: bool = False) -> str:
    """One line per gate that is not fine, errors first, at most ten of a type, of which the last then counts the others."""
    found = [(_level(outcome, strict), outcome) for outcome in check.outcomes if outcome.verdict not in FINE]
    return "\n".join(at_most([_annotation(level, check, outcome) for level, outcome in found]))


def at_most(lines: Sequence[str]) -> list[str]:
    """The annotations that one step may make: errors first, of each type ten, of which the last counts those left out."""
    kept = []
    for level in LEVELS:
        of_level = [line for line in lines if line.startswith(f"::{level} ")]
        left_out = len(of_level) - MOST_OF_A_TYPE + 1
        if left_out > 1:
            more = command(level, "genbench check", f"{left_out} more gates; the summary of the step has all")
            of_level = [*of_level[: MOST_OF_A_TYPE - 1], more]
        kept += of_level
    return kept


def in_actions() -> bool:
    """Whether this is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotate(check: Check, *, strict: bool = False) -> None:
    """On stderr, because stdout is data."""
    if lines := as_annotations(check, strict=strict):
        print(lines, file=sys.stderr)


def summarise(text: str) -> None:
    """Add Markdown to the summary of the step, where the environment says that there is one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        append_summary(Path(path), text)


def append_summary(path: Path, text: str) -> None:
    """Add what fits to the summary of a step: whole lines, and a sentence where they end. Failing to write is a warning."""
    try:
        room = SUMMARY_BYTES - (path.stat().st_size if path.exists() else 0)
        content = _cut(f"{text}\n\n", room)
        with path.open("ab") as file:
            file.write(content)
    except OSError as error:  # the verdict is worth more than its decoration
        print(f"warning[W-SUMMARY]: the step summary cannot be written: {error.strerror}", file=sys.stderr)


def _cut(text: str, room: int) -> bytes:
    content = text.encode()
    if len(content) <= room:
        return content
    kept = content[: max(0, room - len(CUT.encode()))]
    kept = kept[: kept.rfind(b"\n") + 1]
    return kept + CUT.encode() if kept else b""


def _level(outcome: Outcome, strict: bool) -> Level:
    """A gate that fails the check is an error, all else a warning."""
    return "error" if outcome.counts and (strict or outcome.verdict != "inconclusive") else "warning"


def _annotation(level: Level, check: Check, outcome: Outcome) -> str:
    title = f"genbench check {check.name}: {outcome.name} {outcome.verdict}"
    return command(level, title, outcome.reason)


def command(level: Level, title: str, message: str) -> str:
    """A workflow command, one line that nothing in its parts can end or extend."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return one_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
