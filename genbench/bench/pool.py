"""Jobs in processes of their own, a few at a time: one that dies takes no other with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

Job = TypeVar("Job")


def run_apart(work: Callable[[Job], str], jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, str | None]]:
    """Each job with what `work` returned, as they end; None where the process died without a word: killed, out of memory.

    Leaving the iteration, as Ctrl-C does, stops the processes that still run.
    """
    waiting = list(jobs)
    running: dict[Connection, tuple[Job, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                job = waiting.pop(0)
                end, process = _start(work, job)
                running[end] = (job, process)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                job, process = running.pop(ready)
                yield job, _answer(ready)
                process.join()
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _start(work: Callable[[Job], str], job: Job) -> tuple[Connection, BaseProcess]:
    """A fresh interpreter, so that a job's memory is its own and goes with it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, job, theirs))
    process.start()
    theirs.close()  # so that the pipe ends when the process does
    return ours, process


def _child(work: Callable[[Job], str], job: Job, end: Connection) -> None:
    try:
        end.send(work(job))
    except KeyboardInterrupt:  # the terminal's Ctrl-C reaches every process; the parent says what happened
        pass
    finally:
        end.close()


def _answer(end: Connection) -> str | None:
    try:
        return str(end.recv())
    except EOFError:
        return None
    finally:
        end.close()
