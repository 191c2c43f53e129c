"""Votes on disk: SQLite, one row for each rater and question. `add` returns after the vote has reached the disk, not before."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from genbench.errors import DataError, SetupError
from genbench.study.votes import Vote

FILE = "votes.sqlite"
PATIENCE = 30.0  # seconds to wait for another process that is writing
TABLES = """
CREATE TABLE IF NOT EXISTS study (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS votes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    rater TEXT NOT NULL,
    question TEXT NOT NULL,
    vote TEXT NOT NULL,
    UNIQUE (rater, question)
);
"""


class Count(NamedTuple):
    """Votes that are kept, and the people who gave them."""

    votes: int
    raters: int


class Store:
    """The votes of one study. Threads may share a store, and processes the file.

    A power cut or `kill -9` loses no vote that `add` has returned for: the journal is written ahead and synced at each commit.
    """

    def __init__(self, path: Path, study: str) -> None:
        """Open or make the file. Raises DataError where it is no such file or holds votes of another study."""
        self._lock = threading.Lock()
        opening = path.with_name(f"{path.name}.lock")
        for file in (path, opening):
            if file.is_symlink():  # a study may be a stranger's, and both are written to
                raise DataError("E-VOTES", f"{file} is a link to another file", hint="move it away; a new one is made")
        try:
            self._base = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            # SQLite waits for other writers, but not for another opening that changes the mode of the journal.
            with FileLock(opening):
                self._base.execute("PRAGMA journal_mode = WAL")
                self._base.execute("PRAGMA synchronous = FULL")
                self._base.executescript(TABLES)
                self._base.execute("INSERT INTO study SELECT ? WHERE NOT EXISTS (SELECT 1 FROM study)", (study,))
            _check_study(self._base, path, study)
        except (sqlite3.OperationalError, OSError) as error:
            raise SetupError("E-WRITE", f"cannot open {path}: {error}", hint="choose a folder that can be written") from error
        except sqlite3.DatabaseError as error:
            raise DataError("E-VOTES", f"{path} holds no votes: {error}", hint="move it away; a new one is made") from error
        except DataError:
            self.close()
            raise

    def add(self, vote: Vote) -> bool:
        """Keep a vote. True where this very vote is on disk now, however often it is sent; False where its rater had answered
        the question before, or its id is another vote's: then the first one stays.

        Raises sqlite3.Error where the disk cannot take it.
        """
        row = (vote.id, vote.rater, vote.question, vote.to_json())
        with self._lock:
            self._base.execute("INSERT OR IGNORE INTO votes (id, rater, question, vote) VALUES (?, ?, ?, ?)", row)
            found = self._base.execute("SELECT rater, question FROM votes WHERE id = ?", (vote.id,)).fetchone()
        return bool(found == (vote.rater, vote.question))

    def answered(self, rater: str) -> list[str]:
        """The questions that a rater has answered."""
        with self._lock:
            rows = self._base.execute("SELECT question FROM votes WHERE rater = ? ORDER BY number", (rater,)).fetchall()
        return [question for (question,) in rows]

    def votes(self) -> Iterator[Vote]:
        """All votes, in the order in which they came."""
        with self._lock:
            return _votes(self._base)

    def count(self) -> Count:
        with self._lock:
            return Count(*self._base.execute("SELECT count(*), count(DISTINCT rater) FROM votes").fetchone())

    def close(self) -> None:
        with self._lock:
            self._base.close()


def kept_votes(folder: Path, study: str) -> list[Vote]:
    """The votes in the folder of a study; none where nobody has voted. A server may be running meanwhile.

    Nothing is written, so the folder may be one that cannot be. Raises DataError where the file cannot be read or holds votes
    of another study.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    # Without a journal nobody is writing, and SQLite need not make one to read.
    journal = path.with_name(f"{path.name}-wal").exists()
    address = f"{path.resolve().as_uri()}?mode=ro{'' if journal else '&immutable=1'}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE)) as base:
            if not base.execute("SELECT 1 FROM sqlite_master").fetchone():
                return []  # its server was killed before anybody could vote
            _check_study(base, path, study)
            return list(_votes(base))
    except sqlite3.DatabaseError as error:
        hint = "check that it is the file of a study; where its folder cannot be written, copy the whole folder"
        raise DataError("E-VOTES", f"cannot read votes from {path}: {error}", hint=hint) from error


def _check_study(base: sqlite3.Connection, path: Path, study: str) -> None:
    if base.execute("SELECT id FROM study").fetchall() != [(study,)]:
        raise DataError("E-VOTES", f"{path} holds votes of another study", hint="move it away; a new one is made")


def _votes(base: sqlite3.Connection) -> Iterator[Vote]:
    """All votes, in the order in which they came."""
    rows = base.execute("SELECT vote FROM votes ORDER BY number").fetchall()
    return (Vote.model_validate_json(text) for (text,) in rows)
