"""How often do the 95 % intervals cover what they promise? Draws images again and again, and counts.

    python benchmarks/coverage_of_intervals.py [--repeats 1000] [-o benchmarks/results/coverage.json]

Features are Gaussian: real N(0, I), fake N(0.1, 1.1² I) in 64 dimensions. What an interval promises to cover is the expected value
of the same estimator on as many images; it is taken from the mean over all repeats. For bias-corrected values it is the value at
infinitely many images. For precision, recall, density and coverage the images asked are drawn again and the others are kept.
The rows marked "no" are no promise; they show what happens outside of it. A repeat takes 0.01 to 0.2 s on one core.
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

DIM, SHIFT, SCALE, CLASSES = 64, 0.1, 1.1, 10
NEIGHBOURHOOD_DIM = 8  # in which balls around neighbours hold a share of images that is neither 0 nor 1

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


def real_images(n: int, generator: torch.Generator, dim: int = DIM) -> Tensor:
    return torch.randn(n, dim, generator=generator)


def fake_images(n: int, generator: torch.Generator, dim: int = DIM) -> Tensor:
    return SHIFT + SCALE * torch.randn(n, dim, generator=generator)


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
    def far(generator: torch.Generator) -> Estimate:
        real, fake = real_images(n, generator), fake_images(n, generator)
        return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]

    def same(generator: torch.Generator) -> Estimate:
        real, fake = real_images(n, generator), real_images(n, generator)
        return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]

    yield from repeat("fd", n, repeats, far, infinite=DIM * (SHIFT**2 + (SCALE - 1) ** 2))
    yield from repeat("fd, equal distributions", n, repeats, same, promised=False)


def kernel(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        return kid.compute(real=real_images(n, generator), fake=fake_images(n, generator))["kd"]

    yield from repeat("kd", n, repeats, draw)


def inception(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        return inception_score.compute(logits=logits(n, generator))["inception_score"]

    many = inception_score.compute(logits=logits(1_000_000, torch.Generator().manual_seed(1)), splits=1)["inception_score"]
    yield from repeat("inception_score", n, repeats, draw, infinite=float(many))


def neighbours(n: int, repeats: int) -> Iterator[Row]:
    seed = torch.Generator().manual_seed(12345)
    one_real, one_fake = real_images(n, seed, NEIGHBOURHOOD_DIM), fake_images(n, seed, NEIGHBOURHOOD_DIM)

    def draw(name: str, *, real: Tensor | None, fake: Tensor | None, generator: torch.Generator) -> Estimate:
        real = real_images(n, generator, NEIGHBOURHOOD_DIM) if real is None else real
        fake = fake_images(n, generator, NEIGHBOURHOOD_DIM) if fake is None else fake
        return prdc.compute(real=real, fake=fake)[name]

    for name in prdc.metric.reports:
        kept = {"real": one_real, "fake": None} if name in ("precision", "density") else {"real": None, "fake": one_fake}
        yield from repeat(name, n, repeats, lambda g, name=name, kept=kept: draw(name, **kept, generator=g))
        yield from repeat(
            f"{name}, both sides drawn again",
            n,
            repeats,
            lambda g, name=name: draw(name, real=None, fake=None, generator=g),
            promised=False,
        )


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
