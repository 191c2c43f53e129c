"""examples/ci as a stranger has it: its suite passes as committed, and fails when its generator is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent / "examples" / "ci"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))


def run(project: Path) -> subprocess.CompletedProcess[str]:
    """Its suite as a service of continuous integration runs it, which writes no baseline."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")} | {"CI": "true"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_it_passes_as_committed(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("genbench-baselines/*")}
    assert len(before) == 2
    outcome = run(project)
    assert outcome.returncode == 0, outcome.stdout
    assert "2 passed" in outcome.stdout
    assert {path: path.read_bytes() for path in project.rglob("genbench-baselines/*")} == before


def test_it_fails_when_the_generator_loses_three_digits(project: Path) -> None:
    """What the README says it says, but for the numbers, which another machine may round otherwise."""
    generator = project / "generator.py"
    whole = generator.read_text()
    generator.write_text(whole.replace("CLASSES = range(10)", "CLASSES = range(7)"))
    assert generator.read_text() != whole
    outcome = run(project)
    assert outcome.returncode == 1, outcome.stdout
    printed = [line.removeprefix("E").strip() for line in outcome.stdout.splitlines() if line.startswith("E ")]
    readme = (PROJECT / "README.md").read_text()
    for line in readme.partition("it says\n\n```\n")[2].partition("```")[0].splitlines():
        verdict = line.split()[-1]
        assert any(other.split()[:1] == line.split()[:1] and other.split()[-1] == verdict for other in printed if other), line
    assert re.search(r"fd@tiny ↓ .*REGRESSED", outcome.stdout)


def test_the_readme_shows_the_suite() -> None:
    shown = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    suite = (PROJECT / "tests" / "test_quality.py").read_text()
    assert shown
    assert all(code in suite for code in shown)
