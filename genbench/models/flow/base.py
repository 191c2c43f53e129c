"""What every flow runs: an invertible map between images and a standard normal, trained and scored by its density.

log p(x) = log N(f(x); 0, I) + log |det df/dx|, f from images to latents. Discrete images are dequantised uniformly and then
squeezed from [-1, 1] to the real line by a logit (Dinh et al. 2017, https://arxiv.org/abs/1605.08803, section 4.1), whose
determinant counts; continuous data are taken as they are.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench import images
from genbench.batch import Batch, Condition
from genbench.models.base import GenerativeModel, Knob, Likelihood
from genbench.models.stages import Phase, Stage
from genbench.seeding import Noise

ALPHA = 0.05  # the logit sees [ALPHA, 1 - ALPHA], so that black and white stay finite


class Flow(GenerativeModel):
    """A flow says what its map is: `flow` and its inverse. Latents are (B, D), D the number of values in an image."""

    likelihood: ClassVar[Likelihood] = "exact, dequantised"
    knobs: ClassVar[Mapping[str, Knob]] = {
        "temperature": Knob(1.0, (0.5, 0.7, 0.9, 1.0), "more variety, less typical images; it scales the latents' deviation")
    }

    @abc.abstractmethod
    def flow(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, C, H, W), any real numbers -> latents (B, D) and log |det dz/dy| (B,)."""

    @abc.abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """Latents (B, D) -> y (B, C, H, W)."""

    def stages(self) -> list[Stage]:
        return [Stage(phases=(Phase(name="likelihood", modules=(self,), loss=self.loss),), prepare=self.prepare)]

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Every `ActNorm` takes its shift and scale from what reaches it of this batch."""
        fits = [layer.register_forward_pre_hook(_fit) for layer in self.modules() if isinstance(layer, ActNorm)]
        self.log_density(self._dequantize(batch.x, torch.rand_like(batch.x)))
        for fit in fits:
            fit.remove()

    def loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        """Minus the log likelihood in bits per dimension, dequantised anew each time."""
        x = self._dequantize(batch.x, torch.rand_like(batch.x))
        log_prob = self.log_density(x) + self._log_bin_volume()
        return {"loss": images.bits_per_dim(log_prob.mean(), self.spec.dimensions)}

    def log_density(self, x: Tensor) -> Tensor:
        """(B,) natural log of the density of continuous or dequantised images."""
        z, log_det = self.to_latents(x)
        return standard_normal_log_density(z) + log_det

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        x = self._dequantize(batch.x, noise.uniform(*self.spec.shape))
        return self.log_density(x) + self._log_bin_volume()

    def sample(self, noise: Noise, condition: Condition, *, temperature: float = 1.0, **knobs: float) -> Tensor:
        # T multiplies the deviation: z ~ N(0, T^2 I), as in Glow, not N(0, T I).
        return self.decode(temperature * self.draw_latents(noise))

    def encode(self, x: Tensor) -> Tensor:
        return self.to_latents(self._dequantize(x, torch.full_like(x, 0.5)))[0]

    def decode(self, z: Tensor) -> Tensor:
        return images.quantize(self.from_latents(z, Condition()), self.spec.levels)

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), D) standard normal."""
        return noise.normal(self.spec.dimensions)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """(B, D) -> dequantised (B, C, H, W)."""
        y = self.inverse(z)
        return inverse_logit(y) if self.spec.levels else y

    def to_latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Dequantised (B, C, H, W) -> (B, D) and log |det dz/dx| (B,)."""
        y, squeezed = logit(x) if self.spec.levels else (x, x.new_zeros(len(x)))
        z, log_det = self.flow(y)
        return z, log_det + squeezed

    def _dequantize(self, x: Tensor, uniform: Tensor) -> Tensor:
        return images.dequantize(x, self.spec.levels, uniform)

    def _log_bin_volume(self) -> float:
        return images.log_bin_volume(self.spec.dimensions, self.spec.levels)


class Chain(nn.ModuleList):
    """Layers in a row. A layer maps x to y and log |det dy/dx| (B,), and has an `inverse` that maps y to x."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(len(x))
        for layer in self:
            x, layer_log_det = layer(x)
            log_det = log_det + layer_log_det
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        layer: Any
        for layer in reversed(self):
            y = layer.inverse(y)
        return y


class ActNorm(nn.Module):
    """y = exp(log_scale) (x + shift) in each channel of (B, C, H, W) (Kingma and Dhariwal 2018, section 3.1).

    https://arxiv.org/abs/1807.03039
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = self.log_scale.sum() * (x.shape[2] * x.shape[3])
        return self.log_scale.exp() * (x + self.shift), log_det.expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return y * (-self.log_scale).exp() - self.shift

    def fit(self, x: Tensor) -> None:
        """From now on images like `x` come out with mean 0 and deviation 1 in each channel."""
        std, mean = torch.std_mean(x, (0, 2, 3), keepdim=True)
        self.shift.copy_(-mean[0])
        self.log_scale.copy_(-std[0].clamp(min=1e-3).log())


class Squeeze(nn.Module):
    """(B, C, H, W) -> (B, 4 C, H / 2, W / 2): the pixels of each 2x2 square become channels, the top row first."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return F.pixel_shuffle(y, 2)


def logit(x: Tensor) -> tuple[Tensor, Tensor]:
    """[-1, 1] -> logit of ALPHA + (1 - 2 ALPHA) (x + 1) / 2, and the log determinant (B,)."""
    p = 0.5 + (0.5 - ALPHA) * x
    y = torch.logit(p)
    # dy/dx = (1/2 - ALPHA) / (p (1 - p)); -log p = softplus(-y) and -log(1 - p) = softplus(y)
    log_derivative = math.log(0.5 - ALPHA) + F.softplus(y) + F.softplus(-y)
    return y, log_derivative.flatten(1).sum(1)


def inverse_logit(y: Tensor) -> Tensor:
    """Real numbers -> a little beyond [-1, 1], where no data lie."""
    return (y.sigmoid() - 0.5) / (0.5 - ALPHA)


def standard_normal_log_density(z: Tensor) -> Tensor:
    """(B, D) -> (B,), in nats."""
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))


def _fit(layer: Any, inputs: tuple[Tensor]) -> None:
    layer.fit(*inputs)
