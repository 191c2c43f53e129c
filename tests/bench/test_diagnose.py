"""A diagnosis of trained runs: what applies, what is unusual, and errors that name what is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from genbench import catalog
from genbench.bench.by_hand import train_by_hand
from genbench.bench.diagnose import Diagnosis, as_text, diagnose, usual
from genbench.bench.trained import open_run
from genbench.errors import DataError, GenbenchError, UsageError
from genbench.training.budget import Budget

CPU = torch.device("cpu")


def trained(folder: Path, name: str, data: str = "digits") -> Path:
    changes = {"args": dict(catalog.find("models", name).tiny)}
    budget = Budget(steps=3)
    train_by_hand(name, data, folder, budget=budget, changes=changes, seed=0, image_size=None, device="cpu")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("vae", "conditional_gan", "gaussian"):
        trained(folder / name, name)
    trained(folder / "points", "real_nvp", "moons")
    return folder


@pytest.fixture(scope="module")
def found(runs: Path) -> Diagnosis:
    return diagnose(runs / "vae", n=24, device="cpu")


def test_everything_that_applies_is_computed_once(found: Diagnosis) -> None:
    computed = {finding.diagnostic for finding in found.findings}
    assert {"path_length", "interpolation", "inversion", "likelihood_gap", "importance_bound", "memorisation"} <= computed
    assert not computed & set(found.skipped)
    assert computed | set(found.skipped) | set(found.failed) == set(catalog.names("diagnostics"))
    assert not found.failed
    names = [finding.name for finding in found.findings]
    assert len(names) == len(set(names))
    assert found.likelihood == "lower bound"
    assert found.model == "vae"


def test_a_finding_says_what_is_unusual_and_what_to_do(found: Diagnosis) -> None:
    assert found.unusual, "three steps train no model"
    for finding in found.findings:
        low, high = finding.usual
        if finding.value is None:
            assert finding.reason
            assert finding.unusual is None
        elif (low, high) == (None, None):
            assert finding.unusual is None
        else:
            inside = (low is None or low <= finding.value) and (high is None or finding.value <= high)
            assert finding.unusual is not inside
            assert finding.advice


def test_the_document_comes_back_whole(found: Diagnosis) -> None:
    document = json.loads(found.to_json())
    assert document["schema"] == "genbench.diagnosis/1"
    assert Diagnosis.model_validate(document) == found


def test_the_same_seed_finds_the_same(runs: Path) -> None:
    only = ["likelihood_gap", "path_length", "sharpness_gap"]
    first, second = (diagnose(runs / "vae", n=24, only=only, seed=3, device="cpu").findings for _ in range(2))
    other = diagnose(runs / "vae", n=24, only=only, seed=4, device="cpu").findings
    assert first == second != other


@pytest.mark.parametrize("name", ["conditional_gan", "gaussian", "points"])
def test_conditions_closed_forms_and_points(runs: Path, name: str) -> None:
    names = ["path_length", "interpolation", *(["memorisation"] if name != "points" else [])]
    found = diagnose(runs / name, n=16, only=names, device="cpu")
    assert {finding.diagnostic for finding in found.findings} == set(names)
    assert ("coordinates" in as_text(found)) == (name == "points")
    assert all(finding.value is not None for finding in found.findings)


def test_text_has_every_number_and_marks_the_unusual(found: Diagnosis) -> None:
    text = as_text(found)
    lines = text.splitlines()
    for finding in found.findings:
        (line,) = (line for line in lines if line[2:].split(" ")[0] == finding.name)
        assert line.startswith("!") == bool(finding.unusual)
    assert text.count("    Try: ") == len(found.unusual)
    assert lines[-1].startswith(f"{len(found.unusual)} of ")


def test_usual_in_words() -> None:
    assert usual((None, None)) == ""
    assert usual((None, 2.0)) == "usual: at most 2"
    assert usual((0.5, None)) == "usual: at least 0.5"
    assert usual((-0.5, 0.5)) == "usual: -0.5 to 0.5"


def test_one_that_fails_stops_no_other(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(subject: object) -> dict[str, object]:
        raise DataError("E-TEST", "no luck today")

    monkeypatch.setitem(catalog.find("diagnostics", "path_length").__dict__, "compute", refuse)
    found = diagnose(runs / "vae", n=16, only=["path_length", "likelihood_gap"], device="cpu")
    assert found.failed == {"path_length": "no luck today"}
    assert [finding.name for finding in found.findings] == ["likelihood_gap"]
    assert "path_length: failed: no luck today" in as_text(found)


@pytest.mark.parametrize("part", ["applies", "compute"])
@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.linalg.LinAlgError("the matrix is singular\nand more"), "LinAlgError: the matrix is singular"),
        (torch.OutOfMemoryError("CUDA out of memory"), "OutOfMemoryError: CUDA out of memory"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_whatever_fails_is_shown_and_the_others_go_on(
    runs: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception, sentence: str
) -> None:
    def fail(asked: object) -> None:
        raise error

    monkeypatch.setitem(catalog.find("diagnostics", "path_length").__dict__, part, fail)
    found = diagnose(runs / "vae", n=16, only=["path_length", "likelihood_gap"], device="cpu")
    assert found.failed == {"path_length": sentence}
    assert found.skipped == []
    assert [finding.name for finding in found.findings] == ["likelihood_gap"]
    assert f"path_length: failed: {sentence}" in as_text(found)


def test_names_are_checked_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no diagnostic named 'path_lenght'") as caught:
        diagnose(tmp_path, only=["path_lenght"])
    assert "path_length" in caught.value.hint


def test_what_does_not_apply_says_what_does(runs: Path) -> None:
    with pytest.raises(UsageError, match="importance_bound does not apply to Gaussian") as caught:
        diagnose(runs / "gaussian", only=["importance_bound"], device="cpu")
    assert "path_length" in caught.value.hint


def refused(run: Path, data: str | None = None) -> GenbenchError:
    with pytest.raises(GenbenchError) as caught:
        open_run(run, data=data, device=CPU)
    return caught.value


def test_a_folder_of_runs_names_them(runs: Path) -> None:
    error = refused(runs)
    assert error.code == "E-RUNS"
    assert "holds 4" in error.message
    assert "conditional_gan, gaussian, points, vae" in error.hint


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "E-NO-MODEL"
    assert refused(tmp_path / "nowhere").code == "E-NO-MODEL"


def test_data_that_do_not_fit_are_refused(runs: Path) -> None:
    error = refused(runs / "gaussian", data="moons")
    assert error.code == "E-OTHER-DATA"
    assert "channels = 1" in error.message


def test_a_run_that_names_no_data_asks_for_them(runs: Path, tmp_path: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((runs / "gaussian" / name).read_bytes())
    assert refused(tmp_path).code == "E-NO-DATA"
    assert open_run(tmp_path, data="digits", device=CPU).dataset.name == "digits"
    (tmp_path / "config.json").write_text(json.dumps({"data": "gone/photos", "image_size": None}))
    error = refused(tmp_path)
    assert error.code == "E-NO-DATA"
    assert "--data" in error.hint


def test_a_run_of_a_suite_calls_its_data_the_dataset(runs: Path, tmp_path: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((runs / "gaussian" / name).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"dataset": "digits", "image_size": None}))
    assert open_run(tmp_path, data=None, device=CPU).dataset.name == "digits"


def test_a_best_checkpoint_knows_its_run(runs: Path) -> None:
    best = runs / "gaussian" / "best"
    best.mkdir()
    for name in ("model.json", "model.safetensors"):
        (best / name).write_bytes((runs / "gaussian" / name).read_bytes())
    assert open_run(best, data=None, device=CPU).data == "digits"
    assert refused(runs).message.endswith("holds 4")
