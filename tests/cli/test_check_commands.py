"""`genbench check` as a project meets it: three doses of harm, files, exit statuses, nothing heavy for stored results."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import genbench
from genbench.bench.record import Quality, Record
from genbench.cli import run
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.evaluation.result import Result
from genbench.gate.policy import Policy

REPOSITORY = Path(__file__).parent.parent.parent
Capture = pytest.CaptureFixture[str]
THREE_DOSES = runpy.run_path(str(REPOSITORY / "benchmarks" / "check" / "three_doses.py"))


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of digits/test with its influence."""
    folder = tmp_path_factory.mktemp("measured")
    result = genbench.evaluate("digits/test", ref="digits/train", metrics="fd@tiny,kd@tiny,precision@tiny", device="cpu")
    result.save(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is the root of a repository, outside of any service."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


def test_three_doses_of_harm(project: Path, capsys: Capture) -> None:
    assert THREE_DOSES["show"](project, 0), capsys.readouterr().out
    printed = capsys.readouterr().out
    assert "REGRESSED" in printed
    assert "decided by about" in printed
    assert "differs in protocol: prdc@tiny:k5/1 and prdc@tiny:k3/1" in printed or "INCOMPARABLE" in printed
    with Image.open(project / "worst.png") as picture:
        assert picture.width > 500
        assert len(set(picture.convert("L").tobytes())) > 20


def test_stored_results_need_nothing_heavy(measured: Path, project: Path) -> None:
    assert run(["check", str(measured), "--update-baseline"]) == 0
    for options in ([], ["--json"], ["--format", "markdown"], ["--against", str(measured)]):
        code = f"""
import sys
from genbench.cli import run
status = run({["check", str(measured), *options]!r})
heavy = {{"torch", "pandas", "scipy", "matplotlib", "PIL", "sklearn", "jinja2", "rich.table"}} & set(sys.modules)
print("heavy:", sorted(heavy), "status:", status)
"""
        outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert outcome.stdout.splitlines()[-1] == "heavy: [] status: 0"


def test_no_baseline_then_one_then_none_worse(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured)]) == 3
    assert "--update-baseline" in capsys.readouterr().out
    assert run(["check", str(measured), "--update-baseline", "--reason", "first"]) == 0
    assert "new: " in capsys.readouterr().out
    assert json.loads((project / "genbench-baseline.json").read_text())["entries"]["default"]["reason"] == "first"
    assert run(["check", str(measured)]) == 0
    assert "3 ok" in capsys.readouterr().out
    assert run(["check", str(measured), "--name", "other"]) == 3
    assert "no entry 'other'" in capsys.readouterr().out


def test_an_update_tells_what_other_entries_have_lost(measured: Path, project: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        assert run(["check", str(measured), "--update-baseline", "--name", name]) == 0
    assert "note:" not in capsys.readouterr().err
    (project / "genbench-baseline.influence.safetensors").unlink()
    for json_too in ([], ["--json"]):
        assert run(["check", str(measured), "--update-baseline", "--name", "b", *json_too]) == 0
        assert "note: the influence of the images of a is missing" in capsys.readouterr().err
    assert run(["validate", "genbench-baseline.json"]) == 5
    assert "of a is missing" in capsys.readouterr().out


def test_json_is_one_document(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured), "--against", str(measured), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["exit"]) == ("genbench.check/1", 0)
    assert run(["check", "nothing-here", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["code"] == "E-NO-BASELINE"


def test_images_are_measured_as_the_baseline_was(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured), "--update-baseline"]) == 0
    found = genbench.check("digits/test", device="cpu", policy=Policy())
    assert found.current is not None
    assert [metric.protocol for metric in found.current.metrics] == ["fd@tiny/1", "kd@tiny/1", "prdc@tiny:k5/1"]
    assert [(outcome.verdict, outcome.difference is not None) for outcome in found.outcomes] == [("ok", True)] * 3
    capsys.readouterr()
    assert run(["check", "digits/test", "-q", "--update-baseline", "--reason", "again"]) == 0
    assert "(the same)" in capsys.readouterr().out


def test_a_tensor_in_python_and_the_images_that_hurt(
    measured: Path, digits: NDArray[np.uint8], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = digits[2::3].copy()
    test[:150] = np.random.default_rng(0).integers(0, 255, test[:150].shape, dtype=np.uint8)
    found = genbench.check(iter([test]), baseline=measured, policy=Policy(), worst="worst.png", device="cpu")
    assert (found.exit_code(), found.failed) == (1, True)
    rows = [int(name.split()[-1]) for name, _ in found.hurt["fd@tiny"]]
    assert sum(row <= 150 for row in rows) >= 10
    assert (project / "worst.png").stat().st_size > 1000
    with pytest.raises(UsageError, match="a result has no images"):
        genbench.check(measured, baseline=measured, worst="worst.png")


def test_the_room_is_the_verb() -> None:
    """`genbench.check` is called before and after its modules were imported."""
    code = "import genbench; a = genbench.check; import genbench.gate.policy; print(callable(a), callable(genbench.check))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == ["True", "True"]


def test_images_without_a_baseline_cannot_be_measured(project: Path) -> None:
    with pytest.raises(IncomparableError, match="nobody knows how to measure") as caught:
        genbench.check("digits/test", policy=Policy())
    assert "--update-baseline" in caught.value.hint


def test_a_limit_alone_needs_no_baseline(measured: Path, project: Path, capsys: Capture) -> None:
    limit = ["--metric", "fd@tiny", "--test", "none", "--max"]
    assert run(["check", str(measured), *limit, "5"]) == 0
    assert run(["check", str(measured), *limit, "0.0001"]) == 1
    assert "above the limit" in capsys.readouterr().out
    arguments = ["check", "digits/test", "-q", "--ref", "digits/train", "--device", "cpu"]
    assert run([*arguments, *limit, "5"]) == 0


def test_a_reference_without_a_name_is_asked_for(digit_folder: Path, project: Path, capsys: Capture) -> None:
    result = genbench.evaluate(digit_folder, ref=digit_folder, metrics="fd@tiny", device="cpu")
    result.save("base")
    assert run(["check", "base", "--update-baseline"]) == 0
    assert run(["check", str(digit_folder), "-q"]) == 2
    assert "error[E-REF]" in capsys.readouterr().err
    assert run(["check", str(digit_folder), "-q", "--ref", str(digit_folder)]) == 0
    capsys.readouterr()
    assert run(["check", str(digit_folder), "-q", "--ref", "digits/train"]) == 3
    assert "differs in reference" in capsys.readouterr().out


def test_a_folder_of_a_run(measured: Path, project: Path, capsys: Capture) -> None:
    record = Record(label="VAE", family="vae", task="unconditional", config={}, final=Quality(evaluation=Result.load(measured)))
    record.save(project / "run")
    assert run(["check", "run", "--against", str(measured)]) == 0
    assert run(["check", str(measured), "--against", "run"]) == 0
    assert "without the influence" not in capsys.readouterr().out
    assert genbench.check("run", baseline="run", policy=Policy()).summary == "3 ok"
    Record(label="VAE", family="vae", task="unconditional", config={}, error="it died").save(project / "dead")
    assert run(["check", "dead", "--against", str(measured)]) == 5
    assert "it died" in capsys.readouterr().err


def test_the_document_that_was_named_is_read_and_not_its_neighbour(measured: Path, project: Path, capsys: Capture) -> None:
    """A run that is called otherwise than result.json, beside the result.json of a better one."""
    good = Result.load(measured)
    worse = [
        metric.model_copy(update={"value": 50.0, "ci": None}) if metric.name == "fd" else metric for metric in good.metrics
    ]
    for name, metrics in (("bad", worse), ("result", good.metrics)):
        evaluation = good.model_copy(update={"metrics": metrics}).with_influence({})
        Record(label=name, family="vae", task="", config={}, final=Quality(evaluation=evaluation)).save(project / "mixed")
        (project / "mixed" / "result.json").rename(project / "mixed" / f"{name}.json")
    assert run(["check", "mixed/bad.json", "--against", str(measured)]) == 1
    assert run(["check", str(measured), "--against", "mixed/bad.json"]) == 0
    assert "1 improved" in capsys.readouterr().out


def test_an_update_as_json_is_one_document(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured), "--update-baseline", "--json", "--reason", "first"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["entry"], document["reason"]) == ("genbench.update/1", "default", "first")
    assert document["files"] == ["genbench-baseline.json", "genbench-baseline.influence.safetensors"]
    assert len(document["changes"]) == 3


@pytest.mark.parametrize("options", ["--ref digits/train", "--captions c.csv", "--background white"])
def test_what_is_said_of_images_is_refused_of_a_result(options: str, measured: Path, project: Path, capsys: Capture) -> None:
    for place in (["--against", str(measured)], ["--update-baseline"]):
        assert run(["check", str(measured), *options.split(), *place]) == 2
        assert f"{options.split()[0][2:]} says how images are measured" in capsys.readouterr().err


def test_options_that_nobody_knows_are_refused(measured: Path, project: Path) -> None:
    with pytest.raises(UsageError, match="no option named 'against'"):
        genbench.check(measured, against=measured, policy=Policy())
    with pytest.raises(UsageError, match="no option named 'referenc'") as caught:
        genbench.check("digits/test", baseline=measured, referenc="digits/train", policy=Policy())
    assert "ref" in caught.value.hint


def test_a_folder_of_runs_is_no_folder_of_images(measured: Path, project: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        Result.load(measured).save(project / "suite" / name)
    assert run(["check", "suite", "--against", str(measured)]) == 2
    printed = capsys.readouterr().err
    assert "error[E-RUNS]" in printed
    assert "suite/a, suite/b" in printed
    (project / "odd").mkdir()
    os.mkfifo(project / "odd" / "result.json")
    assert run(["check", "odd", "--against", str(measured)]) == 5
    assert "name one of them" not in capsys.readouterr().err


def test_a_baseline_is_no_subject_and_a_broken_one_no_baseline(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured), "--update-baseline"]) == 0
    assert run(["check", "genbench-baseline.json"]) == 2
    assert "is a baseline" in capsys.readouterr().err
    (project / "genbench-baseline.json").write_text("{")
    for options in ([], ["--update-baseline"]):
        assert run(["check", str(measured), *options]) == 5
        assert "remove it and write a new one" in capsys.readouterr().err


def test_too_few_images_are_told_what_helps_here(digits: NDArray[np.uint8], measured: Path, project: Path) -> None:
    with pytest.raises(DataError, match="5") as caught:
        genbench.check(digits[:5], baseline=measured, policy=Policy(), device="cpu")
    assert "--allow-small" not in caught.value.hint


def test_errors_are_no_commands(project: Path, capsys: Capture) -> None:
    name = "x\n::error title=owned::\x1b[31m##[add-mask]e.json"
    assert run(["check", name, "--against", name]) == 5
    printed = capsys.readouterr().err
    assert not [line for line in printed.splitlines() if line.lstrip().startswith("::")]
    assert "\x1b" not in printed
    assert "##[" not in printed
    assert "hint: " in printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--update-baseline --strict", "options of a check"),
        ("--max 5", "--max with 0 metrics"),
        ("--metric fd,kd --max-increase 1", "--max-increase with 2 metrics"),
        ("--metric fd --max-increase often", "--max-increase"),
        ("--metric fd --max-increase x%", 'write a percentage, such as "3%"'),
        ("--metric fd --test none", "nothing to check"),
        ("--metric precision --max-increase 1", "--max-decrease"),
        ("--alpha 7", "--alpha"),
        ("--format yaml", "--format"),
        ("--summary always", "--summary"),
        ("--worst hurt.jpg", "PNG"),
        ("--against . --update-baseline", "--against compares once"),
        ("--policy nothing.toml", "no policy at"),
        ("--metric fd --test ttest", "--test"),
    ],
)
def test_what_cannot_be_right_is_refused(options: str, sentence: str, measured: Path, project: Path, capsys: Capture) -> None:
    arguments = options if "--against" in options or "--update" in options else f"{options} --against {measured}"
    assert run(["check", str(measured), *arguments.split()]) == 2
    assert sentence in capsys.readouterr().err


def test_margins_of_the_command_line(measured: Path, project: Path, capsys: Capture) -> None:
    assert run(["check", str(measured), "--against", str(measured), "--metric", "fd", "--max-increase", "3%", "--json"]) == 0
    gate = json.loads(capsys.readouterr().out)["gates"][0]
    assert gate["margin"] == pytest.approx(0.03 * gate["baseline"]["value"])


def test_numbers_that_are_none_never_pass(measured: Path, project: Path, capsys: Capture) -> None:
    text = (measured / "result.json").read_text()
    value = json.loads(text)["metrics"][0]["value"]
    broken = project / "broken.json"
    broken.write_text(text.replace(f'"value": {value!r}', '"value": NaN', 1))
    assert broken.read_text() != text
    assert run(["check", "broken.json", "--against", str(measured)]) == 5
    assert "metrics.0.value" in capsys.readouterr().err
    document = json.loads(text)
    document["metrics"][0] |= {"value": None, "ci": None, "se": None, "reason": "the features are not finite"}
    broken.write_text(json.dumps(document))
    assert run(["check", "broken.json", "--against", str(measured)]) == 5
    assert "the features are not finite" in capsys.readouterr().out
    assert run(["check", "broken.json", "--update-baseline"]) == 5
    assert not (project / "genbench-baseline.json").exists()


def test_inside_github_actions_the_summary_is_written(
    measured: Path, project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))
    arguments = ["check", str(measured), "--against", str(measured), "--metric", "fd", "--max", "0.0001"]
    assert run([*arguments, "--summary", "off"]) == 1
    assert not (project / "summary.md").exists()
    assert run([*arguments, "--junit", "checks.xml"]) == 1
    assert "| metric |" in (project / "summary.md").read_text()
    assert f"baseline {measured.name}, " in (project / "summary.md").read_text()
    assert "::error" in capsys.readouterr().err
    assert "failure" in (project / "checks.xml").read_text()
    assert run([*arguments, "--format", "github"]) == 1
    printed = capsys.readouterr()
    assert ("::error" in printed.out, "::error" in printed.err) == (True, False)
