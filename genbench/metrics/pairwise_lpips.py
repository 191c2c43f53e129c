"""LPIPS between pairs of generated images of one class, or of one input: the further apart, the more diverse.

0 where all images are the same. A value has a meaning beside that of real images only: noise is further apart than they are.
Source: Zhu et al. 2017, https://arxiv.org/abs/1711.11586. The numbers are those of `lpips`.
"""

from __future__ import annotations

from torch import Tensor

from genbench.metrics import lpips
from genbench.metrics._image_pairs import OWN_ERROR_BAR
from genbench.metrics.base import Metric


def per_pair(*, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """{"pairwise_lpips": (B,) float64, not negative} of features (B, D) of the extractor `lpips`, of two images of one set.

    Raises what `lpips` raises.
    """
    return {"pairwise_lpips": lpips.per_pair(x=x, y=y)["lpips"]}


metric = Metric(
    per_pair=per_pair,
    takes="own_pairs",
    reports={"pairwise_lpips": "higher"},
    extractor="lpips",
    layer="stack",
    min_n=100,
    error_bar=OWN_ERROR_BAR,
    summary="LPIPS between pairs of generated images of one class: higher is more diverse",
    sees="mode collapse inside a class: images that people would call alike",
    blind="quality (noise is diverse), modes that are missing as long as the others differ",
    source="Zhu et al. 2017, https://arxiv.org/abs/1711.11586",
)
