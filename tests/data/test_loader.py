from __future__ import annotations

import io
import multiprocessing
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import encoded, load, pixels
from PIL import Image

from genbench.data.base import Decoded, Policy
from genbench.data.loader import batches
from genbench.data.open import open_images
from genbench.data.survey import survey
from genbench.errors import DataError

N = 20
FILES = {f"{index:02d}.png": encoded(pixels(index)) for index in range(N)}
PLANES = np.stack([pixels(index) for index in range(N)]).transpose(0, 3, 1, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s").mkdir()
    for name, data in FILES.items():
        (tmp_path / "s" / name).write_bytes(data)
    return tmp_path / "s"


def read(spec: Any, *, batch_size: int = 7, workers: int = 0, start: int = 0, **policy: Any) -> list[Decoded]:
    rules = Policy(**policy)
    source = open_images(spec, policy=rules)
    found = survey(source, rules, workers=0)
    return list(batches(source, found, rules, batch_size=batch_size, workers=workers, start=start))


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_workers_and_batch_size_change_nothing(folder: Path, batch_size: int, workers: int) -> None:
    found = read(folder, batch_size=batch_size, workers=workers)
    assert [index for batch in found for index in batch.indices] == list(range(N))
    assert all(len(batch.indices) == batch_size for batch in found[:-1])
    images = torch.cat([batch.images for batch in found])
    assert images.dtype == torch.uint8
    assert np.array_equal(images.numpy(), PLANES)


def test_every_container_holds_the_same_images(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as zipped, tarfile.open(tmp_path / "s.tgz", "w:gz") as tarred:
        for name, data in reversed(FILES.items()):
            zipped.writestr(name, data)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tarred.addfile(info, io.BytesIO(data))
    np.savez(tmp_path / "s.npz", PLANES)
    for spec in (folder, tmp_path / "s.zip", tmp_path / "s.tgz", tmp_path / "s.npz"):
        for workers in (0, 2):
            assert np.array_equal(load(spec, workers=workers).numpy(), PLANES)


def test_start_resumes(folder: Path) -> None:
    found = read(folder, start=10, batch_size=4)
    assert [batch.indices for batch in found] == [[10, 11, 12, 13], [14, 15, 16, 17], [18, 19]]
    assert np.array_equal(found[0].images.numpy(), PLANES[10:14])
    assert read(folder, start=N) == []


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_truncated_images(folder: Path, workers: int, format: str) -> None:
    (folder / "00.png").write_bytes(b"not even a header")
    (folder / "08.png").write_bytes(encoded(pixels(8), format)[:-40])
    with pytest.raises(DataError, match=r"00\.png: not an image"):
        read(folder, workers=workers)
    (folder / "00.png").write_bytes(FILES["00.png"])
    with pytest.raises(DataError, match=r"08\.png: damaged or truncated") as caught:
        read(folder, workers=workers)
    assert (caught.value.code, caught.value.exit_code) == ("E-BAD-IMAGE", 5)
    found = read(folder, workers=workers, on_bad="skip")
    assert found[1].indices == [7, 9, 10, 11, 12, 13]
    ((position, reason),) = found[1].skipped
    assert position == 8
    assert "truncated" in reason
    assert len(found[1].images) == 6


def test_a_batch_of_which_nothing_is_left(folder: Path) -> None:
    (folder / "03.png").write_bytes(FILES["03.png"][:-40])
    batch = read(folder, batch_size=1, on_bad="skip")[3]
    assert (batch.indices, batch.images.shape, len(batch.skipped)) == ([], (0, 3, 6, 5), 1)


@pytest.mark.parametrize("workers", [0, 2])
def test_files_that_change_meanwhile(folder: Path, workers: int) -> None:
    source = open_images(folder, policy=Policy())
    found = survey(source, Policy(), workers=0)
    (folder / "05.png").write_bytes(encoded(pixels(99)))
    with pytest.raises(DataError, match=r"05\.png changed while it was being measured") as caught:
        list(batches(source, found, Policy(), batch_size=4, workers=workers))
    assert (caught.value.code, caught.value.exit_code) == ("E-CHANGED", 5)


def test_mixed_sizes_are_resized_with_pillows_bicubic(folder: Path) -> None:
    (folder / "04.png").write_bytes(encoded(pixels(4, 12, 9)))
    expected = Image.fromarray(pixels(4, 12, 9)).resize((5, 6), Image.Resampling.BICUBIC)
    images = load(folder, on_size_mix="resize", workers=2)
    assert np.array_equal(images[4].numpy(), np.asarray(expected).transpose(2, 0, 1))
    assert np.array_equal(images[5].numpy(), PLANES[5])


def test_random_numbers_of_the_caller_are_left_alone(folder: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    read(folder, workers=2)
    assert torch.equal(torch.rand(3), expected)


def test_stopping_early_leaves_no_process(folder: Path) -> None:
    source = open_images(folder, policy=Policy())
    found = survey(source, Policy(), workers=0)
    stream = batches(source, found, Policy(), batch_size=1, workers=2)
    next(stream)
    stream.close()
    assert multiprocessing.active_children() == []
