"""Exposure bias of autoregressive models: what becomes of a model that continues its own beginnings instead of real ones.

In training every value follows real ones; in sampling, values that the model drew itself. If it drifts, its own samples have
another likelihood than real images have, and its completions get worse the less of an image is given. Bengio et al. 2015 name
the problem.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from genbench.batch import Batch, Condition
from genbench.diagnostics._bits import bits
from genbench.diagnostics._estimates import finite_difference
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.models.base import GenerativeModel, Restores, Scores

SHARES = (0.25, 0.5, 0.75)  # of an image's rows that are given
HALF = 0.5


def applies(model: GenerativeModel) -> bool:
    """Exact likelihoods of levels, and completions of still images."""
    exact = isinstance(model, Scores) and model.likelihood == "exact"
    return exact and isinstance(model, Restores) and not model.spec.frames


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"own_bits_gap", "completion_fd"}."""
    model = subject.model
    assert isinstance(model, Scores)
    own, real_bits = (
        bits(subject, model.log_prob, batch, "exposure/likelihood")
        for batch in (Batch(x=subject.samples, condition=subject.conditions or Condition()), subject.real)
    )
    gap = finite_difference(own, real_bits)
    real = FeatureSet(features=subject.features(subject.real.x))
    made = {0.0: subject.samples[: len(subject.real)]} | {share: completed(subject, share) for share in SHARES}
    distances = {
        share: fid.compute(real=real, fake=FeatureSet(features=subject.features(images)))["fd"]
        for share, images in made.items()
    }
    details = {f"fd@{share:g}": float(distance) for share, distance in distances.items()}
    return {"own_bits_gap": gap, "completion_fd": dataclasses.replace(distances[HALF], details=details, influence=None)}


def completed(subject: Subject, share: float) -> Tensor:
    """The test images (N, C, H, W), with all below the first `share` of their rows drawn anew."""
    model, x = subject.model, subject.real.x
    assert isinstance(model, Restores)
    known = torch.zeros_like(x, dtype=torch.bool)
    known[..., : round(share * x.shape[-2]), :] = True
    parts = []
    with at_rest(subject.model):
        for rows in blocks(len(x)):
            parts.append(model.restore(x[rows], known[rows], subject.noise(rows, "exposure/completion")))
    return torch.cat(parts)


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "own_bits_gap": Reading(
            meaning=(
                "Bits per dimension of the model's own samples less those of test images. Below 0 it finds its samples "
                "likelier than real images, as a model does that overfits or repeats itself; above 0 its samples stray."
            ),
            usual=(-0.3, 0.3),
            advice="below: fewer steps, more dropout or more images; above: longer training, or a lower temperature",
        ),
        "completion_fd": Reading(
            meaning=(
                "Fréchet distance in features of `tiny` between test images and the same images with their lower half drawn "
                "by the model; the details have it for other shares. It should fall steadily as more is given."
            ),
            advice="if it is far larger without a beginning, errors pile up as the model continues itself",
        ),
    },
    quick=False,
    source="Bengio et al. 2015, https://arxiv.org/abs/1506.03099",
)
