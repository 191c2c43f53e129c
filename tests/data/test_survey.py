from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import encoded, pixels, raw_png
from PIL import Image

from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.data.survey import ITEMS_PER_TASK, Survey, survey
from genbench.errors import DataError


def look(spec: Any, *, workers: int = 0, **policy: Any) -> Survey:
    rules = Policy(**policy)
    return survey(open_images(spec, policy=rules), rules, workers=workers)


def codes(found: Survey) -> dict[str, str]:
    return {warning.code: warning.text for warning in found.warnings}


def fill(folder: Path, *files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for index, data in enumerate(files):
        (folder / f"{index:04d}.png").write_bytes(data)
    return folder


def test_what_a_survey_says(tmp_path: Path) -> None:
    one, two = encoded(pixels(1)), encoded(pixels(2), "JPEG")
    found = look(fill(tmp_path / "s", one, two, encoded(pixels(3)[..., 0])))
    assert found.usable == [0, 1, 2]
    assert found.size == (6, 5)
    assert found.sizes == {"5x6": 3}
    assert found.modes == {"RGB": 2, "L": 1}
    assert found.formats == {"PNG": 2, "JPEG": 1}
    assert found.hashes[1] == hashlib.blake2b(two, digest_size=16).digest()
    assert (found.duplicates, found.skipped, found.warnings) == (0, [], [])


def test_digest_is_that_of_contents_in_order(tmp_path: Path) -> None:
    files = [encoded(pixels(seed)) for seed in range(3)]
    digest = look(fill(tmp_path / "s", *files)).digest
    assert digest.startswith("sha256:")
    moved = fill(tmp_path / "elsewhere", *files)
    for path in moved.iterdir():
        path.rename(path.with_stem("x" + path.stem))
    assert look(moved).digest == digest
    archive = shutil.make_archive(str(tmp_path / "s"), "zip", tmp_path / "s")
    assert look(archive).digest == digest
    assert look(fill(tmp_path / "order", files[1], files[0], files[2])).digest != digest
    assert look(fill(tmp_path / "fewer", *files[:2])).digest != digest
    assert look(fill(tmp_path / "other", *files[:2], encoded(pixels(9)))).digest != digest


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [encoded(pixels(seed % 5)) for seed in range(ITEMS_PER_TASK + 3)]
    files[7] = b"no image"
    fill(tmp_path / "s", *files)
    monkeypatch.setattr("genbench.data.survey.FEW", 1)
    assert look(tmp_path / "s", workers=2, on_bad="skip") == look(tmp_path / "s", workers=0, on_bad="skip")


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = open_images(np.zeros((600, 2, 2, 3), np.uint8), policy=Policy())
    survey(source, Policy(), workers=0, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(256, 600), (512, 600), (600, 600)]


def test_duplicates_are_counted(tmp_path: Path) -> None:
    one, two = encoded(pixels(1)), encoded(pixels(2))
    found = look(fill(tmp_path / "s", one, two, one, one))
    assert found.duplicates == 2
    assert codes(found) == {"W-DUPLICATES": "exact copies of earlier images: 2"}


def test_mixed_sizes(tmp_path: Path) -> None:
    files = [encoded(pixels(seed)) for seed in range(3)] + [encoded(pixels(9, 7, 5)), encoded(pixels(10, 7, 5))]
    folder = fill(tmp_path / "s", *files)
    with pytest.raises(DataError, match=r"3 images are 5x6, 2 are 5x7 \(first: 0003\.png\)") as caught:
        look(folder)
    assert (caught.value.code, caught.value.exit_code) == ("E-SIZE-MIX", 5)
    assert "--on-size-mix resize" in caught.value.hint
    found = look(folder, on_size_mix="resize")
    assert found.size == (6, 5)
    assert codes(found) == {"W-RESIZED": "images resized to 5x6: 2"}


def test_many_sizes(tmp_path: Path) -> None:
    folder = fill(tmp_path / "s", *(encoded(pixels(0, height, 5)) for height in (3, 3, 4, 5, 6, 7, 8)))
    with pytest.raises(DataError, match=r"2 images are 5x3, 1 are 5x4, 1 are 5x5, 1 are 5x6, and 2 more sizes \(first: 0002"):
        look(folder)


def test_size_is_that_after_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = look(fill(tmp_path / "s", encoded(pixels(1, 5, 6), "JPEG", exif=exif), encoded(pixels(2, 6, 5), "JPEG")))
    assert found.size == (6, 5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"plain text", "not an image that is read here"),
        (raw_png(60_000, 60_000, 8, 2, b""), "more pixels than the 134,217,728"),
        (encoded(Image.new("F", (5, 6)), "TIFF"), "mode F"),
    ],
)
def test_bad_images(tmp_path: Path, data: bytes, reason: str) -> None:
    folder = fill(tmp_path / "s", encoded(pixels(1)), data, encoded(pixels(2)))
    with pytest.raises(DataError, match=rf"0001\.png: .*{reason}") as caught:
        look(folder)
    assert caught.value.exit_code == 5
    found = look(folder, on_bad="skip")
    assert found.usable == [0, 2]
    ((name, text),) = found.skipped
    assert name == "0001.png"
    assert reason in text


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 2 images in s can be used \(first: 0000\.png: .*empty") as caught:
        look(fill(tmp_path / "s", b"", b""), on_bad="skip")
    assert caught.value.code == "E-EMPTY"


def test_warnings(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 6), colour) for colour in ("white", "black")]
    deep = raw_png(5, 6, 16, 2, (b"\0" + bytes(30)) * 6)
    alpha = Image.new("RGBA", (5, 6))
    folder = fill(tmp_path / "s", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), deep, encoded(alpha))
    (folder / "notes.txt").write_text("x")
    assert codes(look(folder)) == {
        "W-IGNORED": "files that are no images: 1 .txt",
        "W-ANIMATED": "files with several frames, of which the first is used: 1",
        "W-ALPHA": "images with an alpha channel, which is dropped: 1",
        "W-16-BIT": "images with 16-bit colour, of which the high byte is used: 1",
    }
    assert "is composed over (255, 255, 255)" in codes(look(folder, background=(255, 255, 255)))["W-ALPHA"]
