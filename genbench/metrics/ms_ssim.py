"""Multi-scale structural similarity (MS-SSIM) of each image to what it should be, from fine detail to coarse shape.

    MS-SSIM = l_M c_M^β_M · Π_{j<M} c_j^β_j        c_j: mean contrast and structure after halving the image j - 1 times

Source: Wang et al. 2003, https://doi.org/10.1109/ACSSC.2003.1292216, equation 7, with its five β, which sum to 1.0001.

Default protocol: five scales with a Gaussian window of sigma 1.5 (11x11 pixels), images of at least 176x176 pixels; as
torchmetrics 1.9 computes it with data_range=255 (parity 1e-4, tests/parity/test_paired_parity.py). What it decides where the
paper leaves room: halving by means of 2x2 pixels; at the coarsest scale the exponent is on the mean of l c, over windows that
reach across the mirrored edge too; at the others only over windows that fit; negative means count as 0.
Protocol `small`, for 28x28 pixels and more: the first three scales, their β scaled to the sum of all five, and windows of
half the size, sigma 0.75 (7x7 pixels). Its numbers are for comparison with each other, not with the default's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.metrics._image_pairs import ERROR_BAR, check_images, check_least_side
from genbench.metrics._structure import gaussian_window, in_blocks, structure
from genbench.metrics.base import Metric

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2


def per_pair(*, x: Tensor, y: Tensor, scales: int = 5, sigma: float = 1.5) -> dict[str, Tensor]:
    """{"ms_ssim": (B,) float64 in [0, 1], 1 for identical images} of uint8 images (B, 3, H, W).

    Raises DataError for images whose coarsest scale is smaller than the window, and names the least size; UsageError for
    other types and shapes; IncomparableError for two sizes.
    """
    check_images(x=x, y=y, metric="ms_ssim")
    window = gaussian_window(sigma)
    check_least_side(
        x,
        least=len(window) * 2 ** (scales - 1),
        metric=f"ms_ssim with {scales} scales",
        hint="protocol small is for images from 28x28 pixels on, ssim for smaller ones",
    )
    *finer, coarsest = (beta * sum(BETAS) / sum(BETAS[:scales]) for beta in BETAS[:scales])

    def product(x: Tensor, y: Tensor) -> Tensor:
        value = torch.ones(len(x), dtype=torch.float64, device=x.device)
        for beta in finer:
            value *= structure(x, y, window).contrast.mean((1, 2, 3)).relu() ** beta
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        edge = [len(window) // 2] * 4
        similarity = structure(F.pad(x, edge, mode="reflect"), F.pad(y, edge, mode="reflect"), window).similarity
        return value * similarity.mean((1, 2, 3)).relu() ** coarsest

    return {"ms_ssim": in_blocks(product, x, y)}


metric = Metric(
    per_pair=per_pair,
    takes="pairs",
    reports={"ms_ssim": "higher"},
    extractor=None,
    protocols={"": {"scales": 5, "sigma": 1.5}, "small": {"scales": 3, "sigma": 0.75}},
    min_n=30,
    error_bar=ERROR_BAR,
    summary="Structural similarity of each image to what it should be, over five scales from detail to shape",
    sees="blur, noise and lost structure from pixels up to a sixteenth of their number",
    blind="a uniform change of brightness, colours (each channel is measured by itself), how negative structure is",
    source="Wang et al. 2003, https://doi.org/10.1109/ACSSC.2003.1292216",
)
