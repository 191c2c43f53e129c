"""The intervals of metrics of pairs: means of one number per pair, which is skewed, cut off or bounded.

Each pair is an image of 3x8x8 values and the same image with noise, of a strength that is drawn anew for every pair: from 1 to
30 grey levels, and for one pair in twenty none at all, where PSNR is cut off. n is the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from genbench.estimate import Estimate, mean_estimate
from genbench.metrics import feature_distance, l1, l2, lpips, psnr, ssim
from interval_studies.harness import Draw, Row, gaussian, repeat


def noisy_pairs(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, 8, 8) twice."""
    clean = torch.randint(30, 226, (n, 3, 8, 8), generator=generator)
    strength = 30 ** torch.rand(n, 1, 1, 1, generator=generator)
    strength[torch.rand(n, generator=generator) < 0.05] = 0
    noisy = clean + strength * torch.randn(clean.shape, generator=generator)
    return noisy.round().clamp(0, 255).to(torch.uint8), clean.to(torch.uint8)


def images(n: int, repeats: int) -> Iterator[Row]:
    def study(name: str) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            x, y = noisy_pairs(n, generator)
            values = {
                "psnr": lambda: psnr.per_pair(x=x, y=y),
                "l1": lambda: l1.per_pair(x=x, y=y),
                "l2": lambda: l2.per_pair(x=x, y=y),
                "ssim": lambda: ssim.per_pair(x=x, y=y, window="uniform"),
            }[name]()
            return mean_estimate(values[name], better="lower")

        return draw

    for name in ("psnr", "l1", "l2", "ssim"):
        yield from repeat(name, n, repeats, study(name))


def features(n: int, repeats: int) -> Iterator[Row]:
    def study(name: str) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            y = gaussian(n, generator, dim=16)
            drift = gaussian(n, generator, dim=16) * torch.rand(n, 1, generator=generator).square()
            values = feature_distance.per_pair(x=y + drift, y=y) | lpips.per_pair(x=y + drift, y=y)
            return mean_estimate(values[name], better="lower")

        return draw

    for name in ("feature_l2", "feature_cosine", "lpips"):
        yield from repeat(name, n, repeats, study(name))


STUDIES = (images, features)
