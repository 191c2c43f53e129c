"""Every planted lie is found, and an honest result is not accused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genbench import catalog
from genbench.errors import DataError
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.influence import load_influence, save_influence
from genbench.evaluation.result import MetricResult
from genbench.leaderboard import identities
from genbench.leaderboard.recompute import difference
from genbench.leaderboard.submission import Submission
from genbench.leaderboard.validate import validate

METRICS = ["fd", "kd", "inception_score", "prdc", "vendi", "fd_infinity", "sharpness", "swd"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real result of 599 digits."""
    folder = tmp_path_factory.mktemp("honest")
    asked = ["fid_infinity" if name == "fd_infinity" else name for name in METRICS]
    result = evaluate("digits/test", ref="digits/train", extractor="tiny", metrics=asked, device="cpu")
    result.save(folder)
    return folder


@pytest.fixture
def copied(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "copied"))


def test_an_honest_result_is_not_accused(honest: Path) -> None:
    (found,) = validate([honest])
    assert (found.problems, found.exit_code, str(found)) == ([], 0, f"{honest / 'result.json'}: ok, consistent")


def metric(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        next(one for one in document["metrics"] if one["name"] == name).update(changes)

    return change


def inside(side: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document[side].update(changes)


def network(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["metrics"][0]["extractor"].update(changes)


LIES = {
    "a better value": (metric("fd", value=0.01), 5, "is not that of|does not contain"),
    "a value outside of its interval": (metric("fd", value=-3.0), 5, "does not contain the value"),
    "a share that is not that of its images": (metric("precision", value=0.96), 5, "every image makes the value 0.9533"),
    "a smaller error with its interval": (
        metric("fd", se=0.01, ci=[0.0826939 - 0.0196, 0.0826939 + 0.0196]), 5, "standard error of 0.0395|is not that of",
    ),
    "a smaller error of a jackknife": (metric("inception_score", se=0.02), 5, "makes a standard error"),
    "more images": (metric("fd", n=10_000), 5, "n is 10,000"),
    "fewer images": (metric("kd", n=500), 5, "the influence beside it is of 599"),
    "more images on both sides": (inside("subject", n=10_000, listed=10_000), 5, "n is 599"),
    "more reference images": (metric("fd", n_real=50_000), 5, "more than the 1,198 images of the reference"),
    "a negative error": (metric("vendi", se=-1.0), 5, "se: Input should be greater than"),
    "no protocol": (metric("fd", protocol="fid"), 5, "no protocol"),
    "NaN": (metric("fd", value=float("nan")), 5, "no genbench.result/1"),
    "an interval the wrong way round": (metric("fd", ci=[1.0, 0.0]), 5, "the wrong way round"),
    "no value and no reason": (metric("fd", value=None), 5, "no value and no reason"),
    "no network": (metric("fd", extractor=None), 5, "nothing says which network made them"),
    "no network, and none in the protocol": (
        metric("inception_score", extractor=None, protocol="inception_score:tf/1"), 5, "nothing says which network made them",
    ),
    "no digest": (inside("subject", digest="sha256:abc"), 5, "no digest"),
    "other weights": (network(weights_sha256="0" * 64), 3, "weights_sha256: 000000000000, and this version uses d5164d9361d6"),
    "another preprocessing": (network(preprocess="nearest-32"), 3, "preprocess: nearest-32"),
    "another version": (network(version=2), 3, "version: tiny has 2"),
    "a network of nobody": (network(extractor="mine"), 3, "none of this version"),
    "another reference of the same name": (inside("reference", digest="sha256:" + "0" * 64), 3, "has the digest 000000000000"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_found(lie: str, copied: Path, rewrite: Any) -> None:
    change, status, sentence = LIES[lie]
    rewrite(copied / "result.json", change)
    (found,) = validate([copied])
    assert found.exit_code == status
    assert any(part in str(found) for part in sentence.split("|")), str(found)


def test_influence_of_another_result_is_found(copied: Path, honest: Path) -> None:
    influence, names = load_influence(honest / "influence.safetensors")
    other = {key: type(found)(fake=np.asarray(found.fake) * 2, real=found.real) for key, found in influence.items()}
    save_influence(copied / "influence.safetensors", other, names)
    assert "makes a standard error of" in str(validate([copied])[0])
    strange = {key.replace("fd@tiny", "fd@other"): found for key, found in influence.items()}
    save_influence(copied / "influence.safetensors", strange, names)
    assert "is of another result: it has fd@other/1 fd" in str(validate([copied])[0])
    save_influence(copied / "influence.safetensors", influence, names[:100])
    assert "names 100 images, and 599 were used" in str(validate([copied])[0])
    (copied / "influence.safetensors").write_bytes(b"nothing")
    assert validate([copied])[0].exit_code == 5


def test_unknown_schemas_teach(tmp_path: Path) -> None:
    for text, sentence in (('{"schema": "genbench.result/9"}', "genbench.result/9"), ("[1]", "no schema"), ("{", "no JSON")):
        path = tmp_path / "result.json"
        path.write_text(text)
        for place in (path, tmp_path):
            (found,) = validate([place])
            assert sentence in str(found)
            assert "genbench.baseline/1" in str(found)
            assert found.exit_code == 5
    with pytest.raises(DataError, match="nothing to validate"):
        validate([_empty(tmp_path)])
    with pytest.raises(DataError, match="there is no"):
        validate([tmp_path / "nowhere"])


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_runs_and_baselines_are_checked(make_run: Any, rewrite: Any, honest: Path, tmp_path: Path) -> None:
    from genbench.evaluation.result import Result
    from genbench.gate.baseline import Baseline, beside

    place = make_run(tmp_path / "runs", "A", {"fd": 1.0}, weights=identities._tiny())
    assert [one.exit_code for one in validate([place])] == [0]
    rewrite(place / "result.json", lambda document: document["cost"].update(train_seconds=-1))
    assert "a cost below zero" in str(validate([place])[0])
    baseline = Baseline()
    baseline.update("default", Result.load(honest))
    path = tmp_path / "genbench-baseline.json"
    baseline.save(path)
    assert [(one.schema, one.exit_code) for one in validate([path])] == [("genbench.baseline/1", 0)]
    rewrite(path, lambda document: document["entries"]["default"]["result"]["metrics"][0].update(value=0.01))
    assert "is not that of 0.01" in str(validate([path])[0])
    beside(path).unlink()
    assert "is missing" in str(validate([path])[0])


LISTING = 'name = "A"\nurl = "https://example.org"\nlicence = "MIT"\nhardware = "one GPU"\n'


def test_submissions(copied: Path, honest: Path) -> None:
    listing = copied / "submission.toml"
    listing.write_text(LISTING)
    assert [one.exit_code for one in validate([copied])] == [0, 0]
    listing.write_text(LISTING + "seeds = [0, 1]\n")
    assert "names 2 seeds, and there are 1 results" in str(validate([listing])[0])
    listing.write_text(LISTING.replace("https://", "javascript:"))
    assert "url: an address begins with https://" in str(validate([listing])[0])
    listing.write_text(LISTING + "speed = 3\n")
    assert "speed: Extra inputs" in str(validate([listing])[0])
    listing.write_text(LISTING + "[sampling]\nms_per_image = nan\n")
    assert validate([listing])[0].exit_code == 5
    (copied / "influence.safetensors").unlink()
    listing.write_text(LISTING)
    assert "error bars cannot be checked" in validate([listing])[0].notes[0]


def test_the_same_images_twice_are_no_two_seeds(honest: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        shutil.copytree(honest, tmp_path / f"seed{seed}")
    (tmp_path / "submission.toml").write_text(LISTING + "seeds = [0, 1]\n")
    assert "two seeds have the very same images" in str(validate([tmp_path / "submission.toml"])[0])


def test_the_example_of_the_docstring_is_a_submission(tmp_path: Path) -> None:
    from genbench.leaderboard import submission

    path = tmp_path / "submission.toml"
    path.write_text(str(submission.__doc__).partition("\n\n")[2].replace('sha256 = "..."', f'sha256 = "{"0" * 64}"'))
    assert Submission.load(path).sampling.evaluations == 1000  # type: ignore[union-attr]


def test_identities_are_those_of_the_networks() -> None:
    from genbench.features import clip, dinov2, inception, lpips, vgg16

    assert sorted(identities.KNOWN) == catalog.names("extractors")
    for name in catalog.names("extractors"):
        assert catalog.find("extractors", name).version == identities.VERSION
    for name in ("tiny", "pixels", "spectrum"):
        own = catalog.find("extractors", name).load(
            input=catalog.find("extractors", name).inputs[0], precision="fp32", weights=None
        )
        known = identities.KNOWN[name][own.identity.preprocess]
        assert own.identity.weights_sha256 == (identities._tiny() if name == "tiny" else known)
    assert identities.KNOWN["inception"] == {way: inception.WEIGHTS.sha256 for _, way in inception.INPUTS.values()}
    assert list(identities.KNOWN["vgg16"].values()) == [vgg16.WEIGHTS.sha256]
    for module, known in ((clip.VARIANTS, identities.KNOWN["clip"]), (dinov2.VARIANTS, identities.KNOWN["dinov2"])):
        published = {way.partition(",")[0]: sha256 for way, sha256 in known.items()}
        assert published == {name: variant.weights.sha256 for name, variant in module.items()}
    beginnings = {way.split(",")[2]: sha256 for way, sha256 in identities.KNOWN["lpips"].items()}
    assert beginnings == {name: backbone.weights.sha256 for name, backbone in lpips.BACKBONES.items()}


def test_names_of_values_of_features_are_those_of_the_metrics() -> None:
    names: set[str] = set()
    for metric in (catalog.find("metrics", name) for name in catalog.names("metrics")):
        if metric.extractor is not None and metric.takes != "points":
            names |= set(metric.reports) | {name for renamed in metric.on.values() for name in renamed.values()}
    assert names == identities.OF_FEATURES


@pytest.mark.parametrize("name", ["clip", "dinov2", "lpips", "vgg16"])
def test_preprocessings_are_spelt_as_the_networks_spell_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their weights: the constructor is asked for what it would call the way."""
    from genbench.features.base import FeatureExtractor

    class Enough(Exception):
        pass

    told: dict[str, Any] = {}

    def stop(self: Any, **given: Any) -> None:
        told.update(given)
        raise Enough

    extractor = catalog.find("extractors", name)
    monkeypatch.setattr(FeatureExtractor, "__init__", stop)
    for variant in extractor.inputs:
        given: dict[str, Any] = {"precision": "fp32", "weights_sha256": ""} | ({} if name == "vgg16" else {"input": variant})
        places: tuple[Any, ...] = (None, None) if name in ("lpips", "vgg16") else (None,)
        with pytest.raises(Enough):
            extractor(*places, **(given | ({"heads_sha256": "a" * 64} if name == "lpips" else {})))
        way = told["preprocess"]
        assert [known for known in identities.KNOWN[name] if way == known or (known.endswith("-") and way.startswith(known))]


def test_files_are_checked_without_torch(honest: Path) -> None:
    code = (
        "import sys; from genbench.cli import run\n"
        f"status = run(['validate', {str(honest)!r}, '-q'])\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'scipy', 'PIL', 'jinja2'} & set(sys.modules)\n"
        "print(status, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.fixture(scope="module")
def images(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "images"
    folder.mkdir()
    for index, image in enumerate(digits[:520]):
        Image.fromarray(image).save(folder / f"{index:04d}.png")
    return folder


@pytest.fixture(scope="module")
def measured(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    evaluate(str(images), ref="digits/train", extractor="tiny", metrics=["fd", "precision"], device="cpu").save(folder)
    return folder


def test_with_the_images_a_consistent_lie_is_found(
    measured: Path, images: Path, rewrite: Any, tmp_path: Path, capsys: Any
) -> None:
    from genbench.cli import run

    copied = Path(shutil.copytree(measured, tmp_path / "copied"))
    assert run(["validate", str(copied), "--images", str(images), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["checked"], document["files"][0]["recomputed"]) == (
        "genbench.validation/1",
        "recomputed",
        True,
    )

    def shift(document: dict[str, Any]) -> None:
        found = document["metrics"][0]
        found.update(value=found["value"] - 0.01, ci=[end - 0.01 for end in found["ci"]])

    rewrite(copied / "result.json", shift)
    assert run(["validate", str(copied), "-q"]) == 0  # consistent, and yet a lie
    assert run(["validate", str(copied), "--images", str(images), "-q"]) == 5
    assert "fd (fd@tiny/1) is" in capsys.readouterr().out


def test_other_images_are_found(measured: Path, images: Path, tmp_path: Path, capsys: Any) -> None:
    from genbench.cli import run

    others = Path(shutil.copytree(images, tmp_path / "others"))
    Image.new("RGB", (8, 8), "white").save(others / "0000.png")
    assert run(["validate", str(measured), "--images", str(others), "-q"]) == 5
    assert "these are not the images that were measured" in capsys.readouterr().out


def test_a_protocol_that_is_not_here_is_incomparable(
    measured: Path, images: Path, rewrite: Any, tmp_path: Path, capsys: Any
) -> None:
    from genbench.cli import run

    copied = Path(shutil.copytree(measured, tmp_path / "copied"))
    rewrite(copied / "result.json", lambda document: document["metrics"][0].update(protocol="fd@tiny/7"))
    (copied / "influence.safetensors").unlink()
    assert run(["validate", str(copied), "--images", str(images), "-q"]) == 3
    assert "this version measures fd@tiny/1 fd" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({}, ""),
        ({"value": 1.00005, "se": 0.1005}, ""),
        ({"value": 1.001}, " is 1 here, not 1.001"),
        ({"se": 0.098}, ": its standard error is 0.1 here, not 0.098"),
        ({"n": 59}, ": n, n_real and direction are 60, 50, lower here"),
        ({"n_real": None}, ": n, n_real and direction are 60, 50, lower here"),
        ({"better": "higher"}, ": n, n_real and direction are 60, 50, lower here"),
        ({"value": None, "se": None, "ci": None, "reason": "lost"}, ": – in the result, 1.00 ± 0.10 here"),
    ],
)
def test_every_number_is_held_against_the_one_that_is_measured(told: dict[str, Any], found: str) -> None:
    here = MetricResult(
        name="fd", value=1.0, se=0.1, ci=(0.8, 1.2), level=0.95, method="influence", n=60, n_real=50, better="lower",
        protocol="fd/1", layer=None, extractor=None,
    )  # fmt: skip
    assert difference(here.model_copy(update=told), here) == found


def test_an_archive_is_held_against_its_listing(images: Path, measured: Path, tmp_path: Path, capsys: Any) -> None:
    from genbench import files
    from genbench.cli import run

    archive = Path(shutil.make_archive(str(tmp_path / "images"), "zip", images))
    copied = Path(shutil.copytree(measured, tmp_path / "copied"))
    for sha256, status in ((files.sha256(archive), 0), ("0" * 64, 5)):
        size = archive.stat().st_size
        table = f'[images]\nurl = "https://example.org/x.zip"\nbytes = {size}\nsha256 = "{sha256}"\n'
        (copied / "submission.toml").write_text(LISTING + table)
        assert run(["validate", str(copied), "--images", str(archive), "-q"]) == status
    assert "has the sha256" in capsys.readouterr().out
    assert run(["validate", str(copied), "--images", str(images)]) == 0
    assert "its archive's size and hash were not checked: --images is a folder" in capsys.readouterr().err
