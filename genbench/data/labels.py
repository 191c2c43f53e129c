"""Which class an image belongs to, wherever the data say so."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from genbench import catalog
from genbench.data.base import ImageSource
from genbench.errors import DataError

NPZ_NAMES = ("arr_1", "labels", "y")  # the first is what ADM's samples have


def labels_of(spec: Any, source: ImageSource) -> list[str] | None:
    """The class name of every image of `source`, which was opened from `spec`; None where nothing says.

    A named set knows its classes; images in folders, also inside a zip or tar, belong to the folder that they lie in, if all
    lie in one; an .npz may hold `arr_1`, `labels` or `y`; a torch Dataset may have `targets` or `labels`. Whole numbers become
    their digits, "3", so that folders and arrays agree.
    """
    if isinstance(spec, (str, Path)) and not Path(spec).expanduser().exists():
        return _of_named_set(str(spec))
    if isinstance(spec, (str, Path)) and Path(spec).suffix == ".npz":
        return _of_npz(Path(spec).expanduser(), len(source))
    for attribute in ("targets", "labels"):
        found = getattr(spec, attribute, None)
        if found is not None and hasattr(found, "__len__") and len(found) == len(source):
            return as_names(found)
    folders = [source.item_name(index).rpartition("/")[0] for index in range(len(source))]
    return [folder.rpartition("/")[2] for folder in folders] if all(folders) else None


def as_names(labels: Iterable[Any]) -> list[str]:
    """Numbers, tensors of numbers or strings -> names."""
    plain = (label.item() if hasattr(label, "item") else label for label in labels)
    return [str(int(label)) if isinstance(label, float) and label.is_integer() else str(label) for label in plain]


def _of_named_set(spec: str) -> list[str] | None:
    name, _, split = spec.partition("/")
    if name not in catalog.names("datasets"):
        return None
    dataset = catalog.find("datasets", name)()
    labels = dataset.labels(split or dataset.splits[0])
    return None if labels is None else [dataset.classes[label] for label in labels]


def _of_npz(path: Path, n: int) -> list[str] | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            name = next((name for name in NPZ_NAMES if name in arrays.files), None)
            labels = None if name is None else np.asarray(arrays[name]).squeeze()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError("E-LABELS", f"the labels in {path.name} cannot be read: {error}") from error
    if labels is None:
        return None
    if labels.shape != (n,):
        raise DataError(
            "E-LABELS", f"{path.name} holds {n} images and labels of shape {labels.shape}", hint="one label per image"
        )
    return as_names(labels)
