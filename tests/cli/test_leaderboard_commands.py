"""`genbench leaderboard` and `genbench validate` as a user meets them: what is printed where, and exit statuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from genbench.cli import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two results that compare and one under another protocol."""
    folder = tmp_path_factory.mktemp("results")
    for name, reference, metrics in (
        ("test", "digits/train", "fd,precision"),
        ("train", "digits/train", "fd,precision"),
        ("k3", "digits/train", "prdc:k3"),
    ):
        out = str(folder / name)
        images = "digits/train" if name == "train" else "digits/test"
        arguments = ["evaluate", images, "--ref", reference, "--extractor", "tiny", "--metrics", metrics, "-o", out, "-q"]
        assert run(arguments) == 0
    return folder


def test_leaderboard_writes_a_site_and_says_where(results: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["leaderboard", str(results), "-o", str(tmp_path / "site"), "--title", "Digits"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'site' / 'index.html'}\n"
    assert "1 system by precision@tiny against digits/train, 599 images; 2 below, with the reason" in printed.err
    names = {path.name for path in (tmp_path / "site").iterdir()}
    assert names >= {"index.html", "leaderboard.json", "leaderboard.csv", "leaderboard.md", "leaderboard.tex", "results"}
    assert "<h1>Digits</h1>" in (tmp_path / "site" / "index.html").read_text()


def test_leaderboard_json_is_one_document(results: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["leaderboard", str(results), "-o", str(tmp_path / "site"), "--json", "-q"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["schema"] == "genbench.leaderboard/1"
    assert printed.err == ""
    assert printed.out == (tmp_path / "site" / "leaderboard.json").read_text()


def test_nothing_is_written_where_something_is_wrong(results: Path, tmp_path: Path, capsys: Capture) -> None:
    for arguments, status, sentence in (
        ([str(results), "--by", "fid"], 2, "no metric named 'fid'"),
        ([str(results), "--like", "nobody"], 2, "no row named 'nobody'"),
        ([str(tmp_path)], 5, "genbench evaluate ... -o FOLDER"),
        ([str(results), "--ratings", str(tmp_path / "none.json")], 5, "no ratings"),
        ([], 2, "Missing argument"),
    ):
        assert run(["leaderboard", *arguments, "-o", str(tmp_path / "site")]) == status
        assert sentence in capsys.readouterr().err
        assert not (tmp_path / "site").exists()


def test_reports_are_made_where_asked(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "test", tmp_path / "one")
    assert run(["leaderboard", str(tmp_path / "one"), "-o", str(tmp_path / "site"), "--reports", "-q"]) == 0
    (report,) = (tmp_path / "site" / "reports").iterdir()
    assert "<!doctype html>" in report.read_text()[:100]


def test_validate_prints_one_line_per_file(results: Path, capsys: Capture) -> None:
    assert run(["validate", str(results)]) == 0
    printed = capsys.readouterr()
    assert [line.rpartition(": ")[2] for line in printed.out.splitlines()] == ["ok, consistent"] * 3
    assert "only consistency was checked" in printed.err


def test_validate_exits_with_the_worst(results: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(results, tmp_path / "results")
    document = tmp_path / "results" / "test" / "result.json"
    weights = json.loads(document.read_text())["metrics"][0]["extractor"]["weights_sha256"]
    document.write_text(document.read_text().replace(weights, "0" * 64))
    assert run(["validate", str(tmp_path), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)["files"]
    assert [one["exit"] for one in found] == [0, 3, 0]
    assert found[1]["problems"][0]["kind"] == "incomparable"
    (tmp_path / "results" / "k3" / "result.json").write_text("{}")
    assert run(["validate", str(tmp_path), "-q"]) == 5


def test_validate_tells_what_it_needs(results: Path, capsys: Capture) -> None:
    for arguments, status, sentence in (
        (["validate", str(results), "--images", "digits/test"], 2, "for one result, and there are 3"),
        (["validate", str(results), "--ref", "digits"], 2, "are for --images"),
        (["validate", "nowhere"], 5, "there is no nowhere"),
    ):
        assert run(arguments) == status
        assert sentence in capsys.readouterr().err


def test_hostile_paths_are_printed_harmlessly(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "\x1b[31m\n::error::"
    folder.mkdir()
    (folder / "result.json").write_text("{}")
    assert run(["validate", str(folder)]) == 5
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert len(printed.out.splitlines()) == 1
