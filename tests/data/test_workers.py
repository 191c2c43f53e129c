from __future__ import annotations

import os
import signal

import pytest
import torch

from genbench.data import workers
from genbench.data.workers import in_order
from genbench.errors import DataError, SetupError


def square(index: int) -> int:
    return index * index


def fail_at_three(index: int) -> int:
    if index == 3:
        raise DataError("E-TEST", "three", hint="skip it")
    return index


def buggy(index: int) -> int:
    return 1 // (index - 1)


def die(index: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return index


def threads(_: int) -> int:
    return torch.get_num_threads()


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.parametrize("processes", [0, 1, 2])
def test_results_in_order(count: int, processes: int) -> None:
    assert list(in_order(square, count, processes)) == [square(index) for index in range(count)]


@pytest.mark.parametrize("processes", [0, 2])
def test_our_errors_keep_code_and_hint(processes: int) -> None:
    results = in_order(fail_at_three, 9, processes)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="three") as caught:
        next(results)
    assert (caught.value.code, caught.value.hint) == ("E-TEST", "skip it")


@pytest.mark.parametrize("processes", [0, 2])
def test_bugs_stay_bugs(processes: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(buggy, 4, processes))


def test_a_worker_that_dies() -> None:
    with pytest.raises(SetupError, match="a worker process died") as caught:
        list(in_order(die, 4, 2))
    assert (caught.value.code, caught.value.exit_code) == ("E-WORKER", 6)
    assert "--workers 0" in caught.value.hint


def test_one_thread_per_worker() -> None:
    assert set(in_order(threads, 4, 2)) == {1}


def test_what_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_start_method", lambda: "spawn")
    with pytest.raises(SetupError, match="cannot be sent to worker processes"):
        list(in_order(lambda index: index, 4, 2))


def test_no_fork_of_a_process_that_uses_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert workers._start_method() == "fork"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert workers._start_method() == "forkserver"
