"""Mean and covariance of feature vectors in float64, from a stream, and the covariance's factor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Moments:
    """n vectors: mean (D,) and covariance (D, D) float64 with divisor n - 1.

    n is None for files of peers that do not say how many images they saw. stored_factor: a factor that is already known.
    """

    n: int | None
    mean: Tensor
    cov: Tensor
    stored_factor: Tensor | None = None

    @cached_property
    def factor(self) -> Tensor:
        """F (D, R) with F Fᵀ = cov: lower-triangular by Cholesky where cov is regular, thin where it is singular."""
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
        if len(features) == 0:
            return
        batch = features.to(torch.float64)
        mean = batch.mean(0)
        centred = batch - mean
        self.scatter.addmm_(centred.T, centred)
        self._shift(len(batch), mean)

    def merge(self, other: RunningMoments) -> None:
        """Add what another stream has seen; the result is that of one stream over both."""
        if other.n == 0:
            return
        self.scatter += other.scatter
        self._shift(other.n, other.mean)

    def _shift(self, n: int, mean: Tensor) -> None:
        """Move to the common mean with n vectors whose scatter about their own `mean` has just been added."""
        total = self.n + n
        delta = mean - self.mean
        self.scatter.addr_(delta, delta, alpha=self.n * n / total)
        self.mean = self.mean + delta * (n / total)
        self.n = total

    def result(self) -> Moments:
        """The moments so far; at least two vectors are needed for a covariance."""
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 vectors, got {self.n}")
        return Moments(n=self.n, mean=self.mean.clone(), cov=self.scatter / (self.n - 1))


def moments(features: Tensor, block: int = 4096) -> Moments:
    """Moments of (N, D) features, N >= 2, in blocks of rows so that float64 copies stay small.

    Where N <= D the centred features themselves are the factor, with N columns, and no decomposition is ever needed.
    """
    n, dim = features.shape
    running = RunningMoments(dim, features.device)
    for rows in features.split(block):
        running.update(rows)
    whole = running.result()
    if n > dim:
        return whole
    thin = (features.to(torch.float64) - whole.mean).T / (n - 1) ** 0.5
    return Moments(n=n, mean=whole.mean, cov=whole.cov, stored_factor=thin)


def without(whole: Moments, part: Tensor) -> Moments:
    """Moments of the images behind `whole` except those whose features (B, D) are `part`; at least two must remain.

    The merge of Chan, Golub and LeVeque solved for one of its sides; few digits are lost while `part` is the smaller side.
    """
    if whole.n is None or whole.n - len(part) < 2:
        raise ValueError(f"{len(part)} of {whole.n} vectors cannot be taken away: a covariance needs at least 2")
    gone = RunningMoments(len(whole.mean), part.device)
    gone.update(part)
    left = whole.n - gone.n
    mean = whole.mean + (whole.mean - gone.mean) * (gone.n / left)
    delta = gone.mean - mean
    scatter = whole.cov * (whole.n - 1) - gone.scatter
    scatter.addr_(delta, delta, alpha=-gone.n * left / whole.n)
    return Moments(n=left, mean=mean, cov=scatter / (left - 1))
