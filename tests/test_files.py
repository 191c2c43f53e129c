"""Atomic writes: the old file, the new file or none; never half of one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genbench import files
from genbench.errors import SetupError


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    files.write_atomic(path, "old")

    def write_half() -> None:
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot write") as caught:
        files.write_atomic(tmp_path / "file" / "result.json", "new")
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_offline_lasts_as_long_as_it_is_wanted(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("GENBENCH_OFFLINE")
    if before is not None:
        monkeypatch.setenv("GENBENCH_OFFLINE", before)
    with files.offline_unless(asked=True):
        assert files.offline() == (before == "1")
    with files.offline_unless(asked=False):
        assert files.offline()
    assert os.environ.get("GENBENCH_OFFLINE") == before


WRITER = """
import sys
from pathlib import Path
from genbench.files import write_atomic
count = 0
while True:
    count += 1
    write_atomic(Path(sys.argv[1]), str(count % 10) * 200_000)
    print(count, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path, chance = tmp_path / "data", random.Random(0)
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()  # it has written at least once
        time.sleep(chance.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_text()
        assert len(content) == 200_000
        assert len(set(content)) == 1
