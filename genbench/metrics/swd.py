"""Sliced Wasserstein-2 distance, in units of the features: how far mass has to move along a straight line, root mean square.

    SWD = (mean over unit vectors θ of W₂²(x·θ, y·θ))^½

Source: Bonneel et al. 2015, https://doi.org/10.1007/s10851-014-0506-3; orthogonal directions: Rowland et al. 2019.

It is symmetric and keeps the triangle inequality, where `mind` is its square in another unit. A shift by r in D dimensions is
at r / √D. The directions are whole orthonormal frames, as many as give a thousand of them: then no chance is left in what a
shift of the mean adds, and less in the rest than with independent directions. Above a thousand dimensions they are a thousand
orthonormal directions, and a little chance stays. It is not the distance between patches of Laplacian pyramids that carries
the same name.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._sliced import sliced_wasserstein
from genbench.metrics.base import Metric
from genbench.seeding import generator


def compute(*, real: Tensor, fake: Tensor, directions: int = 1000, seed: int = 0) -> dict[str, Estimate]:
    """{"swd": Estimate} of (M, D) and (N, D) features, in units of the features, exactly 0 for identical sets.

    directions: at least so many; no more than D where D is larger. The error bar is for these directions.
    Between finite samples the value is too large, most of all between samples of one distribution.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="swd")
    sliced = sliced_wasserstein(real=real, fake=fake, directions=orthonormal_frames(real.shape[1], directions, seed))
    value = math.sqrt(sliced.value)
    # The derivative of the root; identical sets have none, and no image pulls.
    slope = 1 / (2 * value) if value > 0 else 0.0
    pull = Influence(fake=slope * sliced.pull_fake, real=slope * sliced.pull_real)
    se = slope * (float(sliced.pull_fake.var()) / len(fake) + float(sliced.pull_real.var()) / len(real)) ** 0.5
    return {
        "swd": Estimate(
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


def orthonormal_frames(dim: int, count: int, seed: int) -> Tensor:
    """(D, K) float64 unit vectors: ⌈count / D⌉ independent uniform frames of D each, or `count` of one frame where D is larger.

    Each vector alone is uniform on the sphere, and Θ Θᵀ = K/D I where K >= D.
    """
    width = min(dim, count)
    frames = 1 if dim == 1 else math.ceil(count / dim)  # on a line there is one direction
    normal = torch.from_numpy(generator(seed, "swd/directions").standard_normal((frames, dim, width)))
    # The signs that QR leaves to chance do not matter: θ and -θ give the same distance.
    return torch.linalg.qr(normal).Q.transpose(0, 1).reshape(dim, frames * width)


metric = Metric(
    compute=compute,
    takes="features",
    reports={"swd": "lower"},
    protocols={"": {"directions": 1000, "seed": 0}},
    min_n=500,
    error_bar=(
        "Influence functions of both sides: each image's Kantorovich potential along each direction, averaged, and the "
        "derivative of the root. Near distance zero the error bar is conservative."
    ),
    summary="Sliced Wasserstein-2 distance in units of the features, along a thousand directions in orthonormal frames",
    sees="every difference of the distributions of features along straight lines; points in the plane, missing modes, tails",
    blind="copies of training images, prompts; in high dimension most beyond mean and total variance",
    source="Bonneel et al. 2015, https://doi.org/10.1007/s10851-014-0506-3",
)
