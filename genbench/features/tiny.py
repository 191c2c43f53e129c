"""`tiny`: a small classifier of CIFAR-10 and MNIST classes that ships with the package."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.nn.conv_norm import ConvNorm


class TinyNet(nn.Module):
    """(N, 3, 32, 32) float, normalised -> pooled features (N, 128) >= 0 and logits (N, 20)."""

    def __init__(self, classes: int = 20) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, padding=1)
        self.down1, self.block1 = ConvNorm(32, 64, 3, stride=2, padding=1), ConvNorm(64, 64, 3, padding=1)
        self.down2, self.block2 = ConvNorm(64, 128, 3, stride=2, padding=1), ConvNorm(128, 128, 3, padding=1)
        self.down3, self.block3 = ConvNorm(128, 256, 3, stride=2, padding=1), ConvNorm(256, 256, 3, padding=1)
        self.head = ConvNorm(256, 128, 1)
        self.classifier = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        x = self.down1(x)
        x = x + self.block1(x)
        x = self.down2(x)
        x = x + self.block2(x)
        x = self.down3(x)
        x = x + self.block3(x)
        pool = self.head(x).mean((2, 3))
        return pool, self.classifier(pool)


def preprocess(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, 32, 32) in [-1, 1]; other sizes by antialiased bilinear interpolation."""
    x = images.to(torch.float32)
    if x.shape[-2:] != (32, 32):
        x = F.interpolate(x, (32, 32), mode="bilinear", antialias=True, align_corners=False)
    return x.div_(127.5).sub_(1.0)
