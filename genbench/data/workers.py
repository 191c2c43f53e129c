"""Tasks in worker processes: results in order, errors as they were raised, and none of the caller's random numbers used."""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from genbench.errors import GenbenchError, SetupError

T = TypeVar("T")


def in_order(task: Callable[[int], T], count: int, workers: int) -> Iterator[T]:
    """task(0), task(1), ... task(count - 1); `task` is picklable, its results hold no tensors.

    Raises what the task raises, and SetupError E-WORKER where a worker process dies or cannot start.
    """
    workers = min(workers, count)
    if workers <= 0 or count == 1:
        yield from map(task, range(count))
        return
    try:
        # Results without tensors come through pipes, so the size of /dev/shm does not matter.
        loader: DataLoader[Any] = DataLoader(
            _Tasks(task, count),
            batch_size=None,
            num_workers=workers,
            collate_fn=_as_it_is,
            multiprocessing_context=_start_method(),
            worker_init_fn=_leave_interrupts_to_the_parent,
            generator=torch.Generator(),
        )
        for result in loader:
            if isinstance(result, GenbenchError):
                raise result
            yield result
    except (RuntimeError, pickle.PicklingError, AttributeError, TypeError) as error:
        explained = _explained(str(error))
        if explained is None:
            raise
        raise explained from error


class _Tasks(Dataset[Any]):
    """The tasks as DataLoader wants them; our errors come back as values, or they would lose their code and hint."""

    def __init__(self, task: Callable[[int], Any], count: int) -> None:
        self._task = task
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        try:
            return self._task(index)
        except GenbenchError as error:
            return error


def _as_it_is(result: T) -> T:
    return result


def _start_method() -> str | None:
    """Fork starts fastest, but a forked copy of a process that uses CUDA may hang; None is the platform's default."""
    if sys.platform != "linux":
        return None
    return "forkserver" if torch.cuda.is_initialized() else "fork"


def _leave_interrupts_to_the_parent(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _explained(text: str) -> SetupError | None:
    """What a user can do about a worker that failed; None for a bug in the task."""
    if "DataLoader worker" in text and "exited unexpectedly" in text:
        hint = "out of memory? use fewer --workers, or --workers 0; a script with CUDA needs `if __name__ == '__main__':`"
        return SetupError("E-WORKER", f"a worker process died: {text.splitlines()[0]}", hint=hint)
    if "pickle" in text.lower():
        return SetupError("E-WORKER", f"the images cannot be sent to worker processes: {text}", hint="use --workers 0")
    return None
