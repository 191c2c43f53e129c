"""Squared Wasserstein-2 distances along directions, with the influence of every image: exact for any two numbers of images.

    W₂²(θ) = ∫₀¹ (F⁻¹(u) - G⁻¹(u))² du,    F and G the distributions of x·θ and y·θ

Source: Bonneel et al. 2015, https://doi.org/10.1007/s10851-014-0506-3.

Both quantile functions are steps, at multiples of 1/M and of 1/N, so the integral is a sum of fewer than M + N terms. With
M = N it is the mean of (x(i) - y(i))² over the sorted values. No image is left out and no chance is involved.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

DIRECTIONS = 128  # projected at a time
ROWS = 4096  # features in float64 at a time


@dataclass(frozen=True, kw_only=True)
class Sliced:
    """value: the mean of W₂² over the directions. pull_real (M,), pull_fake (N,): the derivative with respect to an image's
    weight, mean 0; all float64.
    """

    value: float
    pull_real: Tensor
    pull_fake: Tensor


def sliced_wasserstein(*, real: Tensor, fake: Tensor, directions: Tensor) -> Sliced:
    """Of (M, D) and (N, D) features along float64 unit vectors (D, K); time grows with K (M + N)(D + log(M + N))."""
    directions = directions.to(real.device)
    grid = _Grid.of(len(real), len(fake), real.device)
    total = 0.0
    pull_real = torch.zeros(len(real), dtype=torch.float64, device=real.device)
    pull_fake = torch.zeros(len(fake), dtype=torch.float64, device=fake.device)
    for some in directions.split(DIRECTIONS, dim=1):
        x, x_order = _projected(real, some).sort(dim=1)
        y, y_order = _projected(fake, some).sort(dim=1)
        gaps = x[:, grid.of_real].sub_(y[:, grid.of_fake])
        total += float((gaps.square_() @ grid.length).sum())
        _add_by_image(pull_real, _potential(x, y, grid.fake_beside_real), x_order)
        _add_by_image(pull_fake, _potential(y, x, grid.real_beside_fake), y_order)
    count = directions.shape[1]
    return Sliced(value=total / count, pull_real=pull_real / count, pull_fake=pull_fake / count)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """The steps of two quantile functions laid over each other; the same for every direction.

    length (S,): of each segment of [0, 1]; of_real, of_fake (S,): the ranks whose values hold there. fake_beside_real
    (2, M - 1): ranks of the fake values below and above u = i/M, at which the real ranks step; real_beside_fake (2, N - 1).
    """

    length: Tensor
    of_real: Tensor
    of_fake: Tensor
    fake_beside_real: Tensor
    real_beside_fake: Tensor

    @classmethod
    def of(cls, m: int, n: int, device: torch.device) -> _Grid:
        # In units of 1/(M N) every step is at an integer, and none is missed by rounding.
        ends = torch.cat([torch.arange(1, m + 1) * n, torch.arange(1, n + 1) * m]).unique()
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
        return cls(
            length=((ends - starts).double() / (m * n)).to(device),
            of_real=(starts // n).to(device),
            of_fake=(starts // m).to(device),
            fake_beside_real=_ranks_beside(torch.arange(1, m) * n, m).to(device),
            real_beside_fake=_ranks_beside(torch.arange(1, n) * m, n).to(device),
        )


def _ranks_beside(steps: Tensor, width: int) -> Tensor:
    """(2, S) ranks just below and just above each step, of values that hold for `width` units each."""
    return torch.stack([(steps - 1) // width, steps // width])


def _projected(features: Tensor, directions: Tensor) -> Tensor:
    """(K, N) float64, one direction a row."""
    return torch.cat([directions.T @ rows.to(torch.float64).T for rows in features.split(ROWS)], dim=1)


def _potential(x: Tensor, y: Tensor, beside: Tensor) -> Tensor:
    """(K, M) Kantorovich potentials of sorted values (K, M) towards sorted (K, N), mean 0: the derivatives of W₂² by weight.

    From one value to the next the potential rises by (x' - y)² - (x - y)², y being where the mass between the two goes; where
    that is a step of the other side too, it is half-way between two values.
    """
    between = (y[:, beside[0]] + y[:, beside[1]]) / 2
    rises = (x[:, 1:] - x[:, :-1]) * (x[:, 1:] + x[:, :-1] - 2 * between)
    potential = torch.cat([torch.zeros_like(x[:, :1]), rises.cumsum(1)], dim=1)
    return potential - potential.mean(1, keepdim=True)


def _add_by_image(total: Tensor, potential: Tensor, order: Tensor) -> None:
    """Add the (K, N) values of sorted places to the (N,) images that hold these places."""
    total += torch.empty_like(potential).scatter_(1, order, potential).sum(0)
