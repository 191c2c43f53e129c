"""No vote is lost, none counts twice: repeated, from many threads and processes, and when a writer is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from studies import pairwise, vote, votes

from genbench.errors import DataError, SetupError
from genbench.study.store import FILE, Count, Store, kept_votes
from genbench.study.turns import turns_of

WRITER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from studies import vote
from genbench.study.document import load_study
from genbench.study.store import FILE, Store
from genbench.study.turns import turns_of
folder = Path(sys.argv[1])
study = load_study(folder)
store = Store(folder / FILE, study.id)
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    for turn in turns_of(study, "r"):
        cast = vote(study, turn, rater=f"{{sys.argv[2]}}-{{number}}")
        assert store.add(cast)
        print(cast.id, flush=True)
"""


def writer(folder: Path, name: str, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name, str(times)], stdout=subprocess.PIPE, text=True)


def test_a_vote_that_is_sent_again_is_one_vote(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    first, second = votes(study)[:2]
    with closing(Store(folder / FILE, study.id)) as store:
        assert [store.add(first) for _ in range(3)] == [True] * 3
        assert store.add(second)
        assert store.count() == Count(votes=2, raters=1)
        assert list(store.votes()) == [first, second]


def test_the_first_answer_stays(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    turns = turns_of(study, "r1")
    first = vote(study, turns[0], choice="left")
    with closing(Store(folder / FILE, study.id)) as store:
        assert store.add(first)
        assert not store.add(vote(study, turns[0], id="another", choice="right"))
        assert not store.add(vote(study, turns[1], id=first.id)), "an id belongs to one question"
        assert not store.add(vote(study, turns[0], id=first.id, rater="r2")), "and to one rater"
        assert list(store.votes()) == [first]
        assert store.answered("r1") == [turns[0].question.id]
        assert store.answered("r2") == []


def test_votes_outlive_the_store(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    assert kept_votes(folder, study.id) == []
    cast = votes(study)
    with closing(Store(folder / FILE, study.id)) as store:
        for one in cast:
            store.add(one)
    assert kept_votes(folder, study.id) == cast


def test_many_threads_write_at_once(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    with closing(Store(folder / FILE, study.id)) as store:

        def answer(rater: str) -> None:
            for one in votes(study, rater) * 2:
                assert store.add(one)

        threads = [threading.Thread(target=answer, args=(f"r{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.count() == Count(votes=8 * len(study.questions), raters=8)


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    writers = [writer(folder, name, 3) for name in "ab"]
    told = [line.strip() for one in writers for line in one.communicate()[0].splitlines() if line != "ready"]
    assert [one.returncode for one in writers] == [0, 0]
    kept = [one.id for one in kept_votes(folder, study.id)]
    assert len(kept) == len(set(kept)) == 2 * 3 * len(study.questions)
    assert set(told) == set(kept)


def test_killed_in_the_middle_no_acknowledged_vote_is_lost(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    one = writer(folder, "killed", 100_000)
    assert one.stdout is not None
    told = [one.stdout.readline().strip() for _ in range(40)][1:]
    one.send_signal(signal.SIGKILL)
    told += one.communicate()[0].splitlines()[:-1]  # the last line may be half
    assert one.returncode == -signal.SIGKILL
    kept = [cast.id for cast in kept_votes(folder, study.id)]
    assert len(told) >= 38
    assert set(told) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(told) + 2, "at most the last ones were not told"
    with closing(Store(folder / FILE, study.id)) as store:
        assert store.add(votes(study, "later")[0])


def read_as_nobody(folder: Path, study: str, expected: int) -> bool:
    """Whether a process that may write nothing there reads so many votes."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            writable = os.access(folder, os.W_OK)
            os._exit(int(writable or len(kept_votes(folder, study)) != expected))
        except BaseException:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may look into, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_reading_needs_no_writable_folder_and_leaves_nothing(public: Path) -> None:
    study, folder = pairwise(public)
    store = Store(folder / FILE, study.id)
    first, second = votes(study)[:2]
    store.add(first)
    folder.chmod(0o555)
    assert read_as_nobody(folder, study.id, 1), "while a server runs"
    folder.chmod(0o755)
    store.add(second)
    store.close()
    (folder / f"{FILE}.lock").unlink()
    before = sorted(path.name for path in folder.iterdir())
    folder.chmod(0o555)
    assert read_as_nobody(folder, study.id, 2)
    assert len(kept_votes(folder, study.id)) == 2
    folder.chmod(0o755)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_holds_no_votes_of_this_study_is_refused(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    Store(folder / FILE, study.id).close()
    with pytest.raises(DataError, match="votes of another study"):
        Store(folder / FILE, "0123456789abcdef")
    assert kept_votes(folder, study.id) == []
    with pytest.raises(DataError, match="votes of another study"):
        kept_votes(folder, "0123456789abcdef")
    (folder / "text").write_text("no database, whatever its name says" * 100)
    with pytest.raises(DataError, match="holds no votes"):
        Store(folder / "text", study.id)
    (folder / "text").replace(folder / FILE)
    with pytest.raises(DataError, match="cannot read votes"):
        kept_votes(folder, study.id)
    (folder / FILE).write_bytes(b"")  # of a server that was killed as it began
    assert kept_votes(folder, study.id) == []
    with pytest.raises(SetupError, match="cannot open"):
        Store(tmp_path / "nowhere" / FILE, study.id)


@pytest.mark.parametrize("name", [FILE, f"{FILE}.lock"])
def test_a_link_in_the_folder_of_a_stranger_is_not_written_through(name: str, tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    mine = tmp_path / "mine"
    mine.write_text("of somebody else")
    (folder / name).symlink_to(mine)
    with pytest.raises(DataError, match="is a link to another file"):
        Store(folder / FILE, study.id)
    assert mine.read_text() == "of somebody else"
