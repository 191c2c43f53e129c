"""Files: atomic writes, hashes, the cache's place, and data that travels with the package."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from genbench.errors import SetupError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on success it is synced and takes `path`'s name in one step, else it is removed.

    A reader, or a process killed at any moment, sees the old file, the new file or none; never half of one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path` in one step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def cannot_write(path: Path, error: OSError) -> SetupError:
    return SetupError("E-WRITE", f"cannot write {path}: {error.strerror or error}", hint="free space or choose another place")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_root() -> Path:
    """Where weights and features are kept: $GENBENCH_CACHE, else the user's cache folder. Read at call time."""
    return Path(os.environ.get("GENBENCH_CACHE") or platformdirs.user_cache_path("genbench"))


def data_root() -> Path:
    """Where named datasets are looked for and downloaded to: $GENBENCH_DATA, else a folder of the cache."""
    return Path(os.environ.get("GENBENCH_DATA") or cache_root() / "data")


def offline() -> bool:
    """Whether downloads are refused: $GENBENCH_OFFLINE is set to anything but 0."""
    return os.environ.get("GENBENCH_OFFLINE", "0") not in ("", "0")


@contextlib.contextmanager
def offline_unless(asked: bool) -> Iterator[None]:
    """Refuse downloads, in worker processes too, while something is opened that a document names and no user asked for."""
    before = os.environ.get("GENBENCH_OFFLINE")
    if not asked:
        os.environ["GENBENCH_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("GENBENCH_OFFLINE", None)
        else:
            os.environ["GENBENCH_OFFLINE"] = before


def package_data(folder: str) -> Path:
    """A folder that wheels carry inside the package and a checkout holds beside it, such as "reference_stats"."""
    inside = Path(__file__).parent / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder
