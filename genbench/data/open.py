"""Whatever a user calls images -> an `ImageSource`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import IterableDataset

from genbench import catalog
from genbench.data.archive import TarSource, ZipSource
from genbench.data.arrays import ArraySource, ItemSource, open_npy, open_npz
from genbench.data.base import ImageSource, Policy
from genbench.data.folder import FolderSource
from genbench.data.hub import PREFIX, HubSource
from genbench.data.iterators import IteratorSource
from genbench.data.names import SUFFIXES
from genbench.errors import DataError, UsageError

ARCHIVES: Mapping[str, Callable[[Path, Policy], ImageSource]] = {
    ".zip": lambda path, _: ZipSource(path),
    ".npz": open_npz,
    ".npy": open_npy,
    **dict.fromkeys(
        (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"),
        lambda path, _: TarSource(path),
    ),
}


def open_images(spec: Any, *, policy: Policy) -> ImageSource:
    """The images that `spec` names or is:

    a folder, .zip, .tar (also .gz, .bz2, .xz), .npz or .npy; a named dataset "digits" or "digits/test", of which a path wins
    where both exist; "hf://name" or "hf://name:split"; a torch Dataset or list of images or (image, label); a tensor
    (N, C, H, W) or array (N, H, W, C); an iterable of images or batches; a callable without arguments that returns one of
    the last three. A name without a split means the training split.

    Raises DataError for a path that is not there or holds no images, UsageError for a name that means nothing, SetupError
    where data must be fetched and cannot.
    """
    if isinstance(spec, str) and spec.startswith(PREFIX):
        return HubSource(spec)
    if isinstance(spec, (str, Path)):
        return _open_path_or_name(spec, policy)
    if isinstance(spec, ImageSource):
        return spec
    return _open_object(spec, policy)


def _open_path_or_name(spec: str | Path, policy: Policy) -> ImageSource:
    path = Path(spec).expanduser()
    if path.exists():
        return _open_path(path, policy)
    name, _, split = str(spec).partition("/")
    if isinstance(spec, str) and (name in catalog.names("datasets") or name.partition(":")[2]):
        dataset = catalog.find("datasets", name)()
        return dataset.images(dataset.checked(split) if split else dataset.splits[0])
    known_names = catalog.unknown("datasets", name, catalog.names("datasets")).hint
    hint = f"check the spelling, or a dataset: {known_names}"
    if _looks_like_path(spec):
        raise DataError("E-NO-PATH", f"no such file or folder: {spec}", hint=hint)
    raise UsageError("E-NAME", f"no such path and no dataset of that name: {spec}", hint=known_names)


def _looks_like_path(spec: str | Path) -> bool:
    """A name of a dataset is a word, perhaps with a split behind a slash."""
    text = str(spec)
    return (
        isinstance(spec, Path) or text.startswith((".", "/", "~")) or text.endswith("/") or text.count("/") > 1 or "." in text
    )


def _open_path(path: Path, policy: Policy) -> ImageSource:
    if path.is_dir():
        return FolderSource(path)
    name = path.name.lower()
    for suffix, opener in ARCHIVES.items():
        if name.endswith(suffix):
            return opener(path, policy)
    what = "one image" if name.endswith(SUFFIXES) else "not a file that holds images"
    raise DataError("E-FORMAT", f"{path.name} is {what}", hint=f"pass a folder or one of: {' '.join(ARCHIVES)}")


def _open_object(spec: Any, policy: Policy) -> ImageSource:
    if isinstance(spec, (Tensor, np.ndarray)):
        return ArraySource(spec, policy)
    if isinstance(spec, (list, tuple)):
        return ItemSource(spec, policy, name="images", kind="array")
    if hasattr(spec, "__getitem__") and hasattr(spec, "__len__") and not isinstance(spec, (IterableDataset, Mapping)):
        return ItemSource(spec, policy, name=type(spec).__name__, kind="dataset")
    if isinstance(spec, Iterable):
        return IteratorSource(lambda: spec, policy, name=type(spec).__name__)
    if callable(spec):
        return IteratorSource(spec, policy, name=getattr(spec, "__name__", type(spec).__name__))
    hint = "give a path, a dataset's name, a tensor, an array, a list, a torch Dataset, an iterator or a callable"
    raise UsageError("E-TYPE", f"{type(spec).__name__} is nothing that holds images", hint=hint)
