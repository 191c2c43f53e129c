"""Passes of a model's networks over images, which leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from genbench.diagnostics.base import BATCH
from genbench.features._precision import computing
from genbench.models.base import device_of, evaluating


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode and computes in float32 without gradients; afterwards it is as it was.

    So is torch's own chance, which a diagnostic has no use for but the layers of a network that is being built have.
    """
    with evaluating(model), torch.random.fork_rng(devices=[]), computing("fp32", device_of(model)):
        yield


def blocks(n: int) -> list[slice]:
    """Of `n` rows, `BATCH` at a time."""
    return [slice(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


def in_blocks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function` of `BATCH` rows at a time, its values joined."""
    return torch.cat([function(x[block]) for block in blocks(len(x))])
