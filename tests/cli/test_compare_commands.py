"""`genbench compare`: results, run folders and images go in; a table or one document comes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.bench.record import Quality, Record
from genbench.cli import run
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.result import Result

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(digits: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images plain/ and darker/, and under out/ their results and one of another protocol."""
    home = tmp_path_factory.mktemp("compare")
    for name, factor in (("plain", 1.0), ("darker", 0.5)):
        (home / name).mkdir()
        for index, image in enumerate(digits[1000:1200]):
            Image.fromarray((image * factor).astype(np.uint8)).save(home / name / f"{index:04d}.png")
    for name, images, protocol in (("plain", "plain", "k5"), ("darker", "darker", "k5"), ("other", "darker", "k3")):
        metrics = f"kd,precision:{protocol}"
        evaluate(home / images, ref="digits/train", metrics=metrics, extractor="tiny", workers=0).save(home / "out" / name)
    return home


@pytest.fixture
def told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Callable[[str], tuple[int, str, str]]:
    """Exit status, stdout and stderr of `genbench compare ...` in that folder."""
    monkeypatch.chdir(folder)

    def compare(arguments: str) -> tuple[int, str, str]:
        status = run(["compare", *arguments.split()])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return compare


Told = Callable[[str], tuple[int, str, str]]


def test_two_results(told: Told) -> None:
    status, out, _ = told("out/plain out/darker")
    assert status == 0
    heading, _, *lines = out.splitlines()
    assert heading.split()[:3] == ["metric", "plain", "darker"]
    assert [line.split()[0] for line in lines[:2]] == ["kd@tiny", "precision@tiny"]
    assert lines[0].endswith("worse")
    assert "kd@tiny: the sets share the reference and the images' names" in out


def test_json_is_one_document(told: Told) -> None:
    status, out, err = told("out/plain out/darker/result.json --json --names a,b --alpha 0.01")
    document = json.loads(out)
    assert (status, err, document["schema"], document["names"], document["alpha"]) == (
        0,
        "",
        "genbench.comparison/1",
        ["a", "b"],
        0.01,
    )


def test_formats(told: Told) -> None:
    assert told("out/plain out/darker --format markdown")[1].startswith("| metric | plain | darker |")
    assert len(list(csv.DictReader(io.StringIO(told("out/plain out/darker --format csv")[1])))) == 2
    assert told("out/plain out/darker --format latex")[1].startswith(r"\begin{tabular}")
    status, out, _ = told("out/plain out/darker out/plain")
    assert status == 0
    assert out.splitlines()[0].split() == ["metric", "name", "value", "rank", "group"]


@pytest.mark.parametrize(
    ("arguments", "status", "code", "sentence"),
    [
        ("out/plain", 2, "E-USAGE", "two or more"),
        ("out/plain out/other", 3, "E-INCOMPARABLE", "precision@tiny differs in protocol: prdc@tiny:k5/1 and prdc@tiny:k3/1"),
        ("out/plain nowhere", 5, "E-NO-RESULT", "nowhere"),
        ("plain darker", 5, "E-NO-RESULT", "with --ref images are evaluated"),
        ("out/plain out/darker --metrics kdd", 2, "E-NAME", "did you mean kd"),
        ("out/plain out/darker --alpha 5", 2, "E-USAGE", "alpha 5"),
        ("out/plain out/darker --names a", 2, "E-USAGE", "1 names for 2 results"),
        ("out/plain out/darker --format html", 2, "E-USAGE", "text, markdown, csv, latex, json"),
        ("out/plain out/darker --extractor tiny", 2, "E-USAGE", "--ref"),
        ("plain --ref digits --extractor tiny", 2, "E-USAGE", "two or more"),
    ],
)
def test_errors(arguments: str, status: int, code: str, sentence: str, told: Told) -> None:
    found, out, err = told(arguments)
    assert (found, out) == (status, "")
    assert f"error[{code}]" in err
    assert sentence in err


def test_the_metric_in_the_way_can_be_left_out(told: Told) -> None:
    status, out, _ = told("out/plain out/other --metrics kd")
    assert status == 0
    assert "left out: prdc@tiny:k5/1 precision: not in darker" in out
    assert "precision" not in out.partition("\n\n")[0]


def test_images_are_evaluated_first(told: Told) -> None:
    status, out, err = told("plain darker --ref digits/train --metrics kd,precision --extractor tiny --num-workers 0 -q")
    assert (status, err) == (0, "")
    assert out == told("out/plain out/darker")[1]


def test_near_zero_the_images_are_permuted(told: Told) -> None:
    arguments = "plain plain --names a,b --ref digits/train --metrics kd --extractor tiny --num-workers 0 -q --json"
    (pair,) = json.loads(told(arguments)[1])["metrics"][0]["pairs"]
    assert (pair["test"], pair["p"], pair["verdict"]) == ("permutation", 1.0, "not distinguishable")


def recorded(folder: Path, result: Result | None, label: str, seed: int) -> None:
    """A run's folder, as `genbench run` leaves it."""
    folder.mkdir(parents=True)
    final = None if result is None else Quality(evaluation=result)
    config = {"seed": seed, "model": label}
    error = "diverged" if result is None else None
    Record(label=label, family="gan", task="unconditional", config=config, final=final, error=error).save(folder)


def test_runs_are_compared_by_their_final_evaluation(folder: Path, told: Told, tmp_path: Path) -> None:
    plain, darker = (Result.load(folder / "out" / name) for name in ("plain", "darker"))
    recorded(tmp_path / "gan-0", plain, "gan", 0)
    recorded(tmp_path / "gan-1", darker, "gan", 1)
    recorded(tmp_path / "vae-0", darker, "vae", 0)
    recorded(tmp_path / "vae-1", None, "failed", 1)
    status, out, err = told(f"{tmp_path} --json")
    document = json.loads(out)
    assert (status, document["names"]) == (0, ["gan seed 0", "gan seed 1", "vae"])
    assert "left out: failed" in err
    assert "it failed" in err
    assert document["metrics"][0]["pairs"][0]["shares"] == ["reference", "images"]  # influence lies beside the record
    _, out, _ = told(f"{tmp_path / 'gan-0'} {tmp_path / 'vae-0'} out/plain --json")
    assert json.loads(out)["names"] == ["gan", "vae", "plain"]


def test_a_run_of_another_name_is_not_its_neighbour(folder: Path, told: Told, tmp_path: Path) -> None:
    plain, darker = (Result.load(folder / "out" / name) for name in ("plain", "darker"))
    recorded(tmp_path / "good", plain, "gan", 0)
    recorded(tmp_path / "bad", darker, "gan", 1)
    (tmp_path / "bad" / "result.json").rename(tmp_path / "good" / "bad.json")
    status, out, _ = told(f"{tmp_path / 'good'} {tmp_path / 'good' / 'bad.json'} --metrics kd --json")
    document = json.loads(out)
    (pair,) = document["metrics"][0]["pairs"]
    assert (status, document["names"]) == (0, ["good", "bad"])
    assert pair["difference"] != 0
    assert pair["verdict"] == "worse"


def test_a_run_that_failed_says_so(told: Told, tmp_path: Path) -> None:
    recorded(tmp_path / "run", None, "gan", 0)
    status, _, err = told(f"out/plain {tmp_path / 'run'}")
    assert status == 5
    assert "has no evaluation: diverged" in err
