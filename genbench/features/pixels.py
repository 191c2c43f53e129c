"""`pixels`: the image itself, reduced to 8x8; the simplest features, and a check that needs no network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from genbench.errors import UsageError
from genbench.features.base import FeatureExtractor, Precision
from genbench.images import to_float


class Pixels(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool" (N, 192): 3 x 8 x 8 values in [-1, 1]."""

    layers: ClassVar = {"pool": 192}
    inputs: ClassVar = ("bilinear",)

    def __init__(self) -> None:
        super().__init__(input="bilinear", precision="fp32", weights_sha256="none", preprocess="bilinear-antialias-8,x/127.5-1")

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> Pixels:
        if weights is not None or precision != "fp32":
            raise UsageError("E-USAGE", "pixels has no weights and no precision to choose", hint="drop the option")
        return cls()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        small = F.interpolate(images.float(), (8, 8), mode="bilinear", antialias=True, align_corners=False)
        return {layer: to_float(small).flatten(1) for layer in layers}
