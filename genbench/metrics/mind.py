"""MIND: the sliced Wasserstein-2 distance in a unit that does not shrink with the number of features.

    MIND = 3 D · mean over 1,000 random unit vectors θ of W₂²(x·θ, y·θ)

Source: Bonneel et al. 2015, https://doi.org/10.1007/s10851-014-0506-3, for the sliced distance; the factor 3 D is that of
torch-fidelity's development version 0.5. Between N(0, I) and N(μ, I) the value is 3 |μ|² but for the choice of directions,
which adds 4.5 % of chance; they follow from the seed and are the same in every evaluation.

Peers draw as many images of the larger side as the smaller one has. Here quantile functions are compared, which with equal
numbers is the same and else leaves no image out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._sliced import sliced_wasserstein
from genbench.metrics.base import Metric
from genbench.seeding import generator


def compute(*, real: Tensor, fake: Tensor, directions: int = 1000, seed: int = 0) -> dict[str, Estimate]:
    """{"mind": Estimate} of (M, D) and (N, D) features, in squared units of the features, exactly 0 for identical sets.

    The error bar is for these directions. Between finite samples the value is too large by about a constant / n.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="mind")
    dim = real.shape[1]
    sliced = sliced_wasserstein(real=real, fake=fake, directions=unit_vectors(dim, directions, seed))
    scale = 3 * dim
    value = scale * sliced.value
    pull = Influence(fake=scale * sliced.pull_fake, real=scale * sliced.pull_real)
    se = scale * (float(sliced.pull_fake.var()) / len(fake) + float(sliced.pull_real.var()) / len(real)) ** 0.5
    return {
        "mind": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="influence",
            n=len(fake),
            n_real=len(real),
            better="lower",
            influence=pull,
        )
    }


def unit_vectors(dim: int, count: int, seed: int) -> Tensor:
    """(D, K) float64, independent and uniform on the sphere."""
    normal = torch.from_numpy(generator(seed, "mind/directions").standard_normal((count, dim)))
    return (normal / normal.norm(dim=1, keepdim=True)).T


metric = Metric(
    compute=compute,
    takes="features",
    reports={"mind": "lower"},
    protocols={"": {"directions": 1000, "seed": 0}},
    min_n=500,
    error_bar=(
        "Influence functions of both sides: each image's Kantorovich potential along each direction, averaged. "
        "Near distance zero the error bar is conservative."
    ),
    summary="3 D times the squared sliced Wasserstein-2 distance between the features of real and generated images",
    sees="every difference of the distributions of features along straight lines: means, spread, tails, missing modes",
    blind="copies of training images, prompts; in high dimension most beyond mean and total variance",
    source="Bonneel et al. 2015, https://doi.org/10.1007/s10851-014-0506-3, with the factor 3 D of torch-fidelity",
)
