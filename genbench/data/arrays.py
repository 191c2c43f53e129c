"""Pixels that are in memory or in a numpy file: uint8, or float with a stated range; never pickled objects."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genbench.data.archive import MAX_RATIO, RATIO_FROM_BYTES
from genbench.data.base import ImageSource, Policy, UInt8Image
from genbench.errors import DataError


class Arrays(ImageSource):
    """An array of images, memory-mapped where it comes from a file: uint8 or float, NHWC or NCHW, 1 or 3 channels."""

    def __init__(
        self, array: NDArray[Any], *, name: str, kind: str, policy: Policy, channels_first: bool | None = None
    ) -> None:
        self.array, self.name, self.kind, self.ignored = array, name, kind, Counter()
        self.channels_first = _channels_first(array, name) if channels_first is None else channels_first
        self.value_range = policy.value_range
        check_dtype(array.dtype, policy.value_range, name)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> UInt8Image:
        image = self.array[index]
        image = image if self.channels_first else image.transpose(2, 0, 1)
        try:
            return as_uint8(image, self.value_range)
        except DataError as error:
            raise DataError(error.code, f"{self.name}, image {index}: {error.message}", hint=error.hint) from None


def to_images(images: Any, policy: Policy) -> Tensor:
    """A batch of any array kind as uint8 (N, 3, H, W) on the CPU."""
    source = from_memory(images, policy)
    if len(source) == 0:
        raise DataError("E-EMPTY", "an empty batch", hint="pass at least one image")
    return torch.from_numpy(np.stack([np.asarray(source[index]) for index in range(len(source))]))


def from_memory(images: Tensor | NDArray[Any] | Sequence[Image.Image], policy: Policy, *, name: str = "images") -> Arrays:
    """A tensor (N, C, H, W), an array (N, H, W, C) or (N, C, H, W), or a list of PIL images of one size."""
    if isinstance(images, Tensor):
        array = images.detach().cpu()
        array = array.float() if array.dtype in (torch.bfloat16, torch.float16) else array
        return Arrays(array.numpy(), name=name, kind="array", policy=policy, channels_first=_tensor_layout(array, name))
    if isinstance(images, np.ndarray):
        return Arrays(images, name=name, kind="array", policy=policy)
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        raise DataError("E-SIZE-MIX", f"{name}: PIL images of several sizes {sorted(sizes)}", hint="resize them to one size")
    return Arrays(np.stack([np.asarray(image.convert("RGB")) for image in images]), name=name, kind="array", policy=policy)


def _tensor_layout(tensor: Tensor, name: str) -> bool:
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        raise _wrong_shape(tuple(tensor.shape), name, "a tensor is (N, 3, H, W) or (N, 1, H, W)")
    return True


def from_npy(path: Path, policy: Policy) -> Arrays:
    """An array of images in a .npy file, memory-mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error
    return Arrays(array, name=path.name, kind="npy", policy=policy)


def from_npz(path: Path, policy: Policy) -> Arrays:
    """The array `arr_0` of a .npz file, or the only one in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _member(path, archive.infolist())
        with np.load(path, allow_pickle=False) as arrays:
            array = arrays[member]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    return Arrays(array, name=path.name, kind="npz", policy=policy)


def _member(path: Path, infos: Sequence[zipfile.ZipInfo]) -> str:
    names = [info.filename.removesuffix(".npy") for info in infos]
    if "arr_0" not in names and len(names) != 1:
        hint = "save the images with numpy.savez(file, images)"
        raise DataError(
            "E-ARRAY", f"{path.name} holds {', '.join(names) or 'nothing'}; images are expected in arr_0", hint=hint
        )
    name = "arr_0" if "arr_0" in names else names[0]
    info = infos[names.index(name)]
    # Pictures of one colour do compress a thousandfold; what must not happen is a few kilobytes that fill the memory.
    if info.file_size > max(100 * RATIO_FROM_BYTES, MAX_RATIO * info.compress_size):
        raise DataError("E-ARCHIVE", f"{path.name}: {name} expands more than {MAX_RATIO}-fold: a bomb")
    return name


def _unreadable(path: Path, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        hint = "save the images as one uint8 array (N, H, W, 3)"
        return DataError("E-PICKLE", f"{path.name} holds Python objects, which are never unpickled here", hint=hint)
    return DataError("E-ARRAY", f"{path.name} cannot be read as a numpy array: {error}", hint="save it again with numpy.savez")


def _channels_first(array: NDArray[Any], name: str) -> bool:
    """Whether (N, C, H, W). Raises DataError where the shape is no images or fits both layouts."""
    if array.ndim != 4:
        raise _wrong_shape(array.shape, name, "images are (N, H, W, 3) or (N, 3, H, W)")
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if first and last:
        raise _wrong_shape(array.shape, name, "both axes could be the channels")
    if not first and not last:
        raise _wrong_shape(array.shape, name, "no axis has 1 or 3 channels")
    return first


def _wrong_shape(shape: tuple[int, ...], name: str, reason: str) -> DataError:
    return DataError("E-SHAPE", f"{name} has shape {shape}: {reason}", hint="pass uint8 images of shape (N, H, W, 3)")


def check_dtype(dtype: np.dtype[Any], value_range: tuple[float, float] | None, name: str) -> None:
    """uint8 is clear; float needs a range; anything else is refused."""
    if dtype == np.uint8:
        if value_range is not None:
            raise DataError("E-RANGE", f"{name} is uint8, which is always 0 to 255", hint="drop the value range")
    elif np.issubdtype(dtype, np.floating):
        if value_range is None:
            hint = "say what black and white are: --value-range 0,1 or -1,1 or 0,255 (Python: value_range=(0, 1))"
            raise DataError("E-RANGE", f"{name} is {dtype}, and its range is not known", hint=hint)
    else:
        raise DataError("E-DTYPE", f"{name} is {dtype}; images are uint8, or float with a range", hint="convert to uint8")


def as_uint8(image: NDArray[Any], value_range: tuple[float, float] | None) -> UInt8Image:
    """(C, H, W), C 1 or 3 -> uint8 (3, H, W); float is scaled from the range and rounded, and refused outside of it."""
    if image.dtype != np.uint8:
        assert value_range is not None, "check_dtype refuses float without a range"
        low, high = value_range
        if not np.isfinite(image).all():
            raise DataError("E-RANGE", "not all values are finite", hint="look at the generator")
        slack = 1e-3 * (high - low)
        if image.min() < low - slack or image.max() > high + slack:
            found = f"values from {image.min():.4g} to {image.max():.4g} in a range of {low:g} to {high:g}"
            raise DataError("E-RANGE", found, hint="give the range that the values really have, or clip them")
        image = np.round((np.clip(image, low, high) - low) * (255.0 / (high - low))).astype(np.uint8)
    image = np.broadcast_to(image, (3, *image.shape[1:])) if image.shape[0] == 1 else image
    return np.ascontiguousarray(image)
