"""What a model is trained on: `open_dataset("digits")` or a path -> training, validation and test examples in memory.

    named set         validation: a sixth of the training split, at most 5,000, taken out of it; test: the test split
    images at a path  80 % training, 10 % validation, 10 % test; names of folders are no labels

The divisions are drawn once and for all, from a seed that nobody sets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from genbench import catalog, seeding
from genbench.batch import DataSpec, Examples
from genbench.data.base import Policy
from genbench.data.hub import PREFIX
from genbench.data.memory import read_all
from genbench.data.open import open_images
from genbench.data.sets.base import NamedDataset, check_task
from genbench.errors import DataError, UsageError

VALIDATION_SHARE, MAX_VALIDATION = 6, 5000
LEAST = 10  # images at a path: one each to validate and to test with


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples of one task. No example of `validation` or `test` is in `train`.

    classes: what the labels stand for; words: what the tokens 1, 2, ... of a caption stand for.
    """

    name: str
    spec: DataSpec
    train: Examples
    validation: Examples
    test: Examples
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def caption(self, tokens: Tensor) -> str:
        """(L,) token ids -> words; 0 is padding."""
        return " ".join(self.words[token - 1] for token in tokens.tolist() if token)


def open_dataset(name_or_path: str | Path, *, task: str = "unconditional", image_size: int | None = None) -> Dataset:
    """A named set, or the images in a folder, archive, .npz or .npy, of which a path wins where both exist.

    task: what the model is conditioned on, as `GenerativeModel.task`. With "single_image", `train` is the first image.
    image_size: cut central squares out of the images and resize them; by default they keep their size.

    Raises UsageError for an unknown name or task and for a task the data cannot serve, DataError for images that cannot be
    used as they are or are too few, SetupError where a named set is missing and cannot be fetched.
    """
    found = _named(name_or_path)
    dataset = _from_path(name_or_path, task, image_size) if found is None else _from_set(found, task, image_size)
    return replace(dataset, train=dataset.train.select(slice(1))) if task == "single_image" else dataset


def _named(name_or_path: str | Path) -> type[NamedDataset] | None:
    """The named set; None for what `open_images` knows better."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).expanduser().exists() or text.startswith(PREFIX):
        return None
    name, _, split = text.partition("/")
    if not (name in catalog.names("datasets") or ":" in name):
        return None
    found: type[NamedDataset] = catalog.find("datasets", name)
    if split:
        hint = f"name the set alone, {name}; its test split is kept for measuring"
        raise UsageError("E-SPLIT", f"{text} is one split, and training divides a whole dataset itself", hint=hint)
    return found


def _from_set(found: type[NamedDataset], task: str, image_size: int | None) -> Dataset:
    check_task(found.name(), task, classes=found.classes, holds=found.holds)
    dataset = found()
    whole = dataset.examples(found.splits[0], task, image_size=image_size)
    validation, train = _divided(len(whole), min(len(whole) // VALIDATION_SHARE, MAX_VALIDATION))
    return Dataset(
        name=found.name(),
        spec=_resized(found.spec(task), image_size),
        train=whole.select(train),
        validation=whole.select(validation),
        test=dataset.examples(found.checked("test"), task, image_size=image_size),
        classes=found.classes,
        words=found.words,
    )


def _from_path(path: str | Path, task: str, image_size: int | None) -> Dataset:
    source = open_images(path, policy=Policy())
    check_task(source.name, task)
    images = read_all(source, image_size=image_size)
    n = len(images)
    if n < LEAST:
        hint = f"{LEAST} are the least: 8 to train, 1 to validate and 1 to test with"
        raise DataError("E-TOO-FEW", f"{source.name} holds {n} images", hint=hint)
    validation, test, train = _divided(n, n // 10, n // 10)
    whole = Examples(images=images)
    return Dataset(
        name=source.name,
        spec=DataSpec(channels=images.shape[1], height=images.shape[2], width=images.shape[3]),
        train=whole.select(train),
        validation=whole.select(validation),
        test=whole.select(test),
    )


def _divided(n: int, *sizes: int) -> list[Tensor]:
    """Disjoint random parts of 0..n-1 of these sizes and, last, what remains.

    Each in random order: files come sorted, class by class, and the first thousand of a part must stand for all of it.
    """
    order = torch.from_numpy(seeding.generator(0, "dataset/division").permutation(n))
    return list(order.split([*sizes, n - sum(sizes)]))


def _resized(spec: DataSpec, image_size: int | None) -> DataSpec:
    """Resizing mixes the levels of neighbours, so that all 256 occur."""
    if image_size is None or spec.height == spec.width == image_size:
        return spec
    return replace(spec, height=image_size, width=image_size, levels=256)
