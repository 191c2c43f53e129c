"""Peak signal-to-noise ratio of each image to what it should be: PSNR = 10 log10(255² / mean squared error), in decibels.

Two identical images have an infinite PSNR (scikit-image returns inf), and one such pair would make the mean over pairs
infinite. So the value is cut off, and the protocol says where: at 60 dB by default, as libvmaf does for 8-bit video, which is a
mean squared error of 0.065, one value in fifteen off by one level; `cap100` cuts at 100 dB, one value in 150,000. Below the
cap each pair has scikit-image's number, and the value is their mean over pairs; the PSNR of the mean squared error over all
pairs is another number, never larger.
"""

from __future__ import annotations

import math

from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_images, mean_squared_error
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor, cap: float = 60.0) -> dict[str, Tensor]:
    """{"psnr": (B,) float64 in dB} of uint8 images (B, 3, H, W); at most `cap`.

    Raises UsageError for other types and shapes, IncomparableError for two sizes.
    """
    check_images(x=x, y=y, metric="psnr")
    least = 255**2 / 10 ** (cap / 10)  # the squared error at the cap
    decibels = 10 * (math.log10(255**2) - mean_squared_error(x, y).clamp_min(least).log10())
    return {"psnr": decibels.clamp_max(cap)}  # against rounding


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"psnr": "higher"},
    extractor=None,
    protocols={"cap60": {"cap": 60.0}, "cap100": {"cap": 100.0}},
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Peak signal-to-noise ratio in dB of each image to what it should be, at most 60 dB so that identical pairs count",
    sees="every difference of a pixel's value, noise and shifts alike",
    blind="whether the difference can be seen: blur costs little, a shift by one pixel much",
    source="Huynh-Thu and Ghanbari 2008, https://doi.org/10.1049/el:20080522",
)
