from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from making import encoded, pixels

from genbench.data.base import BadImageError, Policy
from genbench.data.folder import FolderSource
from genbench.data.open import open_images
from genbench.data.survey import survey
from genbench.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "samples"
    for name in ("b.png", "a/2.png", "a/10.png", "c/d/e.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(pixels(len(name)), "JPEG" if name.endswith("jpg") else "PNG"))
    return root


def names(source: FolderSource) -> list[str]:
    return [source.item_name(index) for index in range(len(source))]


def test_recursive_in_byte_order(folder: Path) -> None:
    source = FolderSource(folder)
    assert names(source) == ["a/10.png", "a/2.png", "b.png", "c/d/e.jpg"]
    assert source.read(2) == (folder / "b.png").read_bytes()
    assert (source.name, source.kind) == ("samples", "folder")


def test_what_is_no_image_is_counted_by_reason(folder: Path) -> None:
    for name in (".hidden.png", "notes.txt", "more.txt", "README"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "a.png").write_text("x")
    os.mkfifo(folder / "pipe.png")
    source = FolderSource(folder)
    assert len(source) == 4
    assert source.ignored == {"hidden": 2, ".txt": 2, "no extension": 1, "special file": 1}


def test_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(encoded(pixels(0)))
    (folder / "a" / "link.png").symlink_to("../b.png")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "dangling.png").symlink_to("nothing.png")
    (folder / "round.png").symlink_to("round.png")
    (folder / "loop").symlink_to(".")
    (folder / "folder.png").symlink_to("a")
    source = FolderSource(folder)
    assert names(source) == ["a/10.png", "a/2.png", "a/link.png", "b.png", "c/d/e.jpg"]
    assert source.ignored == {"link that leads outside": 1, "link to nowhere": 2, "link to a folder": 2}


def test_a_folder_that_is_a_link_itself(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    (folder / "a" / "link.png").symlink_to("../b.png")
    assert names(FolderSource(tmp_path / "link")) == names(FolderSource(folder))


def test_odd_names(tmp_path: Path) -> None:
    odd = [b"\xff\xfe.png", "ü.png".encode(), "u\u0308.png".encode(), b"a\nb.png", b" .png", b"-.png", b"x" * 250 + b".png"]
    for name in odd:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(encoded(pixels(1)))
    source = FolderSource(tmp_path)
    assert len(source) == len(odd)
    assert all(source.read(index) for index in range(len(odd)))
    assert names(source)[:3] == [" .png", "-.png", "a\\nb.png"]
    assert names(source)[-1] == "\\xff\\xfe.png"
    assert "ü.png" in names(source)
    assert "u\u0308.png" in names(source)


def test_deep_nesting(tmp_path: Path) -> None:
    here = tmp_path
    for _ in range(200):
        here = here / "d"
    here.mkdir(parents=True)
    (here / "a.png").write_bytes(encoded(pixels(0)))
    assert len(FolderSource(tmp_path)) == 1


def test_a_file_that_went_away(folder: Path) -> None:
    source = FolderSource(folder)
    (folder / "b.png").unlink()
    with pytest.raises(BadImageError, match="No such file"):
        source.read(2)


def test_travels_to_other_processes(folder: Path) -> None:
    source = FolderSource(folder)
    assert pickle.loads(pickle.dumps(source)).read(0) == source.read(0)


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"no images found in none \(no files at all; looked for png jpg") as caught:
        survey(open_images(tmp_path / "none", policy=Policy()), Policy(), workers=0)
    assert (caught.value.code, caught.value.exit_code) == ("E-EMPTY", 5)


def test_folder_without_images_lists_what_it_holds(tmp_path: Path) -> None:
    for index in range(12):
        (tmp_path / f"{index}.txt").write_text("x")
    for name in (".DS_Store", "._a.png"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"14 files: 12 \.txt, 2 hidden; looked for png"):
        survey(open_images(tmp_path, policy=Policy()), Policy(), workers=0)
