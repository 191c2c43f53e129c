"""A study is balanced, the same for the same seed, and shows no rater where an image comes from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from studies import HOSTILE, pairwise, pictures, systems

from genbench.errors import DataError, GenbenchError, UsageError
from genbench.study.design import new_study
from genbench.study.document import FILE, IMAGES, load_study
from genbench.study.store import Store
from genbench.study.turns import for_page, turns_of


@pytest.mark.parametrize("questions", [3, 7, 20])
def test_every_pair_of_systems_is_asked_as_often(tmp_path: Path, questions: int) -> None:
    study, _ = pairwise(tmp_path, questions=questions)
    counts = Counter(frozenset(one.pair) for one in study.questions if not one.catch)
    assert counts.total() == questions
    assert len(counts) == 3
    assert max(counts.values()) - min(counts.values()) <= 1


def test_for_every_rater_each_system_of_a_pair_is_left_half_of_the_time(tmp_path: Path) -> None:
    study, _ = pairwise(tmp_path, questions=21, catch=0.3)
    for rater in map(str, range(30)):
        left: Counter[tuple[str, ...]] = Counter()
        for turn in turns_of(study, rater):
            if turn.question.catch:
                left[("catch",)] += 1 if turn.correct == "left" else -1
            else:
                left[turn.question.pair] += -1 if turn.flipped else 1
        assert max(map(abs, left.values())) <= 1, rater


def test_order_and_sides_are_the_raters_own_and_stay(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path, questions=21)
    one, again, other = (turns_of(load_study(folder), rater) for rater in ("anna", "anna", "ben"))
    assert one == again
    assert [turn.question.id for turn in one] != [turn.question.id for turn in other]
    assert {turn.question.id for turn in one} == {turn.question.id for turn in other} == {q.id for q in study.questions}
    sides = {turn.question.id: turn.flipped for turn in other}
    assert any(sides[turn.question.id] != turn.flipped for turn in one)


def test_no_side_is_preferred_over_raters(tmp_path: Path) -> None:
    """400 raters: the first question's first image is left in half of them, within four standard errors."""
    study, _ = pairwise(tmp_path, questions=6)
    wanted = study.questions[0].id
    flips = [turn.flipped for rater in range(400) for turn in turns_of(study, str(rater)) if turn.question.id == wanted]
    assert abs(np.mean(flips) - 0.5) < 4 * 0.5 / 20


def test_the_same_arguments_make_the_same_study(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    again = new_study("pairwise", systems(tmp_path), tmp_path / "again", questions=6, catch=0.2)
    assert again == study
    other = new_study("pairwise", systems(tmp_path), tmp_path / "other", questions=6, catch=0.2, seed=1)
    assert other.id != study.id
    assert not other.image_files & study.image_files
    before = (folder / FILE).read_bytes()
    pairwise(tmp_path)  # repeating goes on
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.01, 1), (0.2, 4), (1.0, 20)])
def test_catch_trials_are_an_image_beside_noise_of_its_size(tmp_path: Path, share: float, expected: int) -> None:
    study, folder = pairwise(tmp_path, questions=20, catch=share)
    trials = [one for one in study.questions if one.catch]
    assert len(trials) == expected
    for one in trials:
        good, noise = (np.asarray(Image.open(folder / "images" / shown.file)) for shown in (one.a, one.b))
        assert one.correct == "a"
        assert one.a.system == one.b.system
        assert good.shape == noise.shape
        assert (np.diff(good.astype(int), axis=0) == 0).mean() > 0.5 > (np.diff(noise.astype(int), axis=0) == 0).mean()
        assert any(one.a.file in (other.a.file, other.b.file) for other in study.questions if not other.catch)


def test_nothing_a_rater_receives_names_a_system(tmp_path: Path) -> None:
    names = ["ddpm", HOSTILE]
    sets = dict(zip(names, systems(tmp_path, "a b").values(), strict=True))
    study = new_study("pairwise", sets, tmp_path / "study", questions=10)
    received = json.dumps([for_page(turn) for turn in turns_of(study, "anna")])
    files = [path.name for path in (tmp_path / "study" / "images").iterdir()]
    for name in [*names, "set0", "set1", "catch", "correct", "noise", "0001"]:
        assert name not in received
        assert not any(name in file for file in files)
    assert set(files) == study.image_files
    assert len({len(file) for file in files}) == 1


def test_images_lose_their_metadata_and_keep_their_pixels(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", "a prompt of the secret model")
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(3):
            colour = (40 * index, 200, 7 if name == "a" else 9)
            Image.new("RGB", (8, 6), colour).save(tmp_path / name / f"{index}.png", pnginfo=info)
    study = new_study("pairwise", {"a": tmp_path / "a", "b": tmp_path / "b"}, tmp_path / "study", catch=0)
    for question in study.questions:
        for shown, source in ((question.a, "a"), (question.b, "b")):
            path = tmp_path / "study" / "images" / shown.file
            assert b"secret" not in path.read_bytes()
            assert Image.open(path).tobytes() == Image.open(tmp_path / source / shown.name).tobytes()


def test_matching_names_are_shown_beside_each_other_and_others_are_mixed(tmp_path: Path) -> None:
    matched, _ = pairwise(tmp_path, questions=30, catch=0)
    assert matched.matched
    assert all(one.a.name == one.b.name for one in matched.questions)
    sets = {"a": pictures(tmp_path / "a", 12, prefix="x"), "b": pictures(tmp_path / "b", 30, prefix="y")}
    mixed = new_study("pairwise", sets, tmp_path / "mixed", catch=0)
    assert not mixed.matched
    assert len(mixed.questions) == 12
    assert len({one.a.name for one in mixed.questions}) == len({one.b.name for one in mixed.questions}) == 12


def test_two_alternative_shows_one_real_image_and_says_which(tmp_path: Path) -> None:
    real = pictures(tmp_path / "photos", 40, seed=9)
    study = new_study("two_alternative", systems(tmp_path, "ddpm gan"), tmp_path / "study", real=real, questions=20, catch=0.1)
    asked = [one for one in study.questions if not one.catch]
    assert Counter(one.b.system for one in asked) == {"ddpm": 10, "gan": 10}
    assert len({one.a.name for one in asked}) == 20
    for turn in turns_of(study, "anna"):
        if not turn.question.catch:
            assert (turn.left if turn.correct == "left" else turn.right).system == "real"


def test_text_match_shows_two_images_of_one_caption(tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("name,caption\n" + "".join(f'{index:04d}.png,"caption, {index}"\n' for index in range(12)))
    study = new_study("text_match", systems(tmp_path, "a b"), tmp_path / "study", captions=captions, catch=0.25)
    for one in study.questions:
        assert one.text == f"caption, {int(one.a.name[:4])}"
        assert one.b.name.startswith(one.a.name)


def test_large_images_are_shrunk_and_sizes_that_differ_are_told(tmp_path: Path) -> None:
    for name, size in (("large", (1500, 750)), ("small", (64, 64))):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.new("RGB", size, (index, 2, 3)).save(tmp_path / name / f"{index}.png")
    study = new_study("pairwise", {name: tmp_path / name for name in ("large", "small")}, tmp_path / "study", catch=0)
    sizes = {Image.open(tmp_path / "study" / "images" / one.a.file).size for one in study.questions}
    assert sizes == {(1024, 512)}
    assert [warning.code for warning in study.warnings] == ["W-SIZES"]
    assert "large 1024x512" in study.warnings[0].text


def test_named_sets_and_arrays_are_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "fake.npz", np.zeros((20, 8, 8, 3), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None])
    study = new_study("two_alternative", {"fake": tmp_path / "fake.npz"}, tmp_path / "study", real="digits/test", questions=5)
    assert {one.b.name for one in study.questions} >= {one.b.name for one in study.questions if not one.catch}
    assert len(study.questions) == 6


def test_what_cannot_be_a_study_is_refused_with_a_reason(tmp_path: Path) -> None:
    sets = systems(tmp_path, "a b")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("important")

    def refused(code: str, sentence: str, error: type[GenbenchError] = UsageError, **options: object) -> None:
        given = dict(zip(("kind", "systems", "out"), ("pairwise", sets, tmp_path / "study"), strict=True))
        with pytest.raises(error) as caught:
            new_study(**{**given, **options})  # type: ignore[arg-type]
        assert caught.value.code == code
        assert sentence in str(caught.value)
        assert caught.value.hint

    with pytest.raises(UsageError, match="pairwise, two_alternative, text_match"):
        new_study("threewise", sets, tmp_path / "study")  # type: ignore[arg-type]
    refused("E-SYSTEMS", "1 systems", systems={"a": sets["a"]})
    refused("E-SYSTEMS", "given twice", systems={"a": sets["a"], "b": str(sets["a"]) + "/"})
    refused("E-SYSTEMS", "line breaks", systems={"a\n": sets["a"], "b": sets["b"]})
    refused("E-REAL", "takes no real images", real=sets["a"].parent / "real")
    refused("E-QUESTIONS", "between 1 and", questions=0)
    refused("E-QUESTIONS", "pairs of systems", systems=systems(tmp_path, "a b c"), questions=2)
    refused("E-CATCH", "from 0 to 1", catch=1.5)
    refused("E-QUESTION", "1 to 300", question=" ")
    refused("E-STUDY-EXISTS", "thesis.tex", out=tmp_path / "full")
    refused("E-TOO-FEW", "images for 12", error=DataError, questions=13)
    refused("E-EMPTY", "no images found in empty", error=DataError, systems={"a": sets["a"], "b": tmp_path / "empty"})
    refused("E-CAPTIONS", "takes no captions", captions=tmp_path / "captions.csv")
    with pytest.raises(UsageError, match="needs real images"):
        new_study("two_alternative", sets, tmp_path / "study")
    with pytest.raises(UsageError, match="--real"):
        new_study("two_alternative", {"real": sets["a"]}, tmp_path / "study", real=sets["b"])
    with pytest.raises(UsageError, match="no tie"):
        new_study("two_alternative", {"a": sets["a"]}, tmp_path / "study", real=sets["b"], ties=True)
    with pytest.raises(UsageError, match="needs captions"):
        new_study("text_match", sets, tmp_path / "study")
    (sets["b"] / "0003.png").write_bytes(b"not an image")
    refused("E-BAD-IMAGE", "0003.png", error=DataError)
    assert not (tmp_path / "study" / FILE).exists()


def test_a_study_with_votes_is_made_again_as_it_is(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    Store(folder / "votes.sqlite", study.id).close()
    assert pairwise(tmp_path)[0] == study


def test_another_study_does_not_take_the_place_of_one(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    Store(folder / "votes.sqlite", study.id).close()
    with pytest.raises(UsageError, match="holds another study"):
        pairwise(tmp_path, questions=9, seed=1)
    assert load_study(folder) == study
    assert {path.name for path in (folder / "images").iterdir()} == study.image_files


def test_a_changed_or_incomplete_study_is_not_served(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace('"system": "gan"', '"system": "vae"', 1))
    with pytest.raises(DataError, match="was changed"):
        load_study(folder)
    (folder / FILE).write_text(text)
    (folder / "images" / min(study.image_files)).unlink()
    with pytest.raises(DataError, match="1 of"):
        load_study(folder)
    (folder / FILE).write_text(text.replace('"file": "', '"file": "../', 1))
    with pytest.raises(DataError, match=r"questions\.0"):
        load_study(folder)
    with pytest.raises(DataError, match="no study in"):
        load_study(tmp_path)


@pytest.mark.parametrize("target", ["outside", "study.json", "other.png"])
def test_a_strangers_study_shows_no_other_file(tmp_path: Path, target: str) -> None:
    """Neither one of this machine nor the answer key, by a link or by a link in the place of the folder."""
    study, folder = pairwise(tmp_path)
    image = folder / IMAGES / min(study.image_files)
    image.rename(folder / "other.png")
    (tmp_path / "outside").write_text("secret")
    image.symlink_to(tmp_path / target if target == "outside" else folder / target)
    with pytest.raises(DataError, match="leads out of its folder"):
        load_study(folder)
    image.unlink()
    (folder / "other.png").rename(image)
    (folder / IMAGES).rename(tmp_path / "elsewhere")
    (folder / IMAGES).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="leads out of its folder"):
        load_study(folder)


def test_what_is_no_image_is_not_shown(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    (folder / IMAGES / min(study.image_files)).write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(DataError, match="is no PNG"):
        load_study(folder)
