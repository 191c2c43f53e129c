"""The networks that several GANs share: perceptrons for points and flattened images, DCGAN's convolutions for images."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from genbench.batch import DataSpec
from genbench.nn.mlp import MLP


def mlp_generator(spec: DataSpec, *, inputs: int, hidden: int) -> nn.Sequential:
    """(B, inputs) -> (B, C, H, W), in [-1, 1] except for points; three hidden layers."""
    squash = nn.Identity() if spec.is_points else nn.Tanh()
    return nn.Sequential(
        MLP(inputs, [hidden] * 3, spec.dimensions, activation=_activation(spec)), nn.Unflatten(1, spec.shape), squash
    )


def mlp_critic(spec: DataSpec, *, hidden: int, extra: int = 0) -> nn.Sequential:
    """(B, C + extra, H, W) -> (B,); three hidden layers."""
    inputs = spec.dimensions + extra * spec.height * spec.width
    return nn.Sequential(nn.Flatten(), MLP(inputs, [hidden] * 3, 1, activation=_activation(spec)), nn.Flatten(0))


def _activation(spec: DataSpec) -> type[nn.Module]:
    """Smooth for images; for points, whose modes are narrow and sharply parted, with a corner. Either loses at the other's."""
    return nn.ReLU if spec.is_points else nn.SiLU


def conv_generator(spec: DataSpec, *, inputs: int, channels: int) -> nn.Sequential:
    """(B, inputs) -> (B, C, H, W) in [-1, 1]: DCGAN's transposed convolutions with batch normalisation.

    Starts from 2x2 (8x8 images), 4x4 or 7x7; `channels` is the width at half the image's size, and doubles inwards.
    """
    start, widths = _pyramid(spec, channels)
    inner = widths[::-1]
    layers: list[nn.Module] = [
        nn.Linear(inputs, inner[0] * start[0] * start[1], bias=False),
        nn.Unflatten(1, (inner[0], *start)),
    ]
    for wide, narrow in pairwise(inner):
        layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
    last = nn.ConvTranspose2d(widths[0], spec.channels, 4, 2, 1)
    return nn.Sequential(*layers, nn.BatchNorm2d(widths[0]), nn.ReLU(), last, nn.Tanh())


def conv_critic(spec: DataSpec, *, channels: int, extra: int = 0, batch_norm: bool = True) -> nn.Sequential:
    """(B, C + extra, H, W) -> (B,): the generator's mirror image, with strided convolutions and leaky ReLUs.

    Its batch normalisation has no running statistics: nobody samples from it, and reals and fakes are normalised apart.
    """
    start, widths = _pyramid(spec, channels)
    layers: list[nn.Module] = [nn.Conv2d(spec.channels + extra, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        norm = [nn.BatchNorm2d(wide, track_running_stats=False)] if batch_norm else []
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=not batch_norm), *norm, nn.LeakyReLU(0.2)]
    # A Wasserstein critic, the kind without batch normalisation, is known up to a constant: a bias would learn nothing.
    last = nn.Linear(widths[-1] * start[0] * start[1], 1, bias=batch_norm)
    return nn.Sequential(*layers, nn.Flatten(), last, nn.Flatten(0))


def _pyramid(spec: DataSpec, channels: int) -> tuple[tuple[int, int], list[int]]:
    """The smallest size and the widths from the image's half size down to it: two halvings, more while over 4 and even."""
    if spec.height % 4 or spec.width % 4:
        raise ValueError(f"convolutions need sides that divide by 4, not {spec.height}x{spec.width}; try `gan`, or resize")
    halvings = 2
    while min(spec.height, spec.width) >> halvings > 4 and not (spec.height | spec.width) % 2 ** (halvings + 1):
        halvings += 1
    return (spec.height >> halvings, spec.width >> halvings), [channels << level for level in range(halvings)]
