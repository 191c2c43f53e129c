"""What every metric of pairs of images asks of them, and the errors of pixels that several are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError

ERROR_BAR = "Mean over pairs, Student's t with pairs - 1 degrees of freedom."
OWN_ERROR_BAR = "Mean over pairs that share no image, Student's t with pairs - 1 degrees of freedom."


def check_images(*, x: Tensor, y: Tensor, metric: str) -> None:
    """Raise unless both are uint8 (B, 3, H, W) of one shape. Ranges of floats are never guessed."""
    for side in (x, y):
        if side.dtype != torch.uint8:
            raise UsageError(
                "E-DTYPE",
                f"{metric} takes uint8 images in [0, 255], not {side.dtype}",
                hint="genbench.images.to_uint8 converts floats in [-1, 1]",
            )
        if side.ndim != 4 or side.shape[1] != 3:
            raise UsageError("E-SHAPE", f"{metric} takes images (B, 3, H, W), not {tuple(side.shape)}")
    if x.shape != y.shape:
        raise IncomparableError(
            "E-PAIR-SIZE",
            f"{metric} compares pixel by pixel, and the images are {tuple(x.shape)} and {tuple(y.shape)}",
            hint="bring both sides to one number and size",
        )
    _check_any(x, metric)


def check_least_side(images: Tensor, *, least: int, metric: str, hint: str) -> None:
    """DataError for images (B, 3, H, W) with a side shorter than `least` pixels."""
    height, width = images.shape[2:]
    if min(height, width) < least:
        raise DataError(
            "E-SIZE", f"{metric} needs images of at least {least}x{least} pixels, these are {width}x{height}", hint=hint
        )


def check_vectors(*, x: Tensor, y: Tensor, metric: str) -> None:
    """Raise unless both are finite (B, D) of one shape."""
    for side in (x, y):
        if side.ndim != 2 or side.shape[1] == 0:
            raise UsageError("E-SHAPE", f"{metric} takes features (B, D), not {tuple(side.shape)}")
    if x.shape != y.shape:
        raise IncomparableError(
            "E-WIDTH",
            f"{metric} compares feature by feature, and the features are {tuple(x.shape)} and {tuple(y.shape)}",
            hint="take both sides from one layer, and images of one size where the layer's width follows from it",
        )
    _check_any(x, metric)
    for index, (one, other) in enumerate(zip(x, y, strict=True)):
        if not (one.isfinite().all() and other.isfinite().all()):
            raise DataError(
                "E-NON-FINITE",
                f"pair {index} of {len(x)} has features that are not finite",
                hint="look at these images and at the extractor's weights; with reduced precision try fp32",
            )


def _check_any(x: Tensor, metric: str) -> None:
    if len(x) == 0:
        raise DataError("E-FEW", f"{metric} needs at least one pair of images", hint="give more images")


def mean_absolute_error(x: Tensor, y: Tensor) -> Tensor:
    """(B,) float64 in grey levels, of uint8 images; exact, as the sum is one of whole numbers."""
    return (x.int() - y.int()).abs().sum((1, 2, 3)).double() / x.shape[1:].numel()


def mean_squared_error(x: Tensor, y: Tensor) -> Tensor:
    """(B,) float64 in squared grey levels, of uint8 images; exact, as the sum is one of whole numbers."""
    return (x.int() - y.int()).square().sum((1, 2, 3)).double() / x.shape[1:].numel()
