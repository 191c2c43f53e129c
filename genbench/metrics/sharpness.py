"""Sharpness: the energy of fine detail in generated images against that in real ones.

    sharpness = log2 (mean over fake images of E / mean over real images of E),   E = energy at r >= 1/2

where r is the spatial frequency in units of Nyquist's, half a cycle per pixel, and E sums the power spectrum over the outer
rings of the extractor `spectrum`, each as large as its part of the frequency plane. A blurred image has lost this energy:
-1 is half of it, an amplitude of 0.71. Noise and checkerboards add to it. That generated images lack it, or have too much, is
how they are told by their spectra: Durall et al. 2020, https://arxiv.org/abs/2003.01826.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.errors import UsageError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics.base import Metric

RINGS = 8  # ring k: k/8 <= r < (k + 1)/8 in a square of side 2; the last one reaches into the corners
AREAS = (*(math.pi * (2 * k + 1) / RINGS**2 for k in range(RINGS - 1)), 4 - math.pi * (1 - 1 / RINGS) ** 2)
LOWEST, HIGHEST = -10.0, 40.0  # spectrum's begin at log2 0.01 = -6.6, and log2 (255² x pixels) is above 40 at no size in use
HALF = RINGS // 2  # the first ring above half of Nyquist's frequency


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"sharpness": Estimate} of (M, 8) and (N, 8) log2 powers of rings.

    details["low_frequencies"] is the same logarithm for r < 1/2: where it is as far from 0, contrast differs and not sharpness.
    Raises UsageError for features of another width or beyond spectrum's range, DataError for fewer than 2 images or
    numbers that are not finite.
    """
    check_pair(real=real, fake=fake, metric="sharpness")
    if real.shape[1] != RINGS:
        hint = "extract the features with spectrum, the default of this metric"
        raise UsageError("E-SHAPE", f"sharpness takes the {RINGS} rings of spectrum, not {real.shape[1]} features", hint=hint)
    for side, features in (("real", real), ("fake", fake)):
        least, most = float(features.min()), float(features.max())
        if least < LOWEST or most > HIGHEST:
            raise UsageError(
                "E-RANGE",
                f"sharpness takes log2 powers from {LOWEST:g} to {HIGHEST:g}; {side} ones go from {least:.3g} to {most:.3g}",
                hint="extract the features with spectrum, the default of this metric",
            )
    energy_real, energy_fake = _energy(real, HALF, RINGS), _energy(fake, HALF, RINGS)
    value = math.log2(energy_fake.mean() / energy_real.mean())
    pull_real, pull_fake = _pull(energy_real), _pull(energy_fake)
    se = math.sqrt(float(pull_real.var()) / len(real) + float(pull_fake.var()) / len(fake))
    low = math.log2(_energy(fake, 0, HALF).mean() / _energy(real, 0, HALF).mean())
    return {
        "sharpness": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="influence",
            n=len(fake),
            n_real=len(real),
            better="zero",
            details={"low_frequencies": low},
            influence=Influence(fake=pull_fake, real=-pull_real),
        )
    }


def _energy(features: Tensor, first: int, end: int) -> Tensor:
    """(N,) energy of each image in the rings from `first` to `end`, in squared levels per pixel."""
    areas = features.new_tensor(AREAS[first:end], dtype=torch.float64) / 4
    return (features[:, first:end].double().exp2() * areas).sum(1)


def _pull(energy: Tensor) -> Tensor:
    """(N,) how much each image pulls at log2 of the mean energy (delta method)."""
    return (energy / energy.mean() - 1) / math.log(2)


metric = Metric(
    compute=compute,
    takes="features",
    reports={"sharpness": "zero"},
    extractor="spectrum",
    min_n=100,
    error_bar="Delta method for the logarithm of a ratio of means, over the images of both sides.",
    summary="log2 ratio of the energy at high spatial frequencies of generated images to that of real ones",
    sees="blur (negative), noise and checkerboards (positive); also contrast, for which the low frequencies are in details",
    blind="what the images show, colour, mode collapse, copies of training images",
    source="Durall et al. 2020, https://arxiv.org/abs/2003.01826",
)
