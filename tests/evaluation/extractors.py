"""Extractors that misbehave on purpose, for the tests; named as code from outside, "extractors:Broken"."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from genbench.features.base import FeatureExtractor, Precision


class _Small(FeatureExtractor):
    layers: ClassVar = {"pool": 4}
    inputs: ClassVar = ("plain",)

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> FeatureExtractor:
        return cls(input="plain", precision=precision, weights_sha256="none", preprocess="none")

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        means = images.float().mean((2, 3))
        return {"pool": torch.cat([means, images.float().std((1, 2, 3))[:, None]], 1)}


class Small(_Small):
    """Channel means and the spread."""


class NotFinite(_Small):
    """NaN for white images."""

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        features = super().forward(images, layers)["pool"]
        return {"pool": features.masked_fill(features[:, :1] == 255, float("nan"))}


class Mortal(_Small):
    """Dies like a process out of memory once it has seen more than 1,200 images, if the environment says so."""

    seen: ClassVar[int] = 0

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        Mortal.seen += len(images)
        if os.environ.get("MORTAL") and Mortal.seen > 1200:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(images, layers)


class Reader(_Small):
    """Reads "white" and "black" into the space of its features."""

    def embed_text(self, texts: list[str]) -> Tensor:
        grey = torch.tensor([255.0 if "white" in text else 0.0 for text in texts])
        return torch.stack([grey, grey, grey, 255 - grey], 1)
