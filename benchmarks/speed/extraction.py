"""How many images per second the Inception features take: genbench in fp32 and bf16 beside pytorch-fid and torch-fidelity.

    python benchmarks/speed/extraction.py -o benchmarks/results/speed-extraction.json

All get the same seeded random weights and the same uint8 images in memory, in batches of their own default size, and return
their 2048-d features. Repeats are interleaved, so that a disturbance of the machine hits all alike; medians are compared.
Needs the extra `parity`, a machine with nothing else running, and about four minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import record
from random_inception import random_images, random_state
from torch import Tensor

from genbench.features.inception import Inception

Extract = Callable[[Tensor], Any]


def extractors(weights: Path) -> dict[str, tuple[Extract, int]]:
    """name -> (uint8 batch -> features, images in a batch)."""
    from pytorch_fid import inception as pytorch_fid
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    pytorch_fid.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    theirs = pytorch_fid.InceptionV3().eval()
    fidelity = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))
    fp32, bf16 = (Inception.load(input="tf", precision=precision, weights=weights) for precision in ("fp32", "bf16"))
    return {
        f"pytorch-fid {version('pytorch-fid')}": (lambda images: theirs(images.float() / 255), 50),
        f"torch-fidelity {version('torch-fidelity')}": (fidelity, 64),
        "genbench fp32": (lambda images: fp32(images, ["pool"]), 64),
        "genbench bf16": (lambda images: bf16(images, ["pool"]), 64),
    }


@torch.no_grad()
def measure(extract: Extract, batch_size: int, images: Tensor) -> tuple[float, float]:
    """(images per second of wall time, seconds of CPU time per image)."""
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in images.split(batch_size):
        extract(batch)
    return len(images) / (time.perf_counter() - wall), (time.process_time() - cpu) / len(images)


def compare(contestants: dict[str, tuple[Extract, int]], images: Tensor, repeats: int) -> list[dict[str, Any]]:
    for extract, _ in contestants.values():  # first calls allocate
        measure(extract, 8, images[:8])
    runs = [{name: measure(*contestant, images) for name, contestant in contestants.items()} for _ in range(repeats)]
    return [
        {
            "extractor": name,
            "pixels": images.shape[-1],
            "images": len(images),
            "batch": contestants[name][1],
            "images_per_second": [round(run[name][0], 2) for run in runs],
            "median": median(run[name][0] for run in runs),
            "cpu_seconds_per_image": median(run[name][1] for run in runs),
        }
        for name in contestants
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown; ratios are to each peer at the same image size."""
    peers = list(dict.fromkeys(row["extractor"] for row in rows if "genbench" not in row["extractor"]))
    lines = [f"| pixels | extractor | images/s | CPU s/image | {' | '.join(f'x {peer}' for peer in peers)} |"]
    lines.append("|---:|---|---:|---:|" + "---:|" * len(peers))
    speed = {(row["pixels"], row["extractor"]): row["median"] for row in rows}
    for row in rows:
        ratios = " | ".join(f"{row['median'] / speed[row['pixels'], peer]:.2f}" for peer in peers)
        size, cpu = row["pixels"], row["cpu_seconds_per_image"]
        lines.append(f"| {size} | {row['extractor']} | {row['median']:.2f} | {cpu:.3f} | {ratios} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--images", type=int, default=64, help="of each size (default: 64)")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement (default: 5)")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.save(random_state(), weights)
        contestants = extractors(weights)
        for size in (32, 256):
            rows += compare(contestants, random_images(options.images, size, seed=size), options.repeats)
    print(table(rows))
    record(options.output, {"rows": rows})


if __name__ == "__main__":
    main()
