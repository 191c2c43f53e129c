"""What every study of intervals needs: rows, repeats, and Gaussian features to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbench.estimate import Estimate

Draw = Callable[[torch.Generator], Estimate]
Study = Callable[[int, int], "Iterator[Row]"]  # (n, repeats) -> rows


@dataclass(frozen=True)
class Row:
    metric: str
    n: int
    truth: float
    spread: float  # standard deviation of the value over the repeats
    mean_se: float
    covered: float  # share of repeats
    repeats: int
    promised: bool


def gaussian(n: int, generator: torch.Generator, *, dim: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    return shift + scale * torch.randn(n, dim, generator=generator)


def repeat(
    name: str, n: int, repeats: int, draw: Draw, *, infinite: float | None = None, promised: bool = True
) -> Iterator[Row]:
    """The row of the value, and that of the bias-corrected value where its truth at `infinite` images is known."""
    estimates = [draw(torch.Generator().manual_seed(seed)) for seed in range(repeats)]
    values = np.array([float(estimate) for estimate in estimates])
    errors = np.array([estimate.se for estimate in estimates])
    intervals = np.array([estimate.ci for estimate in estimates])

    def row(name: str, shift: np.ndarray, truth: float) -> Row:
        inside = (intervals[:, 0] + shift <= truth) & (truth <= intervals[:, 1] + shift)
        spread, covered = float((values + shift).std()), float(inside.mean())
        return Row(name, n, truth, spread, float(errors.mean()), covered, repeats, promised)

    yield row(name, np.zeros(repeats), float(values.mean()))
    if infinite is not None:
        corrected = np.array([estimate.bias_corrected for estimate in estimates], dtype=float)
        yield row(f"{name}, bias-corrected", corrected - values, infinite)
