"""Every test has a cache of its own, no network, and one thread, so that tests do not depend on each other or the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

HOSTILE_LABEL = "VAE </title><script>alert(1)</script>"


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


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what lives longer than one test, which has a cache of its own."""
    with pytest.MonkeyPatch.context() as places:
        places.setenv("GENBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def digit_runs(tmp_path_factory: pytest.TempPathFactory, own_cache: None) -> Path:
    """A suite of one model that ran: "held-out" and the folder of a VAE below it."""
    from genbench.bench.runner import run_suite
    from genbench.bench.suite import Suite

    folder = tmp_path_factory.mktemp("runs")
    table = {
        "version": 1,
        "title": "Small",
        "dataset": "digits",
        "metrics": ["fd@tiny", "prdc@tiny"],
        "num_images": 150,
        "num_scored": 20,
        "budget": {"steps": 30},
        "entries": [{"model": "vae", "label": HOSTILE_LABEL, "recipe": {"lr": 0.002}}],
    }
    run_suite(Suite.model_validate(table), "small", folder, device="cpu")
    return folder
