from __future__ import annotations

import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from making import encoded, load, pixels

from genbench import catalog
from genbench.data.base import Policy
from genbench.data.dataset import open_dataset
from genbench.data.open import open_images
from genbench.data.sets.base import NamedDataset
from genbench.errors import SetupError, UsageError
from genbench.images import from_levels, to_levels

DATA = os.environ.get("GENBENCH_TEST_DATA")  # a folder with MNIST/raw and the cifar10-jpeg archives
needs_data = pytest.mark.skipif(DATA is None, reason="GENBENCH_TEST_DATA names no folder with real images")
NAMES = catalog.names("datasets")
DRAWN = ("checkerboard", "grid", "moons", "ring", "shapes", "shapes32")  # by code: nothing to download, always there


@pytest.mark.parametrize("name", NAMES)
def test_every_set_keeps_the_contract(name: str) -> None:
    dataset = catalog.find("datasets", name)()
    assert isinstance(dataset, NamedDataset)
    assert dataset.name() == name
    assert dataset.splits[0] == "train"
    assert dataset.title
    assert "test" in dataset.splits
    assert dataset.homepage.startswith("http") or name in DRAWN
    assert len(dataset.size) == 2
    with pytest.raises(UsageError, match=f"no {name} split named 'tarin'"):
        dataset.checked("tarin")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("digits", *DRAWN)])
def test_offline_and_missing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("GENBENCH_OFFLINE", "1")
    with pytest.raises(SetupError, match=name) as caught:
        open_images(f"{name}/test", policy=Policy())
    assert caught.value.exit_code == 6
    assert caught.value.code == ("E-DATASET" if name == "cifar10-jpeg" else "E-OFFLINE")
    assert str(tmp_path) in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_download_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("GENBENCH_OFFLINE", "0")
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    with pytest.raises(SetupError, match=r"cifar10 could not be downloaded: .*no route to host") as caught:
        open_images("cifar10", policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-DOWNLOAD", 6)
    assert "cifar-10-batches-py" in caught.value.hint


def test_digits() -> None:
    train, test = load("digits"), load("digits/test")
    assert (len(train), len(test)) == (1198, 599)
    assert train.shape[1:] == (3, 8, 8)
    assert (train[:, 0] == train[:, 2]).all()
    from sklearn.datasets import load_digits

    assert np.array_equal(test[4, 1].numpy(), np.rint(load_digits().images[14] * 255 / 16))
    dataset = catalog.find("datasets", "digits")()
    for split in ("train", "test"):
        shares = np.bincount(dataset.labels(split)) / len(dataset.images(split))
        assert shares.min() > 0.08
        assert shares.max() < 0.12


@pytest.mark.parametrize("name", ["digits", *DRAWN])
def test_examples_are_what_the_spec_says(name: str) -> None:
    dataset = catalog.find("datasets", name)()
    spec, examples = dataset.spec(), dataset.examples("test")
    assert examples.images.shape[1:] == spec.shape
    assert examples.images.dtype == (torch.uint8 if spec.levels else torch.float32)
    assert (examples.labels is None) == (spec.classes == 0)
    if examples.labels is not None:
        assert set(examples.labels.tolist()) == set(range(spec.classes))
    if spec.levels:
        x = examples.batch(slice(100)).x
        assert torch.allclose(from_levels(to_levels(x, spec.levels), spec.levels), x, atol=1 / 250)  # 8 bits round


def test_names_of_classes() -> None:
    classes = catalog.find("datasets", "cifar100").classes
    assert len(classes) == 100
    assert list(classes) == sorted(set(classes))


def test_cifar10_jpeg_reads_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "cifar10-jpeg-test.zip", "w") as archive:
        for seed, name in enumerate(["truck/0.jpg", "airplane/0.jpg", "cat/1.jpg"]):
            archive.writestr(name, encoded(pixels(seed, 32, 32), "JPEG", quality=75))
    source = open_images("cifar10-jpeg/test", policy=Policy())
    assert (source.name, source.kind, len(source)) == ("cifar10-jpeg/test", "dataset", 3)
    assert catalog.find("datasets", "cifar10-jpeg")().labels("test").tolist() == [0, 3, 9]


@needs_data
@pytest.mark.parametrize(("spec", "n", "size"), [("mnist/test", 10_000, 28), ("cifar10-jpeg/test", 10_000, 32)])
def test_real_images(spec: str, n: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(DATA))
    source = open_images(spec, policy=Policy())
    assert len(source) == n
    labels = catalog.find("datasets", spec.partition("/")[0])().labels("test")
    assert len(labels) == n
    assert source.name == spec
    assert load(spec, workers=2, batch_size=512).shape == (n, 3, size, size)


@needs_data
def test_real_images_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(DATA))
    dataset = open_dataset("mnist", task="class")
    assert dataset.spec.shape == dataset.test.images.shape[1:] == (1, 28, 28)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [55_000, 5_000, 10_000]
