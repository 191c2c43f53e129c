"""Realism: how near each generated image lies to real ones, in units of the distance of these to their own neighbours.

    R(g) = max over real images r of (distance of r to its k-th nearest other real image) / |g - r|

over the half of the real images with the smaller radii: a ball around an outlier would hold almost anything.
Source: Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, section 5, with its k = 3.

R is 1 on the surface of a ball and infinite for an exact copy of a real image whose ball is kept. Therefore the value is the
mean of min(R, 1), from 0 to 1: an image inside a ball counts fully, one outside by how far it is away. Lying nearer to a real
image than that is not more realistic, and a mean of R would tell how many copies there are and little else. It is a precision
(of the smaller balls) that gives partial credit.

A copy of a real image whose ball is left out has a finite R, often below 1. So identical sets do not reach 1: Gaussian ones
are at 0.9 or so.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbench.estimate import Estimate, mean_estimate
from genbench.metrics._checks import check_pair
from genbench.metrics._neighbours import (
    Cloud,
    clouds,
    coarse_dtype,
    keep_nearest,
    squared_differences,
    squared_distances,
    squared_radii,
)
from genbench.metrics.base import Metric

CANDIDATES = 4  # balls per image whose ratio is computed without rounding


def compute(*, real: Tensor, fake: Tensor, k: int = 3) -> dict[str, Estimate]:
    """{"realism": Estimate} of (M, D) real and (N, D) fake features, the mean of min(R, 1), in [0, 1].

    details: "inside", the share of images with R >= 1; "median" and "lowest_5_percent" of R, where these are finite.
    Raises DataError for k images or fewer on a side or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="realism", at_least=k + 1)
    scores = realism(real=real, fake=fake, k=k)
    estimate = mean_estimate(scores.clamp(max=1), better="higher", n_real=len(real))
    assert estimate.value is not None
    low, high = estimate.ci or (estimate.value, estimate.value)
    details = {"inside": float((scores >= 1).double().mean())}
    for name, share in (("median", 0.5), ("lowest_5_percent", 0.05)):
        place = scores.kthvalue(max(1, round(share * len(scores)))).values
        if place.isfinite():
            details[name] = float(place)
    return {"realism": replace(estimate, ci=(max(0.0, low), min(1.0, high)), details=details)}


def realism(*, real: Tensor, fake: Tensor, k: int = 3) -> Tensor:
    """(N,) float64 R of each fake image, from 0 to infinity, which stands for a copy of a real image whose ball is kept."""
    around_real, around_fake = clouds(real=real, fake=fake)
    radii = squared_radii(around_real, k)
    kept = (radii <= radii.median()).nonzero().flatten()
    nearest = _nearest_balls(around_real, around_fake, radii, kept)
    candidates = nearest.shape[1]
    images = torch.arange(len(fake), device=fake.device).repeat_interleave(candidates)
    distances = squared_differences(around_fake, images, around_real, nearest.flatten())
    of_ball = radii[nearest.flatten()]
    ratios = torch.where(distances == 0, torch.inf, of_ball / distances)  # also for a ball of no size, around copies
    best: Tensor = ratios.view(-1, candidates).amax(1).sqrt()
    return best


def _nearest_balls(real: Cloud, fake: Cloud, radii: Tensor, kept: Tensor) -> Tensor:
    """(N, C) indices of the real balls with the smallest distance / radius to each fake image, up to rounding."""
    coarse = coarse_dtype(real, fake)
    count = min(CANDIDATES, len(kept))
    everyone = torch.arange(len(fake), device=kept.device)
    least = torch.full((len(fake), count), torch.inf, dtype=coarse, device=kept.device)
    found = kept[:1].repeat(len(fake), count)
    smallest = torch.finfo(coarse).tiny
    blocks = fake.blocks()
    for rows, least_of, found_of in zip(blocks, least.split(len(blocks[0])), found.split(len(blocks[0])), strict=True):
        x, x_squares = fake.rows(rows, coarse), fake.squares[rows].to(coarse)
        slack = fake.rounding(everyone[rows], torch.zeros_like(fake.squares[rows]), coarse).to(coarse)
        for place in kept.split(len(blocks[0])):
            distances = squared_distances(x, x_squares, real.rows(place, coarse), real.squares[place].to(coarse))
            # Within rounding an image may be a copy, and a copy is inside any ball.
            ratios = (distances - slack[:, None]).clamp_(min=0) / radii[place].to(coarse).clamp(min=smallest)
            keep_nearest(least_of, found_of, ratios, place)
    return found


metric = Metric(
    compute=compute,
    takes="features",
    reports={"realism": "higher"},
    protocols={"k3": {"k": 3}},
    min_n=100,
    error_bar="Spread over the generated images, with the balls of the real images held fixed.",
    summary="Realism: mean over generated images of min(R, 1), R the radius of a real ball over the distance to its centre",
    sees="images away from the real ones, and how far away",
    blind="modes that are missing, repeated images, copies of training images",
    source="Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, section 5",
)
