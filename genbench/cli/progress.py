"""Progress on stderr: a bar on a terminal, a line now and then elsewhere, so that a log does not look hung."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY_S = 30.0


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A function of (task, done, total) to call as work goes on."""
    if quiet:
        yield lambda task, done, total: None
    elif sys.stderr.isatty():
        with _bars() as update:
            yield update
    else:
        yield _Lines().update


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def update(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)

        yield update


class _Lines:
    def __init__(self) -> None:
        self.task, self.started, self.first, self.printed = "", 0.0, 0, 0.0

    def update(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != self.task:
            self.task, self.started, self.first, self.printed = task, now, done, now
        if now - self.printed < LINE_EVERY_S:
            return
        self.printed = now
        rate = max(done - self.first, 1) / (now - self.started)
        left = (total - done) / rate
        print(f"{task}: {done:,}/{total:,} ({done / total:.0%}), {rate:.3g}/s, {left:.0f} s left", file=sys.stderr, flush=True)
