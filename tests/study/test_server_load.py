"""A short form of benchmarks/study/load.py: five raters at once, and the server is killed between their votes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "study" / "load.py"


def test_many_raters_and_a_killed_server() -> None:
    command = [sys.executable, str(SCRIPT), "--raters", "5", "--seconds", "1", "--kills", "1"]
    outcome = subprocess.run(command, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    row = json.loads(outcome.stdout)
    assert row["acknowledged"] == row["stored"] >= 5
    assert row["retries"] > 0, "the raters noticed"
    assert row["sent again"] > 0
    assert not any(row[key] for key in ("lost", "doubled", "never acknowledged", "changed", "refused"))
