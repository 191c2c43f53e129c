"""Fréchet distance of 2048-d moments against a reference that is at hand: genbench, torch-fidelity, pytorch-fid.

    pip install "genbench[parity]"
    python benchmarks/speed/frechet.py [--repeats 5] [--threads 2] [-o benchmarks/results/speed-frechet.json]

All get the same moments of 10,000 correlated features per side; genbench's reference has its factor, as a statistics file does.
The contestants take turns, so that what else the machine does hits all alike. About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--dim", type=int, default=2048)
parser.add_argument("-o", "--output", type=Path)
arguments = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(arguments.threads), OPENBLAS_NUM_THREADS=str(arguments.threads))  # before they load

import torch  # noqa: E402
from pytorch_fid.fid_score import calculate_frechet_distance  # noqa: E402
from torch_fidelity.metric_fid import fid_statistics_to_metric  # noqa: E402

from genbench.gaussian import moments  # noqa: E402
from genbench.metrics.fid import frechet_distance  # noqa: E402

TARGETS = {"torch-fidelity": 4, "pytorch-fid": 15}


def contestants() -> dict[str, Callable[[], float]]:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(arguments.dim, arguments.dim, generator=generator) * torch.logspace(0, -2, arguments.dim) / 45
    real = moments((torch.randn(10_000, arguments.dim, generator=generator) @ mixing).relu())
    fake = moments((torch.randn(10_000, arguments.dim, generator=generator) @ mixing * 1.1).relu())
    assert real.factor is not None
    mu_r, cov_r, mu_f, cov_f = (tensor.numpy() for tensor in (real.mean, real.cov, fake.mean, fake.cov))
    theirs = {"mu": mu_f, "sigma": cov_f}, {"mu": mu_r, "sigma": cov_r}
    return {
        "genbench": lambda: frechet_distance(real=real, fake=fake),
        "torch-fidelity": lambda: fid_statistics_to_metric(*theirs, verbose=False)["frechet_inception_distance"],
        "pytorch-fid": lambda: float(calculate_frechet_distance(mu_f, cov_f, mu_r, cov_r)),
    }


def timed(function: Callable[[], float]) -> tuple[float, float, float]:
    """Value, wall seconds, CPU seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    torch.set_num_threads(arguments.threads)
    functions = contestants()
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in functions}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        functions["genbench"]()  # libraries load on first use
        for _ in range(arguments.repeats):
            for name, function in functions.items():
                runs[name].append(timed(function))
    rows = {
        name: {
            "value": got[0][0],
            "wall_s": statistics.median(wall for _, wall, _ in got),
            "wall_s_all": [round(wall, 3) for _, wall, _ in got],
            "cpu_s": statistics.median(cpu for _, _, cpu in got),
            "version": version(name),
        }
        for name, got in runs.items()
    }
    ours = rows["genbench"]["wall_s"]
    print("| | version | value | wall s (median) | CPU s | genbench is faster | target |\n|---|---|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        faster = "" if name == "genbench" else f"{row['wall_s'] / ours:.1f} x"
        target = f"{TARGETS[name]} x" if name in TARGETS else ""
        numbers = f"{row['value']:.9g} | {row['wall_s']:.2f} | {row['cpu_s']:.2f}"
        print(f"| {name} | {row['version']} | {numbers} | {faster} | {target} |")
    if arguments.output:
        made = {
            "question": "seconds for the Fréchet distance of moments against a reference at hand",
            "dim": arguments.dim,
            "machine": {"processor": processor(), "cores": os.cpu_count(), "load_before": load_before},
            "threads": arguments.threads,
            "versions": {name: version(name) for name in ("torch", "numpy", "scipy")} | {"python": platform.python_version()},
            "date": datetime.now(UTC).date().isoformat(),
            "command": "python benchmarks/speed/frechet.py " + " ".join(sys.argv[1:]),
        }
        arguments.output.write_text(json.dumps({**made, "results": rows}, indent=1) + "\n")


def processor() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


load_before = os.getloadavg()[0]

if __name__ == "__main__":
    main()
