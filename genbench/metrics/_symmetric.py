"""Symmetric products and eigenproblems in float64: LAPACK through scipy on the CPU, torch on other devices.

Of a symmetric matrix only the lower triangle is written and read.
"""

from __future__ import annotations

import torch
from scipy.linalg import eigh, eigvalsh
from scipy.linalg.lapack import dsygst
from torch import Tensor


def congruence(F: Tensor, S: Tensor) -> Tensor:
    """Fᵀ S F (R, R), its lower triangle, for a factor F (D, R) and a symmetric S (D, D).

    For a triangular F this is LAPACK's reduction of a generalized eigenproblem, a third of the time of two products.
    """
    if F.device.type != "cpu" or not _is_lower_triangular(F):
        return F.T @ (S @ F)
    # LAPACK reads by columns: the same memory holds Fᵀ, which is upper triangular, and the upper triangle of S.
    reduced, failed = dsygst(S.contiguous().numpy().T, F.contiguous().numpy().T, itype=2, lower=0)
    assert not failed
    return torch.from_numpy(reduced.T)


def eigenvalues(S: Tensor) -> Tensor:
    """(R,) ascending eigenvalues of a symmetric S (R, R), which is overwritten."""
    if len(S) == 0:
        return S.new_zeros(0)
    if S.device.type != "cpu":
        return torch.linalg.eigvalsh(S)
    return torch.from_numpy(eigvalsh(S.contiguous().numpy().T, lower=False, overwrite_a=True, check_finite=False))


def eigenvectors(S: Tensor) -> tuple[Tensor, Tensor]:
    """Ascending eigenvalues (R,) and the eigenvectors in the columns of (R, R), of a symmetric S, which is overwritten."""
    if len(S) == 0:
        return S.new_zeros(0), S.new_zeros(0, 0)
    if S.device.type != "cpu":
        return torch.linalg.eigh(S)
    values, vectors = eigh(S.contiguous().numpy().T, lower=False, overwrite_a=True, check_finite=False, driver="evd")
    return torch.from_numpy(values), torch.from_numpy(vectors)


def _is_lower_triangular(F: Tensor) -> bool:
    return F.shape[0] == F.shape[1] and not bool(F.triu(1).any())
