"""Are twenty metrics in one command about as cheap as the features and the dearest of them?

    python benchmarks/speed/twenty_metrics.py -o benchmarks/results/speed-twenty-metrics.json

2,000 drawn images of 32x32 as PNG files against 2,000 others, with 1,024 held-out ones, on `tiny` (sharpness on its own
spectrum). The command runs with an empty cache; then each metric runs alone on cached features. Target: the command takes at
most 1.3 times the extraction and the dearest metric together, decodes each image once, and shows each network each image once.
A few minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from machine import record
from PIL import Image
from torch import Tensor

import genbench
from genbench.data.sets.shapes32 import Shapes32

METRICS = (
    "fid",
    "kid",
    "inception_score",
    "prdc",
    "fid_infinity",
    "mind",
    "swd",
    "cmmd@tiny",
    "ndb",
    "realism",
    "vendi",
    "class_histogram",
    "c2st",
    "wasserstein",
    "authenticity",
    "near_copies",
    "c_t",
    "generalization_gap",
    "fld",
    "sharpness",
)
N = 2000


def save(folder: Path, images: Tensor) -> Path:
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{index:06d}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    drawn = Shapes32().images("train").read_all()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fake, real = save(folder / "fake", drawn[:N]), save(folder / "real", drawn[N : 2 * N])
        held_out = save(folder / "held-out", Shapes32().images("test").read_all())
        sides = {"ref": real, "held_out": held_out, "extractor": "tiny", "device": "cpu"}
        os.environ["GENBENCH_CACHE"] = str(folder / "warm-up")
        genbench.evaluate(fake, metrics=METRICS, **sides)  # imports and the first use of every library
        os.environ["GENBENCH_CACHE"] = str(folder / "cache")
        together = genbench.evaluate(fake, metrics=METRICS, **sides)
        alone = {metric: genbench.evaluate(fake, metrics=[metric], **sides).timing.metrics_s for metric in METRICS}
    dearest = max(alone, key=lambda metric: alone[metric])
    bound = together.timing.extract_s + alone[dearest]
    measured = {
        "images": f"{N} + {N} + {len(Shapes32().images('test'))} of 32x32, PNG files",
        "metrics": len(METRICS),
        "numbers": len(together.metrics),
        "decoded": together.timing.images_extracted,
        "command_s": round(together.timing.wall_s, 2),
        "command_cpu_s": round(together.timing.cpu_s, 2),
        "extraction_s": round(together.timing.extract_s, 2),
        "metrics_s": round(together.timing.metrics_s, 2),
        "dearest": dearest,
        "dearest_s": round(alone[dearest], 2),
        "command_over_extraction_and_dearest": round(together.timing.wall_s / bound, 3),
        "alone_s": {metric: round(seconds, 3) for metric, seconds in alone.items()},
    }
    for key, value in measured.items():
        print(f"{key:<36} {value}")
    record(options.output, measured)


if __name__ == "__main__":
    main()
