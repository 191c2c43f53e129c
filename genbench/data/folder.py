"""A folder of image files, searched to its leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from genbench.data.base import MAX_ENCODED, BadImageError, ImageSource
from genbench.data.names import byte_order, printable, why_ignored
from genbench.errors import DataError


class FolderSource(ImageSource):
    """All images below `root`, in byte order of their relative POSIX names.

    Links to files inside the folder are read. Links that lead out of it, lead nowhere or lead to folders are ignored and
    counted: a folder inside is found under its own name anyway, so no link can make the search go round in circles.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        super().__init__(name=self._root.name or "/", kind="folder")
        self._names = sorted(self._search(), key=byte_order)

    def __len__(self) -> int:
        return len(self._names)

    def item_name(self, index: int) -> str:
        return printable(self._names[index])

    def read(self, index: int) -> bytes:
        try:
            with open(self._root / self._names[index], "rb") as file:
                data = file.read(MAX_ENCODED + 1)
        except OSError as error:
            raise BadImageError("E-BAD-IMAGE", f"cannot be read ({error.strerror})") from error
        if len(data) > MAX_ENCODED:
            raise BadImageError("E-BAD-IMAGE", f"the file has more than {MAX_ENCODED >> 20} MB")
        return data

    def _search(self) -> Iterator[str]:
        """Relative names of the images; everything else is counted in `ignored`."""
        folders = [""]  # relative, "" or ending in "/"
        while folders:
            folder = folders.pop()
            for entry in self._entries(folder):
                name = folder + entry.name
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    folders.append(f"{name}/")
                    continue
                reason = self._why_no_file(entry) or why_ignored(name)
                if reason is None:
                    yield name
                else:
                    self.ignored[reason] += 1

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as entries:
                return list(entries)
        except OSError as error:
            where = printable(folder) or self.name
            raise DataError("E-NO-PATH", f"cannot list {where}: {error.strerror}", hint="check its permissions") from error

    def _why_no_file(self, entry: os.DirEntry[str]) -> str | None:
        """What an entry is that must not be opened, whatever its name; None for a file, and for a (hidden) folder."""
        if not entry.is_symlink():
            return None if entry.is_file() or entry.is_dir() else "special file"
        try:
            mode = entry.stat().st_mode
        except OSError:  # no target, or links that point at each other
            return "link to nowhere"
        if stat.S_ISDIR(mode):
            return "link to a folder"
        if not Path(entry.path).resolve().is_relative_to(self._root):
            return "link that leads outside"
        return None if stat.S_ISREG(mode) else "special file"
