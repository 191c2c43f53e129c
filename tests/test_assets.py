"""Weights: found, downloaded once, continued, verified, and refused in words that say what to do."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from genbench.assets import Asset, HttpsRedirects, fetch, open_https
from genbench.errors import SetupError, UsageError

CONTENT = bytes(range(256)) * 40_000  # 10 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def open_loopback(request: Request) -> Any:
    """What tests give in place of `open_https`."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5)


class Server(ThreadingHTTPServer):
    """/good serves CONTENT; /cut breaks off after half of what is asked, once; /bad and /portal serve something else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self.cut_left = 1

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        body = {"/bad": b"\0" * 1000, "/portal": b"<html>Please log in</html>"}.get(self.path, CONTENT)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.path != "/whole" else 0
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.path == "/cut" and self.server.cut_left:
            self.server.cut_left -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body[start:])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GENBENCH_OFFLINE", raising=False)
    return tmp_path / "cache" / "weights"


def asset(server: Server, *paths: str, sha256: str = SHA256[:8]) -> Asset:
    return Asset(name="net.pth", urls=tuple(server.url(path) for path in paths), sha256=sha256, megabytes=10)


def test_downloads_once_and_remembers_the_full_hash(server: Server, cache: Path) -> None:
    first = fetch(asset(server, "/good"), open_url=open_loopback)
    second = fetch(asset(server, "/good"), open_url=open_loopback)
    assert first == second == (cache / "net.pth", SHA256)
    assert first.path.read_bytes() == CONTENT
    assert server.requests == [("/good", None)]
    assert (cache / "net.pth.sha256").read_text() == f"{SHA256}  net.pth\n"
    assert not (cache / "net.pth.partial").exists()


def test_a_cut_connection_is_continued(server: Server) -> None:
    assert fetch(asset(server, "/cut"), open_url=open_loopback).sha256 == SHA256
    assert server.requests == [("/cut", None), ("/cut", f"bytes={len(CONTENT) // 2}-")]


@pytest.mark.parametrize("path", ["/good", "/whole"])
def test_a_wrong_beginning_from_before_is_thrown_away(server: Server, cache: Path, path: str) -> None:
    cache.mkdir(parents=True)
    (cache / "net.pth.partial").write_bytes(b"\1" * 1000)
    assert fetch(asset(server, path), open_url=open_loopback).sha256 == SHA256


def test_a_complete_partial_file_only_needs_its_name(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "net.pth.partial").write_bytes(CONTENT)
    assert fetch(asset(server, "/good"), open_url=open_loopback).sha256 == SHA256


@pytest.mark.parametrize("first", ["/bad", "/portal", "/missing"])
def test_the_next_mirror_is_tried(server: Server, first: str) -> None:
    assert fetch(asset(server, first, "/good"), open_url=open_loopback).sha256 == SHA256


def test_wrong_content_everywhere_names_both_hashes(server: Server, cache: Path) -> None:
    with pytest.raises(SetupError, match="E-DOWNLOAD") as caught:
        fetch(asset(server, "/portal"), open_url=open_loopback)
    assert hashlib.sha256(b"<html>Please log in</html>").hexdigest() in str(caught.value)
    assert f"expected {SHA256[:8]}..." in str(caught.value)
    assert "--weights" in caught.value.hint
    assert not list(cache.glob("net.pth*[!k]"))  # only the lock stays


def test_a_cached_file_that_changed_is_fetched_again(server: Server, cache: Path) -> None:
    fetch(asset(server, "/good"), open_url=open_loopback)
    (cache / "net.pth").write_bytes(CONTENT[:-1])
    assert fetch(asset(server, "/good"), open_url=open_loopback).path.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_the_remembered_hash_is_stricter_than_the_prefix(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "net.pth").write_bytes(CONTENT)
    (cache / "net.pth.sha256").write_text(f"{SHA256[:8]}{'0' * 56}  net.pth\n")
    with pytest.raises(SetupError, match="0000"):
        fetch(asset(server, "/good"), open_url=open_loopback)


def test_a_file_put_into_the_cache_by_hand_is_used_offline(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBENCH_OFFLINE", "1")
    with pytest.raises(SetupError) as caught:
        fetch(asset(server, "/good"))
    assert caught.value.code == "E-OFFLINE"
    for needed in (server.url("/good"), "10 MB", str(cache / "net.pth"), "--weights FILE"):
        assert needed in caught.value.hint
    cache.mkdir(parents=True)
    (cache / "net.pth").write_bytes(CONTENT)
    assert fetch(asset(server, "/good")).sha256 == SHA256
    assert server.requests == []


def test_without_a_published_hash_the_first_content_is_remembered(server: Server, cache: Path) -> None:
    unknown = asset(server, "/good", sha256="")
    assert fetch(unknown, open_url=open_loopback).sha256 == SHA256
    (cache / "net.pth").write_bytes(b"other")
    assert fetch(unknown, open_url=open_loopback).path.read_bytes() == CONTENT  # what is there now is not what came first
    (cache / "net.pth").unlink()
    with pytest.raises(SetupError, match=f"expected {SHA256}"):
        fetch(asset(server, "/portal", sha256=""), open_url=open_loopback)


def test_without_a_published_hash_what_is_not_about_as_large_is_refused(server: Server, cache: Path) -> None:
    with pytest.raises(SetupError, match=r"/portal: 0 MB came, about 10 are expected"):
        fetch(asset(server, "/portal", sha256=""), open_url=open_loopback)
    assert not list(cache.glob("net.pth*[!k]"))
    assert fetch(asset(server, "/portal", "/good", sha256=""), open_url=open_loopback).sha256 == SHA256


def test_named_weights_come_first_whatever_their_hash(server: Server, tmp_path: Path) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes(b"own")
    assert fetch(asset(server, "/good"), weights=own) == (own, hashlib.sha256(b"own").hexdigest())
    with pytest.raises(UsageError, match=r"no weights file at .*absent\.pth"):
        fetch(asset(server, "/good"), weights=tmp_path / "absent.pth")


def test_a_disk_that_refuses_is_no_fault_of_the_mirror(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "file"))  # a file where a folder is needed
    with pytest.raises(SetupError, match="E-WRITE"):
        fetch(asset(server, "/good"), open_url=open_loopback)
    assert server.requests == []


def test_a_full_disk_stops_at_once(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (cache / "net.pth.partial").symlink_to(full)
    with pytest.raises(SetupError, match=r"E-WRITE.*[Nn]o space"):
        fetch(asset(server, "/good", "/good"), open_url=open_loopback)
    assert len(server.requests) == 1


def test_only_https_is_spoken_and_followed_to() -> None:
    with pytest.raises(SetupError, match="refused to download over http"):
        open_https(Request("http://example.org/net.pth"))
    redirect: Callable[..., Any] = HttpsRedirects().redirect_request
    request = Request("https://example.org/net.pth")
    with pytest.raises(urllib.error.HTTPError, match="refused a redirect to http:"):
        redirect(request, None, 302, "Found", {}, "http://example.org/elsewhere")
    assert redirect(request, None, 302, "Found", {}, "https://example.org/elsewhere") is not None


def _fetch_in_process(wanted: Asset, results: Any) -> None:
    results.put(fetch(wanted, open_url=open_loopback).sha256)


def test_four_processes_download_once(server: Server) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_fetch_in_process, args=(asset(server, "/good"), results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [SHA256] * 4
    for process in processes:
        process.join()
    assert server.requests == [("/good", None)]


def test_published_names_carry_the_hash_that_is_expected() -> None:
    from genbench.features.inception import WEIGHTS

    assert all(url.startswith("https://") and WEIGHTS.sha256 in url for url in WEIGHTS.urls)
