"""Bytes at a place in a file, for any number of processes at once; and temporary files that nobody has to remove."""

from __future__ import annotations

import os
import tempfile
from multiprocessing import reduction
from typing import Any, BinaryIO

from genbench.errors import SetupError


class SharedFile:
    """An open file read by position, so that processes that share it do not move each other's.

    It travels to other processes as a file descriptor: a file that was changed, replaced or removed meanwhile, or never
    had a name, is still the same file there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        return os.pread(self._file.fileno(), size, offset)

    def __getstate__(self) -> Any:
        return reduction.DupFd(self._file.fileno())

    def __setstate__(self, duplicate: Any) -> None:
        self._file = os.fdopen(duplicate.detach(), "rb")


class Spool:
    """A temporary file without a name: written once from front to back, gone when the last process lets go of it."""

    def __init__(self) -> None:
        try:
            self.file: BinaryIO = tempfile.TemporaryFile(prefix="genbench-")
        except OSError as error:
            raise self._full(error) from error
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Append; returns where the data begins. Raises SetupError where the disk is full."""
        begin = self.size
        try:
            self.file.write(data)
        except OSError as error:
            raise self._full(error) from error
        self.size += memoryview(data).nbytes
        return begin

    def finish(self) -> BinaryIO:
        """The file, complete, at its beginning."""
        try:
            self.file.seek(0)
        except OSError as error:
            raise self._full(error) from error
        return self.file

    def _full(self, error: OSError) -> SetupError:
        hint = "free space there, or set TMPDIR to a folder with room"
        return SetupError("E-WRITE", f"cannot write to the temporary folder: {error.strerror or error}", hint=hint)
