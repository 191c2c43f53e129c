"""The intervals of the distances between distributions: extrapolated, within classes, by kernels and along directions.

Features are Gaussian: real N(0, I) and fake N(0.3, 1.2² I) in 16 dimensions. For CMMD, which looks at directions only, the
first coordinate of the real images is moved by 1 and that of the fake ones by 2; within classes there are 5 of equal numbers.
Sliced distances take 100 directions in place of 1,000, which changes neither their error nor their spread by much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import cmmd, fid_infinity, intra_fid, kid, mind, swd
from genbench.metrics.base import FeatureSet
from interval_studies.harness import Draw, Row, gaussian, repeat

DIM = 16
CLASSES = 5
DIRECTIONS = 100
MANY = 20_000  # images whose distance stands for that of infinitely many
WIDE = (0.3, 1.2)  # shift and scale of the fake images
EQUAL = (0.0, 1.0)

Measure = Callable[[Tensor, Tensor], Estimate]


def both_drawn(n: int, measure: Measure, shift: float, scale: float) -> Draw:
    def draw(generator: torch.Generator) -> Estimate:
        return measure(gaussian(n, generator, dim=DIM), gaussian(n, generator, dim=DIM, shift=shift, scale=scale))

    return draw


def study(name: str, n: int, repeats: int, measure: Measure) -> Iterator[Row]:
    """Where the distributions differ, as promised, and where they do not."""
    yield from repeat(name, n, repeats, both_drawn(n, measure, *WIDE))
    yield from repeat(f"{name}, equal distributions", n, repeats, both_drawn(n, measure, *EQUAL), promised=False)


def extrapolated(n: int, repeats: int) -> Iterator[Row]:
    def measure(real: Tensor, fake: Tensor) -> Estimate:
        return fid_infinity.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd_infinity"]

    yield from study("fd_infinity", n, repeats, measure)


def within_classes(n: int, repeats: int) -> Iterator[Row]:
    classes = torch.arange(n) % CLASSES

    def measure(real: Tensor, fake: Tensor) -> Estimate:
        return intra_fid.compute(real=real, fake=fake, real_classes=classes, fake_classes=classes)["intra_fd"]

    infinite = DIM * (WIDE[0] ** 2 + (WIDE[1] - 1) ** 2)
    yield from repeat("intra_fd", n, repeats, both_drawn(n, measure, *WIDE), infinite=infinite)


def embeddings(n: int, repeats: int) -> Iterator[Row]:
    def drawn(real_at: float, fake_at: float) -> Callable[..., Estimate]:
        def draw(generator: torch.Generator, count: int = n) -> Estimate:
            real, fake = gaussian(count, generator, dim=DIM), gaussian(count, generator, dim=DIM)
            real[:, 0] += real_at
            fake[:, 0] += fake_at
            return cmmd.compute(real=real, fake=fake)["mmd"]

        return draw

    infinite = drawn(1, 2)(torch.Generator().manual_seed(12345), MANY).bias_corrected
    yield from repeat("cmmd", n, repeats, drawn(1, 2), infinite=infinite)
    yield from repeat("cmmd, equal distributions", n, repeats, drawn(1, 1), infinite=0.0, promised=False)


def gaussian_kernel(n: int, repeats: int) -> Iterator[Row]:
    def measure(real: Tensor, fake: Tensor) -> Estimate:
        return kid.compute(real=real, fake=fake, **kid.metric.protocols["rbf"])["kd"]

    yield from study("kd:rbf", n, repeats, measure)


def sliced(n: int, repeats: int) -> Iterator[Row]:
    def squared(real: Tensor, fake: Tensor) -> Estimate:
        return mind.compute(real=real, fake=fake, directions=DIRECTIONS)["mind"]

    def root(real: Tensor, fake: Tensor) -> Estimate:
        return swd.compute(real=real, fake=fake, directions=DIRECTIONS)["swd"]

    yield from study("mind", n, repeats, squared)
    yield from study("swd", n, repeats, root)


STUDIES = (extrapolated, within_classes, embeddings, gaussian_kernel, sliced)
