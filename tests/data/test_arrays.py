from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import load, pixels
from numpy.typing import NDArray
from PIL import Image

from genbench.data.arrays import ArraySource, to_images
from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError

IMAGES = np.stack([pixels(seed) for seed in range(9)])  # (9, 6, 5, 3)
PLANES = IMAGES.transpose(0, 3, 1, 2)


@pytest.fixture(params=["npz", "compressed", "npy", "fortran"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"s.{'npy' if request.param in ('npy', 'fortran') else 'npz'}"
    if request.param == "npz":
        np.savez(path, IMAGES, np.arange(9))  # as ADM's samples: images and labels
    elif request.param == "compressed":
        np.savez_compressed(path, anything=IMAGES)
    else:
        np.save(path, np.asfortranarray(IMAGES) if request.param == "fortran" else IMAGES)
    return path


def test_files(saved: Path) -> None:
    source = open_images(saved, policy=Policy())
    assert (source.name, source.kind, len(source)) == (saved.name, saved.suffix[1:], 9)
    assert np.array_equal(np.stack([source.read(index) for index in range(9)]), PLANES)


def test_files_are_memory_mapped(saved: Path) -> None:
    source = open_images(saved, policy=Policy())
    assert isinstance(source, ArraySource)
    assert isinstance(source._array, np.memmap)


@pytest.mark.parametrize(
    "images", [IMAGES, PLANES, torch.from_numpy(PLANES.copy()), [Image.fromarray(image) for image in IMAGES], list(IMAGES)]
)
def test_in_memory(images: Any) -> None:
    assert np.array_equal(load(images).numpy(), PLANES)


def test_grey_is_replicated() -> None:
    assert np.array_equal(load(IMAGES[..., :1]).numpy(), PLANES[:, [0, 0, 0]])
    assert np.array_equal(load(torch.from_numpy(PLANES[:, :1].copy())).numpy(), PLANES[:, [0, 0, 0]])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_floats_with_a_range_come_back_exactly(low: float, high: float, dtype: Any) -> None:
    floats = (IMAGES / 255 * (high - low) + low).astype(dtype)
    assert np.array_equal(load(floats, value_range=(low, high)).numpy(), PLANES)


def test_half_floats() -> None:
    planes = torch.from_numpy(PLANES.copy())
    for dtype in (torch.float16, torch.bfloat16):
        loaded = load((planes / 255).to(dtype), value_range=(0, 1))
        assert (loaded.int() - planes.int()).abs().max() <= 1


def refused(images: Any, code: str, sentence: str, **policy: Any) -> None:
    for use in (lambda: load(images, **policy), lambda: to_images(images, Policy(**policy))):
        with pytest.raises(DataError, match=sentence) as caught:
            use()
        assert (caught.value.code, caught.value.exit_code) == (code, 5)


@pytest.mark.parametrize("images", [IMAGES / 255, torch.from_numpy(PLANES / 127.5 - 1)])
def test_floats_without_a_range_are_never_guessed(images: Any) -> None:
    refused(images, "E-RANGE", "nothing says which of them is black and which white")


def test_floats_outside_their_range() -> None:
    refused(PLANES / 127.5 - 1, "E-RANGE", r"values from -1 to .* do not fit the range \[0, 1\]", value_range=(0, 1))
    refused(np.full((1, 3, 4, 4), np.nan), "E-RANGE", "values from nan to nan", value_range=(0, 1))
    refused(PLANES / 255, "E-RANGE", "is empty", value_range=(1, 0))


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.bool_, np.int8])
def test_other_types(dtype: Any) -> None:
    refused(IMAGES.astype(dtype), "E-DTYPE", f"values are {np.dtype(dtype).name}")


@pytest.mark.parametrize("shape", [(9, 8, 8), (8, 8, 3, 1, 1), (4, 8, 8, 4), (3, 2, 7, 5), ()])
def test_shapes_that_are_no_images(shape: tuple[int, ...]) -> None:
    refused(np.zeros(shape, np.uint8), "E-SHAPE", r"an array of shape")


def test_a_tensor_has_its_channels_first() -> None:
    refused(torch.zeros(2, 8, 8, 3, dtype=torch.uint8), "E-SHAPE", r"images are \(N, C, H, W\)")
    assert load(torch.zeros(2, 3, 8, 3, dtype=torch.uint8)).shape == (2, 3, 8, 3)


def test_axes_that_could_be_either() -> None:
    refused(np.zeros((5, 3, 8, 3), np.uint8), "E-SHAPE", r"can be \(N, H, W, C\) or \(N, C, H, W\)")


def test_no_images() -> None:
    with pytest.raises(DataError, match="holds no images") as caught:
        load(np.zeros((0, 8, 8, 3), np.uint8))
    assert caught.value.code == "E-EMPTY"
    with pytest.raises(DataError, match="holds no images"):
        load([])


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["PAYLOAD"],)


@pytest.mark.parametrize("name", ["s.npy", "s.npz", "compressed.npz"])
def test_objects_are_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("PAYLOAD", str(ran))
    objects = np.empty(2, dtype=object)
    objects[:] = Payload()
    save = {"s.npy": np.save, "s.npz": np.savez, "compressed.npz": np.savez_compressed}[name]
    save(tmp_path / name, objects)
    with pytest.raises(DataError, match="never unpickled") as caught:
        open_images(tmp_path / name, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-OBJECTS", 5)
    assert not ran.exists()


def test_which_array_of_an_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", samples=IMAGES, labels=np.arange(9))
    with pytest.raises(DataError, match=r"s\.npz holds labels, samples") as caught:
        open_images(tmp_path / "s.npz", policy=Policy())
    assert caught.value.code == "E-NPZ"
    np.savez(tmp_path / "s.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(DataError, match="statistics") as caught:
        open_images(tmp_path / "s.npz", policy=Policy())
    assert "--ref" in caught.value.hint


@pytest.mark.parametrize("name", ["s.npy", "s.npz"])
@pytest.mark.parametrize("content", [b"", b"x" * 300, None])
def test_damaged_files(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    (np.save if name == "s.npy" else np.savez)(path, IMAGES)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        open_images(path, policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-ARCHIVE", 5)


def npy(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize("shape", ["(100000, 1000, 1000, 3)", "(-1, 8, 8, 3)", "'x'"])
def test_headers_that_lie(tmp_path: Path, shape: str) -> None:
    (tmp_path / "s.npy").write_bytes(npy(shape) + bytes(100))
    with pytest.raises(DataError, match="cannot be read"):
        open_images(tmp_path / "s.npy", policy=Policy())


def zeros_npz(path: Path, declared: int | None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("arr_0.npy", npy("(10, 1024, 1024, 3)") + bytes(30 * 2**20))
    if declared is not None:
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, declared)
        path.write_bytes(data)


@pytest.mark.parametrize("declared", [None, 2**31 - 1, 5000])
def test_npz_bombs(tmp_path: Path, declared: int | None) -> None:
    zeros_npz(tmp_path / "s.npz", declared)
    with pytest.raises(DataError, match="cannot be read" if declared == 5000 else "decompression bomb"):
        open_images(tmp_path / "s.npz", policy=Policy())


class Pairs(torch.utils.data.Dataset[Any]):
    """(image, label), in one of the forms a dataset may give."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image: NDArray[np.uint8] = IMAGES[index]
        forms = {
            "pil": lambda: Image.fromarray(image),
            "array": lambda: image,
            "tensor": lambda: torch.from_numpy(image).permute(2, 0, 1),
            "float": lambda: torch.from_numpy(image).permute(2, 0, 1) / 255,
            "text": lambda: "x",
            "unreadable": lambda: Image.open(os.devnull),
        }
        return forms[self.form](), index


@pytest.mark.parametrize("form", ["pil", "array", "tensor"])
@pytest.mark.parametrize("workers", [0, 2])
def test_torch_datasets(form: str, workers: int) -> None:
    assert np.array_equal(load(Pairs(form), workers=workers).numpy(), PLANES)


def test_torch_dataset_of_floats_needs_a_range() -> None:
    with pytest.raises(DataError, match="nothing says which of them is black"):
        load(Pairs("float"))
    assert np.array_equal(load(Pairs("float"), value_range=(0, 1)).numpy(), PLANES)


def test_torch_dataset_of_other_things() -> None:
    with pytest.raises(DataError, match="an item is str, which is no image") as caught:
        load(Pairs("text"))
    assert caught.value.code == "E-TYPE"
    with pytest.raises(DataError, match="image 0: the dataset cannot read it"):
        load(Pairs("unreadable"))


def test_transparent_pil_image() -> None:
    image = Image.new("RGBA", (4, 4), (1, 2, 3, 0))
    with pytest.raises(DataError, match="image 0: partly transparent"):
        load([image])
    assert load([image], background=(9, 8, 7))[0, :, 0, 0].tolist() == [9, 8, 7]


def test_batches_are_converted_for_use_in_a_training_loop() -> None:
    for images in (IMAGES, torch.from_numpy(PLANES.copy())):
        assert np.array_equal(to_images(images, Policy()).numpy(), PLANES)
    floats = torch.from_numpy(PLANES / 127.5 - 1)
    assert np.array_equal(to_images(floats, Policy(value_range=(-1, 1))).numpy(), PLANES)
