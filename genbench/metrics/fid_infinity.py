"""Fréchet distance extrapolated to infinitely many generated images; FID∞ when the features are Inception's.

    FD(N) = FD∞ + b / N,   fitted to the distances of 15 numbers N of images by weighted least squares

Source: Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023.

Only the generated side varies; the reference is kept whole, and the bias of its own number of images stays. Published fits take
one random subset for each N and differ from run to run. Here the images stand on a circle in an order that follows from their
content and the seed, each N gets as many disjoint arcs as fit, and each arc begins where the last one ended: all images count
nearly alike, which leaves an error bar hardly wider than that of the plain distance. Large subsets have more weight (N), since
their distances are less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.gaussian import moments
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet, Metric

SIZES = 15
VANISHING = 1e-6  # times the largest distance of a subset: a smaller error of the first order is rounding
SMALLEST = 10  # the smallest subset is all images divided by this, where that leaves enough for each dimension


def compute(*, real: FeatureSet, fake: FeatureSet, seed: int = 0) -> dict[str, Estimate]:
    """{"fd_infinity": Estimate}; of `real` features or moments, of `fake` its features; sometimes slightly negative.

    There is no error bar where no image pulls at the distance, as between identical sets: their subsets are parts of the
    reference itself, so the fit ends below 0 by about as much as the distance of two such sets is above it.
    details["fd"] is the plain distance, details["fd_jackknife"] its ten-block jackknife, which corrects for the number of
    images of every side whose features are complete. The value is None, with a `reason`, where the fake features are not known
    or half of the images are no more than the dimensions, since there the bias is not like 1/N.
    Raises DataError for too few images or numbers that are not finite, IncomparableError for different widths.
    """
    return {"fd_infinity": extrapolated(real=real, fake=fake, seed=seed)[0]}


@dataclass(frozen=True, kw_only=True)
class Points:
    """What the line was fitted to: sizes (S,) int64 of the subsets and their distances (S,) float64, weighted by size."""

    sizes: Tensor
    distances: Tensor


def extrapolated(*, real: FeatureSet, fake: FeatureSet, seed: int = 0) -> tuple[Estimate, Points | None]:
    """The estimate of `compute`, and what its line was fitted to; None where there is no value."""
    plain = fid.compute(real=real, fake=fake)["fd"]
    details = {"fd": float(plain)}
    if plain.bias_corrected is not None:
        details["fd_jackknife"] = plain.bias_corrected
    if fake.features is None:
        return _nothing(plain, details, "subsets need the features of the fake images, not their moments alone"), None
    n, dim = fake.features.shape
    if n // 2 <= dim:
        missing = f"the bias is like 1/N only with more images than dimensions: {n} images give no subsets for {dim}"
        return _nothing(plain, details, missing), None

    design = _Design.of(n, dim)
    order = fid.shuffled(fake.features, seed, "fid_infinity/subsets")
    reference = real.gaussian
    distances = [
        fid.frechet_distance(real=reference, fake=moments(fake.features[order[arc]])) for arc in design.arcs(order.device)
    ]
    points = Points(sizes=design.sizes, distances=torch.tensor(distances, dtype=torch.float64))
    value = float(design.weights @ points.distances)
    assert plain.influence is not None
    share = torch.empty(n, dtype=torch.float64, device=order.device)
    share[order] = design.shares().to(order.device)
    pull_fake = share * plain.influence.fake
    pull = Influence(fake=pull_fake - pull_fake.mean(), real=plain.influence.real)
    variance = float(pull.fake.var()) / n
    if pull.real is not None and real.n is not None:
        variance += float(pull.real.var()) / real.n
    if variance < (VANISHING * max(distances)) ** 2:
        reason = (
            "no image pulls at the distance, as if the two sets were the same; what the fit is off by is no matter of chance"
        )
        same = Estimate(value=value, n=n, n_real=real.n, better="lower", reason=reason, details=details)
        return same, points
    se = variance**0.5
    estimate = Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=n,
        n_real=real.n,
        better="lower",
        reason=plain.reason,
        details=details,
        influence=pull,
    )
    return estimate, points


def _nothing(plain: Estimate, details: dict[str, float], reason: str) -> Estimate:
    return Estimate(value=None, n=plain.n, n_real=plain.n_real, better="lower", reason=reason, details=details)


@dataclass(frozen=True, kw_only=True)
class _Design:
    """Which images stand in which subset. starts, sizes (S,) int64: arcs of a circle of n images; weights (S,) float64, sum 1:
    the intercept of the weighted least squares line is the sum of weight x distance.
    """

    n: int
    starts: Tensor
    sizes: Tensor
    weights: Tensor

    @classmethod
    def of(cls, n: int, dim: int) -> _Design:
        smallest = max(n / SMALLEST, min(2 * dim, n / 2), 2)
        numbers = torch.linspace(smallest, n, SIZES, dtype=torch.float64).round().long().unique()
        sizes = torch.cat([number.expand(n // int(number)) for number in numbers])
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)[:-1]]) % n
        line = torch.stack([torch.ones(len(sizes), dtype=torch.float64), 1 / sizes.double()], dim=1)
        weighted = line * sizes.double()[:, None]
        return cls(n=n, starts=starts, sizes=sizes, weights=torch.linalg.solve(line.T @ weighted, weighted.T)[0])

    def arcs(self, device: torch.device) -> list[Tensor]:
        """For each subset the places (N,) of its images on the circle."""
        pairs = zip(self.starts.tolist(), self.sizes.tolist(), strict=True)
        return [(torch.arange(size, device=device) + start) % self.n for start, size in pairs]

    def shares(self) -> Tensor:
        """(n,) how much the image at each place counts, mean 1: it pulls at the intercept so many times as at the distance."""
        shares = torch.zeros(self.n, dtype=torch.float64)
        for arc, size, weight in zip(self.arcs(shares.device), self.sizes.tolist(), self.weights.tolist(), strict=True):
            shares[arc] += self.n * weight / size
        return shares


metric = Metric(
    compute=compute,
    takes="distributions",
    reports={"fd_infinity": "lower"},
    on={"inception": {"fd_infinity": "fid_infinity"}},
    protocols={"": {"seed": 0}},
    min_n=500,
    error_bar=(
        "Influence functions of both sides, each image's times its share in the fitted intercept (a reference known by its "
        "moments alone counts as exact). None where no image pulls, as between identical sets. Near distance zero conservative."
    ),
    summary="Fréchet distance extrapolated to infinitely many generated images, by a line in 1/N over 15 subset sizes",
    sees="what the Fréchet distance sees, without the bias of the number of generated images",
    blind="what the Fréchet distance is blind to; the bias of a small reference stays",
    source="Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023",
)
