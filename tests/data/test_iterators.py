from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from making import load, pixels
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from genbench.data import spool
from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError, SetupError

IMAGES = np.stack([pixels(seed) for seed in range(9)])
PLANES = IMAGES.transpose(0, 3, 1, 2)
TENSOR = torch.from_numpy(PLANES.copy())


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(TENSOR)


@pytest.mark.parametrize(
    "spec",
    [
        lambda: TENSOR,
        lambda: IMAGES,
        lambda: TENSOR.split(4),
        lambda: (image for image in TENSOR),
        lambda: (Image.fromarray(image) for image in IMAGES),
        lambda: iter([IMAGES[:5], IMAGES[5:]]),
        lambda: [(TENSOR, torch.arange(9))],
        Stream(),
        DataLoader(TensorDataset(TENSOR, torch.arange(9)), batch_size=2),
    ],
)
def test_batches_images_and_callables(spec: Any) -> None:
    source = open_images(spec, policy=Policy())
    assert source.kind == "iterator"
    assert np.array_equal(load(spec).numpy(), PLANES)


def test_an_iterator_is_used_once_and_late() -> None:
    drawn = []

    def sample() -> Iterator[torch.Tensor]:
        for image in TENSOR:
            drawn.append(1)
            yield image

    source = open_images(sample(), policy=Policy())
    assert not drawn
    assert (len(source), len(source), len(drawn)) == (9, 9, 9)
    assert np.array_equal(source.read(3), PLANES[3])


def test_floats() -> None:
    with pytest.raises(DataError, match="nothing says which of them is black"):
        load(iter(TENSOR / 255))
    assert np.array_equal(load(iter(TENSOR / 255), value_range=(0, 1)).numpy(), PLANES)


def test_sizes_may_differ() -> None:
    mixed = [TENSOR[0], TENSOR[1], TENSOR[2][:, :4]]
    with pytest.raises(DataError, match=r"2 images are 5x6, 1 are 5x4 \(first: image 2\)"):
        load(iter(mixed))
    assert load(iter(mixed), on_size_mix="resize").shape == (3, 3, 6, 5)


def test_nothing_comes() -> None:
    with pytest.raises(DataError, match="holds no images"):
        load(iter([]))


def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(SetupError, match="No space left") as caught:
        load(iter(TENSOR))
    assert (caught.value.code, caught.value.exit_code) == ("E-WRITE", 6)
    assert "TMPDIR" in caught.value.hint
