"""diagnose and sweep from the command line, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genbench.cli import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "gan"
    assert run(["train", "gan", "--data", "digits", "--steps", "3", "-o", str(folder), "-q", "--device", "cpu"]) == 0
    return folder


def test_diagnose_prints_text(gan: Path, capsys: Capture) -> None:
    arguments = ["diagnose", str(gan), "-n", "24", "--only", "path_length,sharpness_gap", "--device", "cpu", "-q"]
    assert run(arguments) == 0  # also where something is unusual
    printed = capsys.readouterr()
    assert "GAN on digits, 24 samples, 24 test images" in printed.out
    assert "path_length_ratio" in printed.out
    assert "! sharpness_gap" in printed.out
    assert "Try:" in printed.out
    assert printed.err == ""


def test_diagnose_prints_one_document(gan: Path, capsys: Capture) -> None:
    assert run(["diagnose", str(gan), "-n", "16", "--only", "sharpness_gap", "--device", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "genbench.diagnosis/1"
    (finding,) = document["findings"]
    assert finding["name"] == "sharpness_gap"
    assert finding["advice"]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ("--only path_lengths", 2, "E-NAME"),
        ("--only likelihood_gap", 2, "E-NOT-APPLICABLE"),
        ("--only ,", 2, "E-USAGE"),
        ("--n 2", 2, "E-USAGE"),
        ("--data moons", 5, "E-OTHER-DATA"),
    ],
)
def test_diagnose_errors_teach(gan: Path, options: str, status: int, code: str, capsys: Capture) -> None:
    assert run(["diagnose", str(gan), "--device", "cpu", *options.split()]) == status
    printed = capsys.readouterr().err
    assert f"error[{code}]" in printed
    assert "hint:" in printed


def test_a_folder_of_runs_is_an_error(gan: Path, capsys: Capture) -> None:
    for verb in ("diagnose", "sweep"):
        assert run([verb, str(gan.parent), "--device", "cpu"]) == 2
        assert "name one of them: gan" in capsys.readouterr().err


def test_sweep_prints_a_table_and_goes_on(gan: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "curve"
    arguments = ["sweep", str(gan), "--knob", "truncation", "--values", "0.5,6", "--n", "40", "-o", str(out), "--device", "cpu"]
    assert run(arguments) == 0
    first = capsys.readouterr()
    assert "truncation   fd@tiny ↓" in first.out
    assert f"curve: {out / 'sweep.json'}" in first.err
    assert (out / "sweep.png").is_file()
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("truncation=*.json")}
    assert len(stamps) == 2
    assert run([*arguments, "--json", "-q"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out)["schema"] == "genbench.sweep/1"
    assert again.err == ""
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}


@pytest.mark.parametrize("values", ["a,b", "1,nan", "1,inf", "1"])
def test_sweep_values_are_several_numbers(gan: Path, values: str, capsys: Capture) -> None:
    assert run(["sweep", str(gan), "--values", values, "--device", "cpu"]) == 2
    assert "--values" in capsys.readouterr().err


def test_diagnostics_are_listed(capsys: Capture) -> None:
    assert run(["list", "diagnostics"]) == 0
    assert "path_length_ratio" in capsys.readouterr().out
