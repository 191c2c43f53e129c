"""Near copies: the share of generated images that are a training image but for a little; `real` is the training set.

Generated image x is a near copy of its nearest training image t where it is three times nearer to t than t's surroundings are:

    near copy:  |x - t| < 1/3 · min over t' different from t of |t - t'|

Source: the factor 1/3 is that of Yoon et al. 2023, Diffusion Probabilistic Models Generalize when They Fail to Memorize, and of
Gu et al. 2023, https://arxiv.org/abs/2310.02664, who ask that x is three times nearer to its nearest than to its second nearest
training image. Near t the two distances are about the same; here t's own is taken, since it is a property of the training set
alone, and no choice of the generated images can move it.

Training sets hold duplicates, and beside a duplicate nothing could ever be a near copy. So copies among the training images
count as one, and where numerical noise keeps copies apart, the threshold is at least a hundredth of the median distance between
neighbours. An exact copy always counts.

Independent images almost never are that near, except in few dimensions: a point of a d-dimensional density falls within a third
of such a distance with a probability of about 1 / (1 + 3^d), 0.10 for d = 2 and 0.0002 for d = 8. What counts is the dimension
that the features really have. details["median_ratio"]: median of |x - t| over t's distance; about 1 for independent images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics._checks import check_pair
from genbench.metrics._neighbours import clouds, nearest, squared_radii
from genbench.metrics.authenticity import share_estimate
from genbench.metrics.base import Metric

RATIO = 1 / 3  # of the distance to the training image over its own to the next one
FLOOR = 1 / 100  # of the median distance between training neighbours: nearer ones are copies that noise keeps apart


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"near_copies": Estimate} of (M, D) training and (N, D) generated features, a share in [0, 1].

    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="near_copies")
    different = real.unique(dim=0)
    if len(different) == 1:  # no distance between neighbours to compare with
        copied = (fake == different).all(1)
        return {"near_copies": share_estimate(copied, n_real=len(real), better="lower")}
    training, generated = clouds(real=different, fake=fake)
    squared, index = nearest(generated, training, 1)
    distances, apart = squared[:, 0].sqrt(), squared_radii(training, 1).sqrt()
    limits = (RATIO * apart).clamp(min=FLOOR * float(apart.median()))
    near, own = distances < limits[index[:, 0]], apart[index[:, 0]]
    details = {"median_ratio": float((distances / own).median())}
    return {"near_copies": share_estimate(near, n_real=len(real), better="lower", details=details)}


def distances_to_different(features: Tensor) -> Tensor:
    """(M,) float64 distance from each image to the nearest that is no copy of it; 0 where all are copies."""
    different, place = features.unique(dim=0, return_inverse=True)
    if len(different) == 1:
        return torch.zeros(len(features), dtype=torch.float64, device=features.device)
    cloud, _ = clouds(real=different, fake=different)
    return squared_radii(cloud, 1).sqrt()[place]


metric = Metric(
    compute=compute,
    takes="features",
    reports={"near_copies": "lower"},
    min_n=100,
    error_bar="Binomial with Wilson's interval over the generated images; the training set is held fixed.",
    summary="Share of generated images three times nearer to a training image than its nearest different training image is",
    sees="exact and near copies of training images, one by one; the reference is the training set",
    blind="copies that the features take for other images, such as shifted or mirrored ones; quality and diversity",
    source="Yoon et al. 2023; Gu et al. 2023, https://arxiv.org/abs/2310.02664",
)
