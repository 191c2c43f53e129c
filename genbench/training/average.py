"""The moving average of a model's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from genbench.models.base import GenerativeModel

RAMP = 0.05  # the half-life never exceeds this share of the images seen


class WeightAverage:
    """An exponential moving average (EMA) with a half-life in images, whatever the batch size.

    A long half-life would keep the random initial weights alive in a short run: after 5,000 steps a decay of 0.9999 still
    holds 61 % of them. So it ramps up with the images seen (Karras et al. 2022, https://arxiv.org/abs/2206.00364, and
    StyleGAN2 before). Buffers are copied.

    model: a copy with the averaged weights, in evaluation mode.
    """

    def __init__(self, model: GenerativeModel, half_life: float) -> None:
        self.half_life = half_life
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._averaged: list[Tensor] = list(self.model.parameters())
        self._current: list[Tensor] = list(model.parameters())
        self._copies, self._buffers = list(self.model.buffers()), list(model.buffers())

    @torch.no_grad()
    def update(self, *, images_seen: int, new_images: int) -> None:
        """Account for a step with `new_images`, after which `images_seen` have been drawn in all."""
        half_life = min(self.half_life, RAMP * images_seen)
        torch._foreach_lerp_(self._averaged, self._current, 1 - 0.5 ** (new_images / half_life))
        if self._buffers:
            torch._foreach_copy_(self._copies, self._buffers)
