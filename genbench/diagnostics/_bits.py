"""Bits per dimension of a batch, image by image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genbench import images
from genbench.batch import Batch
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Subject
from genbench.models.base import Scores
from genbench.seeding import Noise


def bits(subject: Subject, batch: Batch, purpose: int, **settings: Any) -> Tensor:
    """(N,) float64: -log2 p / D of every image of the batch; of continuous data, of their log density.

    settings: further keyword arguments of the model's `log_prob`. The same `purpose` gives image i the same chance.
    """
    model, parts = subject.model, []
    assert isinstance(model, Scores)
    with at_rest(subject.model):
        for rows in blocks(len(batch)):
            chosen = Batch(x=batch.x[rows], condition=batch.condition.select(rows))
            noise = Noise(subject.seed + 1_000 * purpose, range(rows.start, rows.stop), device=subject.device)
            parts.append(model.log_prob(chosen, noise, **settings).cpu().double())
    return images.bits_per_dim(torch.cat(parts), subject.model.spec.dimensions)
