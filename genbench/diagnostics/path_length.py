"""Perceptual path length: how far an image moves, seen through a network, for a tiny step on a walk between two latents.

    PPL = mean of d(G(z_t), G(z_{t+eps})) / eps²,   t uniform in [0, 1],   eps = 1e-4,   d the squared distance of features

Source: Karras et al. 2019, https://arxiv.org/abs/1812.04948, section 4.1. As there, a walk is the arc between normal latents,
and the smallest and the largest hundredth of the numbers are left out. Different: d is the squared distance of features of
`tiny`, from images that are not rounded to 8 bits (of points, of their coordinates), and not LPIPS. So the numbers compare with
each other alone.

`path_length` grows with the spread of a model's features; its ratio to the squared distance between the ends of the walks does
not. Where features move evenly and straight to the other end the ratio is 1; a walk that jumps, or strays, is longer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genbench.diagnostics._estimates import ratio_of_means
from genbench.diagnostics._walks import conditions, decoded, slerp
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, mean_estimate
from genbench.models.base import HasLatents

STEP = 1e-4
KEPT = (1, 99)  # percentiles between which a path is counted
PATHS = 256  # at most


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"path_length", "path_length_ratio"} of min(n, 256) walks."""
    steps, chords = squared_speeds(subject)
    steady = steady_mean(steps)
    ratio = ratio_of_means(steady, chords, better="lower", nothing="the ends of every walk give the same image")
    return {"path_length": mean_estimate(steady, better="lower"), "path_length_ratio": ratio}


def squared_speeds(subject: Subject) -> tuple[Tensor, Tensor]:
    """(P,) squared distance of features per squared step, at a random place of each walk, and (P,) of each walk's ends."""
    model = subject.model
    assert isinstance(model, HasLatents)
    n = min(subject.n, PATHS)
    start, end = (model.draw_latents(subject.noise(n, f"path_length/{end}")) for end in ("start", "end"))
    share = subject.noise(n, "path_length/place").uniform().cpu().double() * (1 - STEP)
    condition = conditions(subject, torch.arange(n))

    def features(z: Tensor) -> Tensor:
        return subject.smooth_features(decoded(subject, z, condition)).double()

    near = features(slerp(start, end, share + STEP)) - features(slerp(start, end, share))
    return near.square().sum(1) / STEP**2, (features(end) - features(start)).square().sum(1)


def steady_mean(values: Tensor) -> Tensor:
    """(N,) whose mean is that of the values between two percentiles, and whose spread gives the error of that mean.

    The influence of a value on a trimmed mean is that of the value brought to the nearest percentile, over the share kept
    (Huber 1981, Robust statistics, section 3.3).
    """
    numbers = values.numpy()
    low, high = np.percentile(numbers, KEPT[0], method="lower"), np.percentile(numbers, KEPT[1], method="higher")
    kept = values[(values >= float(low)) & (values <= float(high))]
    brought = values.clamp(float(low), float(high))
    return kept.mean() + (brought - brought.mean()) * (len(values) / len(kept))


diagnostic = Diagnostic(
    applies=lambda model: isinstance(model, HasLatents) and not model.spec.frames,
    compute=compute,
    reports={
        "path_length": Reading(
            meaning=(
                "Perceptual path length: squared distance that an image moves in features of `tiny` per squared step on the "
                "arc between two latents, at step 1e-4. It compares models on the same data."
            ),
            advice="compare it with another model on the same data; LPIPS in place of `tiny` gives the published numbers",
        ),
        "path_length_ratio": Reading(
            meaning=(
                "The path length over the squared distance between the ends of the walk: 1 if every image moves evenly and "
                "straight to the other end, more where it strays, or stands still and jumps."
            ),
            usual=(None, 20.0),
            advice="the latent space has cliffs: try a smaller learning rate, a gradient penalty, or more training images",
        ),
    },
    quick=True,
    source="Karras et al. 2019, https://arxiv.org/abs/1812.04948",
)
