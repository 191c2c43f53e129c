"""LPIPS of each image to what it should be: distance between the features of a network, weighted by what people noticed.

    d(x, y) = Σ over layers l of mean over places of Σ over channels of w_lc (x̂_lc - ŷ_lc)²

Source: Zhang et al. 2018, https://arxiv.org/abs/1801.03924, equation 1. The weights are not negative, so this is the squared
Euclidean distance of two vectors, and the extractor `lpips` gives such vectors; its variants are the networks of the paper:
alex (the authors' choice for measuring), vgg and squeeze. Agrees with the package lpips 0.1.4 to 1e-5.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_vectors
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """{"lpips": (B,) float64, not negative, 0 for identical images} of features (B, D) of the extractor `lpips`.

    D has up to 8 million features for 256x256 pixels, so pairs are taken one by one.
    Raises DataError for numbers that are not finite, IncomparableError for different widths.
    """
    check_vectors(x=x, y=y, metric="lpips")
    pairs = zip(x, y, strict=True)
    return {"lpips": torch.stack([(one.double() - other.double()).square().sum() for one, other in pairs])}


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"lpips": "lower"},
    extractor="lpips",
    layer="stack",
    min_n=30,
    error_bar=ERROR_BAR,
    summary="LPIPS: distance of each image to what it should be, in features weighted by human judgements of likeness",
    sees="blur, noise, wrong texture and wrong shape, near to what people notice",
    blind="small shifts of brightness and colour; a shift by a few pixels counts more than people mind",
    source="Zhang et al. 2018, https://arxiv.org/abs/1801.03924",
)
