"""A convolutional encoder that halves an image several times, and the decoder that mirrors it.

Strided 4x4 convolutions and their transposes, then residual blocks at the coarsest size, as in van den Oord et al. 2017
(https://arxiv.org/abs/1711.00937, section 4.1). There is no normalisation, so an image never depends on its batch.
"""

from __future__ import annotations

from torch import Tensor, nn


def halvings(size: int, coarsest: int = 4) -> int:
    """How often `size` can be halved without a remainder until it would fall below `coarsest`: 32 -> 3, 28 -> 2, 8 -> 1."""
    return 0 if size % 2 or size // 2 < coarsest else 1 + halvings(size // 2, coarsest)


class ResidualBlock(nn.Module):
    """x + a 3x3 and a 1x1 convolution of x: (N, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ConvEncoder(nn.Sequential):
    """(N, in_channels, H, W) -> (N, out_channels, H / 2^halvings, W / 2^halvings).

    channels: width behind the first halving; it doubles with each further one. residual: blocks at the coarsest size.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, channels: int = 32, halvings: int = 2, residual: int = 0
    ) -> None:
        layers: list[nn.Module] = []
        width, coarsest = in_channels, _coarsest_width(channels, halvings)
        for step in range(halvings):
            layers += [nn.Conv2d(width, channels << step, 4, stride=2, padding=1), nn.SiLU()]
            width = channels << step
        super().__init__(
            *layers,
            nn.Conv2d(width, coarsest, 3, padding=1),
            *(ResidualBlock(coarsest) for _ in range(residual)),
            nn.SiLU(),
            nn.Conv2d(coarsest, out_channels, 1),
        )


class ConvDecoder(nn.Sequential):
    """(N, in_channels, H, W) -> (N, out_channels, H 2^doublings, W 2^doublings), unbounded; mirrors `ConvEncoder`.

    channels: width in front of the last doubling.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, channels: int = 32, doublings: int = 2, residual: int = 0
    ) -> None:
        width = _coarsest_width(channels, doublings)
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1)]
        layers += [ResidualBlock(width) for _ in range(residual)]
        for step in reversed(range(1, doublings)):
            layers += [nn.SiLU(), nn.ConvTranspose2d(channels << step, channels << (step - 1), 4, stride=2, padding=1)]
        last = nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1)
        super().__init__(*layers, nn.SiLU(), last if doublings else nn.Conv2d(channels, out_channels, 3, padding=1))


def _coarsest_width(channels: int, halvings: int) -> int:
    return channels << max(halvings - 1, 0)
