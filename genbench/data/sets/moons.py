"""Two half circles that reach into each other, blurred by Gaussian noise, as scikit-learn's make_moons. Drawn, not downloaded.

An arc point is uniform over the angle, so the density is a Gaussian averaged over two arcs. That average is an integral
over the angle, taken by Gauss-Legendre quadrature; with nodes much closer than the noise is wide it is exact to rounding.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbench.data.sets._points import PointSet, gaussian_mixture

SCALE = 0.55  # of scikit-learn's coordinates, whose moons are half unit circles
CENTRE = (0.5, 0.25)
SIGMA = 0.05
NODES = 128  # per arc


class Moons(PointSet):
    title = "Two moons"
    homepage = "https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_moons.html"

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        clean = _arc(generator.uniform(0, math.pi, n), generator.integers(2, size=n))
        return clean + SIGMA * generator.standard_normal((n, 2))

    def log_density(self, points: Tensor) -> Tensor:
        nodes, weights = np.polynomial.legendre.leggauss(NODES)  # on [-1, 1]; the weights sum to 2
        angles = np.tile((nodes + 1) * (math.pi / 2), 2)
        means = _arc(angles, np.repeat([0, 1], NODES))
        return gaussian_mixture(points, torch.from_numpy(means), torch.from_numpy(np.tile(weights, 2) / 4), SIGMA)


def _arc(angles: NDArray[np.float64], moon: NDArray[np.int64]) -> NDArray[np.float64]:
    """Angles in [0, pi] (N,) and which moon, 0 or 1 (N,) -> points without noise (N, 2)."""
    x = np.where(moon == 0, np.cos(angles), 1 - np.cos(angles))
    y = np.where(moon == 0, np.sin(angles), 0.5 - np.sin(angles))
    return SCALE * (np.stack((x, y), axis=1) - CENTRE)
