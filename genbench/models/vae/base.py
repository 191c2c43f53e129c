"""What autoencoders with a vector as code share: their networks, the divergence to the prior, and p(x|z).

An `Observation` is the last step of a decoder: what exactly is observed of an image (dequantised values, levels, bits), the
logarithm of its probability with every constant, its mean and its draws.
"""

from __future__ import annotations

import abc
import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench import images
from genbench.batch import DataSpec
from genbench.nn.conv_codec import ConvDecoder, ConvEncoder, halvings
from genbench.nn.mlp import MLP
from genbench.seeding import Noise

Network = Literal["linear", "mlp", "conv"]


def default_network(spec: DataSpec) -> Network:
    """Images of 8x8 and points have too little room for strided convolutions."""
    return "mlp" if spec.height <= 8 else "conv"


def encoder_network(spec: DataSpec, outputs: int, *, network: Network, channels: int, dropout: float = 0.0) -> nn.Sequential:
    """(N, C, H, W) -> (N, outputs). channels: width of the convolutions at their finest; a perceptron is 4 times as wide.

    dropout: share of the hidden units (of the last maps) that is left out in training.
    """
    if network == "conv":
        width, *size = _coarsest(spec, channels)
        maps = ConvEncoder(spec.channels, width, channels=channels, halvings=halvings(spec.height))
        head = nn.Linear(width * math.prod(size), outputs)
        return nn.Sequential(maps, nn.SiLU(), nn.Flatten(), nn.Dropout(dropout), head)
    return nn.Sequential(nn.Flatten(), MLP(spec.dimensions, _hidden(network, channels), outputs, dropout=dropout))


def decoder_network(spec: DataSpec, latents: int, *, per_value: int = 1, network: Network, channels: int) -> nn.Sequential:
    """(N, latents) -> (N, C * per_value, H, W), unbounded."""
    outputs = spec.channels * per_value
    if network == "conv":
        width, *size = _coarsest(spec, channels)
        maps = ConvDecoder(width, outputs, channels=channels, doublings=halvings(spec.height))
        return nn.Sequential(nn.Linear(latents, width * math.prod(size)), nn.Unflatten(1, (width, *size)), nn.SiLU(), maps)
    flat = MLP(latents, _hidden(network, channels), spec.dimensions * per_value)
    return nn.Sequential(flat, nn.Unflatten(1, (outputs, spec.height, spec.width)))


def _hidden(network: Network, channels: int) -> tuple[int, ...]:
    return () if network == "linear" else (4 * channels, 4 * channels)


def _coarsest(spec: DataSpec, channels: int) -> tuple[int, int, int]:
    """Width, height and width of the maps between convolutions and vector."""
    times = halvings(spec.height)
    return channels << max(times - 1, 0), spec.height >> times, spec.width >> times


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp log_var) || N(0, 1)) of each dimension in nats: ½ (mean² + var - 1 - log var), same shape.

    Source: Kingma and Welling 2013, https://arxiv.org/abs/1312.6114, appendix B.
    """
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)


def gaussian_log_prob(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """(B, ...) -> (B,) log density of N(mean, exp log_var), every constant and the factor 1/2 included."""
    each = -0.5 * ((x - mean).square() * (-log_var).exp() + log_var + math.log(2 * math.pi))
    return each.flatten(1).sum(1)


class Observation(nn.Module, abc.ABC):
    """p(x|z) of what is observed of an image, as a function of the decoder's outputs (N, C * per_value, H, W).

    per_value: numbers the decoder gives for each value; observed: what `log_prob` is the probability of.
    """

    per_value: int = 1
    observed: str

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec

    @abc.abstractmethod
    def observe(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Grid values (N, C, H, W) and chance in [0, 1) of the same shape -> what is observed, (N, C, H, W) in [-1, 1]."""

    @abc.abstractmethod
    def log_prob(self, outputs: Tensor, observed: Tensor) -> Tensor:
        """(N,) natural log of the probability of what was observed; for dequantised values, with the volume of the bins."""

    @abc.abstractmethod
    def typical(self, observed: Tensor) -> Tensor:
        """(N, C, H, W) -> outputs (C * per_value, H, W) that describe each value as it is on average over the images."""

    @abc.abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """(N, C, H, W) expectation of x, in [-1, 1] where data are discrete."""

    @abc.abstractmethod
    def draw(self, outputs: Tensor, noise: Noise) -> Tensor:
        """(N, C, H, W) of x ~ p(x|z), values of the grid."""


class GaussianObservation(Observation):
    """N(outputs, s² I) on dequantised values, with one learned s for all (Rybkin et al. 2021).

    s is what balances squared error and divergence; fixed at 1 the divergence would win and the latents fall silent.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.observed = "dequantised values" if spec.levels else "values"
        # Adam moves any parameter by about lr a step; a tenth of log s arrives ten times as soon, which short runs need.
        self.tenth_of_log_s = nn.Parameter(torch.tensor(math.log(0.5) / 10))

    @property
    def log_s(self) -> Tensor:
        """Natural log of the standard deviation s of a value given z."""
        return 10 * self.tenth_of_log_s

    def observe(self, x: Tensor, uniform: Tensor) -> Tensor:
        return images.dequantize(x, self.spec.levels, uniform)

    def log_prob(self, outputs: Tensor, observed: Tensor) -> Tensor:
        volume = images.log_bin_volume(self.spec.dimensions, self.spec.levels)
        return gaussian_log_prob(observed, outputs.float(), 2 * self.log_s) + volume

    def typical(self, observed: Tensor) -> Tensor:
        return observed.mean(0)

    def mean(self, outputs: Tensor) -> Tensor:
        # From the bins' middles, whose extremes are 1 - 1/L, to the grid, whose extremes are 1.
        return (outputs / (1 - 1 / self.spec.levels)).clamp(-1, 1) if self.spec.levels else outputs

    def draw(self, outputs: Tensor, noise: Noise) -> Tensor:
        return images.quantize(outputs + self.log_s.exp() * noise.normal(*self.spec.shape), self.spec.levels)


class BernoulliObservation(Observation):
    """Independent bits. A grey value v is the probability (v + 1)/2 of a bit that is drawn anew each time (dynamic
    binarisation, Salakhutdinov and Murray 2008); images of two levels are their own bits."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.observed = "levels" if spec.levels == 2 else "binarised images"

    def observe(self, x: Tensor, uniform: Tensor) -> Tensor:
        return (uniform < (x + 1) / 2).to(x) * 2 - 1

    def log_prob(self, outputs: Tensor, observed: Tensor) -> Tensor:
        return F.logsigmoid(outputs.float() * observed).flatten(1).sum(1)

    def typical(self, observed: Tensor) -> Tensor:
        ones, zeros = (observed > 0).sum(0), (observed <= 0).sum(0)
        return ((ones + 1) / (zeros + 1)).log()  # logits; the ones keep them finite

    def mean(self, outputs: Tensor) -> Tensor:
        return 2 * outputs.sigmoid() - 1

    def draw(self, outputs: Tensor, noise: Noise) -> Tensor:
        return self.observe(self.mean(outputs), noise.uniform(*self.spec.shape))


class CategoricalObservation(Observation):
    """An independent softmax over the levels for each value: exact levels, no dequantisation."""

    observed = "levels"

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.per_value = spec.levels

    def observe(self, x: Tensor, uniform: Tensor) -> Tensor:
        return x

    def log_prob(self, outputs: Tensor, observed: Tensor) -> Tensor:
        logits = outputs.float().unflatten(1, (self.spec.channels, self.spec.levels)).transpose(1, 2)  # (N, L, C, H, W)
        levels = images.to_levels(observed, self.spec.levels)
        return -F.cross_entropy(logits, levels, reduction="none").flatten(1).sum(1)

    def typical(self, observed: Tensor) -> Tensor:
        counts = F.one_hot(images.to_levels(observed, self.spec.levels), self.spec.levels).sum(0)  # (C, H, W, L)
        overall = counts.sum((0, 1, 2)) / counts.sum()
        # A level that a pixel has not shown is as likely there as in all of the images, at the weight of ten of them.
        return (counts + 10 * overall + 1e-3).log().movedim(-1, 1).flatten(0, 1)

    def mean(self, outputs: Tensor) -> Tensor:
        grid = images.from_levels(torch.arange(self.spec.levels, device=outputs.device), self.spec.levels)
        return self._logits(outputs).softmax(-1) @ grid

    def draw(self, outputs: Tensor, noise: Noise) -> Tensor:
        return images.from_levels(noise.categorical(self._logits(outputs)), self.spec.levels)

    def _logits(self, outputs: Tensor) -> Tensor:
        """(N, C * L, H, W) -> float32 (N, C, H, W, L)."""
        return outputs.float().unflatten(1, (self.spec.channels, self.spec.levels)).movedim(2, -1)
