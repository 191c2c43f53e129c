"""RealNVP: half of an image scales and shifts the other half, again and again, in turn, at several resolutions.

Paper: Dinh et al. 2017, https://arxiv.org/abs/1605.08803. Its checkerboard and channel masks, squeezing, factoring out of half
of the values at each scale, residual networks with normalised weights, scales through a tanh with a learned factor.

Different: activation normalisation, fitted to the first batch, between couplings instead of batch normalisation. With batch
statistics the density that is trained is not that of a single image, and an image would depend on its batch. Smaller: the
networks are as wide at every scale, and see 2x2 patches of pixels as channels, which quarters their cost; the masks are the
paper's. Points of the plane change one coordinate after the other, with MLPs.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from genbench.batch import DataSpec
from genbench.models.flow.base import ActNorm, Chain, Flow, Squeeze
from genbench.models.stages import Recipe
from genbench.nn.mlp import MLP

POINT_COUPLINGS = 8


class RealNVP(Flow):
    """channels: of the networks, and half the units in a layer of the MLPs for points; blocks: residual blocks of a network."""

    title: ClassVar[str] = "RealNVP"
    paper: ClassVar[str] = "Dinh et al. 2017, https://arxiv.org/abs/1605.08803"
    recipe: ClassVar[Recipe] = Recipe(lr=4e-3, batch_size=64, warmup=100, decay="cosine", clip=1.0, ema=50_000)
    tiny: ClassVar[Mapping[str, Any]] = {"channels": 8}

    def __init__(self, spec: DataSpec, *, channels: int = 32, blocks: int = 1) -> None:
        super().__init__(spec)
        shapes = _scale_shapes(spec)
        scales = [_point_scale(spec, 2 * channels)] if spec.is_points else _image_scales(shapes, channels, blocks)
        self.scales = nn.ModuleList(Chain(layers) for layers in scales)
        self.latent_shapes = [*shapes[1:], shapes[-1]]  # what each scale factors out, and what the last one leaves

    def flow(self, y: Tensor) -> tuple[Tensor, Tensor]:
        parts: list[Tensor] = []
        log_det = y.new_zeros(len(y))
        for number, scale in enumerate(self.scales, 1):
            y, scale_log_det = scale(y)
            log_det = log_det + scale_log_det
            if number < len(self.scales):
                parts.append(y[:, ::2])  # factored out: the left column of each 2x2 square
                y = y[:, 1::2]
        return torch.cat([part.flatten(1) for part in (*parts, y)], 1), log_det

    def inverse(self, z: Tensor) -> Tensor:
        flat = z.split([shape.numel() for shape in self.latent_shapes], 1)
        *parts, y = (part.view(-1, *shape) for part, shape in zip(flat, self.latent_shapes, strict=True))
        scale: Any
        for scale in reversed(self.scales):
            y = scale.inverse(y)
            if parts:
                y = torch.stack((parts.pop(), y), 2).flatten(1, 2)
        return y


class Coupling(nn.Module):
    """y = x exp(s) + t where `mask` is 0, with s and t computed from the values where it is 1, which stay.

    network: (B, C, H, W) -> (B, 2 C, H, W). s is bounded by a learned factor in each channel.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, network: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mask", mask.clone(), persistent=False)
        self.network = network
        self.factor = nn.Parameter(torch.ones(len(mask), 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self._scale_and_shift(x)
        return x * s.exp() + t, s.flatten(1).sum(1)  # the way back has minus the sum of s

    def inverse(self, y: Tensor) -> Tensor:
        s, t = self._scale_and_shift(y)
        return (y - t) * (-s).exp()

    def _scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.network(x * self.mask).chunk(2, 1)
        return (1 - self.mask) * self.factor * s.tanh(), (1 - self.mask) * t


class _ResidualNetwork(nn.Module):
    """(B, C, H, W) -> (B, 2 C, H, W), at first 0; it works on patches of `patch` x `patch` pixels."""

    def __init__(self, inputs: int, channels: int, blocks: int, patch: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(patch), weight_norm(nn.Conv2d(inputs * patch**2, channels, 3, padding=1)))
        self.blocks = nn.ModuleList(_residual(channels) for _ in range(blocks))
        self.head = _Last(nn.Conv2d(channels, 2 * inputs * patch**2, 1))
        self.to_pixels = nn.PixelShuffle(patch)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for block in self.blocks:
            h = h + block(h)
        return self.to_pixels(self.head(h.relu()))


class _Last(nn.Module):
    """The layer that ends a coupling's network. Its parameters are 0 at first, so that a coupling begins as the identity.

    Autocast leaves it alone: scales and shifts that are rounded in training would not be those of the evaluation.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.to(next(self.layer.parameters()).dtype))


def _residual(channels: int) -> nn.Sequential:
    convs = [weight_norm(nn.Conv2d(channels, channels, 3, padding=1)) for _ in range(2)]
    return nn.Sequential(nn.ReLU(), convs[0], nn.ReLU(), convs[1])


def _image_scales(shapes: list[torch.Size], channels: int, blocks: int) -> list[list[nn.Module]]:
    """Three checkerboard couplings, squeeze, three channel couplings at each scale; four checkerboard couplings at the last."""
    scales: list[list[nn.Module]] = []
    for c, h, w in shapes[:-1]:
        before = _couplings(_checkerboard(c, h, w), 3, channels, blocks)
        behind = _couplings(_rows(4 * c), 3, channels, blocks)
        scales.append([*before, Squeeze(), *behind])
    return [*scales, _couplings(_checkerboard(*shapes[-1]), 4, channels, blocks)]


def _couplings(mask: Tensor, count: int, channels: int, blocks: int) -> list[nn.Module]:
    """Each behind an activation normalisation; what one keeps, the next changes."""
    height, width = mask.shape[1:]
    patch = 2 if height % 2 == width % 2 == 0 and min(height, width) >= 8 else 1
    return [
        layer
        for number in range(count)
        for layer in (
            ActNorm(len(mask)),
            Coupling(mask if number % 2 == 0 else 1 - mask, _ResidualNetwork(len(mask), channels, blocks, patch)),
        )
    ]


def _point_scale(spec: DataSpec, width: int) -> list[nn.Module]:
    """Couplings that change one coordinate after the other."""
    d = spec.dimensions
    even = (torch.arange(d) % 2 == 0).float()[:, None, None]
    layers: list[nn.Module] = []
    for number in range(POINT_COUPLINGS):
        mlp = MLP(d, [width] * 2, 2 * d)
        mlp[-1] = _Last(mlp[-1])
        network = nn.Sequential(nn.Flatten(), mlp, nn.Unflatten(1, (2 * d, 1, 1)))
        layers += [ActNorm(d), Coupling(even if number % 2 == 0 else 1 - even, network)]
    return layers


def _scale_shapes(spec: DataSpec) -> list[torch.Size]:
    """(C, H, W) at each scale, halved as long as 4 pixels are left: 28, 14, 7."""
    shapes = [torch.Size(spec.shape)]
    c, h, w = spec.shape
    while h % 2 == w % 2 == 0 and min(h, w) >= 8:
        c, h, w = 2 * c, h // 2, w // 2  # squeezed to 4 C channels, of which half are factored out
        shapes.append(torch.Size((c, h, w)))
    return shapes


def _checkerboard(channels: int, height: int, width: int) -> Tensor:
    """(C, H, W) of 0 and 1."""
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return board.float().expand(channels, height, width)


def _rows(channels: int) -> Tensor:
    """(C, 1, 1): 0 for the channels that a squeeze made of top rows, 1 for those of bottom rows."""
    return (torch.arange(channels) // 2 % 2).float()[:, None, None]
