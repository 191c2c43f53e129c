"""The intervals of the diagnostics that look into a model: codes of a VAE, a codebook, a critic, latents of two kinds.

Posteriors N(0.8 x, 0.36 I) of x ~ N(0, I) in 4 dimensions; images of 16 codes out of 64 whose shares fall by a fifth from one
to the next, and codes of one image are alike; logits N(1, 1) of real images and N(-1, 1) of fakes; codes N(0.2, I) and draws
N(0, I) in 8 dimensions; features N(0.5, 1.2² I) of samples and N(0, 0.9² I) of reconstructions against N(0, I) in 16. The
classifier of latents is trained anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from genbench.diagnostics.codebook import dead_codes, usage
from genbench.diagnostics.discriminator import of_logits
from genbench.diagnostics.latent_gap import latent_c2st, latent_fd
from genbench.diagnostics.posterior_collapse import information, rate
from genbench.estimate import Estimate
from interval_studies.harness import Row, repeat


def normal(n: int, dim: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, dim, dtype=torch.float64, generator=generator)


def posterior(n: int, repeats: int) -> Iterator[Row]:
    def rates(generator: torch.Generator) -> Estimate:
        mean = 0.8 * normal(n, 4, generator)
        return rate(mean, torch.full_like(mean, 0.6))

    def informed(generator: torch.Generator) -> Estimate:
        mean = 0.8 * normal(n, 4, generator)
        return information(mean, torch.full_like(mean, 0.6), normal(n, 4, generator))

    yield from repeat("rate", n, repeats, rates)
    yield from repeat("information", n, repeats, informed)


def codebook(n: int, repeats: int) -> Iterator[Row]:
    def study(reading: Callable[[Tensor], Estimate]) -> Callable[[torch.Generator], Estimate]:
        def draw(generator: torch.Generator) -> Estimate:
            shares = 0.8 ** torch.arange(64, dtype=torch.float64)
            own = shares * (2 * torch.randn(n, 64, dtype=torch.float64, generator=generator)).exp()
            drawn = torch.multinomial(own, 16, replacement=True, generator=generator)
            counts = torch.zeros(n, 64, dtype=torch.float64)
            return reading(counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64)))

        return draw

    yield from repeat("codebook_usage", n, repeats, study(usage))
    yield from repeat("dead_codes", n, repeats, study(dead_codes))


def critic(n: int, repeats: int) -> Iterator[Row]:
    def study(name: str) -> Callable[[torch.Generator], Estimate]:
        def draw(generator: torch.Generator) -> Estimate:
            train, test, fake = normal(n, 3, generator).unbind(1)
            return of_logits(train + 1, test + 1, fake - 1)[name]

        return draw

    for name in ("critic_on_fake", "critic_accuracy", "critic_overfitting"):
        yield from repeat(name, n, repeats, study(name))


def latents(n: int, repeats: int) -> Iterator[Row]:
    def study(shift: float) -> Callable[[torch.Generator], Estimate]:
        def draw(generator: torch.Generator) -> Estimate:
            return latent_c2st(shift + normal(n, 8, generator), normal(n, 8, generator))

        return draw

    def excess(generator: torch.Generator) -> Estimate:
        reference, samples, reconstructions = (normal(n, 16, generator) for _ in range(3))
        return latent_fd(reference=reference, samples=0.5 + 1.2 * samples, reconstructions=0.9 * reconstructions)

    yield from repeat("latent_c2st", n, repeats, study(0.2))
    yield from repeat("latent_c2st, equal distributions", n, repeats, study(0.0))
    yield from repeat("latent_fd", n, repeats, excess)


STUDIES = (posterior, codebook, critic, latents)
