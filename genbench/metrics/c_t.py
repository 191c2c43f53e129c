"""C_T: do generated images lie nearer to the training images than held-out images do? `real` is the training set.

The training set is cut into regions. In each, the distances of generated and of held-out images to the nearest training image
of the region are compared by the rank sum of Mann and Whitney; U counts the pairs in which the generated image is farther:

    z = (U - (m n / 2 - 1/2)) / √(m n (m + n + 1) / 12)        for m generated and n held-out images of the region
    C_T = Σ n z / Σ n                                          over the regions that hold more than 20 generated images

Negative: generated images are too near to training images (copying). Positive: too far (underfitting). Zero: as held-out ones.

Source: Meehan et al. 2020, https://arxiv.org/abs/2004.05675, section 4. Numerics as in dgm-eval: the first 64 principal
components of the training set, three regions by k-means, the half as a correction for continuity (it makes z exceed 0 by
1 / (2 · standard deviation)). Here k-means has a seed and sees the images in an order by content. A region without held-out
images has no weight, where dgm-eval stops.

The value is a z score. If generated images were like held-out ones, each z had a standard deviation of 1, and C_T one of
√(Σ n² / (Σ n)²), which is below 1: details["null_se"]. A value is far from zero if it is so in units of that. z scores grow
with the number of images, so compare values of equal numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.gaussian import moments
from genbench.metrics._checks import check_three
from genbench.metrics._neighbours import clouds, nearest
from genbench.metrics.base import Metric
from genbench.seeding import generator

COMPONENTS = 64
REGIONS = 3
RESTARTS, ROUNDS = 10, 300  # of k-means
LEAST = 20  # a region counts if it holds more generated images


def compute(*, real: Tensor, held_out: Tensor, fake: Tensor, seed: int = 0) -> dict[str, Estimate]:
    """{"c_t": Estimate} of (M, D) training, (K, D) held-out and (N, D) generated features.

    Without a value where no region holds both held-out and enough generated images. details: null_se; held_out, how many
    images are; z, and the share of the held-out images, of each region by the number of its training images, the largest first.
    Raises DataError for too few images or numbers that are not finite; IncomparableError for different widths.
    """
    check_three(real=real, held_out=held_out, fake=fake, metric="c_t", at_least=REGIONS)
    real, held_out, fake = _principal(real, held_out, fake)
    centres = _regions(real, seed)
    of_real, of_held_out, of_fake = (_nearest_centre(side, centres) for side in (real, held_out, fake))
    found = [
        _compare(real[of_real == region], held_out, of_held_out == region, fake, of_fake == region)
        for region in of_real.bincount(minlength=REGIONS).argsort(descending=True, stable=True)
        if (of_real == region).any() and (of_held_out == region).any() and int((of_fake == region).sum()) > LEAST
    ]
    if not found:
        reason = f"no region of the training set holds held-out images and more than {LEAST} generated ones"
        return {"c_t": Estimate(value=None, n=len(fake), n_real=len(real), better="zero", reason=reason)}
    return {"c_t": _combine(found, n_real=len(real))}


@dataclass(frozen=True, kw_only=True)
class _Region:
    """z, and its derivative by the weight of each image: fake (N,) and held_out (K,), zero for images of other regions."""

    z: float
    held: int
    fake: Tensor
    held_out: Tensor
    inside: Tensor  # (K,) whether a held-out image is of this region


def _compare(real: Tensor, held_out: Tensor, held_here: Tensor, fake: Tensor, fake_here: Tensor) -> _Region:
    """z of one region. It depends on how far the images in it are, and on how many there are; both enter the derivatives."""
    far_fake, far_held = _distances(fake[fake_here], real), _distances(held_out[held_here], real)
    m, n = len(far_fake), len(far_held)
    above, below = _placements(far_fake, far_held), 1 - _placements(far_held, far_fake)
    share = float(above.mean())  # U / (m n)
    deviation = (m * n * (m + n + 1) / 12) ** 0.5
    z = (share * m * n - m * n / 2 + 0.5) / deviation

    def pull(placements: Tensor, here: Tensor, mine: int, others: int) -> Tensor:
        of_distance = (placements - share) * others * mine / deviation / mine
        of_count = (share - 0.5) * others / deviation - z * (1 / mine + 1 / (m + n + 1)) / 2
        everyone = torch.full((len(here),), -of_count * mine, dtype=torch.float64, device=here.device)
        everyone[here] += len(here) * (of_distance + of_count)
        return everyone

    return _Region(
        z=z,
        held=n,
        fake=pull(above, fake_here, m, n),
        held_out=pull(below, held_here, n, m),
        inside=held_here,
    )


def _combine(found: list[_Region], n_real: int) -> Estimate:
    """The mean of z over regions, weighted by their held-out images."""
    total = sum(region.held for region in found)
    shares = [region.held / total for region in found]
    value = sum(share * region.z for share, region in zip(shares, found, strict=True))
    fake, held_out = torch.zeros_like(found[0].fake), torch.zeros_like(found[0].held_out)
    for share, region in zip(shares, found, strict=True):
        fake += share * region.fake
        held_out += share * region.held_out
        held_out += region.inside * ((region.z - value) * len(held_out) / total)  # the weight of the region
    held_out -= held_out.mean()
    fake -= fake.mean()
    variance = float(fake.var()) / len(fake) + float(held_out.var()) / len(held_out)
    null_se, se = sum(share**2 for share in shares) ** 0.5, variance**0.5
    by_region: dict[str, float] = {"held_out": len(held_out)}
    for number, (share, region) in enumerate(zip(shares, found, strict=True), start=1):
        by_region |= {f"z_{number}": region.z, f"share_{number}": share}
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=len(fake),
        n_real=n_real,
        better="zero",
        details={"null_se": null_se, **by_region},
        influence=Influence(fake=fake),
    )


def _distances(features: Tensor, real: Tensor) -> Tensor:
    """(N,) float64 squared distance to the nearest training image of the region."""
    training, others = clouds(real=real, fake=features)
    return nearest(others, training, 1)[0][:, 0]


def _placements(mine: Tensor, others: Tensor) -> Tensor:
    """(N,) the share of `others` (M,) below each of `mine` (N,), where equal ones count half."""
    ordered = others.sort().values
    below, not_above = torch.searchsorted(ordered, mine), torch.searchsorted(ordered, mine, right=True)
    return (below + not_above).to(torch.float64) / (2 * len(others))


def _principal(real: Tensor, held_out: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All three in the first 64 principal components of the training set, float64; as they are where they are not wider."""
    if real.shape[1] <= COMPONENTS:
        return real.double(), held_out.double(), fake.double()
    known = moments(real)
    axes = torch.linalg.eigh(known.cov).eigenvectors[:, -COMPONENTS:]

    def project(features: Tensor) -> Tensor:
        return torch.cat([(rows.double() - known.mean) @ axes for rows in features.split(1024)])

    return project(real), project(held_out), project(fake)


def _regions(features: Tensor, seed: int) -> Tensor:
    """(3, D) centres of k-means with the least sum of squared distances of ten starts, each drawn as by k-means++.

    Source: Lloyd 1982; Arthur and Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    chance = generator(seed, "c_t/regions")
    ordered = features[(features.square().sum(1)).argsort(stable=True)]
    best, least = ordered[:REGIONS], float("inf")
    for _ in range(RESTARTS):
        centres = ordered[int(chance.integers(len(ordered)))][None]
        while len(centres) < REGIONS:
            reach = torch.cdist(ordered, centres).square().amin(1).cumsum(0)
            drawn = int(torch.searchsorted(reach, chance.random() * float(reach[-1]), right=True))
            centres = torch.cat([centres, ordered[min(drawn, len(ordered) - 1)][None]])
        centres, inertia = _lloyd(ordered, centres)
        if inertia < least:
            best, least = centres, inertia
    return best


def _lloyd(features: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """Centres (3, D) that are the means of the images nearest to them, and the sum of squared distances."""
    region = _nearest_centre(features, centres)
    for _ in range(ROUNDS):
        members = torch.nn.functional.one_hot(region, REGIONS).double()
        counts = members.sum(0)[:, None]
        centres = torch.where(counts > 0, members.T @ features / counts.clamp(min=1), centres)
        before, region = region, _nearest_centre(features, centres)
        if torch.equal(before, region):
            break
    return centres, float((features - centres[region]).square().sum())


def _nearest_centre(features: Tensor, centres: Tensor) -> Tensor:
    return torch.cdist(features, centres, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)


metric = Metric(
    compute=compute,
    takes="held_out",
    reports={"c_t": "zero"},
    protocols={"": {"seed": 0}},
    min_n=100,
    error_bar=(
        "Influence of each generated and held-out image on the rank sums, with the training set and its regions held fixed. "
        "The value itself is in units of a z score; its standard deviation for a generator without fault is details null_se."
    ),
    summary="Z score of whether generated images lie nearer to training images than held-out images do",
    sees="copying (negative) and underfitting (positive), and it grows with the number of images",
    blind="copying and underfitting that cancel within a region; whether all regions are reached",
    source="Meehan et al. 2020, https://arxiv.org/abs/2004.05675",
)
