"""The package `datasets` is optional and its data is remote, so a stand-in with its interface is used."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from making import encoded, load, pixels

from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError, SetupError


class Image:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class Rows(list[dict[str, Any]]):
    features: dict[str, Any]

    def select_columns(self, columns: list[str]) -> Rows:
        rows = Rows({column: row[column] for column in columns} for row in self)
        rows.features = {column: self.features[column] for column in columns}
        return rows

    def cast_column(self, column: str, feature: Image) -> Rows:
        assert not feature.decode
        return self


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rows:
    (tmp_path / "1.png").write_bytes(encoded(pixels(1)))
    rows = Rows([{"img": {"bytes": encoded(pixels(0)), "path": None}, "label": 0}])
    rows.append({"img": {"bytes": None, "path": str(tmp_path / "1.png")}, "label": 1})
    rows.features = {"label": int, "img": Image()}
    module = ModuleType("datasets")
    module.Image = Image  # type: ignore[attr-defined]

    def load_dataset(name: str, split: str) -> Rows:
        if (name, split) not in [("owner/name", "train"), ("owner/name", "test")]:
            raise ValueError(f"Unknown split {split!r}")
        return rows

    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return rows


@pytest.mark.parametrize(("spec", "split"), [("hf://owner/name", "train"), ("hf://owner/name:test", "test")])
def test_images_are_decoded_by_us(hub: Rows, spec: str, split: str) -> None:
    source = open_images(spec, policy=Policy())
    assert (source.name, source.kind, len(source)) == (f"hf://owner/name:{split}", "hub", 2)
    assert np.array_equal(load(spec).numpy(), np.stack([pixels(0), pixels(1)]).transpose(0, 3, 1, 2))


def test_a_row_without_image(hub: Rows) -> None:
    hub.append({"img": None, "label": 2})
    with pytest.raises(DataError, match="image 2: the row has no image"):
        load("hf://owner/name")
    assert len(load("hf://owner/name", on_bad="skip")) == 2


def test_no_image_column(hub: Rows) -> None:
    hub.features = {"label": int, "text": str}
    with pytest.raises(DataError, match="no image column") as caught:
        open_images("hf://owner/name", policy=Policy())
    assert "label, text" in caught.value.hint


def test_what_the_hub_says_is_passed_on(hub: Rows) -> None:
    with pytest.raises(SetupError, match="cannot load hf://owner/name:nope: Unknown split 'nope'") as caught:
        open_images("hf://owner/name:nope", policy=Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-HUB", 6)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SetupError, match="needs the package datasets") as caught:
        open_images("hf://owner/name", policy=Policy())
    assert 'pip install "genbench[hub]"' in caught.value.hint
