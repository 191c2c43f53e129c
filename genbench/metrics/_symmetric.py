"""Symmetric products and eigenproblems of float64 matrices, each by the library that was fastest at it.

On a CPU, at 2048 x 2048 on two cores: scipy's BLAS multiplies by a triangular factor in a third of the time of two full
products, and its LAPACK finds eigenvalues alone a third faster than torch's, which in turn is three times faster where
eigenvectors are wanted too. benchmarks/speed/frechet.py measures the sum.
"""

from __future__ import annotations

import torch
from torch import Tensor


def congruence(F: Tensor, S: Tensor) -> Tensor:
    """Fᵀ S F (R, R) for a factor F (D, R) and a symmetric S (D, D)."""
    if F.device.type != "cpu" or not _is_lower_triangular(F):
        return F.T @ (S @ F)
    from scipy.linalg.blas import dtrmm

    half = dtrmm(1.0, F.numpy(), S.numpy(), side=1, lower=1)
    return torch.from_numpy(dtrmm(1.0, F.numpy(), half, lower=1, trans_a=1))


def eigenvalues(S: Tensor) -> Tensor:
    """(R,) ascending eigenvalues of a symmetric S (R, R); its lower triangle is read."""
    if S.device.type != "cpu":
        return torch.linalg.eigvalsh(S)
    from scipy.linalg import eigvalsh

    return torch.from_numpy(eigvalsh(S.numpy(), check_finite=False))


def eigenvectors(S: Tensor) -> tuple[Tensor, Tensor]:
    """Ascending eigenvalues (R,) and eigenvectors in the columns of (R, R), of a symmetric S; its lower triangle is read."""
    values, vectors = torch.linalg.eigh(S)
    return values, vectors


def _is_lower_triangular(F: Tensor) -> bool:
    return F.shape[0] == F.shape[1] and not bool(F.triu(1).any())
