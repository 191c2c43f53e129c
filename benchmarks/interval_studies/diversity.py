"""The intervals of realism, Vendi Score, class histogram, classifier test, bins and Wasserstein distance.

Features are Gaussian: real N(0, I) and fake N(0.3, 1.2² I) in 16 dimensions if nothing else is said. Realism draws the
generated images again and keeps the real ones, whose balls its error holds fixed; all else draws both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import c2st, class_histogram, ndb, realism, vendi, wasserstein
from genbench.seeding import generator
from interval_studies.harness import Draw, Row, gaussian, repeat

CLASSES = 20


def near_real(n: int, repeats: int) -> Iterator[Row]:
    kept = gaussian(n, torch.Generator().manual_seed(12345), dim=8)

    def study(keep: bool) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            real = kept if keep else gaussian(n, generator, dim=8)
            return realism.compute(real=real, fake=gaussian(n, generator, dim=8, shift=0.1, scale=1.1))["realism"]

        return draw

    yield from repeat("realism, real kept", n, repeats, study(True))
    yield from repeat("realism, both drawn", n, repeats, study(False), promised=False)


def effective_number(n: int, repeats: int) -> Iterator[Row]:
    for protocol, settings in vendi.metric.protocols.items():
        for dim in (16, 100):

            def draw(generator: torch.Generator, dim: int = dim, settings: Any = settings) -> Estimate:
                widths = torch.linspace(1, 3, dim)
                return vendi.compute(fake=gaussian(n, generator, dim=dim, shift=0.3) * widths, **settings)["vendi"]

            yield from repeat(f"vendi {protocol}, {dim} dimensions", n, repeats, draw)

    def few(images: int) -> Draw:
        widths = torch.arange(1, 201) ** -0.6

        def draw(generator: torch.Generator) -> Estimate:
            return vendi.compute(fake=gaussian(images, generator, dim=200) * widths)["vendi"]

        return draw

    yield from repeat("vendi q1, 200 dimensions, n / 5 images", n, repeats, few(n // 5))
    yield from repeat("vendi q1, 200 dimensions, 30 images", n, repeats, few(30))


def histogram(n: int, repeats: int) -> Iterator[Row]:
    def logits(generator: torch.Generator, shares: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(torch.multinomial(shares, n, True, generator=generator), CLASSES).float()

    def study(fake: Tensor) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            of_real = logits(generator, torch.ones(CLASSES))
            return class_histogram.compute(real=of_real, fake=logits(generator, fake))["class_kl"]

        return draw

    collapsed = torch.ones(CLASSES).index_fill_(0, torch.arange(CLASSES // 2), 0.1)
    yield from repeat("class_kl", n, repeats, study(collapsed))
    missing = torch.ones(CLASSES).index_fill_(0, torch.arange(CLASSES // 2), 0.0)
    yield from repeat("class_kl, half of the classes missing", n, repeats, study(missing))
    yield from repeat("class_kl, equal distributions", n, repeats, study(torch.ones(CLASSES)), promised=False)


def classifiers(n: int, repeats: int) -> Iterator[Row]:
    for protocol, settings in c2st.metric.protocols.items():
        for name, shift in (("equal distributions", 0.0), ("near", 0.1), ("apart", 0.4)):

            def draw(generator: torch.Generator, shift: float = shift, settings: Any = settings) -> Estimate:
                real, fake = gaussian(n, generator, dim=16), gaussian(n, generator, dim=16, shift=shift)
                return c2st.compute(real=real, fake=fake, **settings)["c2st"]

            yield from repeat(f"c2st {protocol}, {name}", n, repeats, draw)


def cells(n: int, repeats: int) -> Iterator[Row]:
    """The error holds the bins fixed; drawn anew with the real images, they add to it where the sets differ."""
    centres = ndb.k_means(gaussian(n, torch.Generator().manual_seed(12345), dim=16), 50, generator(0, "interval study"))

    def kept(report: str, shift: float, scale: float) -> Draw:
        def draw(chance: torch.Generator) -> Estimate:
            real, fake = (
                ndb.nearest_centre(features, centres)
                for features in (gaussian(n, chance, dim=16), gaussian(n, chance, dim=16, shift=shift, scale=scale))
            )
            if report == "ndb":
                return ndb.different(real, fake, 0.05, n_real=n, bins=len(centres))
            return ndb.divergence(real, fake, torch.arange(n), n_real=n, bins=len(centres))

        return draw

    def anew(report: str, shift: float, scale: float) -> Draw:
        def draw(chance: torch.Generator) -> Estimate:
            real, fake = gaussian(n, chance, dim=16), gaussian(n, chance, dim=16, shift=shift, scale=scale)
            return ndb.compute(real=real, fake=fake, bins=50)[report]

        return draw

    for report in ndb.metric.reports:
        for name, shift, scale in (("apart", 0.3, 1.2), ("equal distributions", 0.0, 1.0)):
            near_zero = report == "ndb_js" and shift == 0  # where a first-order error is too wide
            yield from repeat(f"{report}, {name}, bins kept", n, repeats, kept(report, shift, scale), promised=not near_zero)
            yield from repeat(f"{report}, {name}, bins drawn anew", n, repeats, anew(report, shift, scale), promised=False)


def transport(n: int, repeats: int) -> Iterator[Row]:
    cases = (("1 dimension", 1, 0.3, 1.2), ("2 dimensions", 2, 0.3, 1.2), ("16 dimensions", 16, 0.3, 1.2))
    for name, dim, shift, scale in (*cases, ("2 dimensions, equal distributions", 2, 0.0, 1.0)):

        def draw(generator: torch.Generator, dim: int = dim, shift: float = shift, scale: float = scale) -> Estimate:
            real, fake = gaussian(n, generator, dim=dim), gaussian(n, generator, dim=dim, shift=shift, scale=scale)
            return wasserstein.compute(real=real, fake=fake, images=500)["w1"]

        yield from repeat(f"w1, {name}", n, repeats, draw, promised="equal" not in name)


STUDIES = (near_real, effective_number, histogram, classifiers, cells, transport)
