"""Influence comes back from disk as it was, with the names and groups of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

import genbench
from genbench.errors import DataError
from genbench.estimate import Influence, mean_estimate
from genbench.evaluation.influence import FILE, load_influence, save_influence
from genbench.evaluation.result import Result


def test_everything_comes_back(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pulls = torch.randn(5, generator=generator, dtype=torch.float64)
    known = {
        "fd@tiny/1 fd": Influence(fake=pulls, real=pulls[:3]),
        "clip_score/1 clip_score": Influence(fake=pulls, groups=torch.tensor([0, 0, 1, 1, 2])),
    }
    names = ["a.png", "b\n.png", "é.png", "<img>.png", "=cmd"]
    save_influence(tmp_path / FILE, known, names)
    found, found_names = load_influence(tmp_path / FILE)
    assert found_names == names
    assert set(found) == set(known)
    for key, influence in known.items():
        np.testing.assert_allclose(found[key].fake, influence.fake, rtol=1e-7)
    np.testing.assert_allclose(found["fd@tiny/1 fd"].real, pulls[:3], rtol=1e-7)
    assert found["fd@tiny/1 fd"].groups is None
    assert found["clip_score/1 clip_score"].real is None
    assert np.array_equal(found["clip_score/1 clip_score"].groups, [0, 0, 1, 1, 2])


def test_an_older_file_is_never_taken_for_a_newer_result(tmp_path: Path) -> None:
    save_influence(tmp_path / FILE, {"a/1 a": Influence(fake=torch.zeros(2))}, [])
    save_influence(tmp_path / FILE, {}, [])
    assert load_influence(tmp_path / FILE) == ({}, [])


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    with pytest.raises(DataError) as caught:
        load_influence(tmp_path / FILE)
    assert caught.value.code == "E-INFLUENCE"
    assert "not paired" in caught.value.hint


FINE = np.zeros(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("arrays", "names", "said"),
    [
        ({"fd/1 fd fake": FINE.reshape(3, 1)}, "[]", "shape"),
        ({"fd/1 fd fake": FINE[:0]}, "[]", "shape"),
        ({"fd/1 fd fake": FINE.astype(np.int32)}, "[]", "finite"),
        ({"fd/1 fd fake": FINE + np.nan}, "[]", "finite"),
        ({"fd/1 fd fake": FINE, "fd/1 fd real": FINE + np.inf}, "[]", "finite"),
        ({"fd/1 fd fake": FINE.astype(float) + 1e200}, "[]", "finite"),
        ({"fd/1 fd real": FINE}, "[]", "fake"),
        ({"fd/1 fd fake": FINE, "fd/1 fd other": FINE}, "[]", "other"),
        ({"fd/1 fd fake": FINE, "fd/1 fd groups": np.zeros(2, dtype=np.int32)}, "[]", "2 groups of 3 images"),
        ({"fd/1 fd fake": FINE, "fd/1 fd groups": np.array([0, -1, 1], dtype=np.int32)}, "[]", "groups"),
        ({"fd/1 fd fake": FINE, "fd/1 fd groups": FINE + np.nan}, "[]", "groups"),
        ({"fd/1 fd fake": FINE}, '["a", 3, "c"]', "names"),
        ({"fd/1 fd fake": FINE}, '"abc"', "names"),
        ({"fd/1 fd fake": FINE}, "[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_influence_is_refused(arrays: dict[str, Any], names: str, said: str, tmp_path: Path) -> None:
    save_file(arrays, tmp_path / FILE, metadata={"names": names})
    with pytest.raises(DataError, match=said) as caught:
        load_influence(tmp_path / FILE)
    assert caught.value.code == "E-INFLUENCE"


def test_a_saved_result_knows_which_image_pulls(digit_folder: Path, tmp_path: Path) -> None:
    result = genbench.evaluate(digit_folder, ref="digits/train", metrics=["fd@tiny", "precision@tiny"], allow_small=True)
    result.save(tmp_path)
    loaded = Result.load(tmp_path)
    assert list(loaded.image_names) == [path.name for path in sorted(digit_folder.iterdir())]
    assert set(loaded.influence) == set(result.influence) == set(loaded.by_protocol)
    for key, influence in result.influence.items():
        np.testing.assert_allclose(loaded.influence[key].fake, influence.fake, rtol=1e-6, atol=1e-6)


def test_a_result_without_influence_has_none(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    result = genbench.evaluate(digits[:300], ref="digits/train", metrics=["fd@tiny"], allow_small=True)
    (tmp_path / "result.json").write_text(result.to_json())
    assert dict(Result.load(tmp_path).influence) == {}
    assert list(Result.load(tmp_path).image_names) == []


def test_means_of_clusters_say_which_images_belong_together() -> None:
    estimate = mean_estimate(torch.tensor([1.0, 2.0, 4.0]), better="higher", clusters=torch.tensor([7, 3, 7]))
    assert estimate.influence is not None
    assert estimate.influence.groups is not None
    assert estimate.influence.groups[0] == estimate.influence.groups[2] != estimate.influence.groups[1]
