"""Symmetric products and eigenproblems in float64: LAPACK through scipy on the CPU, torch on other devices."""

from __future__ import annotations

import torch
from scipy.linalg import eigh, eigvalsh
from scipy.linalg.blas import dtrmm
from torch import Tensor


def congruence(F: Tensor, S: Tensor) -> Tensor:
    """Fᵀ S F (R, R) for a factor F (D, R) and a symmetric S (D, D); half the work where F is lower-triangular."""
    if F.device.type != "cpu" or not _is_lower_triangular(F):
        return F.T @ (S @ F)
    upper = F.contiguous().numpy().T  # the same memory read by columns, as BLAS does: Fᵀ
    half = dtrmm(1.0, upper, S.contiguous().numpy().T)
    return torch.from_numpy(dtrmm(1.0, upper, half, side=1, trans_a=1, overwrite_b=1).T)


def eigenvalues(S: Tensor) -> Tensor:
    """(R,) ascending eigenvalues of a symmetric S (R, R), which is overwritten."""
    if len(S) == 0:
        return S.new_zeros(0)
    if S.device.type != "cpu":
        return torch.linalg.eigvalsh(S)
    return torch.from_numpy(eigvalsh(S.numpy().T, overwrite_a=True, check_finite=False))


def eigenvectors(S: Tensor) -> tuple[Tensor, Tensor]:
    """Ascending eigenvalues (R,) and the eigenvectors in the columns of (R, R), of a symmetric S, which is overwritten."""
    if len(S) == 0:
        return S.new_zeros(0), S.new_zeros(0, 0)
    if S.device.type != "cpu":
        return torch.linalg.eigh(S)
    values, vectors = eigh(S.numpy().T, overwrite_a=True, check_finite=False)
    return torch.from_numpy(values), torch.from_numpy(vectors)


def _is_lower_triangular(F: Tensor) -> bool:
    return F.shape[0] == F.shape[1] and not bool(F.triu(1).any())
