"""Mean and covariance of feature vectors in float64, from a stream, and the covariance's factor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Moments:
    """n vectors: mean (D,) and covariance (D, D) float64 with divisor n - 1.

    n is None for files of peers that do not say how many images they saw.
    """

    n: int | None
    mean: Tensor
    cov: Tensor
    stored_factor: Tensor | None = None

    @cached_property
    def factor(self) -> Tensor:
        """F (D, R) with F Fᵀ = cov: lower-triangular by Cholesky, or from the eigenvectors where cov is singular."""
        return self.stored_factor if self.stored_factor is not None else factorize(self.cov)


def factorize(cov: Tensor) -> Tensor:
    """F (D, R) float64 with F Fᵀ = cov, for a symmetric positive semi-definite (D, D); R is the numerical rank.

    Negative eigenvalues of rounding are dropped, so nothing downstream can become complex.
    """
    factor, failed = torch.linalg.cholesky_ex(cov)
    floor = cov.diagonal().max() * len(cov) * torch.finfo(cov.dtype).eps
    if not failed and factor.diagonal().min().square() > floor:
        return factor
    values, vectors = torch.linalg.eigh(cov)
    kept = values > floor
    return vectors[:, kept] * values[kept].sqrt()


class RunningMoments:
    """Exact mean and covariance of a stream: batches are centred before they are merged, so large means lose no digits.

    Source: Chan, Golub, LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances, eq. 2.1.
    """

    def __init__(self, dim: int, device: torch.device | str = "cpu") -> None:
        self.n = 0
        self.mean = torch.zeros(dim, dtype=torch.float64, device=device)
        self.scatter = torch.zeros(dim, dim, dtype=torch.float64, device=device)  # sum of outer products about the mean

    def update(self, features: Tensor) -> None:
        """Add a batch (B, D) of any float type."""
        batch = features.to(torch.float64)
        mean = batch.mean(0)
        centred = batch - mean
        self._merge(len(batch), mean, centred.T @ centred)

    def merge(self, other: RunningMoments) -> None:
        """Add what another stream has seen; the result is that of one stream over both."""
        self._merge(other.n, other.mean, other.scatter)

    def _merge(self, n: int, mean: Tensor, scatter: Tensor) -> None:
        if n == 0:
            return
        total = self.n + n
        delta = mean - self.mean
        self.scatter += scatter + torch.outer(delta, delta) * (self.n * n / total)
        self.mean = self.mean + delta * (n / total)
        self.n = total

    def result(self) -> Moments:
        """The moments so far; at least two vectors are needed for a covariance."""
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 vectors, got {self.n}")
        return Moments(n=self.n, mean=self.mean.clone(), cov=self.scatter / (self.n - 1))


def moments(features: Tensor, block: int = 4096) -> Moments:
    """Moments of (N, D) features, N >= 2, in blocks of rows so that float64 copies stay small."""
    running = RunningMoments(features.shape[1], features.device)
    for rows in features.split(block):
        running.update(rows)
    return running.result()
