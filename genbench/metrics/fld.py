"""Feature Likelihood Divergence: how well a density made from the generated images explains held-out images.

Each of N generated images is the centre of a Gaussian of its own variance, and all have the same weight. The variances maximise
the likelihood of the training images; so a copy of a training image gets a variance near zero, and is of no use for held-out
images. With features scaled to mean 0 and variance 1 over the held-out images, and D features:

    fld = -100 / D · mean over held-out x of log Σ_j 1/N · N(x; g_j, σ_j² I)

Source: Jiralerspong et al. 2023, https://arxiv.org/abs/2302.04440, section 3, with the constants of its published code: Adam
at a learning rate of 0.5, 50 steps, at most 10,000 generated images, and while fitting, a further Gaussian about the mean of
the training images, so that none of them is out of reach. `real` is the training set.

Differences: every step sees all training images at once, of which at most 10,000 are taken; both draws have a seed. The
published code has two forms. With no more images than that, this is the one that takes all 50 steps and keeps log variances
between -40 and 20. The other one stops once five losses in a row differ by less than 5e-4, and lets log variances rise to 40;
so where its fit stops early the numbers differ. The published number subtracts the value of a good generator, which is
one constant for a dataset and an extractor: 136.64 for CIFAR-10 on Inception, 128.61 on DINOv2 (B/14). Here nothing is
subtracted, since the order of two generators does not depend on it. Features that never vary over the held-out images are
left out.

Poor images, missing modes and copies all raise the value. It is unbounded: the variance of an exact copy falls until the fit
ends, so of generated images that are nothing but exact copies the value is astronomical, and only its size says anything.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate, normal_interval
from genbench.metrics._checks import check_three
from genbench.metrics._order import subsample
from genbench.metrics.base import Metric

ROWS = 256  # images whose distances to all centres are worked on at a time
BLOCK = 1024  # images of either side that are in memory in float64 at a time
STEPS, LR = 50, 0.5  # no early end: copies delay it, so sets with and without them would be fitted for different times
NEAREST = 1e-3  # added to a squared distance, so that the first variance of a copy is not zero
LOWEST, HIGHEST = -40.0, 20.0  # log variances
PULL_IN = 0.9  # training images seen from the Gaussian about their mean


def compute(*, real: Tensor, held_out: Tensor, fake: Tensor, largest: int = 10_000, seed: int = 0) -> dict[str, Estimate]:
    """{"fld": Estimate} of (M, D) training, (K, D) held-out and (N, D) generated features, in hundredths of nats per feature.

    Memory: the matrix of min(M, largest) x min(N, largest) distances in float32, 400 MB for the largest; 10,000 images of 2,048
    features on each side take some 80 s of one core.
    Raises DataError for too few images, numbers that are not finite, or held-out images that are all the same;
    IncomparableError for different widths.
    """
    check_three(real=real, held_out=held_out, fake=fake, metric="fld")
    scale = _Scale(held_out)
    centres = subsample(fake, largest, seed=seed, purpose="fld/fake")
    training = subsample(real, largest, seed=seed, purpose="fld/real")
    log_variances = _fit(training, centres, scale)
    values = -100 / scale.dim * _log_density(held_out, centres, log_variances, scale)
    value, se = float(values.mean()), float(values.std()) / len(values) ** 0.5
    return {
        "fld": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="mean",
            n=len(fake),
            n_real=len(real),
            better="lower",
            reason="the error bar takes the generated images and the fit to the training images as exact",
            details={"median_log_variance": float(log_variances.median()), "held_out": len(held_out)},
        )
    }


class _Scale:
    """Features -> float64, with mean 0 and variance 1 over the held-out images, without those that are constant there."""

    def __init__(self, held_out: Tensor) -> None:
        self.mean = _mean(held_out)
        squares = sum((rows.double() - self.mean).square().sum(0) for rows in held_out.split(ROWS))
        self.std = (torch.as_tensor(squares) / (len(held_out) - 1)).sqrt()
        self.varying = self.std > torch.finfo(torch.float32).eps * self.mean.abs()
        if not self.varying.any():
            raise DataError("E-CONSTANT", "all held-out images have the same features", hint="look at the held-out images")
        self.dim = int(self.varying.sum())

    def __call__(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.std)[:, self.varying]


def _fit(training: Tensor, centres: Tensor, scale: _Scale) -> Tensor:
    """(N,) float64 log variances of the centres under which the training images are likeliest."""
    dim = scale.dim
    squared = torch.empty(len(training), len(centres), device=centres.device)
    for some, into_columns in zip(centres.split(BLOCK), squared.split(BLOCK, dim=1), strict=True):
        scaled = scale(some)
        for rows, into in zip(training.split(BLOCK), into_columns.split(BLOCK), strict=True):
            into.copy_(_squared_distances(scale(rows), scaled))
    to_mean = PULL_IN**2 * _to_mean(training, scale)

    logs = ((squared.amin(0) + NEAREST) / dim).log().requires_grad_()
    middle = torch.zeros(1, device=centres.device, requires_grad=True)
    optimizer = torch.optim.Adam([logs, middle], lr=LR)
    for _ in range(STEPS):
        logs.grad, middle.grad = _slopes(squared, to_mean, logs.detach(), middle.detach(), dim)
        optimizer.step()
        with torch.no_grad():
            logs.clamp_(LOWEST, HIGHEST)
    return logs.detach().double()


def _slopes(squared: Tensor, to_mean: Tensor, logs: Tensor, middle: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The derivatives of minus the mean log likelihood per feature by the log variances (N,) and by that of the middle (1,)."""
    images, constant = len(squared), dim / 2 * math.log(2 * math.pi)
    precisions, middle_precision = (-logs).exp(), (-middle).exp()
    offset = -dim / 2 * logs - math.log(len(logs)) - constant
    slope, middle_slope = torch.zeros_like(logs, dtype=torch.float64), torch.zeros_like(middle, dtype=torch.float64)
    for distances, from_mean in zip(squared.split(ROWS), to_mean.split(ROWS), strict=True):
        halves = distances * precisions / 2
        middle_half = from_mean * middle_precision / 2
        parts = offset - halves
        of_middle = -middle_half - dim / 2 * middle - constant
        whole = torch.logaddexp(parts.logsumexp(1), of_middle)
        weights = parts.sub_(whole[:, None]).exp_()
        slope += halves.sub_(dim / 2).mul_(weights).sum(0, dtype=torch.float64)
        middle_slope += ((middle_half - dim / 2) * (of_middle - whole).exp()).sum(dtype=torch.float64)
    factor = -1 / (images * dim)
    return (factor * slope).to(logs.dtype), (factor * middle_slope).to(middle.dtype)


def _log_density(x: Tensor, centres: Tensor, log_variances: Tensor, scale: _Scale) -> Tensor:
    """(K,) float64 log density of the mixture at the features x (K, D)."""
    constant = scale.dim / 2 * math.log(2 * math.pi) + math.log(len(centres))
    density = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
    for some, logs in zip(centres.split(BLOCK), log_variances.split(BLOCK), strict=True):
        scaled = scale(some)
        for rows, into in zip(x.split(BLOCK), density.split(BLOCK), strict=True):
            parts = -_squared_distances(scale(rows), scaled) * (-logs).exp() / 2 - scale.dim / 2 * logs
            into.copy_(torch.logaddexp(into, parts.logsumexp(1) - constant))
    return density


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(B, N) float64; what rounding leaves between copies counts as zero."""
    squares = x.square().sum(1)[:, None] + y.square().sum(1)
    squared = torch.addmm(squares, x, y.T, alpha=-2)
    return torch.where(squared > 1e-12 * squares, squared, 0)


def _mean(features: Tensor) -> Tensor:
    """(D,) float64, without a copy of all features in float64."""
    return torch.stack([rows.sum(0, dtype=torch.float64) for rows in features.split(ROWS)]).sum(0) / len(features)


def _to_mean(training: Tensor, scale: _Scale) -> Tensor:
    """(M,) float32 squared distance of each training image to the mean of all."""
    mean = scale(_mean(training)[None])
    return torch.cat([(scale(rows) - mean).square().sum(1) for rows in training.split(BLOCK)]).float()


metric = Metric(
    compute=compute,
    takes="held_out",
    reports={"fld": "lower"},
    protocols={"": {"largest": 10_000, "seed": 0}},
    min_n=500,
    error_bar=(
        "Spread of the log likelihood over the held-out images, with the generated images, the training images and the fit "
        "held fixed; so the chance in which images were generated is not in it."
    ),
    summary="Feature Likelihood Divergence: how badly a density made of the generated images explains held-out images",
    sees="poor images, missing diversity and copies of training images, all at once",
    blind="which of the three it was; collapse to the mean where the features are nearly one Gaussian, which scores best",
    source="Jiralerspong et al. 2023, https://arxiv.org/abs/2302.04440",
)
