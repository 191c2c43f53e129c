"""Nearest training images as numbers and as a picture: the definition, planted copies, and what cannot be shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from genbench.catalog import find
from genbench.cli import run
from genbench.data.base import Policy
from genbench.errors import DataError, UsageError
from genbench.evaluation import neighbours as module
from genbench.evaluation.neighbours import neighbours

Digits = NDArray[np.uint8]  # (N, 8, 8, 3)


def features(images: Digits) -> torch.Tensor:
    extractor = find("extractors", "tiny").load(input=find("extractors", "tiny").inputs[0], precision="fp32", weights=None)
    with torch.inference_mode():
        found = extractor(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), ("pool",))["pool"]
    return torch.as_tensor(found).double()


def test_equals_all_distances(digits: Digits) -> None:
    train, made = digits[:300], digits[300:350]
    found = neighbours(made, ref=train, extractor="tiny", n=50, k=3)
    across = torch.cdist(features(made), features(train))
    within = torch.cdist(features(train), features(train)).fill_diagonal_(torch.inf).amin(1)
    assert (found.n, found.n_ref, len(found.rows)) == (50, 300, 50)
    for row in found.rows:
        i = int(row.name.split()[-1])
        nearest = across[i].argsort()[:3]
        assert [int(neighbour.name.split()[-1]) for neighbour in row.neighbours] == nearest.tolist()
        assert [neighbour.distance for neighbour in row.neighbours] == pytest.approx(across[i][nearest].tolist(), rel=1e-4)
        assert row.ratio == pytest.approx(float(across[i].min() / within[nearest[0]]), rel=1e-4)
    ratios = (across.amin(1) / within[across.argmin(1)]).sort().values
    assert found.median_ratio == pytest.approx(float(ratios.median()), rel=1e-4)


def test_worst_first_are_the_planted_copies(digits: Digits) -> None:
    made = np.concatenate([digits[900:1000], digits[:5]])
    worst = neighbours(made, ref=digits[:600], extractor="tiny", n=6, k=2, worst=True)
    assert {row.name for row in worst.rows[:5]} == {f"image {i}" for i in range(100, 105)}
    for row in worst.rows[:5]:
        assert row.ratio == pytest.approx(0, abs=1e-3)
        assert int(row.neighbours[0].name.split()[-1]) == int(row.name.split()[-1]) - 100
    ratios = [row.ratio for row in worst.rows]
    assert ratios == sorted(ratios, key=lambda ratio: ratio or 0)
    assert (worst.rows[5].ratio or 0) > 0.1


def test_rows_are_drawn_by_the_seed_and_not_picked(digits: Digits) -> None:
    def names(seed: int) -> list[str]:
        return [row.name for row in neighbours(digits[:200], ref=digits[200:400], extractor="tiny", n=8, seed=seed).rows]

    assert names(0) == names(0)
    assert names(0) != names(1)
    assert len(set(names(0))) == 8


def test_a_copy_of_a_duplicated_training_image_has_ratio_zero(digits: Digits) -> None:
    train = np.concatenate([digits[:100], digits[:50]])
    worst = neighbours(digits[:10], ref=train, extractor="pixels", n=10, k=1, worst=True)
    assert all(row.ratio == 0 and row.training_distance > 0 for row in worst.rows)


def test_all_training_images_are_one(digits: Digits) -> None:
    found = neighbours(digits[:5], ref=np.repeat(digits[:1], 6, 0), extractor="pixels", n=5, k=2)
    assert all(row.ratio is None for row in found.rows)
    assert found.median_ratio is None
    json.loads(found.to_json())


def test_the_picture_holds_the_images(digits: Digits) -> None:
    found = neighbours(digits[600:610], ref=digits[:100], extractor="tiny", n=3, k=4)
    side, gap, line = module.SIDE, module.GAP, module.LINE
    assert found.picture.size == (gap + 5 * (side + gap) + 2 * gap, line + gap + 3 * (side + line + gap))
    row = found.rows[1]
    top = line + gap + side + line + gap
    shown = np.asarray(found.picture)[top : top + side, gap : gap + side]
    made = digits[600 + int(row.name.split()[-1])]
    np.testing.assert_array_equal(shown[side // 16 :: side // 8, side // 16 :: side // 8], made)
    left = gap + side + gap + 2 * gap
    first = np.asarray(found.picture)[top : top + side, left : left + side]
    nearest = digits[int(row.neighbours[0].name.split()[-1])]
    np.testing.assert_array_equal(first[side // 16 :: side // 8, side // 16 :: side // 8], nearest)


def test_files_that_were_skipped_shift_no_name(digits: Digits, tmp_path: Path) -> None:
    for index, image in enumerate(digits[:20]):
        Image.fromarray(image).save(tmp_path / f"{index:02d}.png")
    (tmp_path / "05.png").write_bytes((tmp_path / "05.png").read_bytes()[:90])
    found = neighbours(tmp_path, ref=digits[:100], extractor="tiny", n=20, k=1, policy=Policy(on_bad="skip"))
    assert found.n == 19
    for row in found.rows:
        assert int(Path(row.name).stem) == int(row.neighbours[0].name.split()[-1])


def test_the_verb_writes_a_picture_and_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "deep" / "sheet.png"
    assert run([*"neighbours digits/test --ref digits/train --extractor tiny --n 3 -o".split(), str(out)]) == 0
    printed = capsys.readouterr()
    assert Image.open(out).format == "PNG"
    assert printed.out.splitlines()[0].split()[:3] == ["image", "ratio", "distance"]
    assert "3 of 599 images, drawn by seed 0; median ratio of all: 1.0" in printed.out
    assert str(out) in printed.err


def test_the_verb_prints_one_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = "neighbours digits/test --ref digits/train --extractor tiny --n 2 --k 3 --worst --json --quiet -o".split()
    assert run([*arguments, str(tmp_path / "sheet.png")]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["schema"] == "genbench.neighbours/1"
    assert [len(row["neighbours"]) for row in document["rows"]] == [3, 3]
    assert document["rows"][0]["ratio"] <= document["rows"][1]["ratio"]
    assert printed.err == ""
    assert str(tmp_path) not in printed.out


def test_what_cannot_be_shown(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 images with 5 neighbours each"):
        neighbours(digits[:5], ref=digits[:5], extractor="tiny", n=0)
    with pytest.raises(UsageError, match="no extractor named 'tini'") as caught:
        neighbours(digits[:5], ref=digits[:5], extractor="tini")
    assert "tiny" in caught.value.hint
    with pytest.raises(UsageError, match="named 'pol'"):
        neighbours(digits[:5], ref=digits[:5], extractor="tiny.pol")
    with pytest.raises(DataError, match="has 1 usable images; 2 are the least"):
        neighbours(digits[:5], ref=digits[:1], extractor="tiny")
    with pytest.raises(DataError, match="no such file or folder"):
        neighbours(digits[:5], ref=tmp_path / "nothing", extractor="tiny")
