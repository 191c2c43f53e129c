"""What the CI of other projects reads here: the composite action, the pre-commit hook and the examples of docs/ci.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

REPOSITORY = Path(__file__).parent.parent
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text())
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
DOCUMENT = (REPOSITORY / "docs" / "ci.md").read_text()
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
RUN = [step for step in STEPS if "run" in step]


def test_the_action_is_composite() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert "uses" in step or step["shell"] == "bash"
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_every_input_is_declared_and_used() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", (REPOSITORY / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    for name, given in ACTION["inputs"].items():
        assert given["description"], name
        assert given.get("required") is True or "default" in given, name


def test_every_step_that_is_named_exists() -> None:
    text = (REPOSITORY / "action.yml").read_text()
    ids = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"steps\.([a-z-]+)", text)) <= ids


@pytest.mark.parametrize("step", RUN, ids=[step["name"] for step in RUN])
def test_no_expression_is_pasted_into_a_script(step: dict[str, Any]) -> None:
    """Text of an expression would run as shell: `samples: $(...)`. Values come as variables, always quoted."""
    assert "${{" not in step["run"]
    for name in step["env"]:
        for use in re.findall(rf".?\${name}\b.?", step["run"]):
            assert use.startswith(('"', "=", " ", "/")), use


@pytest.mark.parametrize("step", RUN, ids=[step["name"] for step in RUN])
def test_scripts_are_shell(step: dict[str, Any]) -> None:
    subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


def run_check(tmp_path: Path, samples: str, ref: str = "", args: str = "", body: str = "") -> list[str]:
    """The arguments that the action's step gives to genbench, of which a stand-in writes one per line."""
    door = tmp_path / "bin" / "genbench"
    door.parent.mkdir()
    door.write_text(f'#!/bin/bash\nprintf "%s\\0" "$@" > "$SEEN"\n{body}\n')
    door.chmod(0o755)
    step = next(step for step in RUN if step.get("id") == "check")
    given = {"SAMPLES": samples, "REF": ref, "BASELINE": "base line.json", "ARGS": args, "REPORT": str(tmp_path / "report")}
    assert set(given) <= set(step["env"])
    environment = {**given, "PATH": f"{door.parent}:/usr/bin:/bin", "SEEN": str(tmp_path / "seen")}
    environment["GITHUB_OUTPUT"] = str(tmp_path / "output")
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "output").read_text() == f"report={tmp_path / 'report'}\n"
    return (tmp_path / "seen").read_text().split("\0")[:-1]


def test_the_check_gets_its_arguments(tmp_path: Path) -> None:
    seen = run_check(tmp_path, "my samples/", ref="cifar10", args="--strict --policy other.toml")
    assert seen[:3] == ["check", "--baseline", "base line.json"]
    worst = ["--worst", str(tmp_path / "report" / "worst.png")]
    rest = ["--ref", "cifar10", *worst, "--strict", "--policy", "other.toml", "--", "my samples/"]
    assert seen[seen.index("--ref") :] == rest


@pytest.mark.parametrize("samples", ["out", "out/result.json"])
def test_a_result_has_no_images_to_draw(tmp_path: Path, samples: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").touch()
    assert "--worst" not in run_check(tmp_path, samples)


def test_what_is_printed_is_kept_and_the_status_too(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_check(tmp_path, "samples", body="echo regressed; exit 1")
    assert failed.value.returncode == 1
    assert (tmp_path / "report" / "check.txt").read_text() == "regressed\n"


def test_nothing_given_to_the_action_is_run(tmp_path: Path) -> None:
    hostile = '$(touch pwned); `touch pwned` "; touch pwned; #'
    seen = run_check(tmp_path, hostile, args=hostile)
    assert seen[-1] == hostile
    assert not (tmp_path / "pwned").exists()
    assert "--ref" not in seen


def test_the_check_understands_the_arguments(tmp_path: Path) -> None:
    """All but the samples, which are not there: the error is about them and not about an option."""
    from genbench.cli import run

    seen = run_check(tmp_path, str(tmp_path / "none"), ref="digits", args="--strict")
    assert run(seen) in (3, 5)


def test_hooks_name_verbs_that_exist() -> None:
    from genbench.cli.app import app

    verbs = {command.name for command in app.registered_commands}
    for hook in HOOKS:
        assert {"id", "name", "entry", "language", "files"} <= set(hook)
        program, verb = hook["entry"].split()
        assert program == "genbench"
        assert verb in verbs


def test_the_hook_leaves_the_json_of_others_alone() -> None:
    (hook,) = HOOKS
    ours = ["genbench-baseline.json", "a/genbench-baselines/test_x.json", "results/vae/result.json", "result.json"]
    others = ["results/summary.json", "results/my-result.json", "package.json"]
    assert [path for path in ours + others if re.search(hook["files"], path)] == ours


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("genbench-baseline.json", True),
        ("models/genbench-baseline.json", True),
        ("tests/genbench-baselines/test_quality.json", True),
        ("results/a/result.json", True),
        ("package.json", False),
        ("my-genbench-baseline.json", False),
        ("results/notes.md", False),
    ],
)
def test_the_hook_takes_baselines_and_results(path: str, taken: bool) -> None:
    (hook,) = [hook for hook in HOOKS if hook["id"] == "genbench-validate"]
    assert bool(re.search(hook["files"], path)) == taken


def test_examples_of_the_document_are_valid() -> None:
    workflow = next(found for found in SNIPPETS if "jobs" in found)
    assert workflow["permissions"] == {"contents": "read"}
    (step,) = [step for step in workflow["jobs"]["quality"]["steps"] if step.get("uses", "").startswith("OWNER/genbench@")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert all(step["with"].get(name) for name, given in ACTION["inputs"].items() if given.get("required"))
    hooks = next(found for found in SNIPPETS if "repos" in found)["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} <= {hook["id"] for hook in HOOKS}
    assert any("script" in found.get("quality", {}) for found in SNIPPETS if isinstance(found, dict))
