"""An autoencoder, and a Gaussian fitted to its codes so that there is something to sample from.

An autoencoder alone is no generative model: nothing makes its codes fill the latent space evenly, and N(0, I) mostly falls
into holes where the decoder was never trained. So a second stage fits a Gaussian to the codes of the training images, as the
samplers of pythae do. The knob `fitted` shows the difference: at 0 codes come from N(0, I), which is the hole problem.

The squared error is a sum over an image's values. With linear networks the optimum spans the principal components (Baldi and
Hornik 1989).

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel, Knob
from genbench.models.stages import Log, Phase, Recipe, Stage
from genbench.models.vae.base import Network, decoder_network, default_network, encoder_network
from genbench.seeding import Noise

BLOCK = 1024  # examples that are encoded at a time


class Autoencoder(GenerativeModel):
    """z = encoder(x), x = decoder(z); samples decode z ~ N(mean, cov) of the training images' codes.

    latents: length of the code. network: None chooses by size, "linear" is principal component analysis by gradient descent.
    """

    title = "Autoencoder + fitted Gaussian"
    paper = "Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647"
    recipe = Recipe(lr=1e-3, batch_size=64, warmup=100, decay="cosine")
    tiny: ClassVar[Mapping[str, Any]] = {"latents": 4, "channels": 4}
    knobs: ClassVar[Mapping[str, Knob]] = {
        "fitted": Knob(1.0, (0.0, 0.5, 1.0), "codes move from N(0, I), where the decoder has holes, to the fitted Gaussian")
    }

    code_mean: Tensor
    code_factor: Tensor

    def __init__(self, spec: DataSpec, *, latents: int = 16, channels: int = 32, network: Network | None = None) -> None:
        super().__init__(spec)
        network = network or default_network(spec)
        self.encoder = encoder_network(spec, latents, network=network, channels=channels)
        self.decoder = decoder_network(spec, latents, network=network, channels=channels)
        self.register_buffer("code_mean", torch.zeros(latents))
        self.register_buffer("code_factor", torch.eye(latents))

    def stages(self) -> list[Stage]:
        codec = Phase(name="codec", modules=(self.encoder, self.decoder), loss=self._loss)
        return [Stage(name="codec", phases=(codec,)), Stage(name="codes", fit=self._fit_codes, share=0.01)]

    def _loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        error = (self.decoder(self.encoder(batch.x)) - batch.x).square()
        return {"loss": error.flatten(1).sum(1).mean(), "mse": error.detach().mean()}

    @torch.no_grad()
    def _fit_codes(self, examples: Examples) -> Iterator[Log]:
        """Mean and covariance of the codes of all examples; the covariance's symmetric root also where it is singular."""
        blocks = range(0, len(examples), BLOCK)
        codes = torch.cat([self.encoder(examples.batch(slice(start, start + BLOCK)).x).double() for start in blocks])
        values, vectors = torch.linalg.eigh(codes.T.cov(correction=0).reshape(codes.shape[1], codes.shape[1]))
        self.code_mean.copy_(codes.mean(0))
        self.code_factor.copy_(vectors * values.clamp(min=0).sqrt() @ vectors.T)
        yield {"code_std": float(codes.std(0, correction=0).mean()), "code_mean_norm": float(codes.mean(0).norm())}

    def sample(self, noise: Noise, condition: Condition, *, fitted: float = 1.0, **knobs: float) -> Tensor:
        z = noise.normal(len(self.code_mean))
        return self.decode(torch.lerp(z, self._fitted(z), fitted))

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), latents) from the fitted Gaussian."""
        return self._fitted(noise.normal(len(self.code_mean)))

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """(B, latents) -> (B, C, H, W)."""
        return self.decode(z)

    def _fitted(self, normal: Tensor) -> Tensor:
        """Standard normal (B, latents) -> draws from the fitted Gaussian."""
        return self.code_mean + normal @ self.code_factor

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, latents)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, latents) -> (B, C, H, W)."""
        x = self.decoder(z)
        return x.clamp(-1, 1) if self.spec.levels else x
