"""Walks between two latents: whether images change evenly on the way, and whether those in the middle look real.

A model that remembers single images stands still near each and jumps between them. One whose latents have holes makes images in
the middle of a walk that are farther from every real one than those at its ends. White 2016 walks on arcs for the same reason
as here: the chord between normal latents runs through a place where none are drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from genbench.diagnostics._estimates import ratio_of_means
from genbench.diagnostics._walks import conditions, decoded, slerp
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, mean_estimate
from genbench.models.base import HasLatents

STEPS = 10  # of a walk; an even number has a middle


class Walks(NamedTuple):
    """steps: (P, STEPS) distances in features from image to image; middle, ends: (P,) distances to the nearest real image."""

    steps: Tensor
    middle: Tensor
    ends: Tensor


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"largest_step", "midpoint_distance"} of so many walks that they have about n images together."""
    walks = walk(subject)
    moved = walks.steps.mean(1) > 0
    if moved.any():
        steps = walks.steps[moved]
        evenness = mean_estimate(steps.amax(1) / steps.mean(1), better="lower")
    else:
        evenness = Estimate(value=None, n=len(moved), better="lower", reason="no image changes on its walk")
    distance = ratio_of_means(
        walks.middle,
        walks.ends,
        better="lower",
        nothing="the ends of every walk are copies of real images",
        n_real=len(subject.trained_on),
    )
    return {"largest_step": evenness, "midpoint_distance": distance}


def walk(subject: Subject) -> Walks:
    """Walks of STEPS steps on arcs between pairs of latents, both ends under the same condition."""
    model = subject.model
    assert isinstance(model, HasLatents)
    paths = max(2, subject.n // (STEPS + 1))
    start, end = (model.draw_latents(subject.noise(paths, f"interpolation/{end}")) for end in ("start", "end"))
    which = torch.arange(paths).repeat_interleave(STEPS + 1)
    share = (torch.arange(STEPS + 1, dtype=torch.float64) / STEPS).repeat(paths)
    z = slerp(start[which.to(start.device)], end[which.to(start.device)], share)
    made = decoded(subject, z, conditions(subject, which))
    features = subject.smooth_features(made).double().unflatten(0, (paths, STEPS + 1))
    real = subject.smooth_features(subject.trained_on.x).double()

    def nearest(some: Tensor) -> Tensor:
        return torch.cdist(some, real, compute_mode="donot_use_mm_for_euclid_dist").amin(1)

    ends = (nearest(features[:, 0]) + nearest(features[:, -1])) / 2
    return Walks(features.diff(dim=1).norm(dim=2), nearest(features[:, STEPS // 2]), ends)


diagnostic = Diagnostic(
    applies=lambda model: isinstance(model, HasLatents) and not model.spec.frames,
    compute=compute,
    reports={
        "largest_step": Reading(
            meaning=(
                "The largest of the ten steps of a walk between two latents over the mean step, in features of `tiny`: 1 if "
                "images change evenly, 10 if they change at once."
            ),
            usual=(None, 4.0),
            advice=(
                "images jump: the model may hold single images in memory, see `memorisation`; train on more images, or with "
                "a smaller learning rate"
            ),
        ),
        "midpoint_distance": Reading(
            meaning=(
                "Distance in features from the image in the middle of a walk to the nearest training image, over that of the "
                "images at its ends: 1 if images between two samples look as real as samples."
            ),
            usual=(None, 1.25),
            advice="there are holes between samples: give the latents a prior they fill, or fit one to them",
        ),
    },
    quick=False,
    source="White 2016, https://arxiv.org/abs/1609.04468",
)
