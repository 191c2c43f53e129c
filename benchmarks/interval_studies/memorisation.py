"""The intervals of the metrics that compare with the training set: authenticity, near copies, C_T, generalization gap, FLD.

Features are Gaussian in 16 dimensions: training and held-out images N(0, I), generated ones N(0, 1.1² I) or as the row says,
where for "copies" each is with a chance of a third a training image with noise of 0.1. What an interval holds fixed is drawn
once: the training set, and for FLD also the generated images. The generalization gap draws all sides; its promised row has
generated images far from both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import authenticity, c_t, fld, generalization_gap, near_copies
from interval_studies.harness import Draw, Row, gaussian, repeat

DIM = 16


def images(n: int, generator: torch.Generator) -> Tensor:
    return gaussian(n, generator, dim=DIM)


def generated(n: int, generator: torch.Generator, real: Tensor, *, copied: float = 0.0, scale: float = 1.1) -> Tensor:
    """`copied`: how likely an image is a training image with a little noise."""
    chosen = real[torch.randint(len(real), (n,), generator=generator)] + 0.1 * images(n, generator)
    is_copy = torch.rand(n, 1, generator=generator) < copied
    return torch.where(is_copy, chosen, scale * images(n, generator))


def shares(n: int, repeats: int) -> Iterator[Row]:
    """A training set of n images, kept or drawn again."""
    kept = images(n, torch.Generator().manual_seed(12345))

    def study(compute: Callable[..., dict[str, Estimate]], copied: float, keep: bool) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = kept if keep else images(n, generator)
            return next(iter(compute(real=real, fake=generated(n, generator, real, copied=copied)).values()))

        return draw

    for name, compute, copied in (
        ("authenticity", authenticity.compute, 0.0),
        ("authenticity, copies", authenticity.compute, 1 / 3),
        ("near_copies, copies", near_copies.compute, 1 / 3),
    ):
        yield from repeat(f"{name}, training kept", n, repeats, study(compute, copied, keep=True))
    yield from repeat("authenticity, training drawn", n, repeats, study(authenticity.compute, 0.0, keep=False), promised=False)


def rank_sums(n: int, repeats: int) -> Iterator[Row]:
    kept = images(n, torch.Generator().manual_seed(12345))

    def study(copied: float, scale: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            fake = generated(n, generator, kept, copied=copied, scale=scale)
            return c_t.compute(real=kept, held_out=images(n, generator), fake=fake)["c_t"]

        return draw

    yield from repeat("c_t, without fault", n, repeats, study(0.0, 1.0))
    yield from repeat("c_t, underfitted", n, repeats, study(0.0, 1.1))
    yield from repeat("c_t, copies", n, repeats, study(1 / 3, 1.0))


def gap(n: int, repeats: int) -> Iterator[Row]:
    def study(copied: float, scale: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = images(n, generator)
            fake = generated(n, generator, real, copied=copied, scale=scale)
            return generalization_gap.compute(real=real, held_out=images(n, generator), fake=fake)["fd_gap"]

        return draw

    yield from repeat("fd_gap, far", n, repeats, study(0.0, 1.3))
    yield from repeat("fd_gap, near", n, repeats, study(0.0, 1.1), promised=False)
    yield from repeat("fd_gap, near, copies", n, repeats, study(1 / 3, 1.1), promised=False)


def likelihood(n: int, repeats: int) -> Iterator[Row]:
    """The fit takes most of the time, so the sets that are kept are 250 images; only the held-out images are n."""
    start = torch.Generator().manual_seed(12345)
    real = images(250, start)
    fake = generated(250, start, real)

    def draw(generator: torch.Generator) -> Estimate:
        return fld.compute(real=real, held_out=images(n, generator), fake=fake)["fld"]

    def draw_all(generator: torch.Generator) -> Estimate:
        drawn = images(250, generator)
        return fld.compute(real=drawn, held_out=images(n, generator), fake=generated(250, generator, drawn))["fld"]

    yield from repeat("fld, others kept", n, repeats, draw)
    yield from repeat("fld, all drawn", n, repeats, draw_all, promised=False)


STUDIES = (shares, rank_sums, gap, likelihood)
