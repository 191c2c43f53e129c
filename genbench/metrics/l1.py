"""Mean absolute error of each image to what it should be, where images are in [0, 1]: mean of |x - y| / 255.

Unit: the whole range of a value. 0.01 is 2.55 grey levels; black against white is 1.
"""

from __future__ import annotations

from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_images, mean_absolute_error
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """{"l1": (B,) float64 in [0, 1]} of uint8 images (B, 3, H, W).

    Raises UsageError for other types and shapes, IncomparableError for two sizes.
    """
    check_images(x=x, y=y, metric="l1")
    return {"l1": mean_absolute_error(x, y) / 255}


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"l1": "lower"},
    extractor=None,
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Mean absolute error of each image to what it should be, for images in [0, 1]",
    sees="every difference of a pixel's value, in proportion to its size",
    blind="whether the difference can be seen: the median of several plausible images is the best answer, and blurred",
    source="Isola et al. 2017, https://arxiv.org/abs/1611.07004, equation 3",
)
