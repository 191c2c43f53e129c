"""Gated PixelCNN: the distribution of a grid of discrete values, one after another, without a blind spot.

Source: van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, https://arxiv.org/abs/1606.05328.

A vertical stack sees all rows above, a horizontal one the pixels to the left and, at every layer, the vertical stack; gates
tanh(a) σ(b) stand between the layers (equation 2). What differs, and why:

* The mask of the paper's first layer is a shift of the input by one row (vertical) or column (horizontal), and later masks
  are smaller kernels, so that no multiplication with a masked weight is computed.
* The layers are dilated 1, 2, 4, 1, ...: with kernels of 2 x 3 six layers see 14 pixels to every side and leave no hole.
* The vertical stack has residual connections too.
* The channels of a pixel are told apart in the head alone, which sees the channels before its own (R, then G, then B), not
  in every layer: the stacks run once per pixel, and no channel's features are kept from another's.

Drawing costs about as much arithmetic as one pass over the grid: every layer keeps the features it has computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDING = 16  # features that stand for one value
DILATIONS = (1, 2, 4)
DROPOUT = 0.1  # of the horizontal stack's gates, as in PixelCNN++; without it a thousand images are soon learnt by heart


class GatedPixelStack(nn.Module):
    """Values 0..values-1 on a grid (B, C, H, W) -> logits (B, values, C, H, W) of each given those before it.

    Order: row by row, in a row from left to right, in a pixel channel by channel.

    ordered: whether neighbouring values are alike, as grey levels are and codes are not.
    """

    def __init__(self, values: int, *, channels: int = 1, width: int = 32, layers: int = 6, ordered: bool = False) -> None:
        super().__init__()
        self.values = values
        self.channels = channels
        self.embedding = nn.Embedding(channels * values, EMBEDDING)
        if ordered:
            # Smooth at first, so that what is learnt of one level holds for the next.
            self.embedding.weight.data.copy_(_cosines(values).repeat(channels, 1))
        self.enter_vertical = nn.Conv2d(channels * EMBEDDING, width, 1)
        self.enter_horizontal = nn.Conv2d(channels * EMBEDDING, width, 1)
        dilations = (DILATIONS[index % len(DILATIONS)] for index in range(layers))
        self.layers = nn.ModuleList(_Layer(width, dilation) for dilation in dilations)
        self.heads = nn.ModuleList(_head(width + channel * EMBEDDING, 2 * width, values) for channel in range(channels))

    def forward(self, values: Tensor) -> Tensor:
        embedded = self._embed(values)
        vertical = self.enter_vertical(F.pad(embedded, (0, 0, 1, -1)))
        horizontal = self.enter_horizontal(F.pad(embedded, (1, -1)))
        for layer in self._layers():
            pad = layer.dilation
            vertical, link = layer.down(F.pad(vertical, (pad, pad, pad, 0)))
            horizontal = layer.right(F.pad(horizontal, (pad, 0)), link)
        return torch.stack([self._logits(channel, horizontal, embedded) for channel in range(self.channels)], 2)

    def log_prob(self, values: Tensor) -> Tensor:
        """(B,) natural log of the probability of the whole grid."""
        return -F.cross_entropy(self(values).float(), values, reduction="none").sum((1, 2, 3))

    @torch.no_grad()
    def start_at_frequencies(self, values: Tensor) -> None:
        """Let the logits begin near how often each value occurs in (B, C, H, W), which takes a short training far."""
        for channel, head in enumerate(self.heads):
            counts = torch.bincount(values[:, channel].flatten(), minlength=self.values) + 1
            *_, bias = head.parameters()
            bias.copy_((counts / counts.sum()).log())

    @torch.no_grad()
    def draw(
        self,
        uniform: Tensor,
        *,
        temperature: float = 1.0,
        start: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """Values (B, C, H, W) int64 by inverting the distribution function at `uniform` (B, C, H, W) in [0, 1).

        temperature: above 0; divides the logits. Where the bool `known` (B, C, H, W) holds, the value is that of `start`.
        """
        size, channels, height, width = uniform.shape
        values = uniform.new_zeros(uniform.shape, dtype=torch.int64) if start is None else start.clone()
        unknown = torch.ones_like(values, dtype=torch.bool) if known is None else ~known
        embedded = uniform.new_zeros(size, channels * EMBEDDING, height, width)
        rows = _Rows(self, embedded)
        for y in range(height):
            rows.begin(y)
            for x in range(width):
                features = rows.pixel(x)
                here = embedded[:, :, y : y + 1, x : x + 1]
                for channel in range(channels):
                    logits = self._logits(channel, features, here)[:, :, 0, 0].float() / temperature
                    drawn = _invert(logits, uniform[:, channel, y, x])
                    at = values[:, channel, y, x]
                    at.copy_(torch.where(unknown[:, channel, y, x], drawn, at))
                    embedded[:, _part(channel), y, x] = self.embedding(at + channel * self.values)
        return values

    def _layers(self) -> Iterator[_Layer]:
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            yield layer

    def _embed(self, values: Tensor) -> Tensor:
        """(B, C, H, W) int64 -> (B, C * EMBEDDING, H, W)."""
        offsets = torch.arange(self.channels, device=values.device)[:, None, None] * self.values
        return self.embedding(values + offsets).permute(0, 1, 4, 2, 3).flatten(1, 2)

    def _logits(self, channel: int, features: Tensor, embedded: Tensor) -> Tensor:
        """(B, values, H, W): the head of a channel sees the pixels before and, of its own pixel, the channels before."""
        return self.heads[channel](torch.cat([features, embedded[:, : channel * EMBEDDING]], 1))


class _Layer(nn.Module):
    """One step of both stacks; the inputs are padded already, above and to the sides or to the left."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3), dilation=dilation)
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 2), dilation=dilation)
        self.link = nn.Conv2d(width, 2 * width, 1)
        self.out = nn.Sequential(nn.Dropout(DROPOUT), nn.Conv2d(width, width, 1))

    def down(self, vertical: Tensor) -> tuple[Tensor, Tensor]:
        """(B, W, d + H, d + W + d) -> the vertical features (B, W, H, W) and what the horizontal ones add (B, 2W, H, W)."""
        pad = self.dilation
        vertical = vertical[:, :, pad:, pad:-pad] + _gate(self.vertical(vertical))
        return vertical, self.link(vertical)

    def right(self, horizontal: Tensor, link: Tensor) -> Tensor:
        """(B, W, H, d + W) -> (B, W, H, W)."""
        return horizontal[..., self.dilation :] + self.out(_gate(self.horizontal(horizontal) + link))


class _Rows:
    """What the layers have computed so far while a grid is drawn: of the vertical stack all rows, of the other one row."""

    def __init__(self, stack: GatedPixelStack, embedded: Tensor) -> None:
        self.stack, self.embedded = stack, embedded
        size, _, height, width = embedded.shape
        features = stack.enter_vertical.out_channels
        self.above = [
            embedded.new_zeros(size, features, height + layer.dilation, width + 2 * layer.dilation) for layer in stack._layers()
        ]
        self.left = [embedded.new_zeros(size, features, 1, width + layer.dilation) for layer in stack._layers()]
        self.links: list[Tensor] = []
        self.y = 0

    def begin(self, y: int) -> None:
        """The vertical stack at row y, of which nothing need be known."""
        self.y, self.links = y, []
        before = self.embedded[:, :, y - 1 : y] if y else torch.zeros_like(self.embedded[:, :, :1])
        vertical = self.stack.enter_vertical(before)
        for layer, above in zip(self.stack._layers(), self.above, strict=True):
            pad = layer.dilation
            above[:, :, y + pad, pad:-pad] = vertical[:, :, 0]
            vertical, link = layer.down(above[:, :, y : y + pad + 1])
            self.links.append(link)

    def pixel(self, x: int) -> Tensor:
        """(B, W, 1, 1) features for the logits at column x of this row."""
        y = self.y
        before = self.embedded[:, :, y : y + 1, x - 1 : x] if x else torch.zeros_like(self.embedded[:, :, :1, :1])
        horizontal = self.stack.enter_horizontal(before)
        for layer, left, link in zip(self.stack._layers(), self.left, self.links, strict=True):
            pad = layer.dilation
            left[..., x + pad] = horizontal[..., 0]
            horizontal = layer.right(left[..., x : x + pad + 1], link[..., x : x + 1])
        return horizontal


def _gate(features: Tensor) -> Tensor:
    """(B, 2W, H, W) -> (B, W, H, W): tanh of one half times the sigmoid of the other."""
    signal, gate = features.chunk(2, 1)
    if signal.device.type == "cpu" and signal.dtype == torch.float32:
        # Faster there; in bfloat16 the difference of two numbers near 1 would leave nothing of a small signal.
        return (2 * torch.sigmoid(2 * signal) - 1) * torch.sigmoid(gate)
    return signal.tanh() * torch.sigmoid(gate)


def _head(in_channels: int, width: int, values: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(in_channels, width, 1), nn.ReLU(), nn.Conv2d(width, values, 1))


def _part(channel: int) -> slice:
    """Where a colour channel's embedding lies."""
    return slice(channel * EMBEDDING, (channel + 1) * EMBEDDING)


def _cosines(values: int) -> Tensor:
    """(values, EMBEDDING): the first functions of the cosine transform."""
    place = (torch.arange(values) + 0.5) / values
    return torch.cos(math.pi * place[:, None] * torch.arange(EMBEDDING))


def _invert(logits: Tensor, uniform: Tensor) -> Tensor:
    """(B, K) and (B,) -> (B,) the first value at which the distribution function exceeds `uniform`."""
    cumulative = logits.softmax(1).cumsum(1)
    return (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(1).clamp_(max=logits.shape[1] - 1)
