"""Is measuring everything in one command as cheap as extracting the features?

    python benchmarks/speed/one_command.py -o benchmarks/results/speed-one-command.json

FID, KID, Inception Score and precision, recall, density, coverage of n images against n others on Inception, in one call of
`genbench.evaluate` with an empty cache, beside the time that the same call spends on extraction. The weights are random, which
the time does not depend on. Target: the metrics add at most 10 %. About five minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import torch
from machine import record
from random_inception import random_images, random_state

import genbench


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1500, help="images on either side")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    fake, real = random_images(options.n, 32, seed=1), random_images(options.n, 32, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GENBENCH_CACHE"] = folder
        torch.save(random_state(), weights := Path(folder) / "random.pth")
        timing = genbench.evaluate(fake, ref=real, weights=weights, device="cpu").timing
    measured = {
        "images": f"{options.n} + {options.n} of 32x32",
        "extraction_s": round(timing.extract_s, 1),
        "metrics_s": round(timing.metrics_s, 1),
        "metrics_over_extraction": round(timing.metrics_s / timing.extract_s, 4),
        "cpu_s": round(timing.cpu_s, 1),
    }
    for name, value in measured.items():
        print(f"{name:<24} {value}")
    record(options.output, measured)


if __name__ == "__main__":
    main()
