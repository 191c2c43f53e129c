"""Distance of the features of each image to those of what it should be: how far apart, and in how different a direction.

    feature_l2 = |f(x) - f(y)|        feature_cosine = 1 - cos(f(x), f(y)) = |f(x) / |f(x)| - f(y) / |f(y)||² / 2

Units of feature_l2 are the extractor's: compare values of one extractor and layer only.
Source: Dosovitskiy and Brox 2016, https://arxiv.org/abs/1602.02644, where the squared distance is a training loss.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_vectors
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """{"feature_l2": (B,) float64, not negative; "feature_cosine": (B,) float64 in [0, 2]} of features (B, D).

    Both are 0 for identical features. Features that are all 0 have no direction: their cosine distance is 0 to each other
    and 1/2 to all else.
    Raises DataError for numbers that are not finite, IncomparableError for different widths.
    """
    check_vectors(x=x, y=y, metric="feature_distance")
    x, y = x.double(), y.double()
    return {
        "feature_l2": (x - y).square().sum(1).sqrt(),
        # Of unit vectors: 1 - cos by the product would leave rounding errors, some negative, where both are the same.
        "feature_cosine": (F.normalize(x) - F.normalize(y)).square().sum(1) / 2,
    }


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"feature_l2": "lower", "feature_cosine": "lower"},
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Euclidean and cosine distance between the features of each image and of what it should be",
    sees="whether the image shows the same things, as far as the extractor tells them apart",
    blind="where things are and fine detail, since features are pooled over the image",
    source="Dosovitskiy and Brox 2016, https://arxiv.org/abs/1602.02644",
)
