"""The pytest plugin, tried on small suites: in this process where that is enough, in processes of their own where it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import genbench
from genbench.gate.baseline import Baseline
from genbench.testing.fixture import Genbench

pytest_plugins = ["pytester"]

SAMPLES = """
import numpy as np
import pytest
from sklearn.datasets import load_digits

def digits(noise=0.0, count=500):
    grey = load_digits().images[:count] * 255 / 16
    grey = grey + noise * np.random.default_rng(0).standard_normal(grey.shape)
    return np.repeat(np.clip(np.round(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=3)

OPTIONS = dict(ref="digits/train", metrics="fd", extractor="tiny", workers=0)
NOISE = float(__import__("os").environ.get("NOISE", 0))
"""
SUITE = f"""{SAMPLES}
def test_quality(genbench):
    genbench.check(digits(NOISE), **OPTIONS)
"""
BASELINE = "genbench-baselines/test_it.json"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the samples, extracted once for all suites of this file.

    It also loads what the suites load: one in this process forgets its modules at its end, and numpy cannot be loaded twice.
    """
    module: dict[str, Any] = {}
    exec(SAMPLES, module)
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENBENCH_CACHE", str(folder))
        result = genbench.evaluate(module["digits"](), **module["OPTIONS"])
    baseline = Baseline()
    baseline.update("test_of_old", result)
    baseline.save(folder / "test_gone.json")
    result.save(folder)
    assert Genbench
    return folder


@pytest.fixture(autouse=True)
def _places(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_CACHE", str(cache))
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NOISE"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """One test with a committed baseline."""
    pytester.makepyfile(test_it=SUITE)
    run(pytester).assert_outcomes(failed=1)
    return pytester


def test_the_first_run_writes_the_baseline_and_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SUITE)
    first = run(pytester)
    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(["*baseline written*genbench-baselines/test_it.json*review*commit*"])
    assert (pytester.path / BASELINE).exists()
    run(pytester).assert_outcomes(passed=1)


def test_worse_samples_fail_with_the_table(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "60")
    before = (suite.path / BASELINE).read_text()
    outcome = run(suite)
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(
        ["E*metric*baseline*current*difference*verdict*", "E*fd*REGRESSED*", "E*exit 1*--genbench-update*"]
    )
    assert (suite.path / BASELINE).read_text() == before
    run(suite, "--genbench-update").assert_outcomes(passed=1)
    assert (suite.path / BASELINE).read_text() != before
    run(suite).assert_outcomes(passed=1)


def test_the_failure_shows_the_line_of_the_test_alone(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "60")
    text = run(suite).stdout.str()
    assert "> " in text
    assert "genbench.check(digits(NOISE), **OPTIONS)" in text
    assert "fixture.py" not in text


def test_an_error_shows_the_line_of_the_test_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SUITE.replace('metrics="fd"', 'metrics="fdd"'))
    text = run(pytester).stdout.str()
    assert "did you mean fd" in text
    assert "fixture.py" not in text


@pytest.mark.parametrize("value", ["true", "1", "woodpecker"])
def test_nothing_is_written_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    pytester.makepyfile(test_it=SUITE)
    outcome = run(pytester)
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*no baseline*"])
    assert not (pytester.path / "genbench-baselines").exists()


def test_an_update_is_written_in_ci_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(test_it=SUITE)
    run(pytester, "--genbench-update").assert_outcomes(passed=1)
    assert (pytester.path / BASELINE).exists()


def test_an_update_without_a_change_changes_nothing(suite: pytest.Pytester) -> None:
    before = {path.name: path.read_bytes() for path in (suite.path / "genbench-baselines").iterdir()}
    run(suite, "--genbench-update").assert_outcomes(passed=1)
    assert {path.name: path.read_bytes() for path in (suite.path / "genbench-baselines").iterdir()} == before


FORMS = f"""{SAMPLES}
import torch
from PIL import Image

ARRAY = digits()
FORMS = {{
    "array": lambda folder: ARRAY,
    "tensor": lambda folder: torch.from_numpy(ARRAY).permute(0, 3, 1, 2),
    "pictures": lambda folder: [Image.fromarray(image) for image in ARRAY],
    "iterator": lambda folder: (batch for batch in torch.from_numpy(ARRAY).permute(0, 3, 1, 2).split(100)),
    "folder": lambda folder: saved(folder),
}}

def saved(folder):
    for index, image in enumerate(ARRAY):
        Image.fromarray(image).save(folder / f"{{index:04d}}.png")
    return folder

@pytest.mark.parametrize("form", FORMS)
def test_form(genbench, form, tmp_path):
    found = genbench.check(FORMS[form](tmp_path), name=form, **OPTIONS)
    assert abs(float(found.current["fd"]) - float(genbench.evaluate(ARRAY, **OPTIONS)["fd"])) < 1e-6
"""


def test_samples_of_every_form(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=FORMS)
    run(pytester, "--genbench-update").assert_outcomes(passed=5)
    run(pytester).assert_outcomes(passed=5)


SETTINGS = f"""{SAMPLES}
@pytest.mark.genbench(max_increase={{"fd": 1000}})
def test_wide_margin(genbench):
    genbench.check(digits(NOISE), **OPTIONS)

@pytest.mark.genbench(max_increase={{"fd@tiny": 1000}})
def test_the_call_wins(genbench):
    genbench.check(digits(NOISE), max_increase=0.01, **OPTIONS)

@pytest.mark.genbench(severity="warning")
def test_warning(genbench):
    genbench.check(digits(NOISE), **OPTIONS)

@pytest.mark.genbench(max=0.5, test="none")
def test_limit(genbench):
    genbench.check(digits(NOISE), **OPTIONS)
"""


def test_what_is_allowed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(test_it=SETTINGS)
    run(pytester, "--genbench-update").assert_outcomes(passed=4)
    monkeypatch.setenv("NOISE", "60")
    outcome = run(pytester)
    outcome.assert_outcomes(passed=2, failed=2)
    outcome.stdout.fnmatch_lines(["FAILED*test_the_call_wins*", "FAILED*test_limit*"])


MISTAKES = f"""{SAMPLES}
def test_setting(genbench):
    genbench.check(digits(), max_incraese=1, **OPTIONS)

def test_metric(genbench):
    genbench.check(digits(), max_increase={{"kid": 1}}, **OPTIONS)

@pytest.mark.genbench(on_inconclusive="maybe")
def test_choice(genbench):
    genbench.check(digits(), **OPTIONS)

@pytest.mark.genbench(min_n=501)
def test_too_few(genbench):
    genbench.check(digits(), **OPTIONS)

def test_twice(genbench):
    genbench.check(digits(), **OPTIONS)
    genbench.check(digits(), **OPTIONS)
"""


def test_mistakes_teach(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=MISTAKES)
    outcome = run(pytester, "--genbench-update")
    outcome.assert_outcomes(failed=5)
    for sentence in ("max_incraese", "kid, which was not measured", "pass, fail, xfail", "500 images*501", "two checks share"):
        outcome.stdout.fnmatch_lines([f"E*{sentence}*"])


INCONCLUSIVE = f"""{SAMPLES}
@pytest.mark.genbench(max_increase={{"fd": 0.02}}, on_inconclusive="CHOICE")
def test_quality(genbench):
    genbench.check(digits(count=600)[int(NOISE):][:500], **OPTIONS)
"""


@pytest.mark.parametrize(
    ("choice", "arguments", "expected"),
    [("pass", [], "passed"), ("pass", ["--genbench-strict"], "failed"), ("fail", [], "failed"), ("xfail", [], "xfailed")],
)
def test_neither_ruled_out_nor_proven(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, choice: str, arguments: list[str], expected: str
) -> None:
    pytester.makepyfile(test_it=INCONCLUSIVE.replace("CHOICE", choice))
    run(pytester, "--genbench-update").assert_outcomes(passed=1)
    monkeypatch.setenv("NOISE", "40")  # other images of the same quality
    outcome = run(pytester, *arguments)
    outcome.assert_outcomes(**{expected: 1})
    outcome.stdout.fnmatch_lines(["*1 inconclusive*"])


def test_strict_may_stand_in_the_ini_file(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeini("[pytest]\ngenbench_strict = true\ngenbench_baseline_dir = kept\n")
    pytester.makepyfile(test_it=INCONCLUSIVE.replace("CHOICE", "pass"))
    run(pytester, "--genbench-update").assert_outcomes(passed=1)
    assert (pytester.path / "kept" / "test_it.json").exists()
    monkeypatch.setenv("NOISE", "40")
    run(pytester).assert_outcomes(failed=1)


def test_one_folder_for_all_baselines(pytester: pytest.Pytester) -> None:
    pytester.mkdir("a").joinpath("test_it.py").write_text(SUITE)
    run(pytester, "--genbench-baseline-dir=kept", "--genbench-update").assert_outcomes(passed=1)
    assert (pytester.path / "kept" / "a" / "test_it.json").exists()
    assert not (pytester.path / "a" / "genbench-baselines").exists()


def test_skipped_before_anything_is_built(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest
        @pytest.fixture
        def model(): raise AssertionError("built")
        def test_quality(genbench, model): pass
        def test_other(): pass
        """
    )
    run(pytester, "--genbench-skip").assert_outcomes(passed=1, skipped=1)


def test_values_are_properties_and_checks_a_document(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "60")
    run(suite, "--junit-xml=junit.xml", "--genbench-json=checks.json").assert_outcomes(failed=1)
    properties = {item.get("name"): item.get("value") for item in ET.parse(suite.path / "junit.xml").iter("property")}
    (document,) = json.loads((suite.path / "checks.json").read_text())["checks"]
    assert document["schema"] == "genbench.check/1"
    assert (document["exit"], document["test"]) == (1, "test_it.py::test_quality")
    (gate,) = document["gates"]
    assert float(properties["genbench fd@tiny/1 fd"] or "nan") == pytest.approx(gate["current"]["value"])
    assert float(properties["genbench fd@tiny/1 fd se"] or "nan") == pytest.approx(gate["current"]["se"])


NOT_WORSE = f"""{SAMPLES}
def test_all(genbench, tmp_path):
    good, bad = (genbench.evaluate(digits(noise), **OPTIONS) for noise in (0, 60))
    good.save(tmp_path)
    genbench.assert_not_worse(good, than=bad)
    genbench.assert_not_worse(good, than=tmp_path)
    genbench.assert_not_worse(bad, than=str(tmp_path / "result.json"), max_increase=1000)
    with pytest.raises(pytest.fail.Exception, match="REGRESSED"):
        genbench.assert_not_worse(bad, than=good)
"""


def test_not_worse_than_another_result(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=NOT_WORSE)
    run(pytester).assert_outcomes(passed=1)
    assert not (pytester.path / "genbench-baselines").exists()


def test_a_damaged_baseline_is_named_at_the_end(suite: pytest.Pytester) -> None:
    (suite.path / "genbench-baselines" / "test_gone.json").write_text("{")
    outcome = run(suite)
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["genbench-baselines/test_gone.json: cannot be read: *is no genbench.baseline/1*"])


def test_influence_that_is_missing_is_told_at_the_end(suite: pytest.Pytester) -> None:
    suite.path.joinpath(BASELINE).with_suffix(".influence.safetensors").unlink()
    outcome = run(suite)
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines([f"{BASELINE}: the influence of the images of test_quality is missing*"])


STALE = f"""{SAMPLES}
@pytest.mark.parametrize("which", WHICH)
def test_quality(genbench, which):
    genbench.check(digits(), **OPTIONS)

def test_other():
    pass
"""


def test_baselines_that_no_test_uses_are_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=STALE.replace("WHICH", '["new", "old"]'), test_gone=SUITE)
    run(pytester, "--genbench-update").assert_outcomes(passed=4)
    pytester.makepyfile(test_it=STALE.replace("WHICH", '["new"]'))
    (pytester.path / "test_gone.py").unlink()
    lines = ["*genbench-baselines/test_gone.json*test_quality*", "*genbench-baselines/test_it.json*test_quality[[]old[]]*"]
    run(pytester).stdout.fnmatch_lines(lines)
    for arguments in (["-k", "quality"], ["test_it.py"], ["--deselect", "test_it.py::test_other"]):
        assert "no test is checked against" not in run(pytester, *arguments).stdout.str(), arguments


def test_a_baseline_is_not_stale_where_its_test_did_not_get_there(suite: pytest.Pytester) -> None:
    body = SUITE.replace("    genbench.check", "    pytest.skip('no time')\n    genbench.check")
    suite.makepyfile(test_it=body, test_other=SUITE)
    outcome = run(suite, "--genbench-update")
    outcome.assert_outcomes(passed=1, skipped=1)
    assert "no test is checked against" not in outcome.stdout.str()


def test_github_gets_annotations_and_a_summary(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "60")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "summary.md"))
    run(suite).stdout.re_match_lines([r"::error title=genbench check test_quality%3A fd(@tiny)? regressed::.+"])
    summary = (suite.path / "summary.md").read_text()
    assert summary.startswith("### ❌ genbench check test")
    assert "baseline genbench-baselines/" in summary


HOSTILE = f"""{SAMPLES}
NAME = "<img src=x onerror=alert(1)>|\\n::error title=x::\\x1b[31m##[add-mask]e%0A::error"

def test_quality(genbench):
    genbench.check(digits(NOISE), name=NAME, **OPTIONS)
"""


def test_a_hostile_name_does_no_harm(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(test_it=HOSTILE)
    run(pytester, "--genbench-update").assert_outcomes(passed=1)
    monkeypatch.setenv("NOISE", "60")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    outcome = run(pytester, "--genbench-json=checks.json", "--junit-xml=junit.xml")
    outcome.assert_outcomes(failed=1)
    commands = [line for line in outcome.outlines if line.lstrip().startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith(
        "::error title=genbench check %3Cimg" if "%3C" in commands[0] else "::error title=genbench check <img"
    )
    assert "\x1b" not in outcome.stdout.str()
    assert "##[" not in "".join(line for line in outcome.outlines if not line.startswith("::"))
    assert "<img" not in (pytester.path / "summary.md").read_text().replace("\\<img", "")
    assert json.loads((pytester.path / "checks.json").read_text())["checks"][0]["name"].startswith("<img")
    ET.parse(pytester.path / "junit.xml")


WORKERS = """
import os, sys, types
import pytest
from genbench.evaluation.result import Result

def evaluate(samples, *, device):
    return Result.load(os.environ["GENBENCH_CACHE"])  # what was measured before: two workers need not load torch for it

sys.modules["genbench.evaluation.evaluate"] = types.SimpleNamespace(evaluate=evaluate)

@pytest.mark.parametrize("part", range(6))
def test_quality(genbench, part):
    genbench.check("samples")
"""


def test_two_workers_share_a_baseline_file(pytester: pytest.Pytester, cache: Path) -> None:
    """Six tests of one module on two workers: no entry is lost, and what is told at the end is told once."""
    pytester.makepyfile(test_it=WORKERS)
    folder = pytester.mkdir("genbench-baselines")
    for name in ("test_gone.json", "test_gone.influence.safetensors"):
        shutil.copy(cache / name, folder / name)
    arguments = ["-n2", "--junit-xml=junit.xml", "--genbench-json=checks.json"]
    first = run(pytester, *arguments)
    first.assert_outcomes(failed=6)
    first.stdout.fnmatch_lines(["*test_gone.json: no test is checked against test_of_old*"])
    assert len(json.loads((pytester.path / BASELINE).read_text())["entries"]) == 6
    second = run(pytester, *arguments, "-k", "not 5")
    second.assert_outcomes(passed=5)
    told = [line for line in second.outlines if line.startswith("test_it.py::test_quality[") and "exit 0" in line]
    assert len(told) == len(set(told)) == 5
    assert "no test is checked against" not in second.stdout.str()
    assert len(json.loads((pytester.path / "checks.json").read_text())["checks"]) == 5
    names = [item.get("name") for item in ET.parse(pytester.path / "junit.xml").iter("property")]
    assert names.count("genbench fd@tiny/1 fd") == 5
    assert not list(pytester.path.rglob("*.lock"))


def test_an_unused_plugin_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = {"torch", "numpy", "pydantic", "PIL", "scipy", "pandas", "filelock", "safetensors", "rich", "genbench.errors"}
    (tmp_path / "test_it.py").write_text(f"import sys\ndef test_light():\n    assert not {heavy!r} & set(sys.modules)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_help_and_markers_name_what_there_is(pytester: pytest.Pytester) -> None:
    text = run(pytester, "--help").stdout.str()
    for option in ("update", "skip", "strict", "baseline-dir", "json", "device"):
        assert f"--genbench-{option}" in text
    for name in ("genbench_strict", "genbench_baseline_dir", "genbench_device"):
        assert name in text
    assert "max_increase_rel" in run(pytester, "--markers").stdout.str()
