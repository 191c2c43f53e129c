"""Blur and noise: the energy of samples at high spatial frequencies against that of test images.

Means of posteriors blur, as a variational autoencoder's samples do; draws of independent pixels and checkerboards of strided
convolutions are noise. So the number has two sides, and 0 is best. Durall et al. 2020 tell generated images by it.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from genbench import images
from genbench.diagnostics.base import BATCH, Diagnostic, Reading, Subject, colour
from genbench.estimate import Estimate
from genbench.features.spectrum import Spectrum
from genbench.metrics import sharpness


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"sharpness_gap"}; the same for low frequencies in the details."""
    found = sharpness.compute(real=spectra(subject.real.x), fake=spectra(subject.samples))["sharpness"]
    return {"sharpness_gap": dataclasses.replace(found, influence=None)}


def spectra(x: Tensor) -> Tensor:
    """(N, C, H, W) in [-1, 1] -> (N, 8), the rings of `spectrum`, on the CPU."""
    extractor = Spectrum()
    return torch.cat([extractor(part, ["pool"])["pool"].cpu() for part in colour(images.to_uint8(x)).split(BATCH)])


diagnostic = Diagnostic(
    applies=lambda model: not (model.spec.is_points or model.spec.frames),
    compute=compute,
    reports={
        "sharpness_gap": Reading(
            meaning=(
                "log2 of the samples' energy above half of Nyquist's frequency over that of test images: -1 is half the "
                "energy, a blur; above 0 there is noise, or contrast is too high (then `low_frequencies` is above 0 too)."
            ),
            usual=(-0.5, 0.5),
            advice=(
                "below: an adversarial or perceptual loss, more latents, more steps of the sampler; above: show means "
                "instead of draws, a lower temperature, longer training"
            ),
        )
    },
    quick=True,
    source="Durall et al. 2020, https://arxiv.org/abs/2003.01826",
)
