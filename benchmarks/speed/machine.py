"""What a measurement was made on, written beside it."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

LOAD_BEFORE = os.getloadavg()[0]  # 1-minute load average when the script starts; above 0.5 something else was running


def record(output: Path | None, measured: dict[str, Any]) -> None:
    """Write `measured` with machine, versions, date and command as JSON to `output`, if one is asked for."""
    if output is None:
        return
    document = {**describe(), **measured}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=1) + "\n")


def describe() -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shlex.join(["python", "benchmarks/speed/" + Path(sys.argv[0]).name, *sys.argv[1:]]),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load_before": LOAD_BEFORE,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_name() -> str:
    """As Linux tells it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
