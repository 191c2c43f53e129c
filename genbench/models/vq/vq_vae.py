"""VQ-VAE: an autoencoder whose latents are entries of a codebook, and a PixelCNN that has learned which codes go together.

Source: van den Oord et al. 2017, Neural Discrete Representation Learning, https://arxiv.org/abs/1711.00937. Samples are drawn
from the prior over codes, which the second stage trains; codes at random would decode to nothing.

Smaller than the paper: 128 codes of 16 entries (the paper: 512 of 64) on a grid of a quarter of the image's size, half for
small images. In between, the spread of the decoder's Gaussian is set in closed form, so that the likelihood is a bound:

    log P(x) >= E_u[log N(x + u | decoder(z), variance)] + D log(2/L) + log prior(z),    z the code of x, u dequantisation

The posterior of z is certain, and its entropy 0.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel, Knob, Likelihood
from genbench.models.stages import Log, Phase, Recipe, Stage
from genbench.nn.conv_codec import ConvDecoder, ConvEncoder
from genbench.nn.gated_pixel_stack import GatedPixelStack
from genbench.nn.vector_quantizer import VectorQuantizer
from genbench.seeding import Noise

COMMITMENT = 0.25  # the paper's beta
MEASURED = 2048  # examples, at most, that the decoder's variance is measured on
BLOCK = 256  # of them at once


class VQVAE(GenerativeModel):
    """channels: of the encoder's first layer and of the prior's stacks; codes: in the codebook; layers: of the prior."""

    title = "VQ-VAE"
    paper = "van den Oord et al. 2017, https://arxiv.org/abs/1711.00937"
    recipe = Recipe(lr=2e-3, batch_size=64, warmup=50, decay="cosine", clip=1.0, ema=10_000)
    tiny: ClassVar = {"channels": 8, "codes": 16, "layers": 2}
    knobs: ClassVar = {
        "temperature": Knob(
            1.0, (0.8, 0.9, 1.0), "divides the prior's logits: larger values give more varied, less likely codes"
        )
    }
    likelihood: ClassVar[Likelihood] = "lower bound"
    variance: Tensor

    def __init__(self, spec: DataSpec, *, channels: int = 32, codes: int = 128, layers: int = 6) -> None:
        super().__init__(spec)
        halvings = _halvings(spec)
        dimensions = 16
        self.grid = (spec.height >> halvings, spec.width >> halvings)
        self.encoder = ConvEncoder(spec.channels, dimensions, channels=channels, halvings=halvings, residual=2)
        self.decoder = ConvDecoder(dimensions, spec.channels, channels=channels, doublings=halvings, residual=2)
        self.quantizer = VectorQuantizer(codes, dimensions)
        self.prior = GatedPixelStack(codes, width=channels, layers=layers)
        self.register_buffer("variance", torch.ones(()))

    def stages(self) -> list[Stage]:
        tokenizer = Phase(
            name="tokenizer",
            modules=(self.encoder, self.decoder, self.quantizer),  # several processes share the codebook too
            loss=self._reconstruction_loss,
            after=self._follow,
        )
        prior = Phase(name="prior", modules=(self.prior,), loss=self._prior_loss)
        return [
            Stage(name="tokenizer", phases=(tokenizer,), prepare=self._place_codes),
            Stage(name="variance", fit=self._measure_variance, share=0.02),
            Stage(name="prior", phases=(prior,), view=self._as_codes),
        ]

    def sample(self, noise: Noise, condition: Condition, *, temperature: float = 1.0, **knobs: float) -> Tensor:
        """Codes from the prior, decoded; temperature is above 0."""
        codes = self.prior.draw(noise.uniform(1, *self.grid), temperature=temperature)
        return self.decode(codes[:, 0])

    def evaluations(self, **knobs: float) -> int:
        """Passes of the prior, one per code."""
        return math.prod(self.grid)

    @property
    def codes(self) -> int:
        """Number of vectors in the codebook."""
        return len(self.quantizer.codebook)

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> indices of codes (B, H', W') int64."""
        return self.quantizer.nearest(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Indices (B, H', W') -> (B, C, H, W) in [-1, 1]."""
        return self.decoder(self.quantizer.lookup(z)).clamp(-1, 1)

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) bound of the log probability of the levels, from one draw of the dequantisation."""
        levels, codes = self.spec.levels, self.encode(batch.x)
        x = images.dequantize(batch.x, levels, noise.uniform(*self.spec.shape))
        error = (x - self.decode(codes)).square() / self.variance + self.variance.log() + math.log(2 * math.pi)
        log_density = -0.5 * error.flatten(1).sum(1)
        return log_density + images.log_bin_volume(self.spec.dimensions, levels) + self.prior.log_prob(codes[:, None])

    def _reconstruction_loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Equation 3, without the term of the codebook, which follows the encoder instead."""
        quantized = self.quantizer(self.encoder(batch.x))
        error = F.mse_loss(self.decoder(quantized.values), batch.x)
        loss = error + COMMITMENT * quantized.commitment
        return {"loss": loss, "reconstruction": error.detach(), "commitment": quantized.commitment.detach()}

    def _follow(self, batch: Batch) -> None:
        self.quantizer.update(self.encoder(batch.x))

    def _place_codes(self, batch: Batch) -> None:
        self.quantizer.initialize(self.encoder(batch.x))

    def _measure_variance(self, examples: Examples) -> Iterator[Log]:
        """The likeliest variance of the decoder's Gaussian: the mean squared error of dequantised examples."""
        count = min(len(examples), MEASURED)
        evenly = torch.arange(count) * len(examples) // count  # the first ones could be of one class
        error = torch.zeros_like(self.variance)
        for rows in evenly.split(BLOCK):
            x = examples.batch(rows).x
            dequantized = images.dequantize(x, self.spec.levels, torch.rand_like(x))
            error += F.mse_loss(self.decode(self.encode(x)), dequantized, reduction="sum")
        self.variance.copy_(error / (count * self.spec.dimensions))
        yield {"variance": float(self.variance)}

    def _as_codes(self, batch: Batch) -> Batch:
        return batch.with_x(self.encode(batch.x)[:, None])

    def _prior_loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        logits = self.prior(batch.x)
        return {"loss": F.cross_entropy(logits.float(), batch.x)}


def _halvings(spec: DataSpec) -> int:
    """How often the encoder halves an image; ValueError where that leaves no grid of codes."""
    halvings, size = 1 if spec.height < 28 else 2, f"{spec.height}x{spec.width}"
    if spec.is_points:
        raise ValueError("codes need a grid of places to stand in, and points of the plane have none; try `vae` or `real_nvp`")
    if spec.height % 2**halvings or spec.width % 2**halvings:
        raise ValueError(f"the encoder halves images {halvings} times: sides must divide by {2**halvings}, not {size}; resize")
    return halvings
