"""Memorisation: samples that are training images but for a little, and samples nearer to training images than test images are.

Test images tell what is chance: they cannot be copies, so what they reach is subtracted, or stands in the details. Features are
`tiny`'s, of all training images.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, normal_interval
from genbench.metrics import authenticity, near_copies

BLOCK = 1024  # training images that are on the device at a time


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"copied", "authenticity_gap"}, both less what test images have."""
    train, fake, test = training_features(subject), subject.features(subject.samples), subject.features(subject.real.x)
    copies = [near_copies.compute(real=train, fake=side)["near_copies"] for side in (fake, test)]
    authentic = [authenticity.compute(real=train, fake=side)["authenticity"] for side in (fake, test)]
    return {"copied": _excess(*copies), "authenticity_gap": _excess(*authentic)}


def training_features(subject: Subject) -> Tensor:
    """(M, D) of every training image, on the CPU."""
    train = subject.data.train
    blocks = [train.select(slice(start, start + BLOCK)) for start in range(0, len(train), BLOCK)]
    return torch.cat([subject.features(block.to(subject.device).batch().x) for block in blocks])


def _excess(samples: Estimate, test: Estimate) -> Estimate:
    """The share among samples less that among test images, two independent sets; training images are held fixed."""
    value = float(samples) - float(test)
    se = math.hypot(samples.se or 0.0, test.se or 0.0)
    return dataclasses.replace(
        samples,
        value=value,
        se=se,
        ci=normal_interval(value, se),
        details={**samples.details, "samples": float(samples), "test": float(test)},
        influence=None,
    )


diagnostic = Diagnostic(
    # Near copies of points of the plane are common by chance, and a model of one image cannot but repeat it.
    applies=lambda model: not (model.spec.frames or model.spec.is_points or model.task == "single_image"),
    compute=compute,
    reports={
        "copied": Reading(
            meaning=(
                "Share of samples three times nearer to a training image than its nearest other training image is, less the "
                "share of test images that are so by chance, in features of `tiny`."
            ),
            usual=(None, 0.02),
            advice="the model repeats training images: train on more of them or for fewer steps, or with augmentation",
        ),
        "authenticity_gap": Reading(
            meaning=(
                "Share of samples farther from their nearest training image than that one is from its own nearest, less "
                "the same share of test images. Below 0, samples lie nearer to training images than new images do."
            ),
            usual=(-0.15, None),
            advice="the model stays close to training images: more of them, fewer steps; far above 0 see quality instead",
        ),
    },
    quick=False,
    source="Yoon et al. 2023, Diffusion Probabilistic Models Generalize when They Fail to Memorize; Alaa et al. 2022, "
    "https://arxiv.org/abs/2102.08921",
)
