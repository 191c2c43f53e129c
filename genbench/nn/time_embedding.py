"""What a network is told of time or of the level of noise: waves of a number, then two linear layers.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5 (the waves), used for time in Ho et al. 2020.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """t (B,), any real numbers -> (B, width).

    The waves have `width` / 2 frequencies from 1 down to 1e-4 radians per unit of t, so t should run over hundreds of units:
    pass the step 1..1000, or 1000 times a continuous time in [0, 1]. `width` is even.
    """

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(-math.log(1e4) * torch.linspace(0, 1, width // 2)), persistent=False)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        angles = t.to(torch.float32)[:, None] * self.frequencies
        return self.layers(torch.cat((angles.sin(), angles.cos()), 1))
