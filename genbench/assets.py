"""Weights that are too large for the package: found in the cache, or downloaded once, verified and kept there.

The order is: the file the user names, the cache, the published addresses one after the other. Nothing enters the cache
under its name before its SHA-256 is right, and a download that breaks off is continued where it stopped.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import logging
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.request import Request

import filelock

from genbench import files
from genbench.errors import SetupError, UsageError

TIMEOUT = 30.0  # seconds without an answer before the next attempt
ATTEMPTS = 3  # for each address, since a broken transfer is continued by the next attempt
CHUNK = 1 << 20  # bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A published file.

    name: of the file in the cache. urls: its addresses, tried in this order; each must give the same bytes.
    sha256: in hexadecimal, all of it or as many leading digits as are published. "" where none are: then a download must be
        about as large as said, and what the first one brought is remembered: later ones must bring the same.
    megabytes: about how large it is.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    megabytes: int


class Fetched(NamedTuple):
    """A file on this machine and the SHA-256 of its content."""

    path: Path
    sha256: str


OpenUrl = Callable[[Request], Any]  # -> a response as urllib's: read(n), status, headers; a context manager


def open_https(request: Request) -> Any:
    """The response to an https request; no other scheme is spoken, nor followed to by a redirect."""
    if request.type != "https":
        raise SetupError("E-DOWNLOAD", f"refused to download over {request.type}: {request.full_url}")
    return urllib.request.build_opener(HttpsRedirects).open(request, timeout=TIMEOUT)


class HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https addresses only."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if not newurl.lower().startswith("https://"):
            raise urllib.error.HTTPError(req.full_url, code, f"refused a redirect to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(asset: Asset, *, weights: Path | None = None, open_url: OpenUrl = open_https) -> Fetched:
    """The file of `asset`: `weights` where given, whatever its hash; else from the cache; else downloaded into it.

    Processes that ask at the same time download once. Raises UsageError when `weights` is no file; SetupError when offline
    and not in the cache (E-OFFLINE), when no address gives the right content (E-DOWNLOAD), when the disk refuses (E-WRITE).
    """
    if weights is not None:
        if not weights.is_file():
            raise UsageError("E-WEIGHTS", f"no weights file at {weights}", hint=f"give a file, or none to use {asset.name}")
        return Fetched(weights, files.sha256(weights))
    path = files.cache_root() / "weights" / asset.name
    cached = _cached(asset, path)
    if cached is None:
        if files.offline():
            raise SetupError("E-OFFLINE", f"{asset.name} is not in the cache and downloads are off", hint=_by_hand(asset, path))
        with _locked(path):
            cached = _cached(asset, path) or _download(asset, path, open_url)  # another process may have been quicker
    return cached


def _by_hand(asset: Asset, path: Path) -> str:
    return (
        f"fetch {asset.urls[0]} (about {asset.megabytes} MB) where there is a network and save it as {path}, "
        "or name the file with --weights FILE"
    )


def _cached(asset: Asset, path: Path) -> Fetched | None:
    """What the cache holds, if its content is right."""
    if not path.is_file():
        return None
    actual = files.sha256(path)
    return Fetched(path, actual) if actual.startswith(_expected(asset, path)) else None


def _record(path: Path) -> Path:
    """Where the full hash is kept, in the form that `sha256sum -c` reads."""
    return path.with_name(f"{path.name}.sha256")


def _expected(asset: Asset, path: Path) -> str:
    """The leading digits that the hash must have: all 64 once a download has shown them."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        recorded = _record(path).read_text().split(" ")[0]
        if re.fullmatch("[0-9a-f]{64}", recorded) and recorded.startswith(asset.sha256):
            return recorded
    return asset.sha256


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time; the lock of a process that died is free."""
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(asset: Asset, path: Path, open_url: OpenUrl) -> Fetched:
    """Try every address; the first that gives the right content wins."""
    expected = _expected(asset, path)
    partial = path.with_name(f"{path.name}.partial")
    failures = []
    for url in asset.urls:
        for _ in range(ATTEMPTS):
            log.info("downloading %s (about %d MB) from %s", asset.name, asset.megabytes, url)
            continued = partial.exists()
            try:
                _transfer(url, partial, open_url)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{url}: {error or type(error).__name__}")
                continue
            actual, size = files.sha256(partial), partial.stat().st_size / 1e6
            fits = actual.startswith(expected) if expected else 0.8 < size / asset.megabytes < 1.25
            if fits:
                return _keep(partial, path, actual)
            partial.unlink()
            if expected:
                failures.append(f"{url}: sha256 is {actual}, expected {expected}{'...' if len(expected) < 64 else ''}")
            else:
                failures.append(f"{url}: {size:.0f} MB came, about {asset.megabytes} are expected")
            if not continued:  # else the part from before may be the wrong one
                break
    raise SetupError(
        "E-DOWNLOAD", f"cannot download {asset.name}:\n  " + "\n  ".join(dict.fromkeys(failures)), hint=_by_hand(asset, path)
    )


def _transfer(url: str, partial: Path, open_url: OpenUrl) -> None:
    """Bring `partial` to its full length: from where it stops if the server can do that, else from the start.

    Raises OSError or HTTPException for the network's faults, SetupError for the disk's.
    """
    have = partial.stat().st_size if partial.exists() else 0
    request = Request(url, headers={"User-Agent": "genbench"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = open_url(request)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to send; the hash tells whether what is here is right
        raise
    with response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if continues and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise ConnectionError(f"asked for bytes from {have} on, got {response.headers.get('Content-Range')}")
        length = response.headers.get("Content-Length")
        got = _save(response, partial, "ab" if continues else "wb")
    if length is not None and got < int(length):
        raise ConnectionError(f"the connection ended after {got} of {length} bytes")


def _save(response: Any, partial: Path, mode: Literal["ab", "wb"]) -> int:
    """Write what the response sends; returns how many bytes that were."""
    got = 0
    with _writing(partial):
        file = open(partial, mode)
    with file:
        while chunk := response.read(CHUNK):
            with _writing(partial):
                file.write(chunk)
                file.flush()
            got += len(chunk)
    return got


def _keep(partial: Path, path: Path, sha256: str) -> Fetched:
    """Give the verified file its name, and remember its full hash."""
    with _writing(path):
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    files.write_atomic(_record(path), f"{sha256}  {path.name}\n")
    return Fetched(path, sha256)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """An error of the disk is not one of the network: no other address would help."""
    try:
        yield
    except OSError as error:
        raise files.cannot_write(path, error) from error
