"""Names of files: which are images, in which order, and how they are shown."""

from __future__ import annotations

from pathlib import PurePosixPath

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".gif")


def byte_order(name: str) -> bytes:
    """The key to sort by: the bytes of the name, so that neither locale nor operating system changes the order."""
    return name.encode("utf-8", "surrogateescape")


def printable(name: str) -> str:
    """`name` for messages and results: control characters and bytes that are not UTF-8 are shown as escapes."""
    text = byte_order(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def why_ignored(name: str) -> str | None:
    """Why a relative POSIX name is not looked at: "hidden", its extension, "no extension". None for an image."""
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return "hidden"
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return None
    return printable(suffix)[:16] or "no extension"
