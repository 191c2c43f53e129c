"""Images in a zip or tar, read member by member and never extracted.

Archives come from strangers: names are only names, sizes are counted while reading because declared sizes lie, links and
devices are not followed.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from genbench.data.base import MAX_ENCODED, BadImageError, ImageSource, Kind
from genbench.data.names import byte_order, printable, why_ignored
from genbench.data.spool import SharedFile, Spool
from genbench.errors import DataError

MAX_MEMBERS = 10_000_000
MAX_TOTAL = 2**40  # bytes of all members together
MAX_RATIO = 200  # bytes out per byte in; images hardly compress ...
RATIO_FROM = 10 * 2**20  # ... but a small one in a single colour does

OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": gzip.open,
    ".tgz": gzip.open,
    ".bz2": bz2.open,
    ".tbz2": bz2.open,
    ".xz": lzma.open,
    ".txz": lzma.open,
}
BROKEN = (OSError, EOFError, ValueError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


class ZipSource(ImageSource):
    """All images in a zip, in byte order of their names."""

    def __init__(self, path: Path, *, name: str | None = None, kind: Kind = "zip") -> None:
        super().__init__(name=name or path.name, kind=kind)
        self._path = path.absolute()  # worker processes may have another working folder
        archive = open_zip(path)
        self._size = path.stat().st_size
        self._open: tuple[int, zipfile.ZipFile] = (os.getpid(), archive)
        check_totals(self.name, archive.infolist())
        images = [info for info in archive.infolist() if self._is_image(info)]
        self._members = sorted(images, key=lambda info: byte_order(info.filename))
        for info in self._members:
            self._check_sizes(info)

    def __len__(self) -> int:
        return len(self._members)

    def item_name(self, index: int) -> str:
        return printable(self._members[index].filename)

    def member_names(self) -> list[str]:
        """Names of the images as they are, in order."""
        return [info.filename for info in self._members]

    def read(self, index: int) -> bytes:
        try:
            with self._archive().open(self._members[index]) as stream:
                return stream.read(MAX_ENCODED + 1)  # never more than the declared size, which was checked
        except BROKEN as error:
            raise BadImageError("E-BAD-IMAGE", f"damaged in the archive ({error})") from error

    def _archive(self) -> zipfile.ZipFile:
        """The open archive of this process; a forked one must not share the parent's position in the file."""
        process, archive = self._open
        if process != os.getpid():
            archive = open_zip(self._path)
            self._open = (os.getpid(), archive)
        return archive

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": (-1, None)}

    def _is_image(self, info: zipfile.ZipInfo) -> bool:
        check_name(self.name, info.orig_filename)
        if info.is_dir():
            return False
        reason = why_ignored(info.filename) or ("link" if stat.S_ISLNK(info.external_attr >> 16) else None)
        if reason is not None:
            self.ignored[reason] += 1
        return reason is None

    def _check_sizes(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & 1:
            raise encrypted(self.name)
        compressed = min(info.compress_size, self._size)
        if info.file_size > MAX_ENCODED or info.file_size > max(RATIO_FROM, MAX_RATIO * compressed):
            raise bomb(f"{self.name}: {printable(info.filename)} unpacks to {info.file_size:,} bytes from {compressed:,}")


class TarSource(ImageSource):
    """All images in a tar, in byte order of their names. A compressed one is unpacked once to a nameless temporary file."""

    def __init__(self, path: Path) -> None:
        super().__init__(name=path.name, kind="tar")
        opener = OPENERS.get(path.suffix.lower())
        try:
            file = open(path, "rb") if opener is None else _unpacked(path, opener)
            self._members = sorted(self._search(file), key=lambda member: byte_order(member[0]))
        except BROKEN as error:
            raise unreadable(self.name, error) from error
        self._file = SharedFile(file)

    def __len__(self) -> int:
        return len(self._members)

    def item_name(self, index: int) -> str:
        return printable(self._members[index][0])

    def read(self, index: int) -> bytes:
        _, offset, size = self._members[index]
        data = self._file.read(offset, size)
        if len(data) < size:
            raise BadImageError("E-BAD-IMAGE", f"the archive ends after {len(data):,} of {size:,} bytes")
        return data

    def _search(self, file: BinaryIO) -> Iterator[tuple[str, int, int]]:
        """(name, offset, size) of the images."""
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for count, member in enumerate(archive, 1):
                archive.members = []  # type: ignore[attr-defined]  # or tarfile keeps every header
                if count > MAX_MEMBERS:
                    raise bomb(f"{self.name} has more than {MAX_MEMBERS:,} members")
                check_name(self.name, member.name)
                if self._is_image(member):
                    yield member.name, member.offset_data, member.size
            _check_end(file, archive.offset)

    def _is_image(self, member: tarfile.TarInfo) -> bool:
        if member.isdir():
            return False
        reason = why_ignored(member.name) or _why_no_file(member)
        if reason is not None:
            self.ignored[reason] += 1
        elif member.size > MAX_ENCODED:
            raise bomb(f"{self.name}: {printable(member.name)} has {member.size:,} bytes")
        return reason is None


def open_zip(path: Path) -> zipfile.ZipFile:
    """Raises DataError for what is no zip."""
    try:
        return zipfile.ZipFile(path)
    except BROKEN as error:
        raise unreadable(path.name, error) from error


def check_totals(archive: str, members: list[zipfile.ZipInfo]) -> None:
    """Raises DataError for an archive of absurd size."""
    total = sum(info.file_size for info in members)
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL:
        raise bomb(f"{archive} holds {len(members):,} members of {total:,} bytes in all")


def check_name(archive: str, name: str) -> None:
    """Raises DataError for a member whose name could leave a folder, or that hides something from the reader."""
    parts = re.split(r"[/\\]", name)
    leaves = ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", name)
    if leaves or any(ord(char) < 32 or ord(char) == 127 for char in name):
        hint = "archives with such names are refused; pack the images again"
        raise DataError("E-ARCHIVE-NAME", f"{archive} has a member with the unsafe name '{printable(name)}'", hint=hint)


def bomb(what: str) -> DataError:
    hint = "if the images are real, unpack the archive and pass the folder"
    return DataError("E-BOMB", f"{what}: refused as a decompression bomb", hint=hint)


def encrypted(archive: str) -> DataError:
    return DataError("E-ENCRYPTED", f"{archive} is encrypted", hint="unpack it with its password and pass the folder")


def unreadable(archive: str, error: Exception) -> DataError:
    return DataError("E-ARCHIVE", f"{archive} cannot be read as an archive: {error}", hint="was it copied completely?")


def _why_no_file(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "link"
    return None if member.isreg() and not member.issparse() else "special file"


def _check_end(file: BinaryIO, offset: int) -> None:
    """tarfile takes a damaged header for the end of the archive; what follows the real end is zeros or nothing."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"damaged header at byte {offset:,}")


def _unpacked(path: Path, opener: Callable[[BinaryIO], Any]) -> BinaryIO:
    """The decompressed content, in a temporary file; stops where it grows out of all proportion."""
    spool = Spool()
    with open(path, "rb") as packed, opener(packed) as stream:
        while block := stream.read(2**20):
            spool.write(block)
            if spool.size > max(RATIO_FROM, MAX_RATIO * packed.tell()) or spool.size > MAX_TOTAL:
                raise bomb(f"{path.name} unpacks to more than {spool.size:,} bytes from {packed.tell():,}")
    return spool.finish()
