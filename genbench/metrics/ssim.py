"""Structural similarity (SSIM) of each image to what it should be: do brightness, contrast and pattern agree in every window?

The window is Wang's, a Gaussian of sigma 1.5 cut to 11x11 pixels, with the variances of a population (protocol `gaussian`), or
scikit-image's default, 7x7 equal weights with the variances of a sample (`uniform`). Either way only windows that lie inside
the image count, each colour channel by itself, and the value is the mean over windows and channels: scikit-image 0.26's number
to 1e-6 (tests/parity/test_paired_parity.py). torchmetrics counts windows that reach over the mirrored edge too and piq first
shrinks images larger than 256 pixels, so theirs differ.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_images, check_least_side
from genbench.metrics._structure import gaussian_window, in_blocks, structure, uniform_window
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor, window: Literal["gaussian", "uniform"] = "gaussian") -> dict[str, Tensor]:
    """{"ssim": (B,) float64 in [-1, 1], 1 for identical images} of uint8 images (B, 3, H, W).

    Raises DataError for images smaller than the window (11x11 or 7x7 pixels), UsageError for other types and shapes,
    IncomparableError for two sizes.
    """
    check_images(x=x, y=y, metric="ssim")
    if window == "gaussian":
        weights, correction, hint = gaussian_window(1.5), 1.0, "protocol uniform has a window of 7x7 pixels"
    else:
        weights, correction, hint = uniform_window(7), 49 / 48, "use l2 or psnr for such images"
    check_least_side(x, least=len(weights), metric=f"ssim with the {window} window", hint=hint)

    def similarity(x: Tensor, y: Tensor) -> Tensor:
        return structure(x, y, weights, correction=correction).similarity.mean((1, 2, 3))

    return {"ssim": in_blocks(similarity, x, y)}


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"ssim": "higher"},
    extractor=None,
    protocols={"gaussian": {"window": "gaussian"}, "uniform": {"window": "uniform"}},
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Structural similarity of each image to what it should be, in [-1, 1]",
    sees="blur, noise and lost contrast in small windows",
    blind="a uniform change of brightness, colours (each channel is measured by itself), what the image shows",
    source="Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861",
)
