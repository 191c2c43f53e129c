"""Seeded random weights for the Inception network, for speed and parity where the published file is not at hand.

Convolutions are drawn as He et al. 2015 do and normalisations near the identity, so that features keep a sensible size, differ
from image to image, and do not enlarge rounding errors from layer to layer. Nothing here is learned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.features.inception import InceptionNet


def random_images(count: int, size: int, seed: int) -> Tensor:
    """uint8 (count, 3, size, size): smooth patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (size, size), mode="bicubic")
    grain = torch.randn(count, 3, size, size, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


@torch.no_grad()
def random_state(seed: int = 0) -> dict[str, Tensor]:
    """A state dict with the published names and shapes."""
    generator = torch.Generator().manual_seed(seed)
    network = InceptionNet()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.8, 1.2, generator=generator)
            module.bias.normal_(0, 0.1, generator=generator)
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
    network.fc.weight.normal_(0, 0.5, generator=generator)
    network.fc.bias.normal_(0, 0.1, generator=generator)
    return dict(network.state_dict())
