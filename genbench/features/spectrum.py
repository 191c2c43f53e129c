"""`spectrum`: how much power an image has at each spatial frequency; no network, no weights.

The log2 of the power spectrum of the luma, averaged over rings of frequencies. Frequencies are in units of Nyquist's, half a
cycle per pixel, so that ring k is the same part of the frequency plane at every size:

    ring k < 7   k/8 <= r < (k+1)/8          ring 7   7/8 <= r, with the corners of the plane, r <= √2

A Hann window keeps an image's left edge from meeting its right one: such a seam is a line of power through all frequencies,
which no blur takes away. The price is that the middle of the image counts most, and that power spreads to its neighbours:
4/width of Nyquist's on either side, which is half of the plane at 8 pixels, the smallest width that still tells fine from
coarse. Images below 32 pixels are padded with zeros after the window, so that every ring holds some frequency.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.errors import UsageError
from genbench.features._precision import computing
from genbench.features.base import FeatureExtractor, Precision

RINGS = 8
LEAST = 32  # points of the transform along each side
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG
FLOOR = 1e-2  # level²; a flat image needs a logarithm, and rounding to 8 bits alone has a power of 1/12


def window(size: int) -> Tensor:
    """(size,) Hann window, symmetric about the middle of the image, so that mirrored images have equal spectra."""
    return torch.sin(torch.pi * (torch.arange(size) + 0.5) / size).square()


@lru_cache(maxsize=8)
def averaging(height: int, width: int) -> Tensor:
    """(height * (width // 2 + 1), RINGS): what each value of a real transform counts in the mean of each ring.

    The left half of the frequency plane, which mirrors the right one, is counted with it; frequency 0 is left out.
    """
    y = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    x = torch.fft.rfftfreq(width, dtype=torch.float64)[None]
    radius = 2 * torch.hypot(y, x)
    ring = (radius * RINGS).long().clamp(max=RINGS - 1)
    alone = (x == 0) | (x == 0.5)  # these columns hold their own mirror images
    counted = torch.where(alone, 1.0, 2.0).expand(height, -1) * (radius > 0)
    weights = F.one_hot(ring, RINGS) * counted[..., None]
    return (weights / weights.sum((0, 1))).flatten(0, 1).float()


class Spectrum(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool" (N, 8): log2 of the mean power in each ring, in squared levels.

    White noise with a standard deviation of s levels has log2 s² at every size, less in rings within 4/width of 0: the mean
    is taken out, and what lies near it with it.
    """

    layers: ClassVar = {"pool": RINGS}
    inputs: ClassVar = ("luma",)

    def __init__(self) -> None:
        super().__init__(input="luma", precision="fp32", weights_sha256="none", preprocess="luma-bt601,hann,levels")

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> Spectrum:
        if weights is not None or precision != "fp32":
            raise UsageError("E-USAGE", "spectrum has no weights and no precision to choose", hint="drop the option")
        return cls()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        red, green, blue = (weight * images[:, channel].float() for channel, weight in enumerate(LUMA))
        luma = red + green + blue
        height, width = luma.shape[1:]
        weight = (window(height)[:, None] * window(width)).to(luma.device)
        mean = (luma * weight).sum((1, 2), keepdim=True) / weight.sum()
        points = (max(height, LEAST), max(width, LEAST))
        power = torch.fft.rfft2((luma - mean) * weight, s=points).abs().square() / weight.square().sum()
        with computing(self.identity.precision, luma.device):
            mean_power = power.flatten(1) @ averaging(*points).to(luma.device)
        return {layer: (mean_power + FLOOR).log2() for layer in layers}
