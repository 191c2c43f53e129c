"""Images that are pixels already: tensors, arrays, npy and npz files, lists and torch datasets.

A tensor is (N, C, H, W). An array is (N, H, W, C) or (N, C, H, W), whichever of the two axes has 1 or 3 entries. Values are
uint8, or floats whose range the caller states.
"""

from __future__ import annotations

import contextlib
import math
import struct
import zipfile
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genbench import images as ranges
from genbench.data.archive import BROKEN, MAX_RATIO, RATIO_FROM, bomb, check_totals, encrypted, open_zip, unreadable
from genbench.data.base import BadImageError, ImageSource, Kind, Pixels, Policy
from genbench.data.decode import to_rgb
from genbench.data.names import printable
from genbench.data.spool import Spool
from genbench.errors import DataError

ValueRange = tuple[float, float] | None
LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, lengths of name and extra field


class ArraySource(ImageSource):
    """Images of one array or tensor; a memory-mapped one stays on disk until an image is read."""

    cheap = True

    def __init__(self, array: Any, policy: Policy, *, name: str = "array", kind: Kind = "array") -> None:
        super().__init__(name=name, kind=kind)
        self._array = _planes_first(array)
        self._value_range = policy.value_range
        _check_type(self._array.dtype.name, policy.value_range)

    def __len__(self) -> int:
        return len(self._array)

    def item_name(self, index: int) -> str:
        return f"image {index}"

    def read(self, index: int) -> Pixels:
        return _to_uint8(_tensor(self._array[index]), self._value_range).numpy()

    def read_all(self) -> Tensor:
        """Every image at once: uint8 (N, 3, H, W)."""
        return _to_uint8(_tensor(self._array), self._value_range)


class Items(Sized, Protocol):
    """A list of images or a torch Dataset; an item is an image or begins with one, as in (image, label)."""

    def __getitem__(self, index: int, /) -> Any: ...


class ItemSource(ImageSource):
    """Images that come one at a time from a list or a torch Dataset."""

    def __init__(self, items: Items, policy: Policy, *, name: str, kind: Kind) -> None:
        super().__init__(name=name, kind=kind)
        self._items = items
        self._policy = policy

    def __len__(self) -> int:
        return len(self._items)

    def item_name(self, index: int) -> str:
        return f"image {index}"

    def read(self, index: int) -> Pixels:
        try:
            item = self._items[index]
        except OSError as error:  # a dataset that opens files meets bad ones too
            raise BadImageError("E-BAD-IMAGE", f"the dataset cannot read it ({error})") from error
        return one_image(first(item), self._policy)


def to_images(images: Any, policy: Policy) -> Tensor:
    """A batch, tensor or array as described above -> uint8 (N, 3, H, W) on the tensor's device.

    Raises DataError for other shapes and types, and for floats without `policy.value_range` or outside it.
    """
    if isinstance(images, Tensor):
        planes = images.detach()
        _check_planes(planes.shape)
        _check_type(str(planes.dtype).removeprefix("torch."), policy.value_range)
    else:
        array = _planes_first(images)
        _check_type(array.dtype.name, policy.value_range)
        planes = _tensor(array)
    return _to_uint8(planes, policy.value_range)


def one_image(item: Any, policy: Policy) -> Pixels:
    """A PIL image, tensor (C, H, W) or array (H, W, C) or (C, H, W) -> uint8 (3, H, W)."""
    if isinstance(item, Image.Image):
        return to_rgb(item, policy)
    if isinstance(item, (Tensor, np.ndarray)):
        return to_images(item[None], policy)[0].cpu().numpy()
    hint = "give PIL images, tensors (C, H, W) or arrays (H, W, C), alone or first in a tuple"
    raise DataError("E-TYPE", f"an item is {type(item).__name__}, which is no image", hint=hint)


def first(item: Any) -> Any:
    """(image, label, ...) -> image."""
    return item[0] if isinstance(item, (tuple, list)) and item else item


def open_npy(path: Path, policy: Policy) -> ArraySource:
    """Raises DataError for a damaged file, for objects and for shapes that are no images."""
    with _explained(path.name), open(path, "rb") as file:
        array = _mapped(file, 0, path.stat().st_size, path.name)
    return ArraySource(array, policy, name=path.name, kind="npy")


def open_npz(path: Path, policy: Policy) -> ArraySource:
    """The array called arr_0, or the only one. Raises DataError as `open_npy` does, and where there is no such array."""
    with open_zip(path) as archive:
        check_totals(path.name, archive.infolist())
        info = _chosen(archive, path.name)
        if info.flag_bits & 1:
            raise encrypted(path.name)
        with _explained(path.name), open(path, "rb") as file:
            if info.compress_type == zipfile.ZIP_STORED:
                array = _mapped(file, _data_offset(file, info), info.file_size, path.name)
            else:
                spool = _inflated(archive, info, path)
                array = _mapped(spool.finish(), 0, spool.size, path.name)
    return ArraySource(array, policy, name=path.name, kind="npz")


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise unreadable(name, error) from error


def _chosen(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The member that holds the images."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if "arr_0" in members:
        return members["arr_0"]
    if len(members) == 1:
        return next(iter(members.values()))
    if {"mu", "sigma"} <= set(members):
        raise DataError("E-STATISTICS", f"{name} holds statistics (mu, sigma), not images", hint="it can serve as --ref only")
    found = ", ".join(sorted(printable(member) for member in members)[:8]) or "nothing"
    raise DataError("E-NPZ", f"{name} holds {found}", hint="the images must be called arr_0 or be the only array")


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a stored member begins: after its local header, whose lengths may differ from the directory's."""
    file.seek(info.header_offset)
    signature, name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile("a member does not begin where the directory says")
    return info.header_offset + LOCAL_HEADER.size + name_length + extra_length


def _inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Spool:
    """A compressed member in a temporary file; stops where it grows out of all proportion."""
    spool, compressed = Spool(), min(info.compress_size, path.stat().st_size)
    with archive.open(info) as stream:
        while block := stream.read(2**20):
            spool.write(block)
            if spool.size > max(RATIO_FROM, MAX_RATIO * compressed):
                raise bomb(f"{path.name} unpacks to more than {spool.size:,} bytes from {compressed:,}")
    return spool


def _mapped(file: BinaryIO, offset: int, length: int, name: str) -> NDArray[Any]:
    """The npy content of `length` bytes at `offset`, memory-mapped. Objects are refused: to read them is to run code."""
    file.seek(offset)
    version = npy_format.read_magic(file)
    read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if dtype.hasobject:
        hint = "save the pixels as uint8: numpy.savez(path, numpy.stack(images))"
        raise DataError("E-OBJECTS", f"{name} holds Python objects, which are never unpickled", hint=hint)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    begin, size = file.tell(), dtype.itemsize * math.prod(shape)
    if begin + size > offset + length:
        raise ValueError(f"shape {shape} of {dtype} needs {size:,} bytes, the file has {offset + length - begin:,}")
    if size == 0:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", begin, shape, "F" if fortran_order else "C")


def _planes_first(images: Any) -> NDArray[Any]:
    """A tensor or array -> a view (N, C, H, W) with C 1 or 3, as an array."""
    if isinstance(images, Tensor):
        tensor = images.detach().cpu()
        _check_planes(tensor.shape)
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    array = np.asanyarray(images)
    if array.ndim != 4:
        raise _wrong_shape(array.shape, "(N, H, W, C) or (N, C, H, W)")
    planes_first, planes_last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if planes_first and planes_last:
        hint = "pass a tensor, which is always (N, C, H, W)"
        raise DataError("E-SHAPE", f"shape {array.shape} can be (N, H, W, C) or (N, C, H, W)", hint=hint)
    if planes_last:
        return np.moveaxis(array, 3, 1)
    if planes_first:
        return array
    raise _wrong_shape(array.shape, "(N, H, W, C) or (N, C, H, W)")


def _check_planes(shape: Sequence[int]) -> None:
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise _wrong_shape(shape, "(N, C, H, W)")


def _wrong_shape(shape: Sequence[int], wanted: str) -> DataError:
    message = f"an array of shape {tuple(shape)}; images are {wanted} with C = 1 or 3"
    return DataError("E-SHAPE", message, hint="add the missing axis, drop an alpha channel, or permute")


def _check_type(name: str, value_range: ValueRange) -> None:
    if name == "uint8":
        return
    if "float" not in name:
        raise DataError("E-DTYPE", f"values are {name}", hint="give uint8 in [0, 255], or floats with their value range")
    if value_range is None:
        hint = "state the range, such as value_range=(0, 1) or (-1, 1); it is never guessed"
        raise DataError("E-RANGE", f"values are {name}, and nothing says which of them is black and which white", hint=hint)
    low, high = value_range
    if not low < high:
        raise DataError("E-RANGE", f"the value range ({low}, {high}) is empty", hint="give it as (darkest, brightest)")


def _tensor(array: NDArray[Any]) -> Tensor:
    """A copy that torch can take: writable, in one piece, in this machine's byte order."""
    return torch.from_numpy(np.array(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32, order="C"))


def _to_uint8(planes: Tensor, value_range: ValueRange) -> Tensor:
    """(..., C, H, W) uint8, or float in `value_range` -> uint8 (..., 3, H, W)."""
    if planes.is_floating_point():
        assert value_range is not None  # _check_type
        planes = _scaled(planes.float(), *value_range)
    return planes.expand(*planes.shape[:-3], 3, -1, -1).contiguous()


def _scaled(values: Tensor, low: float, high: float) -> Tensor:
    """Floats in [low, high] -> uint8. Raises BadImageError for values further outside than rounding would bring back."""
    span = high - low
    smallest, largest = (float(bound) for bound in values.aminmax()) if values.numel() else (low, high)
    half_level = span / 510
    if not (smallest >= low - half_level and largest <= high + half_level):  # also for NaN
        hint = "state the true range; clamp the images first if a model overshoots"
        raise BadImageError(
            "E-RANGE", f"values from {smallest:.4g} to {largest:.4g} do not fit the range [{low:g}, {high:g}]", hint=hint
        )
    return ranges.to_uint8((values - low) * (2 / span) - 1)
