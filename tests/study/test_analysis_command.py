"""`genbench study analyze`: tables on stdout, a document in a folder, and metrics set against people."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import studies

from genbench.bench.record import Quality, Record
from genbench.cli import run
from genbench.evaluation.result import Extractor, Images, MetricResult, Result, Timing
from genbench.study.ratings import Ratings
from genbench.study.store import FILE, Store
from genbench.study.votes import Vote

Study = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/study/simulated.py"))["Study"]
TINY = {"extractor": "tiny", "version": 1, "weights_sha256": "a" * 64, "preprocess": "as_is", "precision": "fp32"}
SIX = {"a": 1.5, "b": 0.9, "c": 0.3, "d": -0.3, "e": -0.9, "f": -1.5}


def written(path: Path, votes: list[Vote]) -> str:
    path.write_text("".join(f"{vote.to_json()}\n" for vote in votes))
    return str(path)


@pytest.fixture
def votes(tmp_path: Path) -> str:
    return written(tmp_path / "votes.jsonl", Study(strengths=SIX, raters=20, each=60, catches=3).votes(0))


def result(name: str, value: float, protocol: str = "fd@tiny/1") -> Result:
    metric = MetricResult(
        name="fd",
        value=value,
        se=0.1,
        ci=(value - 0.2, value + 0.2),
        level=0.95,
        method="influence",
        n=100,
        n_real=None,
        better="lower",
        protocol=protocol,
        layer=None,
        extractor=Extractor(**TINY),
    )
    timing = Timing(wall_s=1, cpu_s=1, extract_s=0, metrics_s=0, images_extracted=0)
    subject = Images(name=name, kind="folder")
    made = {"created": "2026-11-21T00:00:00+00:00", "reference": None, "env": {}, "timing": timing}
    return Result(subject=subject, metrics=[metric], **made)


def test_table_and_document(votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "analyze", votes, "-o", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[0] for line in lines[3:9]] == list("abcdef")
    assert "1,200 votes of 20 raters" in captured.out
    assert "Krippendorff's alpha" in captured.out or "agreement between raters: not known" in captured.out
    assert str(tmp_path / "out" / "ratings.json") in captured.err
    assert Ratings.load(tmp_path / "out").systems[0].system == "a"


def test_json_is_one_document(votes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "analyze", votes, votes, "--json", "--quiet"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["schema"] == "genbench.ratings/1"
    assert found["votes"] == 1200  # the same file twice adds nothing
    assert captured.err == ""


@pytest.mark.parametrize(
    ("format", "begins"), [("markdown", "| system"), ("csv", "system,rating"), ("latex", "\\begin{tabular}")]
)
def test_formats(votes: str, format: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "analyze", votes, "--format", format]) == 0
    assert any(line.startswith(begins) for line in capsys.readouterr().out.splitlines())


def test_metrics_against_people(votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, name in enumerate(SIX):  # lower is better, so in the order of people but for the last two
        value = {4: 6.0, 5: 5.0}.get(place, float(place))
        result(name, value).save(tmp_path / "results" / name)
    assert run(["study", "analyze", votes, "--against", str(tmp_path / "results"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["alignments"]
    assert found["metric"] == "fd@tiny"
    assert found["tau"] == pytest.approx(13 / 15)
    assert found["tau_ci"][0] < 13 / 15 < found["tau_ci"][1]
    low, high = found["accuracy"]["ci"]
    assert 0.5 < low < high < 1


def test_a_document_of_another_name_is_not_its_neighbour(
    votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, name in enumerate(SIX):
        (tmp_path / name).mkdir()
        final = Quality(evaluation=result(name, float(place)))
        Record(label=name, family="vae", task="unconditional", config={}, final=final).save(tmp_path / name)
        (tmp_path / name).joinpath("result.json").rename(tmp_path / f"{name}.json")
    result("f", 9.0).save(tmp_path)  # beside all of them
    against = [option for name in SIX for option in ("--against", str(tmp_path / f"{name}.json"))]
    assert run(["study", "analyze", votes, *against, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["alignments"]
    assert found["systems"] == 6


def test_few_systems_have_a_tau_without_an_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three = written(tmp_path / "votes.jsonl", Study(strengths={"a": 1.0, "b": 0.0, "c": -1.0}, raters=20).votes(1))
    for place, name in enumerate("abc"):
        result(f"images of {name}", float(place)).save(tmp_path / "results" / name)
    assert run(["study", "analyze", three, "--against", str(tmp_path / "results")]) == 0
    out = capsys.readouterr().out
    assert "1.00 [?]" in out
    assert "an interval of tau needs 5 systems" in out


def test_metrics_of_different_protocols_are_not_mixed(votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, name in enumerate(SIX):
        made = result(name, float(place), protocol="fd@tiny/1")
        if name == "f":
            made = made.model_copy(update={"metrics": [made.metrics[0].model_copy(update={"n": 7})]})
        made.save(tmp_path / "results" / name)
    assert run(["study", "analyze", votes, "--against", str(tmp_path / "results")]) == 0
    assert "fd@tiny/1 fd is not set against the votes: its values differ in n: 100 and 7 images" in capsys.readouterr().out


def test_nothing_to_set_against(votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result("another", 1.0).save(tmp_path / "results" / "else")
    assert run(["study", "analyze", votes, "--against", str(tmp_path / "results")]) == 5
    assert "none of the 1 results has metrics of a system with votes: a, b, c, d, e, f" in capsys.readouterr().err


@pytest.mark.parametrize("margin", ["0", "50", "nan", "-1"])
def test_margins(votes: str, margin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "analyze", votes, "--margin", margin]) == 2
    assert "--margin" in capsys.readouterr().err


def test_a_bad_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text("{}\n")
    assert run(["study", "analyze", str(path)]) == 5
    assert "votes.jsonl, line 1 is no genbench.vote/1" in capsys.readouterr().err


def test_the_folder_of_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, folder = studies.pairwise(tmp_path)
    cast = [vote for rater in ("r1", "r2", "r3") for vote in studies.votes(study, rater)]
    store = Store(folder / FILE, study.id)
    assert all(store.add(vote) for vote in cast)
    store.close()
    exported = written(tmp_path / "votes.jsonl", cast)
    assert run(["study", "analyze", str(folder), exported, "--keep-all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["study"] == study.id
    assert found["votes"] == sum(not vote.catch for vote in cast)
    assert found["raters"] == 3


def test_a_study_without_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = studies.pairwise(tmp_path)
    result("gan", 1.0).save(tmp_path / "results" / "gan")
    for against in ([], ["--against", str(tmp_path / "results")]):
        assert run(["study", "analyze", str(folder), *against]) == 5
        assert "there are no votes" in capsys.readouterr().err


def test_a_folder_that_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "analyze", str(tmp_path)]) == 5
    assert "no study in" in capsys.readouterr().err
