"""Eight of the sixteen squares of a board, filled evenly: sharp edges and holes, hard for a smooth density. Drawn."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbench.data.sets._points import PointSet

SQUARES = 4  # in a row; the board is [-1, 1] x [-1, 1]
SIDE = 2 / SQUARES


class Checkerboard(PointSet):
    title = "Checkerboard"
    homepage = "https://arxiv.org/abs/1810.01367"  # among the toy densities of Grathwohl et al. 2019

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        # The middles of a fine lattice's cells: float32 holds them exactly, so that no point is rounded into the next square.
        within = (generator.integers(2**16, size=(n, 2)) + 0.5) / 2**16
        row = generator.integers(SQUARES, size=n)
        column = 2 * generator.integers(SQUARES // 2, size=n) + row % 2
        return SIDE * (np.stack((column, row), axis=1) + within) - 1

    def log_density(self, points: Tensor) -> Tensor:
        """log 1/2 on the filled squares, whose area is 2, and -inf elsewhere."""
        square = ((points + 1) / SIDE).floor()
        on_board = ((square >= 0) & (square < SQUARES)).all(dim=1)
        filled = on_board & (square.sum(dim=1) % 2 == 0)
        return torch.where(filled, -math.log(2.0), -math.inf).to(points.dtype)
