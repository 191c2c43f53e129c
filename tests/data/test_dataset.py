"""What models are trained on: divisions that never leak, tasks that the data can serve, errors that teach."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from making import encoded, pixels
from numpy.typing import NDArray
from torch import Tensor

from genbench.batch import DataSpec
from genbench.data.dataset import open_dataset
from genbench.data.sets.base import NEEDS
from genbench.errors import DataError, GenbenchError, UsageError
from genbench.models.base import Task


def rows(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


def folder_of(path: Path, images: NDArray[np.uint8] | list[NDArray[np.uint8]]) -> Path:
    path.mkdir()
    for index, image in enumerate(images):
        (path / f"{index:04d}.png").write_bytes(encoded(image))
    return path


def test_a_named_set() -> None:
    dataset = open_dataset("digits", task="class")
    assert dataset.name == "digits"
    assert dataset.spec == DataSpec(channels=1, height=8, width=8, levels=17, classes=10)
    assert dataset.classes == tuple("0123456789")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [999, 199, 599]
    assert dataset.train.images.shape == (999, 1, 8, 8)
    assert dataset.train.labels is not None
    assert dataset.train.labels.shape == (999,)


def test_parts_are_disjoint_make_up_the_whole_and_stay_the_same() -> None:
    from sklearn.datasets import load_digits

    dataset, again = open_dataset("digits"), open_dataset("digits")
    parts = [dataset.train.images, dataset.validation.images, dataset.test.images]
    whole = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    assert sorted(row for part in parts for row in rows(part)) == sorted(image.tobytes() for image in whole)
    assert torch.equal(dataset.validation.images, again.validation.images)
    assert dataset.validation.labels is not None
    assert np.bincount(dataset.validation.labels, minlength=10).min() >= 8  # drawn at random, not cut off the end


def test_labels_stay_with_their_images() -> None:
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    known = [image.tobytes() for image in np.rint(images * (255 / 16)).astype(np.uint8)]
    labels = dict(zip(known, targets, strict=True))
    dataset = open_dataset("digits")
    for part in (dataset.train, dataset.validation, dataset.test):
        assert part.labels is not None
        assert [labels[row] for row in rows(part.images)] == part.labels.tolist()


def test_validation_has_an_upper_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genbench.data.dataset.MAX_VALIDATION", 50)
    dataset = open_dataset("digits")
    assert (len(dataset.train), len(dataset.validation)) == (1148, 50)


def test_one_image() -> None:
    dataset = open_dataset("digits", task="single_image")
    assert (len(dataset.train), len(dataset.test)) == (1, 599)


def test_another_size_has_all_levels() -> None:
    dataset = open_dataset("digits", image_size=16)
    assert (dataset.spec.shape, dataset.spec.levels) == ((1, 16, 16), 256)
    assert dataset.test.images.shape == (599, 1, 16, 16)
    assert open_dataset("digits", image_size=8).spec.levels == 17


def test_a_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mine", [pixels(seed, 6, 6) for seed in range(50)])
    dataset = open_dataset(folder)
    assert dataset.name == "mine"
    assert dataset.spec == DataSpec(channels=3, height=6, width=6)
    parts = [dataset.train.images, dataset.validation.images, dataset.test.images]
    assert [len(part) for part in parts] == [40, 5, 5]
    assert sorted(row for part in parts for row in rows(part)) == sorted(
        pixels(seed, 6, 6).transpose(2, 0, 1).tobytes() for seed in range(50)
    )
    assert torch.equal(open_dataset(str(folder)).test.images, dataset.test.images)


def test_an_npz_of_grey_images_has_one_channel(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    np.savez(tmp_path / "grey.npz", digits[:20])
    assert open_dataset(tmp_path / "grey.npz").spec.shape == (1, 8, 8)
    one_coloured = digits[:20].copy()
    one_coloured[7, 0, 0, 2] = 255
    np.savez(tmp_path / "colour.npz", one_coloured)
    assert open_dataset(tmp_path / "colour.npz").spec.shape == (3, 8, 8)


def test_central_squares(tmp_path: Path) -> None:
    wide = np.zeros((6, 10, 3), dtype=np.uint8)
    wide[:, 2:8] = 200  # the square, all of one colour; its surroundings must not bleed in
    folder = folder_of(tmp_path / "mixed", [wide, wide.transpose(1, 0, 2)] * 10)
    dataset = open_dataset(folder, image_size=4)
    assert dataset.spec.shape == (1, 4, 4)
    assert (dataset.train.images == 200).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([(6, 6), (8, 8)], "images of 2 sizes"), ([(6, 8), (6, 8)], "8x6 pixels, which are no squares")],
)
def test_sizes_that_no_model_takes(sizes: list[tuple[int, int]], message: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mixed", [pixels(seed, *sizes[seed % 2]) for seed in range(10)])
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(folder)
    assert "image_size=" in caught.value.hint
    np.savez(tmp_path / "wide.npz", np.zeros((12, 6, 8, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="no squares"):
        open_dataset(tmp_path / "wide.npz")


def test_too_few_and_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="few holds 9 images") as caught:
        open_dataset(folder_of(tmp_path / "few", [pixels(seed, 6, 6) for seed in range(9)]))
    assert caught.value.code == "E-TOO-FEW"
    np.savez(tmp_path / "none.npz", np.zeros((0, 6, 6, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="holds no images"):
        open_dataset(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        ({"name_or_path": "digitz"}, "E-NAME", "digitz", "did you mean digits"),
        ({"name_or_path": "./nowhere"}, "E-NO-PATH", "nowhere", "spelling"),
        ({"name_or_path": "digits/test"}, "E-SPLIT", "one split", "name the set alone, digits"),
        ({"name_or_path": "digits", "task": "text"}, "E-TASK", "digits has no captions, which the task text needs", "shapes"),
        ({"name_or_path": "ring", "task": "class"}, "E-TASK", "ring has no labels", "digits"),
        ({"name_or_path": "digits", "task": "clas"}, "E-NAME", "no task named 'clas'", "did you mean class"),
        ({"name_or_path": "shapes", "image_size": 64}, "E-SIZE", "16x16 only, not 64x64", "another dataset"),
    ],
)
def test_errors_teach(arguments: dict[str, object], code: str, message: str, hint: str) -> None:
    with pytest.raises(GenbenchError, match=message) as caught:
        open_dataset(**arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert hint in caught.value.hint


def test_folders_of_images_are_no_classes(tmp_path: Path) -> None:
    folder_of(tmp_path / "cat", [pixels(seed, 6, 6) for seed in range(12)])
    with pytest.raises(UsageError, match="has no labels"):
        open_dataset(tmp_path, task="class")
    assert open_dataset(tmp_path).train.labels is None


def test_every_task_of_models_is_known() -> None:
    assert set(NEEDS) == set(get_args(Task))
