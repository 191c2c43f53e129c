"""The intervals of sharpness, flicker and temporal frequency: ratios of means, with the delta method's error.

Powers of rings are log-normal, falling by an octave from ring to ring, with a standard deviation of one octave that all rings
of an image share and half of one of each ring's own, as in CIFAR-10; generated images have a tenth of an octave less.
Videos are random walks of pixels whose speed differs from video to video; a fifth of the generated ones have random frames.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import flicker, sharpness
from interval_studies.harness import Draw, Row, repeat

FRAMES = 6


def powers(n: int, generator: torch.Generator, *, shift: float, spread: float) -> Tensor:
    """(n, 8) log2 powers of rings."""
    common = spread * torch.randn(n, 1, generator=generator)
    own = spread / 2 * torch.randn(n, sharpness.RINGS, generator=generator)
    return 12.0 - torch.arange(sharpness.RINGS) + common + own + shift


def videos(n: int, generator: torch.Generator, *, shuffled: float) -> Tensor:
    """uint8 (n, 1, 6, 3, 3)."""
    speed = 4 + 8 * torch.rand(n, 1, 1, 1, 1, generator=generator)
    walks = 128 + (speed * torch.randn(n, 1, FRAMES, 3, 3, generator=generator)).cumsum(2)
    order = torch.rand(n, FRAMES, generator=generator).argsort(1)
    order[torch.rand(n, generator=generator) >= shuffled] = torch.arange(FRAMES)
    moved = walks.gather(2, order[:, None, :, None, None].expand_as(walks))
    return moved.round().clamp(0, 255).to(torch.uint8)


def fine_detail(n: int, repeats: int) -> Iterator[Row]:
    def study(spread: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = powers(n, generator, shift=0.0, spread=spread)
            fake = powers(n, generator, shift=-0.1, spread=spread)
            return sharpness.compute(real=real, fake=fake)["sharpness"]

        return draw

    yield from repeat("sharpness", n, repeats, study(1.0))
    yield from repeat("sharpness, a few images have most of the energy", n, repeats, study(2.5), promised=False)


def frames(n: int, repeats: int) -> Iterator[Row]:
    def study(name: str) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real, fake = videos(n, generator, shuffled=0.0), videos(n, generator, shuffled=0.2)
            return flicker.compute(real=real, fake=fake)[name]

        return draw

    for name in flicker.metric.reports:
        yield from repeat(name, n, repeats, study(name))


STUDIES = (fine_detail, frames)
