"""Both doors say the same, at once, and load nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "scipy", "scipy.stats", "numpy", "PIL", "sklearn")
LOADED = """
import sys
from genbench.cli import run
status = run({arguments!r})
print("heavy:", sorted(set({heavy!r}) & set(sys.modules)), "status:", status)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["evaluate", "--help"],
        ["stats", "build", "--help"],
        ["run", "--help"],
        ["train", "--help"],
        ["table", "--help"],
        ["check", "--help"],
        ["compare", "--help"],
        ["leaderboard", "--help"],
        ["report", "--help"],
        ["study", "serve", "--help"],
        ["validate", "--help"],
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = LOADED.format(arguments=arguments, heavy=HEAVY)
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines()[-1] == "heavy: [] status: 0"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, genbench; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"


def test_all_doors_are_one() -> None:
    doors = [[sys.executable, "cli.py"], [sys.executable, "-m", "genbench"]]
    printed = [
        subprocess.run([*door, "--help"], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout for door in doors
    ]
    assert printed[0] == printed[1]
    assert "evaluate" in printed[0]
