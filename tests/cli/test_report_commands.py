"""`genbench report` as a user sees it: one file, notes on stderr, one document with --json, errors that teach."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.cli import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def measured(tmp_path: Path, capsys: Capture) -> Path:
    folder = tmp_path / "out"
    assert (
        run(["evaluate", "digits/test", "--ref", "digits", "--extractor", "tiny", "--metrics", "fd", "-o", str(folder), "-q"])
        == 0
    )
    capsys.readouterr()
    return folder


def test_an_evaluation_becomes_one_page(
    measured: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", str(measured)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    size = Path("report.html").stat().st_size
    assert f"report: report.html ({size / 1000:.0f} kB)" in printed.err
    text = Path("report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "Content-Security-Policy" in text
    assert [path.name for path in tmp_path.iterdir() if path.name != "out"] == ["report.html"]


def test_json_is_one_document_and_quiet_says_nothing(measured: Path, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    assert run(["report", str(measured), "-o", str(page), "--json", "-q"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["schema"] == "genbench.report/1"
    assert document["bytes"] == page.stat().st_size
    assert document["left_out"] == {}
    assert printed.err == ""
    assert run(["report", str(measured / "result.json"), "-o", str(page), "--json", "-q", "--no-pictures"]) == 0
    assert "--no-pictures" in json.loads(capsys.readouterr().out)["left_out"]["pictures"]


def test_a_missing_or_wrong_side_is_said(measured: Path, tmp_path: Path, digits: NDArray[np.uint8], capsys: Capture) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for index in range(30):
        Image.fromarray(digits[index]).save(others / f"{index}.png")
    page = str(tmp_path / "page.html")
    cases = [
        ([str(measured), "--images", str(tmp_path / "nowhere")], 5, "E-NO-PATH", "no such file or folder"),
        ([str(measured), "--images", str(others)], 5, "E-OTHER-IMAGES", "these are not the images that were measured"),
        ([str(measured), "--ref", str(others)], 5, "E-OTHER-IMAGES", "--ref"),
        ([str(measured), "--data", "digits"], 2, "E-USAGE", "--images and --ref"),
        ([str(tmp_path / "nowhere")], 5, "E-NO-RESULT", "genbench evaluate -o"),
        ([str(others)], 5, "E-NO-RESULT", "holds no result"),
        ([], 2, "E-USAGE", "Missing argument"),
    ]
    for arguments, status, code, sentence in cases:
        assert run(["report", *arguments, "-o", page]) == status
        printed = capsys.readouterr().err
        assert f"error[{code}]" in printed
        assert sentence in printed
    assert not Path(page).exists()


def test_a_strangers_names_do_nothing_to_the_terminal(
    measured: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = json.loads((measured / "result.json").read_text())
    document["subject"]["name"] = "\u202e<script>\x1b[31m\n::error::"
    document["command"] = []
    (measured / "result.json").write_text(json.dumps(document))
    assert run(["report", str(measured)]) == 0
    printed = capsys.readouterr().err
    assert r"\u202e<script>\x1b[31m\n::error::" in printed
    assert not {"\u202e", "\x1b"} & set(printed)
    assert not [line for line in printed.splitlines() if line.startswith("::")]


def test_help_explains(capsys: Capture) -> None:
    assert run(["report", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "one page" in printed
    assert "--no-pictures" in printed
