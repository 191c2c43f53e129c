"""Points of the plane whose density is known: sets to test losses, flows and mode coverage on, in seconds."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbench import seeding
from genbench.batch import Examples
from genbench.data.base import ImageSource
from genbench.data.sets.base import NamedDataset
from genbench.errors import UsageError


class PointSet(NamedDataset):
    """Points lie in [-1, 1] but for a few of the noise's tail; as examples they are images of one pixel, (N, 2, 1, 1)."""

    size = (1, 1)
    channels = 2
    levels = 0
    counts: ClassVar[Mapping[str, int]] = {"train": 16_384, "test": 4_096}

    @abc.abstractmethod
    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """(n, 2) points."""

    @abc.abstractmethod
    def log_density(self, points: Tensor) -> Tensor:
        """(N, 2) -> (N,) natural log of the density that `draw` draws from; it integrates to 1 over the plane."""

    def images(self, split: str) -> ImageSource:
        hint = "train a model on it and look at its samples, log density and modes; to measure images name another set"
        raise UsageError("E-POINTS", f"{self.name()} holds points of the plane, not images", hint=hint)

    def labels(self, split: str) -> None:
        """Points have no classes."""

    def examples(self, split: str, task: str = "unconditional", *, image_size: int | None = None) -> Examples:
        self.refuse_other_size(image_size)
        points = self.draw(self.counts[split], seeding.generator(0, f"{self.name()}/{split}"))
        return Examples(images=torch.from_numpy(points.astype(np.float32))[:, :, None, None])


class Mixture(PointSet):
    """Gaussians of equal weight; modes: (K, 2) their means; sigma: the standard deviation of each in both directions."""

    modes: ClassVar[Tensor]
    sigma: ClassVar[float]

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        chosen = generator.integers(len(self.modes), size=n)
        return self.modes.double().numpy()[chosen] + self.sigma * generator.standard_normal((n, 2))

    def log_density(self, points: Tensor) -> Tensor:
        weights = torch.full((len(self.modes),), 1 / len(self.modes))
        return gaussian_mixture(points, self.modes, weights, self.sigma)


def gaussian_mixture(points: Tensor, means: Tensor, weights: Tensor, sigma: float) -> Tensor:
    """log sum_k weights[k] N(points; means[k], sigma² I): points (N, 2), means (K, 2), weights (K,) -> (N,)."""
    means, weights = means.to(points), weights.to(points)
    squares = (points[:, None] - means).square().sum(-1)  # (N, K)
    normaliser = math.log(2 * math.pi * sigma**2)
    return (weights.log() - squares / (2 * sigma**2)).logsumexp(-1) - normaliser
