"""What a user sees: a table or one document on stdout, everything else on stderr, and errors with their exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.cli import run
from genbench.evaluation.result import Result

Capture = pytest.CaptureFixture[str]


def test_the_first_command_of_the_readme(capsys: Capture) -> None:
    assert run("evaluate digits/test --ref digits/train --extractor tiny".split()) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == "fd kd inception_score precision recall density coverage".split()
    assert all("±" in line and "@tiny" in line for line in lines[2:])
    assert "digits/test: 599 images; reference digits/train: 1,198 images" in printed.err


def test_json_is_one_document_and_nothing_else(digit_folder: Path, capsys: Capture, tmp_path: Path) -> None:
    arguments = ["evaluate", str(digit_folder), "--ref", "digits", "--extractor", "tiny", "--json", "-o", str(tmp_path / "out")]
    assert run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "genbench.result/1"
    assert {"value", "se", "ci", "n", "better", "protocol"} <= set(document["metrics"][0])
    assert document["subject"]["name"] == digit_folder.name
    assert str(digit_folder.parent) not in json.dumps(document)
    assert Result.load(tmp_path / "out").subject.n == 600


def test_quiet_prints_the_table_alone(capsys: Capture) -> None:
    assert run("evaluate digits/test --ref digits/train --extractor tiny --metrics fd -q".split()) == 0
    assert capsys.readouterr().err == ""


def expect(arguments: str, status: int, code: str, sentence: str, capsys: Capture) -> None:
    """The exit status, and the error on stderr and, with --json, as one document."""
    assert run([*arguments.split(), "--json"]) == status
    printed = capsys.readouterr()
    assert f"error[{code}]" in printed.err
    assert sentence in printed.err
    document = json.loads(printed.out)
    assert (document["schema"], document["code"], document["exit"]) == ("genbench.error/1", code, status)


@pytest.mark.parametrize(
    ("arguments", "status", "code", "sentence"),
    [
        ("evaluate", 2, "E-USAGE", "Missing argument"),
        ("evaluate digits --reff digits", 2, "E-USAGE", "--reff"),
        ("evaluat digits", 2, "E-USAGE", "No such command"),
        ("evaluate digits --ref digits --extractor tini", 2, "E-NAME", "did you mean tiny"),
        ("evaluate digits --ref digits --metrics fidd", 2, "E-NAME", "did you mean fid"),
        ("evaluate digits/tset --ref digits --extractor tiny", 2, "E-NAME", "did you mean test"),
        ("evaluate digits --extractor tiny --metrics fid", 2, "E-NO-REF", "fd needs a reference"),
        ("evaluate digits --ref digits --extractor tiny --precision fp8", 2, "E-USAGE", "fp32, tf32, bf16"),
        ("evaluate digits --ref digits --extractor tiny --precision tf32 --device cpu", 2, "E-PRECISION", "CUDA"),
        ("evaluate digits --ref digits --extractor tiny --on-bad ignore", 2, "E-USAGE", "fail, skip"),
        ("evaluate digits --ref digits --extractor tiny --background pink", 2, "E-USAGE", "R,G,B"),
        ("evaluate digits --ref digits --extractor tiny --value-range 1,0", 2, "E-USAGE", "LOW,HIGH"),
        ("evaluate digits --ref digits --extractor tiny --device quantum", 2, "E-DEVICE", "quantum"),
        ("evaluate digits --ref digits --extractor tiny --batch-size 0", 2, "E-USAGE", "1 or more"),
        ("evaluate ./nowhere --ref digits --extractor tiny", 5, "E-NO-PATH", "nowhere"),
        ("evaluate digits --ref ./nowhere --extractor tiny", 5, "E-NO-PATH", "nowhere"),
        ("evaluate cifar10 --ref digits --extractor tiny", 6, "E-OFFLINE", "cifar10"),
        ("evaluate digits --ref digits", 6, "E-OFFLINE", "pt_inception-2015-12-05-6726825d.pth"),
        ("evaluate digits --ref digits --weights nowhere.pth", 2, "E-WEIGHTS", "nowhere.pth"),
        ("list nonsense", 2, "E-USAGE", "models, metrics, datasets, extractors, references, suites"),
    ],
)
def test_errors_say_what_is_wrong(arguments: str, status: int, code: str, sentence: str, capsys: Capture) -> None:
    expect(arguments, status, code, sentence, capsys)


def samples(folder: Path, images: NDArray[np.uint8]) -> Path:
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index:04d}.png")
    return folder


def test_bad_folders_say_what_is_wrong(tmp_path: Path, digits: NDArray[np.uint8], capsys: Capture) -> None:
    def check(folder: Path, code: str, sentence: str, options: str = "") -> None:
        expect(f"evaluate {folder} --ref digits --extractor tiny {options}", 5, code, sentence, capsys)

    empty = tmp_path / "empty"
    empty.mkdir()
    check(empty, "E-EMPTY", "no images found in empty")
    (empty / "notes.txt").write_text("no image")
    check(empty, "E-EMPTY", "1 files")
    few = samples(tmp_path / "few", digits[:20])
    check(few, "E-TOO-FEW", "20 images, but fd needs")
    Image.new("RGB", (9, 8)).save(few / "0020.png")
    check(few, "E-SIZE-MIX", "20 images are 8x8, 1 are 9x8 (first: 0020.png)")
    (few / "0020.png").write_bytes(b"not a PNG")
    check(few, "E-BAD-IMAGE", "0020.png")


def test_a_hostile_name_cannot_move_the_cursor(tmp_path: Path, digits: NDArray[np.uint8], capsys: Capture) -> None:
    folder = samples(tmp_path / "samples", digits[:3])
    (folder / "\x1b[2J\nerror.png").write_bytes(b"not a PNG")
    assert run(["evaluate", str(folder), "--ref", "digits", "--extractor", "tiny"]) == 5
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert "error.png" in printed


def test_small_sets_are_marked(digits: NDArray[np.uint8], tmp_path: Path, capsys: Capture) -> None:
    folder = samples(tmp_path / "few", digits[:30])
    assert run(["evaluate", str(folder), "--ref", "digits", "--extractor", "tiny", "--metrics", "fd", "--allow-small"]) == 0
    printed = capsys.readouterr()
    assert "not comparable" in printed.out
    assert "30 images, but fd needs" in printed.err


def test_a_bug_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("genbench.evaluation.evaluate.evaluate", broken)
    assert run("evaluate digits --ref digits --extractor tiny".split()) == 70
    printed = capsys.readouterr().err
    assert "this is a bug in genbench" in printed
    assert "Traceback" in printed


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genbench.evaluation.evaluate.evaluate", interrupted)
    assert run("evaluate digits --ref digits --extractor tiny".split()) == 130
    assert "repeat the same command" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["metrics", "datasets", "extractors", "references"])
def test_lists(kind: str, capsys: Capture) -> None:
    assert run(["list", kind]) == 0
    assert capsys.readouterr().out.strip()
    assert run(["list", kind, "--json"]) == 0
    assert all(row["name"] and row["about"] for row in json.loads(capsys.readouterr().out))


def test_doctor_and_cache(capsys: Capture, tmp_path: Path) -> None:
    assert run(["doctor", "--json"]) == 0
    assert {"torch", "device", "cache", "offline"} <= set(json.loads(capsys.readouterr().out))
    place = ["--cache-dir", str(tmp_path)]
    assert run(["evaluate", "digits/test", "--ref", "digits/train", "--extractor", "tiny", "-q", *place]) == 0
    assert list(tmp_path.rglob("*.safetensors"))
    assert run(["cache", "ls", *place]) == 0
    assert "features" in capsys.readouterr().out
    assert run(["cache", "clear", *place]) == 0
    assert not list(tmp_path.rglob("*.safetensors"))
