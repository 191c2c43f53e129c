"""What the models of this family stand on: the coordinates in which data have mean 0 and covariance I.

    x = mean + vectors diag(scales) z,   covariance = vectors diag(scales²) vectorsᵀ

Source: Tipping and Bishop 1999, Probabilistic principal component analysis, for the noise floor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from genbench import images
from genbench.batch import DataSpec, Examples

BLOCK = 4096  # examples in float64 at a time
FLOOR = 1e-9  # variance below which a direction counts as constant; only continuous data can reach it


class Whitening(nn.Module):
    """An affine map between images and coordinates z, (N, C, H, W) <-> (N, D), fitted in closed form; all in float64.

    Discrete data are taken as dequantised: a level stands for the middle of its bin, and the variance of a uniform draw from
    the bin, (2/L)²/12, is added to every pixel's. That is the limit of infinitely many draws, so the fit has no chance in it.
    The axes are the principal components, in order of falling variance. With a `rank`, those behind it share their mean
    variance, the maximum-likelihood noise of probabilistic PCA.
    """

    mean: Tensor
    vectors: Tensor
    scales: Tensor

    def __init__(self, spec: DataSpec, rank: int | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.rank = spec.dimensions if rank is None else min(rank, spec.dimensions)
        self.register_buffer("mean", torch.zeros(spec.dimensions, dtype=torch.float64))
        self.register_buffer("vectors", torch.eye(spec.dimensions, dtype=torch.float64))
        self.register_buffer("scales", torch.ones(spec.dimensions, dtype=torch.float64))

    def fit(self, examples: Examples) -> None:
        """Mean and covariance (divisor N) of the examples, and the covariance's eigenvectors."""
        blocks = [slice(start, start + BLOCK) for start in range(0, len(examples), BLOCK)]
        mean, cov = torch.zeros_like(self.mean), torch.zeros_like(self.vectors)
        for block in blocks:
            mean += self._rows(examples, block).sum(0) / len(examples)
        for block in blocks:
            centred = self._rows(examples, block) - mean
            cov += centred.T @ centred / len(examples)
        if self.spec.levels:
            cov.diagonal().add_((2 / self.spec.levels) ** 2 / 12)
        values, vectors = torch.linalg.eigh(cov)
        values = values.flip(0).clamp(min=FLOOR)
        if self.rank < len(values):
            values[self.rank :] = values[self.rank :].mean()
        self.mean.copy_(mean)
        self.vectors.copy_(vectors.flip(1))
        self.scales.copy_(values.sqrt())

    def whiten(self, x: Tensor) -> Tensor:
        """Dequantised (N, C, H, W) -> coordinates z (N, D)."""
        return (x.flatten(1).to(self.mean) - self.mean) @ self.vectors / self.scales

    def color(self, z: Tensor) -> Tensor:
        """The way back: coordinates (N, D) -> dequantised float32 (N, C, H, W)."""
        x = self.mean + (z.to(self.mean) * self.scales) @ self.vectors.T
        return x.to(torch.float32).unflatten(1, self.spec.shape)

    def log_volume(self) -> Tensor:
        """What turns a log density of z into the log probability of levels (levels = 0: into the log density of x)."""
        return images.log_bin_volume(self.spec.dimensions, self.spec.levels) - self.scales.log().sum()

    def to_bins(self, x: Tensor) -> Tensor:
        """Values of the data's grid in [-1, 1] -> the middle of each one's bin; linear, so it also takes values in between."""
        return x * (1 - 1 / self.spec.levels) if self.spec.levels else x

    def to_grid(self, x: Tensor) -> Tensor:
        """The way back, clipped to [-1, 1]."""
        return (x / (1 - 1 / self.spec.levels)).clamp(-1, 1) if self.spec.levels else x

    def _rows(self, examples: Examples, block: slice) -> Tensor:
        return self.to_bins(examples.batch(block).x.flatten(1).to(self.mean))


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """(N, D) -> (N,) log density of N(0, I), with the factor 1/2 in the exponent."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
