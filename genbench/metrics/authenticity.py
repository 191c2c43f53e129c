"""Authenticity: the share of generated images that are no noisy copies of a training image; `real` is the training set.

Generated image x has the nearest training image t(x), and t(x) has its own nearest other training image. x is authentic if it
is farther from t(x) than that one is:

    authenticity = mean over x of [ |x - t(x)| > min over t' ≠ t(x) of |t(x) - t'| ]

Source: Alaa et al. 2022, https://arxiv.org/abs/2102.08921, section 4.3.

The value is a share, in [0, 1]. Two published conventions are the same number in other units: AuthPct, of all images, is
100 · authenticity (dgm-eval); FLD's toolkit takes at most 10,000 images of either side and prints 100 · authenticity - 50.
So 0.72 here is an AuthPct of 72 and 22 there. The protocol `subsample` takes as many as the latter, with a seed.

A perfect generator does not reach 1, as many of its images fall near a lonely training image by chance: compare with the value
of held-out images. And it depends on the number of training images: compare values of equal numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genbench.estimate import Better, Estimate, Influence, wilson_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._neighbours import clouds, nearest, squared_radii
from genbench.metrics._order import subsample
from genbench.metrics.base import Metric


def compute(*, real: Tensor, fake: Tensor, largest: int | None = None, seed: int = 0) -> dict[str, Estimate]:
    """{"authenticity": Estimate} of (M, D) training and (N, D) generated features, a share in [0, 1].

    largest: images of either side at most; of more, so many are drawn by `seed`.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="authenticity")
    if largest is not None:
        real = subsample(real, largest, seed=seed, purpose="authenticity/real")
        fake = subsample(fake, largest, seed=seed, purpose="authenticity/fake")
    training, generated = clouds(real=real, fake=fake)
    squared, index = nearest(generated, training, 1)
    authentic = squared[:, 0] > squared_radii(training, 1)[index[:, 0]]
    return {"authenticity": share_estimate(authentic, n_real=len(real), better="higher")}


def share_estimate(answers: Tensor, *, n_real: int, better: Better, details: Mapping[str, float] | None = None) -> Estimate:
    """The share of true `answers` (N,) of independent images, with Wilson's interval."""
    indicator = answers.to(torch.float64)
    n, share = len(indicator), float(indicator.mean())
    return Estimate(
        value=share,
        se=(share * (1 - share) / n) ** 0.5,
        ci=wilson_interval(share, n),
        method="binomial",
        n=n,
        n_real=n_real,
        better=better,
        details=details or {},
        influence=Influence(fake=indicator - share),
    )


metric = Metric(
    compute=compute,
    takes="features",
    reports={"authenticity": "higher"},
    protocols={"": {}, "subsample": {"largest": 10_000, "seed": 0}},
    min_n=100,
    error_bar="Binomial with Wilson's interval over the generated images; the training set is held fixed.",
    summary="Share of generated images farther from their nearest training image than that one is from its own nearest",
    sees="generated images that lie closer to training images than these lie to each other; the reference is the training set",
    blind="quality: images far from everything count as authentic; copies of a training image with a copy of its own",
    source="Alaa et al. 2022, https://arxiv.org/abs/2102.08921",
)
