"""One Gaussian with a full covariance: principal component analysis as a generative model.

    x = mean + E Λ^(1/2) z,  z ~ N(0, I),   covariance = E Λ Eᵀ

The maximum-likelihood fit is a closed form. `rank` keeps that many principal components and gives the others the noise floor
of probabilistic PCA (Tipping and Bishop 1999), so the density stays proper. It is the yardstick for everything trained: a
model that does not beat it has learned nothing beyond second moments.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel, Likelihood
from genbench.models.linear.base import Whitening, standard_normal_log_prob
from genbench.models.stages import Log, Stage
from genbench.seeding import Noise


class Gaussian(GenerativeModel):
    """x ~ N(mean, E Λ Eᵀ) on dequantised values; samples are rounded to the data's levels.

    rank: number of principal components with a variance of their own; None: all, a full covariance.
    """

    title = "Gaussian (PCA)"
    paper = "Tipping and Bishop 1999, https://doi.org/10.1111/1467-9868.00196"
    likelihood: ClassVar[Likelihood] = "exact, dequantised"
    tiny: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, spec: DataSpec, *, rank: int | None = None) -> None:
        super().__init__(spec)
        self.whitening = Whitening(spec, rank)

    def stages(self) -> list[Stage]:
        return [Stage(fit=self._fit)]

    def _fit(self, examples: Examples) -> Iterator[Log]:
        self.whitening.fit(examples)
        # At the maximum the mean of zᵀz over the dequantised examples is D, with and without a rank.
        entropy = 0.5 * self.spec.dimensions * (1 + math.log(2 * math.pi))
        yield {"loss": entropy - float(self.whitening.log_volume())}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return images.quantize(self.from_latents(self.draw_latents(noise), condition), self.spec.levels)

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), D) standard normal, those behind the rank included."""
        return noise.normal(self.spec.dimensions)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """(B, D) -> dequantised (B, C, H, W)."""
        return self.whitening.color(z)

    def to_latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Dequantised (B, C, H, W) -> (B, D) float64 and the same log |det dz/dx| (B,) for all of them."""
        return self.whitening.whiten(x), -self.whitening.scales.log().sum().expand(len(x))

    def evaluations(self, **knobs: float) -> int:
        return 0

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) exact log density of one dequantised draw of each image, plus the volume of its bin; float64."""
        x = images.dequantize(batch.x, self.spec.levels, noise.uniform(*self.spec.shape))
        return standard_normal_log_prob(self.whitening.whiten(x)) + self.whitening.log_volume()

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, rank) whitened principal components, standard normal where the model is right."""
        return self.whitening.whiten(self.whitening.to_bins(x))[:, : self.whitening.rank]

    def decode(self, z: Tensor) -> Tensor:
        """(B, rank) -> (B, C, H, W) without the components behind the rank."""
        padded = z.new_zeros(len(z), self.spec.dimensions)
        padded[:, : z.shape[1]] = z
        return self.whitening.to_grid(self.whitening.color(padded))
