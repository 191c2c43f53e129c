"""A report opens no images but those that were measured, and nothing because a stranger's document says so."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.data.base import Policy
from genbench.data.sets.cifar10 import CIFAR10
from genbench.errors import DataError, SetupError
from genbench.evaluation.build import build_statistics
from genbench.evaluation.evaluate import evaluate
from genbench.report.features import request_of


def test_without_images_the_page_says_so(measured: Any, page_of: Any) -> None:
    moved = measured.result.model_copy(
        update={"command": [], "subject": measured.result.subject.model_copy(update={"name": "gone"})}
    )
    text, left_out = page_of(moved)
    assert "--images" in left_out["pictures"]
    assert "does not say where its images (gone) lie below this folder: pass --images PATH, or run from" in left_out["pictures"]
    assert left_out["pictures"] in text.partition('<h2 id="samples">')[2].partition("</section>")[0]
    assert "<img src=" not in text
    assert str(moved.metrics[0]) in text
    text, left_out = page_of(measured.folder, pictures=False)
    assert "<img src=" not in text


def test_images_may_be_named_where_they_are_now(digit_folder: Path, page_of: Any) -> None:
    result = evaluate(digit_folder, ref="digits", extractor="tiny", metrics="fd", device="cpu")
    text, left_out = page_of(result, images=digit_folder)
    assert "generated image 0000.png" in text or "0001.png" in text
    assert set(left_out) == {"classes"}


def test_other_images_are_refused(
    digit_folder: Path, digits: NDArray[np.uint8], tmp_path: Path, page_of: Any, write_images: Any
) -> None:
    result = evaluate(digit_folder, ref="digits", extractor="tiny", metrics="fd", device="cpu")
    with pytest.raises(DataError, match="these are not the images that were measured") as refused:
        page_of(result, images=write_images(tmp_path / "others", digits[1:601]))
    assert refused.value.code == "E-OTHER-IMAGES"
    assert "--images" in refused.value.hint
    with pytest.raises(DataError, match="not the images that were measured"):
        page_of(result, images=digit_folder, ref=write_images(tmp_path / "real", digits[:600]))
    with pytest.raises(DataError, match="nowhere") as missing:
        page_of(result, images=tmp_path / "nowhere")
    assert missing.value.code == "E-NO-PATH"
    assert not (tmp_path / "report.html").exists()


def test_images_that_changed_since_are_not_shown(
    digits: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_of: Any, write_images: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(Path("samples"), digits[:60])
    command = "genbench evaluate samples --ref digits --extractor tiny".split()
    result = evaluate("samples", ref="digits", metrics="fd@tiny", device="cpu", allow_small=True, command=command)
    assert "generated image" in page_of(result)[0]
    Image.fromarray(255 - digits[0]).save("samples/0000.png")
    text, left_out = page_of(result)
    assert "not the images that were measured" in left_out["pictures"]
    assert left_out["pictures"].partition(";")[0] in text
    assert "<img src=" not in text
    with pytest.raises(DataError, match="not the images that were measured"):
        page_of(result, images="samples")


def test_a_reference_of_statistics_gives_the_distance_and_no_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_of: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"weights": None, "precision": "fp32", "policy": Policy(), "device": "cpu", "batch_size": 64, "workers": 0}
    build_statistics("digits/train", "tiny", Path("s.safetensors"), max_features=300, progress=lambda *_: None, **options)  # type: ignore[arg-type]
    command = "genbench evaluate digits/test --ref s.safetensors --extractor tiny".split()
    result = evaluate("digits/test", ref="s.safetensors", metrics="fd@tiny", device="cpu", command=command)
    monkeypatch.setattr("genbench.report.features.SMALL", 1000)
    text, left_out = page_of(result)
    assert "--ref" in left_out["neighbours"]
    assert "With infinitely many images" in text
    text, left_out = page_of(result, ref="digits/train")
    assert "neighbours" not in left_out
    assert "training image image" in text


def test_without_the_network_there_are_pictures_and_numbers(
    measured: Any, monkeypatch: pytest.MonkeyPatch, page_of: Any
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise SetupError("E-OFFLINE", "the weights are not here", hint="fetch them")

    monkeypatch.setattr("genbench.evaluation.request.Place.load", missing)
    text, left_out = page_of(measured.folder)
    assert left_out["distance"] == "The weights are not here. Fetch them."
    assert "generated image" in text
    assert "Worst: what makes" in text
    assert "Nearest training images</h2>" not in text


def test_a_run_cannot_make_us_import_anything(digit_runs: Path, tmp_path: Path, page_of: Any) -> None:
    folder = tmp_path / "stranger"
    shutil.copytree(next(path.parent for path in digit_runs.rglob("model.json") if path.parent.name == "seed0"), folder)
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(model | {"model": "antigravity:Model"}))
    _, left_out = page_of(folder)
    assert "antigravity" not in sys.modules
    assert "--data" in left_out["pictures"]


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was asked of the network, where it may be asked."""
    asked = []

    def opened(self: CIFAR10, root: Path, split: str, *, download: bool) -> Any:
        if download:
            asked.append(split)
        raise RuntimeError("not there")

    monkeypatch.setattr(CIFAR10, "open", opened)
    monkeypatch.setenv("GENBENCH_OFFLINE", "0")
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path / "data"))
    return asked


def test_a_document_cannot_make_us_fetch_anything(measured: Any, downloads: list[str], page_of: Any) -> None:
    command = "genbench evaluate cifar10 --ref cifar10".split()
    _, left_out = page_of(measured.result.model_copy(update={"command": command}))
    assert "downloads are off" in left_out["pictures"]
    command[2] = "digits/test"
    text, left_out = page_of(measured.result.model_copy(update={"command": command}))
    assert "generated image" in text
    assert "downloads are off" in left_out["distance"]
    assert downloads == []
    with pytest.raises(SetupError):
        page_of(measured.result, images="cifar10")  # but a user can
    assert downloads == ["train"]
    assert os.environ["GENBENCH_OFFLINE"] == "0"


@pytest.mark.parametrize(
    "words",
    [["/usr"], ["~nosuchuser"], ["x" * 5000], ["a\0b"], ["."], [""], ["docs"], ["digits/test", "--background", "1e400,0,0"]],
    ids=["root", "user", "long", "nul", "here", "nothing", "empty", "colour"],
)
def test_odd_words_of_a_command_cost_pictures_at_most(
    measured: Any, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_of: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    gone = measured.result.subject.model_copy(update={"name": "gone"})
    text, left_out = page_of(measured.result.model_copy(update={"command": ["genbench", "evaluate", *words], "subject": gone}))
    assert ("pictures" in left_out) == (words[0] != "digits/test")
    assert str(measured.result.metrics[0]) in text


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "/usr"},
        {"dataset": "../elsewhere"},
        {"dataset": "antigravity:Set"},
        {"dataset": "cifar10"},
        {"dataset": ["digits"]},
        {"seed": "0"},
        {"num_images": -1},
        {"knobs": {"steps": "many"}},
    ],
    ids=str,
)
def test_odd_values_of_a_run_cost_pictures_at_most(
    digit_runs: Path, changes: dict[str, Any], downloads: list[str], tmp_path: Path, page_of: Any
) -> None:
    document = json.loads((digit_runs / "held-out" / "result.json").read_text())
    document["config"] |= changes
    folder = tmp_path / "stranger"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(document))
    text, left_out = page_of(folder)
    assert "pictures" in left_out
    assert "<img src=" not in text
    assert downloads == []
    assert "antigravity" not in sys.modules


def test_a_document_cannot_make_us_import_anything(measured: Any) -> None:
    metric = measured.result.metrics[0]
    for protocol in ("fd@antigravity:Extractor/1", "antigravity:Metric/1", "/", "", "fd@nowhere/1"):
        assert request_of(metric.model_copy(update={"protocol": protocol})) is None
    outside = metric.extractor.model_copy(update={"extractor": "antigravity"})  # type: ignore[union-attr]
    assert request_of(metric.model_copy(update={"extractor": outside})) is None
