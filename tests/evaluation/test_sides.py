"""What images are seen beside, other than a reference: pairs, classes, held-out images, captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import genbench
from genbench.data.base import Policy
from genbench.data.sets.shapes import Shapes
from genbench.errors import DataError, IncomparableError
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import quiet
from genbench.evaluation.pairs import own_pairs
from genbench.evaluation.plan import prepare_execution

PAIRED = ["psnr", "ssim:uniform", "l1", "l2"]


def save(folder: Path, pixels: NDArray[np.uint8], names: list[str] | None = None) -> Path:
    """Images (N, H, W, 3) as files of a new folder."""
    for index, image in enumerate(pixels):
        path = folder / (names[index] if names else f"{index:03d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


@pytest.fixture
def noisy(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 20, digits[:120].shape)
    return (digits[:120] + noise).round().clip(0, 255).astype(np.uint8)


# -- pairs -----------------------------------------------------------------------------------------------------------------


def test_pairs_are_matched_by_name_whatever_the_order(
    tmp_path: Path, digits: NDArray[np.uint8], noisy: NDArray[np.uint8]
) -> None:
    originals = save(tmp_path / "originals", digits[:120])
    backwards = [f"{119 - index:03d}.png" for index in range(120)]
    restored = save(tmp_path / "restored", noisy[::-1].copy(), backwards)
    by_name = genbench.evaluate(restored, paired=originals, metrics=PAIRED)
    in_order = genbench.evaluate(noisy, paired=digits[:120], metrics=PAIRED)
    for mine, theirs in zip(by_name.metrics, in_order.metrics, strict=True):
        assert float(mine) == pytest.approx(float(theirs), rel=1e-12)
        assert mine.se is not None
        assert mine.se > 0
        assert (mine.n, mine.n_real) == (120, 120)
        assert mine.extractor is None
    error = (noisy.astype(float) - digits[:120]) / 255
    assert float(by_name["l1"]) == pytest.approx(np.abs(error).mean(), rel=1e-9)
    assert float(by_name["l2"]) == pytest.approx((error**2).mean(), rel=1e-9)
    assert by_name.paired is not None
    assert by_name.paired.name == "originals"


def test_an_ending_is_no_other_image(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    png = save(tmp_path / "a", digits[:100])
    bmp = save(tmp_path / "b", digits[:100], [f"{index:03d}.bmp" for index in range(100)])
    assert float(genbench.evaluate(png, paired=bmp, metrics=["l1"])["l1"]) == 0


def test_missing_partners_are_named_and_may_be_left_out(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    one = save(tmp_path / "one", digits[:110])
    other = save(tmp_path / "other", digits[5:115], [f"{index:03d}.png" for index in range(5, 115)])
    with pytest.raises(
        DataError, match=r"missing in the paired images \(other\): 5 of 110 \(000.*; missing in one: 5 of 110 \(110"
    ) as caught:
        genbench.evaluate(one, paired=other, metrics=["l1"])
    assert "--on-bad skip" in caught.value.hint
    result = genbench.evaluate(one, paired=other, metrics=["l1"], on_bad="skip")
    assert result["l1"].n == 105
    assert float(result["l1"]) == 0
    assert "W-UNPAIRED" in [warning.code for warning in result.warnings]


def test_pairs_of_two_sizes_or_of_one_name_are_refused(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    small = save(tmp_path / "small", digits[:20])
    large = save(tmp_path / "large", digits[:20].repeat(2, 1).repeat(2, 2))
    with pytest.raises(DataError, match="small has images of 8x8 and large of 16x16"):
        genbench.evaluate(small, paired=large, metrics=["l1"])
    twins = save(tmp_path / "twins", digits[:2], ["a.png", "a.bmp"])
    single = save(tmp_path / "single", digits[:1], ["a.tif"])
    with pytest.raises(DataError, match="several images called a"):
        genbench.evaluate(twins, paired=single, metrics=["l1"])


def test_images_too_small_for_a_window_say_what_fits(digits: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="ssim with the gaussian window needs images of at least 11x11") as caught:
        genbench.evaluate(digits[:120], paired=digits[:120])
    assert "uniform" in caught.value.hint


def test_mistakes_are_found_before_anything_is_decoded(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    seen: list[str] = []

    def watch(task: str, done: int, total: int) -> None:
        seen.append(task)

    other = save(tmp_path / "other", digits[:40], [f"x{index}.png" for index in range(40)])
    options = {"ref": "digits/train", "allow_small": True, "progress": watch}
    wrong = (
        {"metrics": ["intra_fid@tiny"], "labels": [1, 2]},
        {"metrics": ["l1", "fd@tiny"], "paired": other},
        {"metrics": ["attribute_accuracy", "fd@tiny"], "captions": ["", *["a red circle"] * 39]},
    )
    for mistake in wrong:
        with pytest.raises(DataError):
            genbench.evaluate(digits[:40], **options, **mistake)  # type: ignore[arg-type]
    assert not [task for task in seen if task.startswith("features")]


def test_a_pair_that_cannot_be_decoded_is_left_out_as_a_pair(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    one, other = save(tmp_path / "one", digits[:110]), save(tmp_path / "other", digits[:110])
    whole = (other / "007.png").read_bytes()
    (other / "007.png").write_bytes(whole[: len(whole) - 30])
    result = genbench.evaluate(one, paired=other, metrics=["l1"], on_bad="skip")
    assert result["l1"].n == 109
    assert float(result["l1"]) == 0


def test_features_of_pairs_come_from_any_extractor(digits: NDArray[np.uint8], noisy: NDArray[np.uint8]) -> None:
    metrics = ["feature_distance@tiny", "l1"]
    same = genbench.evaluate(digits[:120], paired=digits[:120], metrics=metrics)
    moved = genbench.evaluate(noisy, paired=digits[:120], metrics=metrics)
    assert float(same["feature_l2"]) == 0
    assert float(moved["feature_l2"]) > 0
    assert same["feature_l2"].protocol == "feature_distance@tiny/1"


def test_own_pairs_are_disjoint_of_one_class_and_in_no_order(digits: NDArray[np.uint8]) -> None:
    from sklearn.datasets import load_digits

    classes = [str(target) for target in load_digits().target[:300]]
    execution = prepare_execution("cpu", 64, 0, quiet)

    def pairs(order: NDArray[np.int64]) -> set[frozenset[int]]:
        collection = Collection.look(digits[:300][order], Policy(), execution)
        found = own_pairs(collection, [classes[position] for position in order])
        both = list(zip(found.first_positions, found.second_positions, strict=True))
        return {frozenset((int(order[i]), int(order[j]))) for i, j in both}

    forward = pairs(np.arange(300))
    assert forward == pairs(np.arange(300)[::-1].copy())
    members = [position for pair in forward for position in pair]
    assert len(members) == len(set(members))
    assert len(members) >= 290  # of ten classes, at most one each stays alone
    assert all(len({classes[position] for position in pair}) == 1 for pair in forward)


# -- classes ---------------------------------------------------------------------------------------------------------------


def test_classes_come_from_folders_files_sets_and_arguments(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    from sklearn.datasets import load_digits

    test = np.arange(len(digits)) % 3 == 2
    pixels, target = digits[test], load_digits().target[test]
    folders = save(tmp_path / "folders", pixels, [f"{label}/{index}.png" for index, label in enumerate(target)])
    np.savez(tmp_path / "samples.npz", arr_0=pixels, arr_1=target)
    options = {"ref": "digits/train", "metrics": ["intra_fid@tiny"], "allow_small": True}
    values = [
        float(genbench.evaluate(images, **options, **more)["intra_fd"])  # type: ignore[arg-type]
        for images, more in (
            ("digits/test", {}),
            (folders, {}),
            (tmp_path / "samples.npz", {}),
            (pixels, {"labels": target}),
        )
    ]
    assert values == pytest.approx([values[0]] * 4, rel=1e-6)
    shuffled = np.random.default_rng(0).permutation(target)
    assert float(genbench.evaluate(pixels, labels=shuffled, **options)["intra_fd"]) > 2 * values[0]  # type: ignore[arg-type]


def test_classes_of_one_side_only_are_named(digits: NDArray[np.uint8]) -> None:
    labels = ["zero" if index % 2 else "1" for index in range(600)]
    with pytest.raises(DataError, match="only the images have zero; only the reference has 0, 2, 3, 4, 5 and 4 more"):
        genbench.evaluate(digits[:600], ref="digits/train", metrics=["intra_fid@tiny"], labels=labels, allow_small=True)


def test_details_call_classes_by_their_names() -> None:
    result = genbench.evaluate("shapes/test", ref="shapes/train", metrics=["intra_fid@tiny"], allow_small=True)
    assert {f"fd/{name}" for name in Shapes.classes} <= set(result["intra_fd"].details)


def test_classes_that_nobody_tells_are_asked_for(digits: NDArray[np.uint8]) -> None:
    with pytest.raises(IncomparableError, match="needs the class of every image") as caught:
        genbench.evaluate(digits[:600], ref="digits/train", metrics=["intra_fid@tiny"], allow_small=True)
    assert "folder per class" in caught.value.hint
    with pytest.raises(DataError, match="3 labels for 600 images"):
        genbench.evaluate(digits[:600], ref="digits/train", metrics=["intra_fid@tiny"], labels=[1, 2, 3], allow_small=True)


# -- held-out images -------------------------------------------------------------------------------------------------------


def test_copies_of_training_images_are_found_beside_held_out_ones(digits: NDArray[np.uint8]) -> None:
    train, test = digits[np.arange(len(digits)) % 3 != 2], digits[np.arange(len(digits)) % 3 == 2]
    copies = test.copy()
    copies[:60] = train[:60]
    options = {"ref": train, "held_out": "digits/test", "extractor": "tiny"}
    result = genbench.evaluate(copies, metrics=["near_copies", "generalization_gap", "fd"], **options)  # type: ignore[arg-type]
    honest = genbench.evaluate(test, metrics=["near_copies", "generalization_gap", "fd"], **options)  # type: ignore[arg-type]
    share = float(result["near_copies"]) - float(honest["near_copies"])
    assert share == pytest.approx(60 / 599, abs=0.01)
    assert result.held_out is not None
    assert result.held_out.name == "digits/test"


# -- captions --------------------------------------------------------------------------------------------------------------


def test_captions_are_counted_by_the_parser_of_shapes() -> None:
    true = genbench.evaluate("shapes/test", captions="shapes/test", metrics=["attribute_accuracy"])
    assert all(float(metric) == 1 for metric in true.metrics if metric.better == "higher")
    captions = Shapes().captions("test")
    moved = genbench.evaluate("shapes/test", captions=captions[1:] + captions[:1], metrics=["attribute_accuracy"])
    assert all(float(metric) < 0.7 for metric in moved.metrics if metric.better == "higher")


def test_an_image_that_is_skipped_takes_its_caption_along(tmp_path: Path) -> None:
    pixels = Shapes().images("test").read_all()[:120].permute(0, 2, 3, 1).numpy()
    folder = save(tmp_path / "scenes", pixels)
    whole = (folder / "010.png").read_bytes()
    (folder / "010.png").write_bytes(whole[: len(whole) - 40])
    captions = dict(zip((f"{index:03d}.png" for index in range(120)), Shapes().captions("test"), strict=False))
    result = genbench.evaluate(folder, captions=captions, metrics=["caption_accuracy"], on_bad="skip")
    assert result["caption_accuracy"].n == 119
    assert float(result["caption_accuracy"]) == 1


def test_text_and_images_meet_in_the_features_of_one_network() -> None:
    grey = torch.tensor([255, 0], dtype=torch.uint8).repeat(100)
    images = grey[:, None, None, None].expand(-1, 3, 8, 8)
    right = ["a white image", "a black image"] * 100
    metric = ["clip_score@extractors:Reader:raw"]
    true = genbench.evaluate(images, captions=right, metrics=metric, allow_small=True)["clip_score"]
    wrong = genbench.evaluate(images, captions=right[::-1], metrics=metric, allow_small=True)["clip_score"]
    assert float(true) == pytest.approx(0.5)  # white on white; black has no features at all, and any angle with them is 0
    assert float(wrong) == 0
    assert true.protocol == "clip_score@extractors:raw/1"


def test_captions_without_an_image_and_images_without_a_caption_are_named() -> None:
    with pytest.raises(DataError, match="caption"):
        genbench.evaluate("shapes/test", captions=["one"], metrics=["attribute_accuracy"])
