"""Reading a source whole, and where examples are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from making import encoded, load, pixels

from genbench.batch import Examples
from genbench.data.base import Policy
from genbench.data.memory import examples_on, read_all
from genbench.data.open import open_images


def test_arrays_and_files_are_read_alike(tmp_path: Path) -> None:
    images = [pixels(seed, 7, 7) for seed in range(5)]
    for index, image in enumerate(images):
        (tmp_path / f"{index}.png").write_bytes(encoded(image))
    array = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in images])
    for spec in (tmp_path, array, [torch.from_numpy(image).permute(2, 0, 1) for image in images]):
        assert torch.equal(read_all(open_images(spec, policy=Policy())), array)


def test_grey_is_one_channel() -> None:
    read = read_all(open_images("digits/test", policy=Policy()))
    assert read.is_contiguous()
    assert torch.equal(read.expand(-1, 3, -1, -1), load("digits/test"))


@pytest.mark.parametrize(("free", "moved"), [(4000, True), (3000, False)])
def test_half_of_the_free_memory_is_the_most(free: int, moved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = Examples(images=torch.zeros(100, 1, 4, 4, dtype=torch.uint8), labels=torch.zeros(25, dtype=torch.int64))
    went: list[str] = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    monkeypatch.setattr(Examples, "to", lambda self, device: went.append(str(device)) or self)
    assert examples_on(examples, "cuda:0") is examples
    assert went == (["cuda:0"] if moved else [])


def test_without_cuda_examples_stay() -> None:
    examples = Examples(images=torch.zeros(4, 1, 2, 2, dtype=torch.uint8))
    assert examples_on(examples, "cpu") is examples
