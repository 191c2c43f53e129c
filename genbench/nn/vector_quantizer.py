"""Nearest code of a learned codebook that follows the encoder's outputs by moving averages.

Source: van den Oord et al. 2017, Neural Discrete Representation Learning, https://arxiv.org/abs/1711.00937, equations 1 to 3,
with the codebook of its appendix A.1. Codes that nothing has chosen for a while are put where an encoder's output lies; else
a few of them end up doing all the work.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DECAY = 0.99
DEAD_AFTER = 50  # updates in which nothing chose a code


@dataclass(frozen=True)
class Quantized:
    """values: (B, D, H, W), the codes with the gradient of what they stand for; indices: (B, H, W) int64.

    commitment: mean squared distance of the encoder's outputs to their codes; its gradient reaches the encoder alone.
    """

    values: Tensor
    indices: Tensor
    commitment: Tensor


class VectorQuantizer(nn.Module):
    """A codebook of `codes` vectors with `dimensions` entries. It has no parameters, only buffers that `update` changes."""

    codebook: Tensor
    counts: Tensor
    idle: Tensor

    def __init__(self, codes: int, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.randn(codes, dimensions))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("idle", torch.zeros(codes, dtype=torch.int64))

    def forward(self, z: Tensor) -> Quantized:
        """(B, D, H, W) -> its nearest codes. Changes nothing."""
        indices = self.nearest(z)
        values = self.lookup(indices)
        return Quantized(straight_through(z, values), indices, F.mse_loss(z.float(), values))

    def nearest(self, z: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, H, W) int64, in float32 whatever the precision: distances of bfloat16 mix up codes."""
        return torch.cdist(_rows(z.detach()), self.codebook).argmin(1).view(len(z), *z.shape[2:])

    def lookup(self, indices: Tensor) -> Tensor:
        """(B, H, W) int64 -> (B, D, H, W)."""
        return self.codebook[indices].movedim(-1, 1)

    @torch.no_grad()
    def initialize(self, z: Tensor) -> None:
        """Codes at random outputs (B, D, H, W) of an encoder."""
        self.codebook.copy_(_some(_rows(z), len(self.codebook)))
        self.counts.fill_(1)
        self.idle.zero_()

    @torch.no_grad()
    def update(self, z: Tensor) -> None:
        """Move every code towards the mean of the outputs that chose it, and a dead one to a random output."""
        rows = _rows(z)
        chosen = F.one_hot(self.nearest(z).flatten(), len(self.codebook)).to(rows.dtype)
        counts = chosen.sum(0)
        new_counts = torch.lerp(counts, self.counts, DECAY)
        sums = torch.lerp(chosen.T @ rows, self.codebook * self.counts[:, None], DECAY)
        self.idle.copy_(torch.where(counts > 0, 0, self.idle + 1))
        dead = self.idle >= DEAD_AFTER
        self.codebook.copy_(torch.where(dead[:, None], _some(rows, len(self.codebook)), sums / new_counts[:, None]))
        self.counts.copy_(torch.where(dead, 1.0, new_counts))
        self.idle.masked_fill_(dead, 0)


def straight_through(z: Tensor, values: Tensor) -> Tensor:
    """`values` forwards, the identity of z backwards."""
    return z + (values - z).detach()


def perplexity(indices: Tensor, codes: int) -> float:
    """How many of the codes are in use, in effect: exp of the entropy of their frequencies; 1 to `codes`."""
    frequency = torch.bincount(indices.flatten(), minlength=codes).double() / indices.numel()
    return float(torch.special.entr(frequency).sum().exp())


def _rows(z: Tensor) -> Tensor:
    """(B, D, H, W) -> (BHW, D) float32."""
    return z.movedim(1, -1).flatten(0, -2).float()


def _some(rows: Tensor, n: int) -> Tensor:
    """(n, D) rows at random, each at most once while there are enough."""
    order = torch.randperm(len(rows), device=rows.device)
    return rows[order[torch.arange(n, device=rows.device) % len(rows)]]
