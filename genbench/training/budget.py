"""How long to train, and what has been spent of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace

from genbench.errors import UsageError


@dataclass
class Clock:
    """What training has used. Validation, checkpoints and logs do not count.

    steps: updates of every phase that was due; images: real examples drawn, by all processes; seconds: wall time;
    cpu_seconds: processor time of this process, all threads.
    """

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time spent inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - wall
            self.cpu_seconds += time.process_time() - cpu

    def __add__(self, other: Clock) -> Clock:
        return Clock(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Exactly one of seconds of training time, steps, or images drawn.

    Steps and images make a run repeat bit for bit on a CPU; with seconds the number of steps is the machine's.
    """

    seconds: float | None = None
    steps: int | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.seconds, self.steps, self.images) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            shown = ", ".join(f"{name} = {value}" for name, value in asdict(self).items() if value is not None)
            text = f"a budget is one positive number of seconds, steps or images; given: {shown or 'none'}"
            raise UsageError("E-BUDGET", text, hint="such as --seconds 60 or --steps 2000")

    def part(self, share: float) -> Budget:
        """The budget of a stage that gets `share` of the whole, in (0, 1]."""
        if self.seconds is not None:
            return replace(self, seconds=self.seconds * share)
        name = "steps" if self.steps is not None else "images"
        return replace(self, **{name: max(1, round(getattr(self, name) * share))})

    def progress(self, used: Clock) -> float:
        """Share that is spent, in [0, 1]."""
        name = next(field.name for field in fields(self) if getattr(self, field.name) is not None)
        return min(1.0, getattr(used, name) / getattr(self, name))

    def __str__(self) -> str:
        return next(f"{value:.12g} {name}" for name, value in asdict(self).items() if value is not None)
