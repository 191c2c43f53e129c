from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from making import encoded, load, pixels

from genbench.data import archive
from genbench.data.archive import TarSource, ZipSource
from genbench.data.base import BadImageError, ImageSource, Policy
from genbench.data.open import open_images
from genbench.errors import DataError

Members = Iterable[tuple[str, bytes]]


def write_zip(path: Path, members: Members, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def write_tar(path: Path, members: Members) -> Path:
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w:")
    with tarfile.open(path, mode) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


IMAGES = [(name, encoded(pixels(seed))) for seed, name in enumerate(["b.png", "a/2.png", "a/10.png", "ü.png"])]
ORDER = ["a/10.png", "a/2.png", "b.png", "ü.png"]
OTHERS = [("notes.txt", b"x"), ("__MACOSX/._b.png", b"x"), ("README", b"x")]


def names(source: ImageSource) -> list[str]:
    return [source.item_name(index) for index in range(len(source))]


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tgz", "s.tar.bz2", "s.tar.xz"])
def test_members_in_byte_order(tmp_path: Path, name: str) -> None:
    write = write_zip if name.endswith("zip") else write_tar
    source = open_images(write(tmp_path / name, [*IMAGES, *OTHERS]), policy=Policy())
    assert names(source) == ORDER
    assert [source.read(index) for index in range(4)] == [dict(IMAGES)[name] for name in ORDER]
    assert source.ignored == {".txt": 1, "hidden": 1, "no extension": 1}
    assert (source.name, source.kind) == (name, "zip" if name == "s.zip" else "tar")


def test_a_zip_travels_to_other_processes(tmp_path: Path) -> None:
    source = ZipSource(write_zip(tmp_path / "s.zip", IMAGES))
    assert pickle.loads(pickle.dumps(source)).read(0) == source.read(0)


def test_a_forked_reader_has_its_own_position(tmp_path: Path) -> None:
    sources = ZipSource(write_zip(tmp_path / "s.zip", IMAGES)), TarSource(write_tar(tmp_path / "s.tgz", IMAGES))
    child = os.fork()
    if child == 0:
        os._exit(0 if all(source.read(0) == dict(IMAGES)["a/10.png"] for source in sources for _ in range(200)) else 1)
    assert all(source.read(1) == dict(IMAGES)["a/2.png"] for source in sources for _ in range(200))
    assert os.waitpid(child, 0)[1] == 0


def test_processes_that_are_not_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbench.data.workers._start_method", lambda: "forkserver")
    path = write_tar(tmp_path / "s.tgz", IMAGES)
    assert load(path, batch_size=1, workers=2).equal(load(path))


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "a/../../evil.png",
        "/etc/evil.png",
        "C:evil.png",
        "C:\\evil.png",
        "..\\evil.png",
        "a\nb.png",
        "a\x1bb.png",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_unsafe_names_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    write = write_zip if kind == "zip" else write_tar
    path = write(tmp_path / f"s.{kind}", [*IMAGES, (name, b"")])
    with pytest.raises(DataError, match="unsafe name") as caught:
        open_images(path, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-ARCHIVE-NAME", 5)
    assert caught.value.message.isprintable()


def test_name_with_a_hidden_end_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", [("evil.pngX.txt", b"")])
    path.write_bytes(path.read_bytes().replace(b"evil.pngX.txt", b"evil.png\0.txt"))
    with pytest.raises(DataError, match=r"unsafe name 'evil\.png\\x00\.txt'"):
        open_images(path, policy=Policy())


def test_links_and_devices_are_ignored(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as file:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("d.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    source = TarSource(tmp_path / "s.tar")
    assert len(source) == 0
    assert source.ignored == {"link": 2, "special file": 1}
    link = zipfile.ZipInfo("l.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert ZipSource(tmp_path / "s.zip").ignored == {"link": 1}


def test_encrypted_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", IMAGES[:1])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"s\.zip is encrypted") as caught:
        open_images(path, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-ENCRYPTED", 5)


def test_zip_bomb_that_declares_its_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", [("a.bmp", bytes(20 * 2**20))])
    with pytest.raises(DataError, match=r"a\.bmp unpacks to 20,971,520 bytes from .*decompression bomb") as caught:
        open_images(path, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-BOMB", 5)


def lie_about_size(path: Path, size: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, size)
    path.write_bytes(data)


def test_zip_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", [("a.bmp", bytes(20 * 2**20))])
    lie_about_size(path, 1000)
    source = ZipSource(path)
    with pytest.raises(BadImageError, match="damaged in the archive"):
        source.read(0)


def test_zip_member_of_absurd_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", IMAGES[:1])
    lie_about_size(path, 2**31)
    with pytest.raises(DataError, match=r"unpacks to 2,147,483,648 bytes"):
        open_images(path, policy=Policy())


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    for path in (write_zip(tmp_path / "s.zip", IMAGES), write_tar(tmp_path / "s.tar", IMAGES)):
        with pytest.raises(DataError, match="decompression bomb"):
            open_images(path, policy=Policy())


def test_total_of_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL", 100)
    with pytest.raises(DataError, match="holds 4 members of"):
        open_images(write_zip(tmp_path / "s.zip", IMAGES), policy=Policy())


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_tar_bomb(tmp_path: Path, suffix: str) -> None:
    path = write_tar(tmp_path / f"s.tar.{suffix}", [("a.bmp", bytes(30 * 2**20))])
    with pytest.raises(DataError, match="decompression bomb") as caught:
        open_images(path, policy=Policy())
    assert caught.value.code == "E-BOMB"


def test_tar_member_of_absurd_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENCODED", 50)
    with pytest.raises(DataError, match=r"b\.png has \d+ bytes: refused"):
        open_images(write_tar(tmp_path / "s.tar", IMAGES), policy=Policy())


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tar.xz"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 50, None])
def test_what_is_no_archive(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    whole = (write_zip if name == "s.zip" else write_tar)(path, IMAGES).read_bytes()
    path.write_bytes(whole[: len(whole) // 3] if content is None else content)
    with pytest.raises(DataError, match="cannot be read as an archive") as caught:
        open_images(path, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-ARCHIVE", 5)


def test_tar_with_a_damaged_header_in_the_middle(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "s.tar", IMAGES)
    data = bytearray(path.read_bytes())
    data[1024 + 10] ^= 0xFF  # the second member's name no longer fits its checksum
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged header at byte 1,024"):
        open_images(path, policy=Policy())


def test_damaged_member_is_skipped_by_name(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "s.zip", IMAGES, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 5] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"b\.png: damaged in the archive"):
        load(path)
    assert len(load(path, on_bad="skip")) == 3
