"""How much memory does each metric take beside its features?

    python benchmarks/speed/metric_memory.py -o benchmarks/results/metric-memory.json

Every metric of the catalogue that takes features, on 10,000 x 2,048 of either side (5,000 held-out ones), each in a process
of its own; peak memory of the process, with Python, torch and the features, and how much of it the metric added. Target: below
1.5 GB.
Ten to twenty minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from machine import record

from genbench import catalog
from genbench.metrics.base import FeatureSet, Metric

N, HELD_OUT, DIM, CLASSES = 10_000, 5_000, 2048, 10
TAKES = ("distributions", "features", "sample", "held_out", "classes")


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(metric: Metric) -> dict[str, float]:
    """Seconds, peak GB and GB added of one metric in this process."""
    generator = torch.Generator().manual_seed(0)

    def features(n: int, shift: float) -> torch.Tensor:
        return torch.randn(n, DIM, generator=generator).add_(shift).relu_()  # not negative and sparse, as Inception's

    sides = {"fake": features(N, 0.05)}
    if metric.needs_reference:
        sides["real"] = features(N, 0.0)
    if metric.takes == "held_out":
        sides["held_out"] = features(HELD_OUT, 0.0)
    if metric.takes == "classes":
        sides |= {f"{side}_classes": torch.arange(N) % CLASSES for side in ("fake", "real")}
    if metric.takes == "distributions":
        sides = {side: FeatureSet(features=values) for side, values in sides.items()}
    before, started = peak_gigabytes(), time.perf_counter()
    metric.compute(**sides, **next(iter(metric.protocols.values())))
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_gb": round(peak_gigabytes(), 2),
        "added_gb": round(peak_gigabytes() - before, 2),
    }


def _is_wide(metric: Metric) -> bool:
    """Whether it takes features of any width; those of one small extractor (sharpness, on eight rings) need no memory."""
    if metric.takes not in TAKES or metric.extractor is None:
        return False
    return catalog.find("extractors", metric.extractor).layers[metric.layer] > 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metric", help="measure this one in this process and print it")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.metric:
        print(json.dumps(measure(catalog.find("metrics", options.metric))))
        return
    found = {}
    for name in catalog.names("metrics"):
        if _is_wide(catalog.find("metrics", name)):
            done = subprocess.run([sys.executable, __file__, "--metric", name], capture_output=True, text=True, check=False)
            found[name] = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr.strip().splitlines()[-1]}
            print(f"{name:<24} {found[name]}", flush=True)
    record(options.output, {"features": f"{N} x {DIM} on either side, {HELD_OUT} held out", "metrics": found})


if __name__ == "__main__":
    main()
