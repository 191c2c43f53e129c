"""The intervals of the metrics of every evaluation: Fréchet and kernel distance, Inception Score, precision to coverage.

Features are Gaussian: real N(0, I) and fake N(0.3, 1.2² I) in 64 dimensions; for precision, recall, density and coverage fake
N(0.1, 1.1² I) in 8. Precision and density draw the generated images again and keep the real ones, all else draws both sides.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import fid, inception_score, kid, prdc
from genbench.metrics.base import FeatureSet
from interval_studies.harness import Draw, Row, gaussian, repeat

CLASSES = 10


def logits(n: int, generator: torch.Generator) -> Tensor:
    return 2 * torch.randn(n, CLASSES, generator=generator)


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
        return inception_score.compute(fake=logits(n, generator))["inception_score"]

    many = inception_score.compute(fake=logits(1_000_000, torch.Generator().manual_seed(1)), splits=1)["inception_score"]
    yield from repeat("inception_score", n, repeats, draw, infinite=float(many))


def neighbours(n: int, repeats: int) -> Iterator[Row]:
    def real_images(generator: torch.Generator) -> Tensor:
        return gaussian(n, generator, dim=8)

    def fake_images(generator: torch.Generator) -> Tensor:
        return gaussian(n, generator, dim=8, shift=0.1, scale=1.1)

    kept_real = real_images(torch.Generator().manual_seed(12345))

    def study(name: str, *, keep_real: bool) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = kept_real if keep_real else real_images(generator)
            return prdc.compute(real=real, fake=fake_images(generator))[name]

        return draw

    for name in ("precision", "density", "recall", "coverage"):
        only_kept = name in ("precision", "density")
        yield from repeat(f"{name}, real kept", n, repeats, study(name, keep_real=True))
        yield from repeat(f"{name}, both drawn", n, repeats, study(name, keep_real=False), promised=not only_kept)


STUDIES = (frechet, kernel, inception, neighbours)
