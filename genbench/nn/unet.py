"""The U-Net of diffusion models: residual blocks that hear an embedding, one resolution after another, down and up again.

Source: Ho et al. 2020, https://arxiv.org/abs/2006.11239, appendix B. Smaller here: one residual block a resolution unless told
otherwise, attention (one head) at the lowest resolution only, 8 groups in a normalisation, no convolution behind upsampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """x (B, inputs, H, W) and an embedding (B, E) of time, class, ... -> (B, outputs, H, W); zero before training.

    channels: at full resolution; multipliers: of the channels at each resolution, half as large as the one before, rounded up,
    so that every size works; blocks: residual blocks at each resolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        embedding: int,
        channels: int = 32,
        multipliers: Sequence[int] = (1, 2, 2),
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, channels, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width, skips = channels, [channels]
        for level, multiplier in enumerate(multipliers):
            for block in range(blocks):
                stride = 2 if level > 0 and block == 0 else 1
                self.down.append(ResidualBlock(width, channels * multiplier, embedding, stride=stride))
                width = channels * multiplier
                skips.append(width)
        self.middle = nn.ModuleList([ResidualBlock(width, width, embedding), ResidualBlock(width, width, embedding)])
        self.attention = SelfAttention(width)
        for skip in reversed(skips):
            self.up.append(ResidualBlock(width + skip, skip, embedding))
            width = skip
        self.head = nn.Sequential(_norm(width), nn.SiLU(), _zero(nn.Conv2d(width, outputs, 3, padding=1)))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        skips = [self.stem(x)]
        for block in self.down:
            skips.append(block(skips[-1], embedding))
        before, after = self.middle
        x = after(self.attention(before(skips[-1], embedding)), embedding)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            if x.shape[-2:] != skip.shape[-2:]:
                x = F.interpolate(x, skip.shape[-2:], mode="nearest")
            x = block(torch.cat((x, skip), 1), embedding)
        return self.head(x)


class ResidualBlock(nn.Module):
    """(B, C, H, W) and (B, E) -> (B, C', H / stride, W / stride), rounded up; only the way past it before training."""

    def __init__(self, inputs: int, outputs: int, embedding: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, stride, padding=1))
        self.embed = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))
        self.second = nn.Sequential(_norm(outputs), nn.SiLU(), _zero(nn.Conv2d(outputs, outputs, 3, padding=1)))
        self.past = nn.Identity() if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.past(x) + self.second(self.first(x) + self.embed(embedding)[:, :, None, None])


class SelfAttention(nn.Module):
    """(B, C, H, W) -> the same shape: every place looks at all others, with one head; the identity before training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = _zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, -1)  # each (B, H W, C)
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(seen.transpose(1, 2).unflatten(2, x.shape[2:]))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)


def _zero(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution with weights 0, so that what it ends begins as nothing (Ho et al. 2020, in their code)."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
