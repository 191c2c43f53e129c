"""MS-SSIM between pairs of generated images of one class: the more alike they are, the less diverse is the generator.

1 where all images are the same. A value has a meaning beside that of real images only: real classes differ in their variety.
Source: Odena et al. 2017, https://arxiv.org/abs/1610.09585. The numbers are those of `ms_ssim`, with its protocols.
"""

from __future__ import annotations

from torch import Tensor

from genbench.metrics import ms_ssim
from genbench.metrics._image_pairs import OWN_ERROR_BAR
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor, scales: int = 5, sigma: float = 1.5) -> dict[str, Tensor]:
    """{"pairwise_ms_ssim": (B,) float64 in [0, 1]} of two uint8 images (B, 3, H, W) of one set.

    Raises what `ms_ssim` raises.
    """
    return {"pairwise_ms_ssim": ms_ssim.per_pair(x=x, y=y, scales=scales, sigma=sigma)["ms_ssim"]}


metric = Metric(
    per_pair=per_pair,
    takes="own_pairs",
    reports={"pairwise_ms_ssim": "lower"},
    extractor=None,
    protocols=ms_ssim.metric.protocols,
    min_n=100,
    error_bar=OWN_ERROR_BAR,
    summary="MS-SSIM between pairs of generated images of one class: lower is more diverse",
    sees="mode collapse inside a class: images of the same layout, pixel for pixel",
    blind="quality (noise is diverse), copies that are shifted or recoloured, modes that are missing",
    source="Odena et al. 2017, https://arxiv.org/abs/1610.09585",
)
