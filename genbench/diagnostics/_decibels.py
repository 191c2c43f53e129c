"""The peak signal-to-noise ratio of images in [-1, 1]."""

from __future__ import annotations

from torch import Tensor

ROUNDING = (2 / 255) ** 2 / 12  # mean squared error of 8 bits


def decibels(squared_errors: Tensor) -> Tensor:
    """Mean squared errors of images in [-1, 1] -> 10 log10 (2² / error), the rounding of 8 bits added to every error.

    So a perfect copy has 58.9 dB, and not infinitely many.
    """
    return 10 * (4 / (squared_errors + ROUNDING)).log10()
