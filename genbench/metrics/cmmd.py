"""CMMD: squared maximum mean discrepancy with a Gaussian kernel between L2-normalised embeddings, in thousandths.

    1000 · (mean over all i, j of k(xi, xj) + mean over all i, j of k(yi, yj) - 2 mean over all i, j of k(xi, yj)),
    k(x, y) = exp(-|x - y|² / 2σ²), σ = 10

Source: Jayasumana et al. 2024, https://arxiv.org/abs/2401.09603. Its code cuts the middle square out of a picture before it
resizes it, as the variant `l14-336-square` of `clip` does.

As published the pairs of an image with itself count too: a V-statistic, never negative, and above its limit by about a
constant / n. `bias_corrected` leaves these pairs out, which is the unbiased U-statistic of the same kernel sums.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn.functional import normalize

from genbench.errors import DataError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import Side, check_pair
from genbench.metrics._mmd import gaussian_kernel_less_one, kernel_sums
from genbench.metrics.base import Metric

SIGMA = 10.0  # on unit vectors, whose distances are at most 2
SCALE = 1000


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"mmd": Estimate} of embeddings (M, D) and (N, D), which need not be normalised; time grows with (M + N)² D.

    value: in thousandths, at least 0. bias_corrected: the unbiased value, slightly negative at times where the sets are alike.
    Raises DataError for fewer than 2 images, numbers that are not finite, or an embedding of length zero; IncomparableError
    for different widths.
    """
    check_pair(real=real, fake=fake, metric="cmmd")
    m, n = len(real), len(fake)
    sums = kernel_sums(
        partial(gaussian_kernel_less_one, sigma=SIGMA), real=_normalised(real, "real"), fake=_normalised(fake, "fake")
    )
    # The kernel is less by 1, so an image with itself adds 0: the V-statistic differs from the U-statistic by its divisor only.
    pull_real = SCALE * (sums.within_real / m - sums.across_real / n)
    pull_fake = SCALE * (sums.within_fake / n - sums.across_fake / m)
    unbiased_real, unbiased_fake = sums.projections()
    value = max(0.0, float(pull_real.mean() + pull_fake.mean()))
    se = 2 * (float(pull_real.var()) / m + float(pull_fake.var()) / n) ** 0.5
    return {
        "mmd": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="u-statistic",
            n=n,
            n_real=m,
            better="lower",
            bias_corrected=SCALE * float(unbiased_real.mean() + unbiased_fake.mean()),
            influence=Influence(fake=2 * (pull_fake - pull_fake.mean()), real=2 * (pull_real - pull_real.mean())),
        )
    }


def _normalised(features: Tensor, side: Side) -> Tensor:
    """(N, D) float64 rows of length 1."""
    rows = features.double()
    zero = (rows == 0).all(1)
    if zero.any():
        raise DataError(
            "E-ZERO",
            f"{int(zero.sum())} of {len(rows)} {side} images have embeddings of length zero, which have no direction",
            hint="look at the extractor: embeddings of real and generated images are not zero",
        )
    return normalize(rows, dim=1)


metric = Metric(
    compute=compute,
    takes="features",
    reports={"mmd": "lower"},
    on={"clip": {"mmd": "cmmd"}},
    extractor="clip",
    variant="l14-336-square",
    min_n=100,
    error_bar=(
        "Hoeffding projection over all pairs, both sides; the bias-corrected value is the unbiased U-statistic. "
        "Near distance zero the error bar is conservative."
    ),
    summary="Squared MMD x 1000 with a Gaussian kernel (width 10) between L2-normalised CLIP embeddings, as published",
    sees="differences of content that CLIP embeds, with few images; on unit vectors mostly the shift of the mean embedding",
    blind="loss of diversity that keeps the mean embedding, fine texture, copies of training images",
    source="Jayasumana et al. 2024, https://arxiv.org/abs/2401.09603",
)
