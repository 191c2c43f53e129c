"""DDPM: a network that guesses the noise in an image, and 1000 small steps from noise to data.

Paper: Ho et al. 2020, https://arxiv.org/abs/2006.11239. Its path, guess of the noise, simple loss and averaged weights.
Smaller: the U-Net has 32 channels and one block a resolution; from 28 pixels on, where a step would be too slow for a processor
core, it sees patches of 2x2 pixels as channels. On points an MLP takes its place.

Samples are drawn with 50 steps of DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502) unless asked otherwise;
steps=1000, eta=1 is the paper's ancestral sampling with the posterior's variance. `log_prob` bounds the likelihood of neither:
it is the bound of the chain of 1000 steps whose variances are beta_t, the paper's other choice.

The guess of the data is clipped to [-1, 1] before the next mean is computed from it; clipping behind it, as some code does,
changes nothing.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Knob, Likelihood
from genbench.models.diffusion.base import NoisePath, linear_betas
from genbench.models.stages import Phase, Recipe, Stage
from genbench.nn.mlp import MLP
from genbench.nn.time_embedding import TimeEmbedding
from genbench.nn.unet import UNet
from genbench.seeding import Noise

WAVES = 4  # of each coordinate of a point, of lengths 4, 2, 1 and 1/2
STRATA = 50  # at most, of the terms of the bound


class DDPM(GenerativeModel):
    """channels: of the U-Net at full resolution, and a quarter of the units in a layer of the MLP for points."""

    title: ClassVar[str] = "DDPM"
    paper: ClassVar[str] = "Ho et al. 2020, https://arxiv.org/abs/2006.11239"
    recipe: ClassVar[Recipe] = Recipe(lr=1e-3, batch_size=64, warmup=500, clip=1.0, ema=500_000)
    tiny: ClassVar[Mapping[str, Any]] = {"channels": 8}
    knobs: ClassVar[Mapping[str, Knob]] = {
        "steps": Knob(50, (10, 20, 50, 100, 1000), "more passes through the network, closer to the learned distribution"),
        "eta": Knob(0, (0, 0.5, 1), "more chance on the way: 0 is DDIM; 1, with all 1000 steps, ancestral sampling"),
    }
    likelihood: ClassVar[Likelihood] = "lower bound"

    def __init__(self, spec: DataSpec, *, channels: int = 32) -> None:
        super().__init__(spec)
        self.path = NoisePath(linear_betas(1000))
        self.time = TimeEmbedding(4 * channels)
        self.network: nn.Module = _PointNetwork(spec, 4 * channels) if spec.is_points else _ImageNetwork(spec, channels)

    def stages(self) -> list[Stage]:
        return [Stage(phases=(Phase(name="denoise", modules=(self.time, self.network), loss=self.loss),))]

    def loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        """L_simple (equation 14): the mean squared error of the guessed noise at steps drawn uniformly from 1..T."""
        t = torch.randint(1, self.path.steps + 1, (len(batch),), device=batch.x.device)
        eps = torch.randn_like(batch.x)
        return {"loss": F.mse_loss(self.predict_eps(self.path.diffuse(batch.x, t, eps), t), eps)}

    def predict_eps(self, xt: Tensor, t: Tensor) -> Tensor:
        """The noise guessed in x_t (B, C, H, W), at steps t (B,) int64 in 1..T."""
        return self.network(xt, self.time(t))

    def predict_x0(self, xt: Tensor, t: Tensor) -> Tensor:
        """The data guessed behind x_t, within [-1, 1] unless the data are continuous."""
        x0 = self.path.x0_from_eps(xt, t, self.predict_eps(xt, t))
        return x0.clamp(-1, 1) if self.spec.levels else x0

    def sample(self, noise: Noise, condition: Condition, *, steps: float = 50, eta: float = 0, **knobs: float) -> Tensor:
        x = self.draw_latents(noise)
        for t, s in pairwise(self._times(steps)):
            x, std = self._step(x, t, s, eta)
            if eta > 0 and s > 0:
                x = x + std * noise.normal(*self.spec.shape)
        return x

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), C, H, W) of the noise that chains start from."""
        return noise.normal(*self.spec.shape)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """Noise -> images of the same shape, by as many steps of DDIM as samples take unless asked otherwise."""
        for t, s in pairwise(self._times(self.knobs["steps"].default)):
            z, _ = self._step(z, t, s, eta=0)
        return z

    def _step(self, x: Tensor, t: int, s: int, eta: float) -> tuple[Tensor, Tensor]:
        """Mean, and standard deviation (B, 1, ...), of x_s given x_t and the data guessed behind it; s < t."""
        now, then = (torch.full((len(x),), step, device=x.device) for step in (t, s))
        return self.path.posterior(self.predict_x0(x, now), x, then, now, eta)

    def evaluations(self, *, steps: float = 50, eta: float = 0, **knobs: float) -> int:
        return len(self._times(steps)) - 1

    def _times(self, steps: float) -> list[int]:
        """T = t_0 > t_1 > ... > 0, as evenly spaced as whole numbers can be."""
        if not 1 <= steps <= self.path.steps:
            raise ValueError(f"steps={steps:g}, but the path from noise to data has 1 to {self.path.steps} steps")
        return torch.linspace(self.path.steps, 0, int(steps) + 1, dtype=torch.float64).round().to(torch.int64).tolist()

    @torch.no_grad()
    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """Variational bound (equation 5) of the chain of all T steps with the path's own variances, sigma_t^2 = beta_t.

        The sum over the steps is estimated from one step in each of at most 50 strata, times the size of the stratum. Strata
        are narrow near the data, where the terms are large; the estimate is unbiased whatever they are, as every step is
        in exactly one stratum and equally likely within it.
        """
        x, levels = batch.x, self.spec.levels
        if levels:
            # Stored values are rounded to 8 bits, which moves most levels off their grid and would let their bins overlap.
            x = images.from_levels(images.to_levels(x, levels), levels)
        total = self._decoder_term(x, noise) + self._prior_term(x)
        for first, size in _strata(self.path.steps):
            t = first + (noise.uniform() * size).long().clamp(max=size - 1)  # rounding can make the product `size`
            total = total + size * self._step_term(x, t, noise)
        return -total

    def _prior_term(self, x0: Tensor) -> Tensor:
        """L_T: the divergence (B,) of q(x_T | x_0) from the standard normal, in nats."""
        mean, variance = self.path.signal[-1] * x0, self.path.noise[-1].square()
        return 0.5 * (mean.square() + variance - 1 - variance.log()).flatten(1).sum(1)

    def _step_term(self, x0: Tensor, t: Tensor, noise: Noise) -> Tensor:
        """L_{t-1}, 2 <= t <= T: the divergence (B,) of q(x_{t-1} | x_t, x_0) from the model's step at a drawn x_t, in nats."""
        xt = self.path.diffuse(x0, t, noise.normal(*self.spec.shape))
        true_mean, true_std = self.path.posterior(x0, xt, t - 1, t)
        mean, _ = self.path.posterior(self.predict_x0(xt, t), xt, t - 1, t)
        ratio = true_std.square().flatten(1)[:, 0] / self.path.betas[t]
        error = (true_mean - mean).square().flatten(1).sum(1) / self.path.betas[t]
        return 0.5 * (self.spec.dimensions * (ratio - 1 - ratio.log()) + error)

    def _decoder_term(self, x0: Tensor, noise: Noise) -> Tensor:
        """L_0 (equation 13): minus the log probability (B,) of the data at a drawn x_1."""
        t = torch.ones(len(x0), dtype=torch.int64, device=x0.device)
        mean = self.predict_x0(self.path.diffuse(x0, t, noise.normal(*self.spec.shape)), t)
        std = float(self.path.betas[1].sqrt())
        return -log_decoder(x0, mean, std, self.spec.levels).flatten(1).sum(1)


def log_decoder(x0: Tensor, mean: Tensor, std: float, levels: int) -> Tensor:
    """Log probability of each level in x_0: that of its bin, half a level to both sides, under N(mean, std^2).

    The outermost bins reach to infinity (equation 13). levels = 0: the log density.
    """
    if levels == 0:
        return -0.5 * ((x0 - mean) / std).square() - math.log(std) - 0.5 * math.log(2 * math.pi)
    half = 1 / (levels - 1)
    upper = torch.where(x0 > 1 - half, torch.inf, (x0 + half - mean) / std)
    lower = torch.where(x0 < half - 1, -torch.inf, (x0 - half - mean) / std)
    # A bin to the right of the mean is mirrored, so that no two numbers near 1 are subtracted.
    flip = upper + lower > 0
    lower, upper = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    log_upper, log_lower = torch.special.log_ndtr(upper), torch.special.log_ndtr(lower)
    return log_upper + torch.log1p(-torch.exp(log_lower - log_upper))


def _strata(steps: int) -> list[tuple[int, int]]:
    """(first step, number of steps) of each stratum of 2..T, geometrically growing."""
    edges = (
        torch.logspace(math.log10(2), math.log10(steps + 1), STRATA + 1, dtype=torch.float64).round().long().unique().tolist()
    )
    return [(first, last - first) for first, last in pairwise(edges)]


class _ImageNetwork(nn.Module):
    """The U-Net, on patches of 2x2 pixels where images have 28 pixels or more; down to 4 to 8 pixels for images up to 64."""

    def __init__(self, spec: DataSpec, channels: int) -> None:
        super().__init__()
        patch = 2 if min(spec.height, spec.width) >= 28 else 1
        if spec.height % patch or spec.width % patch:
            size = f"{spec.height}x{spec.width}"
            raise ValueError(f"images of 28 pixels or more are seen as 2x2 patches: sides must be even, not {size}; resize")
        inputs = spec.channels * patch**2
        multipliers = (1, 2, 2) if min(spec.height, spec.width) >= 16 * patch else (1, 2)
        self.to_patches, self.to_pixels = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        self.unet = UNet(inputs, inputs, embedding=4 * channels, channels=channels, multipliers=multipliers)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.to_pixels(self.unet(self.to_patches(x), embedding))


class _PointNetwork(nn.Module):
    """An MLP that sees the point, waves of its coordinates and the embedding of time.

    Without the waves (Tancik et al. 2020, https://arxiv.org/abs/2006.10739) it takes very long to learn anything finer than
    the plane at large, and modes stay blurred.
    """

    waves: Tensor

    def __init__(self, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.register_buffer("waves", 0.5 * math.pi * 2.0 ** torch.arange(WAVES), persistent=False)
        self.layers = MLP(spec.dimensions * (1 + 2 * WAVES) + width, [width] * 3, spec.dimensions)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        point = x.flatten(1)
        phases = (point[:, :, None] * self.waves).flatten(1)
        return self.layers(torch.cat((point, phases.sin(), phases.cos(), embedding), 1)).view_as(x)
