"""Precision, recall, density and coverage of 5,000 x 5,000 images with 2048 features: genbench and the package prdc.

    pip install "genbench[parity]"
    python benchmarks/speed/prdc.py [--repeats 5] [--threads 2] [-o benchmarks/results/speed-prdc.json]

Every run is a process of its own, which makes the features, then measures; the contestants take turns. Memory is what the
call adds to the peak of the process, that is without the features and the loaded libraries. About a minute on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

VALUES = ("precision", "recall", "density", "coverage")
TARGETS = {"wall_s": 2, "added_mib": 4}


def child(name: str, images: int, dim: int) -> dict[str, float]:
    """Measure once, in this process."""
    import numpy as np
    import torch

    random = np.random.default_rng(0)
    mixing = (random.standard_normal((dim, dim)) * np.logspace(0, -2, dim) / 45).astype(np.float32)
    real = np.maximum(random.standard_normal((images, dim), dtype=np.float32) @ mixing, 0)
    fake = np.maximum(random.standard_normal((images, dim), dtype=np.float32) @ mixing * np.float32(1.05), 0)
    if name == "genbench":
        from genbench.metrics.prdc import compute

        def measure(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
            got = compute(real=torch.from_numpy(real), fake=torch.from_numpy(fake), k=5, closed=False)
            return {value: float(got[value]) for value in VALUES}
    else:
        sys.path.remove(str(Path(__file__).resolve().parent))  # where this file has the name of the package
        from prdc import compute_prdc

        def measure(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
            with contextlib.redirect_stdout(sys.stderr):
                return {key: float(value) for key, value in compute_prdc(real, fake, 5).items()}

    measure(real[:100], fake[:100])  # libraries load on first use
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts anew from what is resident now
    before = resident_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    values = measure(real, fake)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "added_mib": resident_peak() - before, "peak_mib": resident_peak(), **values}


def resident_peak() -> float:
    """MiB of resident memory at its highest since the last reset."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child, arguments.images, arguments.dim)))
        return

    load_before, threads = os.getloadavg()[0], str(arguments.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    size = ["--images", str(arguments.images), "--dim", str(arguments.dim)]
    runs: dict[str, list[dict[str, float]]] = {"genbench": [], "prdc": []}
    for _ in range(arguments.repeats):
        for name, got in runs.items():
            command = [sys.executable, __file__, "--child", name, *size]
            got.append(json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout))
    rows = {name: {key: statistics.median(run[key] for run in got) for key in got[0]} for name, got in runs.items()}

    print("| | version | " + " | ".join(VALUES) + " | wall s (median) | CPU s | memory added, MiB | peak, MiB |")
    print("|---|---|" + "--:|" * (len(VALUES) + 4))
    for name, row in rows.items():
        values = " | ".join(f"{row[value]:.4f}" for value in VALUES)
        numbers = f"{row['wall_s']:.2f} | {row['cpu_s']:.2f} | {row['added_mib']:.0f} | {row['peak_mib']:.0f}"
        print(f"| {name} | {version(name)} | {values} | {numbers} |")
    ratios = {key: rows["prdc"][key] / rows["genbench"][key] for key in TARGETS}
    print("\n" + "; ".join(f"{key}: {ratios[key]:.1f} times less (target {target})" for key, target in TARGETS.items()))
    if arguments.output:
        made = {
            "question": "seconds and memory for precision, recall, density and coverage",
            "images_per_side": arguments.images,
            "dim": arguments.dim,
            "machine": {"processor": processor(), "cores": os.cpu_count(), "load_before": load_before},
            "threads": arguments.threads,
            "versions": {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
            | {"python": platform.python_version()},
            "date": datetime.now(UTC).date().isoformat(),
            "command": "python benchmarks/speed/prdc.py " + " ".join(sys.argv[1:]),
        }
        arguments.output.write_text(json.dumps({**made, "results": rows, "ratios": ratios, "runs": runs}, indent=1) + "\n")


def processor() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


if __name__ == "__main__":
    main()
