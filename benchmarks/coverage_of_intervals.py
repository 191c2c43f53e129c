"""How often do the 95 % intervals cover what they promise? Draws images again and again, and counts.

    python benchmarks/coverage_of_intervals.py [--repeats 1000] [-o benchmarks/results/coverage.json]

Features are Gaussian: real N(0, I) and fake N(0.3, 1.2² I) in 64 dimensions; for precision, recall, density and coverage fake
N(0.1, 1.1² I) in 8. An interval promises to cover the expected value of the same estimator on as many images, which is taken
from the mean over all repeats; about a bias-corrected value it promises to cover the value at infinitely many images.
Precision, recall and density draw the images asked again and keep the others, all else draws both sides. Rows marked "no" are
no promise; they show what happens outside of it. A repeat takes 0.01 to 0.2 s on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import fid, inception_score, kid, prdc
from genbench.metrics.base import FeatureSet

CLASSES = 10

Draw = Callable[[torch.Generator], Estimate]


@dataclass(frozen=True)
class Row:
    metric: str
    n: int
    truth: float
    spread: float  # standard deviation of the value over the repeats
    mean_se: float
    covered: float  # share of repeats
    repeats: int
    promised: bool


def gaussian(n: int, generator: torch.Generator, *, dim: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    return shift + scale * torch.randn(n, dim, generator=generator)


def logits(n: int, generator: torch.Generator) -> Tensor:
    return 2 * torch.randn(n, CLASSES, generator=generator)


def repeat(
    name: str, n: int, repeats: int, draw: Draw, *, infinite: float | None = None, promised: bool = True
) -> Iterator[Row]:
    """The row of the value, and that of the bias-corrected value where its truth at `infinite` images is known."""
    estimates = [draw(torch.Generator().manual_seed(seed)) for seed in range(repeats)]
    values = np.array([float(estimate) for estimate in estimates])
    errors = np.array([estimate.se for estimate in estimates])
    intervals = np.array([estimate.ci for estimate in estimates])

    def row(name: str, shift: np.ndarray, truth: float) -> Row:
        inside = (intervals[:, 0] + shift <= truth) & (truth <= intervals[:, 1] + shift)
        spread, covered = float((values + shift).std()), float(inside.mean())
        return Row(name, n, truth, spread, float(errors.mean()), covered, repeats, promised)

    yield row(name, np.zeros(repeats), float(values.mean()))
    if infinite is not None:
        corrected = np.array([estimate.bias_corrected for estimate in estimates], dtype=float)
        yield row(f"{name}, bias-corrected", corrected - values, infinite)


def frechet(n: int, repeats: int) -> Iterator[Row]:
    def study(shift: float, scale: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real, fake = gaussian(n, generator, dim=64), gaussian(n, generator, dim=64, shift=shift, scale=scale)
            return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]

        return draw

    yield from repeat("fd", n, repeats, study(0.3, 1.2), infinite=64 * (0.3**2 + 0.2**2))
    yield from repeat("fd, near", n, repeats, study(0.1, 1.1), infinite=64 * (0.1**2 + 0.1**2), promised=False)
    yield from repeat("fd, equal distributions", n, repeats, study(0.0, 1.0), infinite=0.0, promised=False)


def kernel(n: int, repeats: int) -> Iterator[Row]:
    def study(shift: float, scale: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real, fake = gaussian(n, generator, dim=64), gaussian(n, generator, dim=64, shift=shift, scale=scale)
            return kid.compute(real=real, fake=fake)["kd"]

        return draw

    yield from repeat("kd", n, repeats, study(0.3, 1.2))
    yield from repeat("kd, equal distributions", n, repeats, study(0.0, 1.0), promised=False)


def inception(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        return inception_score.compute(logits=logits(n, generator))["inception_score"]

    many = inception_score.compute(logits=logits(1_000_000, torch.Generator().manual_seed(1)), splits=1)["inception_score"]
    yield from repeat("inception_score", n, repeats, draw, infinite=float(many))


def neighbours(n: int, repeats: int) -> Iterator[Row]:
    def real_images(generator: torch.Generator) -> Tensor:
        return gaussian(n, generator, dim=8)

    def fake_images(generator: torch.Generator) -> Tensor:
        return gaussian(n, generator, dim=8, shift=0.1, scale=1.1)

    start = torch.Generator().manual_seed(12345)
    kept_real, kept_fake = real_images(start), fake_images(start)

    def study(name: str, *, keep: str) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = kept_real if keep == "real" else real_images(generator)
            fake = kept_fake if keep == "fake" else fake_images(generator)
            return prdc.compute(real=real, fake=fake)[name]

        return draw

    for name, keep in {"precision": "real", "density": "real", "recall": "fake"}.items():
        yield from repeat(f"{name}, {keep} kept", n, repeats, study(name, keep=keep))
        yield from repeat(f"{name}, both drawn", n, repeats, study(name, keep="neither"), promised=False)
    yield from repeat("coverage, both drawn", n, repeats, study("coverage", keep="neither"))


def simulate(repeats: int, sizes: tuple[int, ...] = (500, 1000, 2000)) -> Iterator[Row]:
    for study in (frechet, kernel, inception, neighbours):
        for n in sizes:
            yield from study(n, repeats)


def markdown(rows: list[Row]) -> str:
    lines = ["| metric | n | truth | sd of the value | mean se | covered | promised |", "|---|--:|--:|--:|--:|--:|---|"]
    for row in rows:
        numbers = f"{row.truth:.4g} | {row.spread:.2g} | {row.mean_se:.2g} | {100 * row.covered:.1f} %"
        lines.append(f"| {row.metric} | {row.n} | {numbers} | {'yes' if row.promised else 'no'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for row in simulate(arguments.repeats):
        rows.append(row)
        print(f"{row.metric} n={row.n}: {100 * row.covered:.1f} %", file=sys.stderr)
    print(markdown(rows))
    if arguments.output:
        made = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": "python benchmarks/coverage_of_intervals.py " + " ".join(sys.argv[1:]),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
        arguments.output.write_text(json.dumps({**made, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
