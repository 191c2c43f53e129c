"""Fréchet distance between Gaussians fitted to image features; FID when the features are Inception's.

    FD = |μr - μf|² + tr Σr + tr Σf - 2 tr (Σr Σf)^½

Source: Heusel et al. 2017, https://arxiv.org/abs/1706.08500, equation 6; Dowson and Landau 1982 for the distance.

The trace needs no matrix root: with a factor Σr = F Fᵀ it is the sum of the square roots of the eigenvalues of the symmetric
Fᵀ Σf F. These are real, and rounding cannot make the distance complex. The reference keeps its factor, so each further
distance to it costs one symmetric eigenproblem. Where a side has no more images than dimensions, its factor is thin and the
eigenproblem has the size of that side.

Bias: between finite samples the distance is too large by about a constant / n; `bias_corrected` is a ten-block jackknife's.
Error: both sides' influence functions. Near distance zero their first derivative vanishes and the error bar is conservative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genbench.errors import DataError, UsageError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.gaussian import Moments, without
from genbench.metrics._checks import check_rows, check_same_width
from genbench.metrics._symmetric import congruence, eigenvalues, eigenvectors
from genbench.metrics.base import FeatureSet, Metric
from genbench.seeding import generator

BLOCKS = 10  # of the jackknife
ROWS = 4096  # features in float64 at a time


def frechet_distance(*, real: Moments, fake: Moments) -> float:
    """|μr - μf|² + tr Σr + tr Σf - 2 tr (Σr Σf)^½, at least 0, in squared units of the features.

    Means (D,) and covariances (D, D) float64 with divisor n - 1. Cheapest when real.factor is known already.
    """
    inner, outer = (fake, real) if _is_thinner(fake, real) else (real, fake)
    roots = _roots(eigenvalues(congruence(inner.factor, outer.cov)))
    return _distance(real, fake, float(roots.sum()))


def compute(*, real: FeatureSet, fake: FeatureSet) -> dict[str, Estimate]:
    """{"fd": Estimate}; of either side all features, a subsample of them with the moments of all, or moments alone.

    The error bar needs features of `fake`. A reference known by its moments alone, or by an unknown number of images, counts as
    exact, and `reason` says so. A subsample gives the variance of the influence, and the number of all images divides it.
    bias_corrected: of the sides whose features are complete; None where one of them would have no more images than dimensions
    after losing a block, since there the bias is no longer like 1/n.
    Raises DataError for too few images or numbers that are not finite, IncomparableError for different widths.
    """
    _check(real, "real")
    _check(fake, "fake")
    real_moments, fake_moments = real.gaussian, fake.gaussian
    check_same_width(real=len(real_moments.mean), fake=len(fake_moments.mean))
    if fake.n is None:
        raise UsageError("E-NO-COUNT", "fid needs to know how many fake images are behind the moments")
    if fake.features is None:
        value = frechet_distance(real=real_moments, fake=fake_moments)
        missing = "an error bar needs the features of the fake images, not their moments alone"
        return {"fd": Estimate(value=value, n=fake.n, n_real=real.n, better="lower", reason=missing)}

    coupling = _couple(real=real_moments, fake=fake_moments)
    value = _distance(real_moments, fake_moments, coupling.trace)
    pull = Influence(
        fake=_influence(fake.features, fake_moments.mean, real_moments.mean, coupling.fake),
        real=None if real.features is None else _influence(real.features, real_moments.mean, fake_moments.mean, coupling.real),
    )
    variance = float(pull.fake.var()) / fake.n
    reason = None
    if pull.real is None:
        reason = "the error bar takes the reference as exact: its features are not known"
    elif real.n is None:
        reason = "the error bar takes the reference as exact: it does not say how many images it holds"
    else:
        variance += float(pull.real.var()) / real.n
    se = variance**0.5
    bias = _jackknife_bias(real, fake, value)
    return {
        "fd": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="influence",
            n=fake.n,
            n_real=real.n,
            better="lower",
            bias_corrected=None if bias is None else value - bias,
            reason=reason,
            influence=pull,
        )
    }


def _check(side: FeatureSet, name: Literal["real", "fake"]) -> None:
    if side.features is not None:
        check_rows(side.features, side=name, metric="fid", at_least=2)
    if side.moments is not None and not (side.moments.mean.isfinite().all() and side.moments.cov.isfinite().all()):
        raise DataError("E-NON-FINITE", f"the moments of the {name} images are not finite")


def _is_thinner(one: Moments, other: Moments) -> bool:
    """Whether `one` has a known factor with fewer columns, so that the eigenproblem shrinks when it is the inner one."""
    return one.stored_factor is not None and one.stored_factor.shape[1] < other.factor.shape[1]


def _roots(spectrum: Tensor) -> Tensor:
    """Square roots of the eigenvalues (R,); those that rounding alone can explain, negative ones among them, count as 0."""
    noise = spectrum.abs().sum() * torch.finfo(spectrum.dtype).eps
    return torch.where(spectrum > noise, spectrum, 0).sqrt()


def _distance(real: Moments, fake: Moments, trace_of_root: float) -> float:
    mean_term = (real.mean - fake.mean).square().sum()
    return max(0.0, float(mean_term + real.cov.trace() + fake.cov.trace()) - 2 * trace_of_root)


@dataclass(frozen=True, kw_only=True)
class _Coupling:
    """tr (Σr Σf)^½, and for each side W (D, R) such that W Wᵀ = 2 ∂trace/∂Σ of that side."""

    trace: float
    real: Tensor
    fake: Tensor


def _couple(*, real: Moments, fake: Moments) -> _Coupling:
    """The optimal transport between the two Gaussians; W Wᵀ is its linear map, from that side to the other.

    With inner = F Fᵀ and Fᵀ Σ F = Q S² Qᵀ, the outer side's map is F Q S⁻¹ Qᵀ Fᵀ and the inner side's is its inverse, which is
    (Σ F Q) S⁻³ (Σ F Q)ᵀ. Directions in which either side has no spread are left out, so singular covariances are served too.
    """
    swapped = _is_thinner(fake, real)
    inner, outer = (fake, real) if swapped else (real, fake)
    spectrum, vectors = eigenvectors(congruence(inner.factor, outer.cov))
    roots = _roots(spectrum)
    spread = roots > 0
    directions = inner.factor @ vectors[:, spread]
    of_outer = directions / roots[spread].sqrt()
    of_inner = outer.cov @ directions / roots[spread].pow(1.5)
    trace = float(roots.sum())
    if swapped:
        return _Coupling(trace=trace, real=of_outer, fake=of_inner)
    return _Coupling(trace=trace, real=of_inner, fake=of_outer)


def _influence(features: Tensor, mean: Tensor, other_mean: Tensor, W: Tensor) -> Tensor:
    """(N,) of 2(μ - μ')·(x - μ) + (x - μ)ᵀ(I - W Wᵀ)(x - μ), less its mean: the derivative with respect to the weight of x."""

    def of_rows(rows: Tensor) -> Tensor:
        centred = rows.to(torch.float64) - mean
        return 2 * centred @ (mean - other_mean) + centred.square().sum(1) - (centred @ W).square().sum(1)

    raw = torch.cat([of_rows(rows) for rows in features.split(ROWS)])
    return raw - raw.mean()


def _jackknife_bias(real: FeatureSet, fake: FeatureSet, value: float) -> float | None:
    """(g - 1)(mean of the g distances without one block - the distance); every side with complete features loses a block."""
    complete = [side.features for side in (real, fake) if side.complete and side.features is not None]
    left = [(len(features) * (BLOCKS - 1) // BLOCKS, features.shape[1]) for features in complete]
    if not complete or any(images <= dim for images, dim in left):
        return None

    real_without, fake_without = _leaving_out(real), _leaving_out(fake)

    def distance_without(block: int) -> float:
        return frechet_distance(real=real_without(block), fake=fake_without(block))

    distances = [distance_without(block) for block in range(BLOCKS)]
    return (BLOCKS - 1) * (sum(distances) / BLOCKS - value)


def _leaving_out(side: FeatureSet) -> Callable[[int], Moments]:
    """block -> the moments without it; of a side whose features are not complete, always all."""
    features, whole = side.features, side.gaussian
    if features is None or not side.complete:
        return lambda block: whole
    blocks = _blocks(features)
    return lambda block: without(whole, features[blocks == block])


def _blocks(features: Tensor) -> Tensor:
    """(N,) the jackknife block of each image."""
    blocks = torch.empty(len(features), dtype=torch.int64, device=features.device)
    blocks[shuffled(features, 0, "fid/jackknife")] = torch.arange(len(features), device=features.device) % BLOCKS
    return blocks


def shuffled(features: Tensor, seed: int, purpose: str) -> Tensor:
    """(N,) indices of the images in random order, since they come sorted by class or cycle through the classes.

    What is shuffled is the order by content, so that it is the same order of images however these are given.
    """
    by_content = features.sum(1).argsort(stable=True)
    return by_content[torch.from_numpy(generator(seed, purpose).permutation(len(features))).to(features.device)]


metric = Metric(
    compute=compute,
    takes="distributions",
    reports={"fd": "lower"},
    on={"inception": {"fd": "fid"}, "inception.spatial": {"fd": "sfid"}},
    min_n=500,
    error_bar=(
        "Influence functions of both sides (a reference known by its moments alone counts as exact); the bias-corrected value "
        "is a ten-block jackknife's. Near distance zero the error bar is conservative."
    ),
    summary="Fréchet distance between Gaussians fitted to the features of real and generated images",
    sees="every difference of means and covariances of the features, of quality and diversity alike",
    blind="copies of training images, prompts, anything beyond second moments",
    source="Heusel et al. 2017, https://arxiv.org/abs/1706.08500",
)
