"""Is measuring everything in one command as cheap as extracting the features?

    python benchmarks/speed/one_command.py -o benchmarks/results/one_command.json

FID, KID, Inception Score and precision, recall, density, coverage of N images against N others on Inception, in one call of
`genbench.evaluate` with an empty cache, beside the time that the same call spends on extraction. The weights are random (a seeded
state dict): the time does not depend on them. Target: at most 10 % on top.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import genbench
from genbench.features.inception import InceptionNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1000, help="images on either side")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    images = np.random.default_rng(0).integers(0, 256, (2 * options.n, 32, 32, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GENBENCH_CACHE"] = folder
        torch.manual_seed(0)
        torch.save(InceptionNet().state_dict(), weights := Path(folder) / "random.pth")
        result = genbench.evaluate(images[: options.n], ref=images[options.n :], weights=weights, device="cpu", allow_small=True)
    report = {
        "command": f"python benchmarks/speed/one_command.py -n {options.n}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": result.env["cpu"],
        "threads": threads,
        "torch": result.env["torch"],
        "images": f"{options.n} + {options.n} of 32x32",
        "extraction_s": round(result.timing.extract_s, 1),
        "metrics_s": round(result.timing.metrics_s, 1),
        "metrics_over_extraction": round(result.timing.metrics_s / result.timing.extract_s, 4),
        "cpu_s": round(result.timing.cpu_s, 1),
    }
    print(json.dumps(report, indent=2))
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
