"""`tiny`: a small classifier of CIFAR-10's and MNIST's 20 classes that travels with the package and needs no download.

For tests, teaching and continuous integration on small images. Its numbers carry its name (`fd@tiny`), so nobody takes
them for FID. Trained by benchmarks/tiny_extractor/train.py; accuracy and hash are in the model card beside that script.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench import files
from genbench.features._precision import WEIGHT_DTYPE, computing, convert_convolutions
from genbench.features._weights import load_weights
from genbench.features.base import FeatureExtractor, Precision
from genbench.images import to_float
from genbench.nn.conv_norm import ConvNorm, fold_batch_norm

WEIGHTS = Path(__file__).with_name("tiny.safetensors")


def preprocess(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, 32, 32) in [-1, 1]; other sizes by antialiased bilinear interpolation."""
    if images.shape[-2:] != (32, 32):
        images = F.interpolate(images.float(), (32, 32), mode="bilinear", antialias=True, align_corners=False)
    return to_float(images)


class TinyNet(nn.Module):
    """A residual network: (N, 3, 32, 32) float in [-1, 1] -> features (N, 128), not negative, and logits (N, 20).

    Classes 0..9 are CIFAR-10's in their usual order, 10..19 the digits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, padding=1)
        self.down1, self.block1 = ConvNorm(32, 64, 3, stride=2, padding=1), ConvNorm(64, 64, 3, padding=1)
        self.down2, self.block2 = ConvNorm(64, 128, 3, stride=2, padding=1), ConvNorm(128, 128, 3, padding=1)
        self.down3, self.block3 = ConvNorm(128, 256, 3, stride=2, padding=1), ConvNorm(256, 256, 3, padding=1)
        self.head = ConvNorm(256, 128, 1)
        self.classifier = nn.Linear(128, 20)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.down1(self.stem(x))  # (N, 64, 16, 16)
        x = self.down2(x + self.block1(x))  # (N, 128, 8, 8)
        x = self.down3(x + self.block2(x))  # (N, 256, 4, 4)
        pool = self.head(x + self.block3(x)).mean((2, 3), dtype=torch.float32)
        return pool, self.classifier(pool)


class Tiny(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool" (N, 128) and "logits" (N, 20)."""

    layers: ClassVar = {"pool": 128, "logits": 20}
    inputs: ClassVar = ("bilinear",)

    def __init__(self, network: TinyNet, *, precision: Precision, weights_sha256: str) -> None:
        super().__init__(
            input="bilinear",
            precision=precision,
            weights_sha256=weights_sha256,
            preprocess="bilinear-antialias-32,x/127.5-1",
        )
        self.network = network
        convert_convolutions(network, precision)

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> Tiny:
        path = weights or WEIGHTS
        network = fold_batch_norm(TinyNet())
        load_weights(network, path, hint="leave out --weights to use the ones that travel with genbench")
        return cls(network, precision=precision, weights_sha256=files.sha256(path)).eval()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        with computing(self.identity.precision, images.device):
            x = preprocess(images).to(WEIGHT_DTYPE[self.identity.precision], memory_format=torch.channels_last)
            pool, logits = self.network(x)
        return {layer: {"pool": pool, "logits": logits}[layer] for layer in layers}
