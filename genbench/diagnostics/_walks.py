"""Walks through a latent space: points between two latents, and the images of latents."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.batch import Condition
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Subject
from genbench.errors import DataError
from genbench.models.base import HasLatents

PARALLEL = 1e-4  # sine of the angle below which the arc cannot be told from the chord
TINY = 1e-300  # for a latent of length 0


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Latents (B, ...) on the arc from `start` (share 0) to `end` (share 1), share (B,); in float64, on the CPU.

    The chord of two draws from N(0, I) runs through the middle, where no draws lie; the arc turns the direction at an even
    speed, and its length goes evenly from one to the other. Where both point the same way, or opposite ways, the direction
    goes along its chord.
    Source: White 2016, Sampling generative networks, https://arxiv.org/abs/1609.04468; of unit vectors, times the length: the
    formula for vectors of unequal length has no bound where they point opposite ways.
    """
    a, b, t = start.cpu().double().flatten(1), end.cpu().double().flatten(1), share.cpu().double()[:, None]
    a_length, b_length = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    a, b = a / a_length.clamp(min=TINY), b / b_length.clamp(min=TINY)
    angle = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    curved = sine > PARALLEL
    divisor = torch.where(curved, sine, 1)
    from_start = torch.where(curved, ((1 - t) * angle).sin() / divisor, 1 - t)
    from_end = torch.where(curved, (t * angle).sin() / divisor, t)
    walked = torch.lerp(a_length, b_length, t) * (from_start * a + from_end * b)
    return walked.view(start.shape).to(start)


def conditions(subject: Subject, rows: Tensor) -> Condition:
    """The conditions of those rows (B,) of `subject.conditions`; empty for a model without."""
    return (subject.conditions or Condition()).select(rows).to(subject.device)


def decoded(subject: Subject, z: Tensor, condition: Condition) -> Tensor:
    """Latents (B, ...) under their conditions -> images (B, C, H, W), not snapped to levels.

    Raises DataError where they are not finite.
    """
    model = subject.model
    assert isinstance(model, HasLatents)
    with at_rest(subject.model):
        made = torch.cat([model.from_latents(z[block], condition.select(block)) for block in blocks(len(z))])
    if not made.isfinite().all():
        raise DataError("E-NON-FINITE", f"images of {subject.model.title} on walks between latents are not finite")
    return made
