"""Mean squared error of each image to what it should be, where images are in [0, 1]: mean of (x - y)² / 255².

Unit: the square of the whole range of a value. 0.0001 is a typical difference of 2.55 grey levels; black against white is 1.
"""

from __future__ import annotations

from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_images, mean_squared_error
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """{"l2": (B,) float64 in [0, 1]} of uint8 images (B, 3, H, W).

    Raises UsageError for other types and shapes, IncomparableError for two sizes.
    """
    check_images(x=x, y=y, metric="l2")
    return {"l2": mean_squared_error(x, y) / 255**2}


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"l2": "lower"},
    extractor=None,
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Mean squared error of each image to what it should be, for images in [0, 1]",
    sees="every difference of a pixel's value, large ones most",
    blind="whether the difference can be seen: the mean of several plausible images is the best answer, and blurred",
    source="Wang and Bovik 2009, https://doi.org/10.1109/MSP.2008.930649",
)
