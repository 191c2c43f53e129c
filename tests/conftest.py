"""Every test has a cache of its own, no network, and one thread, so that tests do not depend on each other or the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image


@pytest.fixture(autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("GENBENCH_OFFLINE", "1")
    monkeypatch.delenv("GENBENCH_DATA", raising=False)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> NDArray[np.uint8]:
    """All of scikit-learn's digits as uint8 (1797, 8, 8, 3)."""
    from sklearn.datasets import load_digits

    grey = np.round(load_digits().images * 255 / 16).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


@pytest.fixture(scope="session")
def digit_folder(digits: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 digits as PNG files."""
    folder = tmp_path_factory.mktemp("digits")
    for index, image in enumerate(digits[:600]):
        Image.fromarray(image).save(folder / f"{index:04d}.png")
    return folder
