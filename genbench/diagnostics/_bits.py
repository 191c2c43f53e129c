"""Bits per dimension of a batch, image by image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genbench import images
from genbench.batch import Batch
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Subject
from genbench.seeding import Noise


def bits(subject: Subject, log_prob: Callable[[Batch, Noise], Tensor], batch: Batch, purpose: str) -> Tensor:
    """(N,) float64: -log2 p / D of every image of the batch; of continuous data, of their log density.

    log_prob: the model's own, or a tighter bound. The same `purpose` gives image i the same chance.
    """
    parts = []
    with at_rest(subject.model):
        for rows in blocks(len(batch)):
            chosen = Batch(x=batch.x[rows], condition=batch.condition.select(rows))
            parts.append(log_prob(chosen, subject.noise(rows, purpose)).cpu().double())
    return images.bits_per_dim(torch.cat(parts), subject.model.spec.dimensions)
