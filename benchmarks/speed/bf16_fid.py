"""How far FID moves when the network's convolutions run in bfloat16: 1,000 test images against 1,000 training images.

    python benchmarks/speed/bf16_fid.py DATA_ROOT -o benchmarks/results/speed-bf16-fid.json

DATA_ROOT holds cifar10-jpeg-train.zip and cifar10-jpeg-test.zip. Unless `--weights` names the published file, the weights are
random: that shows how rounding acts on this architecture, and says nothing about the learned features' own sensitivity.
About four minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import record
from PIL import Image
from random_inception import random_state
from torch import Tensor

from genbench.features.base import Precision
from genbench.features.inception import Inception
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet


def images_of(path: Path, count: int) -> Tensor:
    """uint8 (count, 3, H, W): every so many images of the archive, so that all classes take part."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = names[:: len(names) // count][:count]
        pixels = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in chosen]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def distance(real: Tensor, fake: Tensor, weights: Path, precision: Precision) -> dict[str, Any]:
    inception = Inception.load(input="tf", precision=precision, weights=weights)
    sets = [FeatureSet(features=inception(images, ["pool"])["pool"]) for images in (real, fake)]
    estimate = fid.compute(real=sets[0], fake=sets[1])["fd"]
    return {"precision": precision, "fid": estimate.value, "se": estimate.se}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--weights", type=Path, help="the published file (default: seeded random weights)")
    parser.add_argument("--images", type=int, default=1000, help="of either side (default: 1000)")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    real = images_of(options.data_root / "cifar10-jpeg-train.zip", options.images)
    fake = images_of(options.data_root / "cifar10-jpeg-test.zip", options.images)
    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights or Path(folder) / "random.pth"
        if options.weights is None:
            torch.save(random_state(), weights)
        rows = [distance(real, fake, weights, precision) for precision in ("fp32", "bf16")]
    change = abs(rows[1]["fid"] - rows[0]["fid"]) / rows[0]["fid"]
    print("| precision | FID | standard error |\n|---|---:|---:|")
    for row in rows:
        print(f"| {row['precision']} | {row['fid']:.6g} | {row['se']:.2g} |")
    print(f"\n|dFID|/FID = {change:.3%} on {'random' if options.weights is None else 'published'} weights")
    origin = "seeded random" if options.weights is None else options.weights.name
    record(options.output, {"weights": origin, "images": options.images, "rows": rows, "relative_change": change})


if __name__ == "__main__":
    main()
