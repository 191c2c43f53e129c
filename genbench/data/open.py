"""One door for images, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from genbench import catalog
from genbench.data import arrays
from genbench.data.archive import TAR_SUFFIXES, Tar, Zip
from genbench.data.base import ImageSource, Policy
from genbench.data.datasets import TorchDataset
from genbench.data.folder import Folder
from genbench.data.hub import PREFIX, HubDataset
from genbench.data.iterators import spool
from genbench.errors import DataError, UsageError

_FILES: dict[tuple[str, ...], Callable[[Path, Policy], ImageSource]] = {
    (".zip",): lambda path, policy: Zip(path),
    TAR_SUFFIXES: lambda path, policy: Tar(path),
    (".npz",): arrays.from_npz,
    (".npy",): arrays.from_npy,
}


def open_images(images: Any, policy: Policy) -> ImageSource:
    """A source for a path (folder, .zip, .tar[.gz|.bz2|.xz], .npz, .npy), a named set ("digits/test"; without a split its
    training split), "hf://name:split", a torch Dataset, a tensor (N, C, H, W), an array (N, H, W, C), a list of PIL images,
    an iterable of any of these as batches, or a callable without arguments that returns one.

    A path that exists wins over a named set. Raises DataError for what is not there or holds no images.
    """
    if isinstance(images, (str, Path)):
        return _open_name(str(images), policy)
    if isinstance(images, ImageSource):
        return images
    if isinstance(images, (Tensor, np.ndarray)):
        return arrays.from_memory(images, policy)
    if isinstance(images, list) and images and all(isinstance(image, Image.Image) for image in images):
        return arrays.from_memory(images, policy)
    if isinstance(images, Dataset) and not isinstance(images, IterableDataset):
        return TorchDataset(images, policy)
    if isinstance(images, (Iterator, Iterable)):
        return spool(images, policy)
    if callable(images):
        return open_images(images(), policy)
    raise UsageError(
        "E-IMAGES", f"cannot take images from a {type(images).__name__}", hint="pass a path, a tensor or a dataset"
    )


def _open_name(name: str, policy: Policy) -> ImageSource:
    if name.startswith(PREFIX):
        return HubDataset(name)
    path = Path(name)
    if path.is_dir():
        return Folder(path)
    if path.exists():
        for suffixes, opener in _FILES.items():
            if path.name.lower().endswith(suffixes):
                return opener(path, policy)
        known = ", ".join(suffix for suffixes in _FILES for suffix in suffixes)
        raise DataError(
            "E-FORMAT", f"{path.name} is no kind of file that is read here", hint=f"pass a folder or one of {known}"
        )
    split = split_name(name)
    if split is not None:
        dataset, _, part = split.partition("/")
        return catalog.find("datasets", dataset)().images(part)
    near = catalog.unknown("datasets", name, catalog.names("datasets")).hint
    raise DataError("E-NO-PATH", f"{name} does not exist, and no dataset has that name", hint=near)


def split_name(name: str) -> str | None:
    """ "digits" -> "digits/train", "digits/test" as it is, None for what is no named set. Raises UsageError for no split."""
    dataset, _, split = name.partition("/")
    if dataset not in catalog.names("datasets"):
        return None
    splits = catalog.find("datasets", dataset).splits
    if split and split not in splits:
        raise catalog.unknown(f"{dataset} splits", split, splits)
    return f"{dataset}/{split or splits[0]}"
