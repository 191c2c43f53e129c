from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import encoded, pixels

from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError, GenbenchError, UsageError


def refused(spec: Any) -> GenbenchError:
    with pytest.raises(GenbenchError) as caught:
        open_images(spec, policy=Policy())
    return caught.value


@pytest.mark.parametrize(
    "spec", ["./nothing", "no/such/folder", "nothing/", "nothing.zip", "/nothing", Path("nothing"), "https://host/s.zip"]
)
def test_no_such_path(spec: str | Path) -> None:
    error = refused(spec)
    assert isinstance(error, DataError)
    assert (error.code, error.exit_code) == ("E-NO-PATH", 5)
    assert f"no such file or folder: {spec}" in error.message


@pytest.mark.parametrize(
    ("spec", "hint"), [("cifr10", "did you mean cifar10"), ("mnit/test", "did you mean mnist"), ("xyz", "known:")]
)
def test_no_such_path_nor_dataset(spec: str, hint: str) -> None:
    error = refused(spec)
    assert isinstance(error, UsageError)
    assert (error.code, error.exit_code) == ("E-NAME", 2)
    assert "no such path and no dataset of that name" in error.message
    assert hint in error.hint


def test_no_such_split() -> None:
    error = refused("digits/tset")
    assert (error.code, error.exit_code, error.hint) == ("E-NAME", 2, "did you mean test?")


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_images("digits", policy=Policy()).kind == "dataset"
    Path("digits").mkdir()
    Path("digits/a.png").write_bytes(encoded(pixels(0)))
    assert open_images("digits", policy=Policy()).kind == "folder"


def test_files_that_hold_no_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(pixels(0)))
    (tmp_path / "a.parquet").write_bytes(b"x")
    error = refused(tmp_path / "a.png")
    assert (error.code, error.exit_code, error.message) == ("E-FORMAT", 5, "a.png is one image")
    assert "folder" in error.hint
    assert "a.parquet is not a file that holds images" in refused(tmp_path / "a.parquet").message


def test_names_are_never_absolute_paths(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.zeros((2, 4, 4, 3), np.uint8))
    assert open_images(str(tmp_path / "s.npy"), policy=Policy()).name == "s.npy"
    assert open_images(tmp_path, policy=Policy()).name == tmp_path.name


def test_a_source_is_taken_as_it_is() -> None:
    source = open_images("digits/test", policy=Policy())
    assert open_images(source, policy=Policy()) is source


@pytest.mark.parametrize("spec", [None, 3])
def test_what_holds_no_images(spec: Any) -> None:
    error = refused(spec)
    assert (error.code, error.exit_code) == ("E-TYPE", 2)
