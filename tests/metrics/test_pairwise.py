"""Likeness within one set: planted mode collapse moves it, and it is the metric of pairs that it says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import lpips, ms_ssim, pairwise_lpips, pairwise_ms_ssim

SMALL = pairwise_ms_ssim.metric.protocols["small"]


def images(count: int, seed: int = 0) -> Tensor:
    """uint8 (count, 3, 32, 32): patches of colour with some grain."""
    generator = torch.Generator().manual_seed(seed)
    patches = F.interpolate(torch.rand(count, 3, 6, 6, generator=generator), (32, 32), mode="bicubic")
    grain = torch.randn(count, 3, 32, 32, generator=generator)
    return (patches * 255 + grain * 10).clamp_(0, 255).to(torch.uint8)


def collapsed(modes: int, count: int = 48) -> tuple[Tensor, Tensor]:
    """Indices of two images per pair, of a generator that knows `modes` images."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(modes, (count,), generator=generator), torch.randint(modes, (count,), generator=generator)


def test_they_are_the_metrics_of_pairs() -> None:
    x, y = images(3), images(3, seed=1)
    alike = pairwise_ms_ssim.per_pair(x=x, y=y, **SMALL)["pairwise_ms_ssim"]
    assert torch.equal(alike, ms_ssim.per_pair(x=x, y=y, **SMALL)["ms_ssim"])
    a, b = x.flatten(1).float(), y.flatten(1).float()
    apart = pairwise_lpips.per_pair(x=a, y=b)["pairwise_lpips"]
    assert torch.equal(apart, lpips.per_pair(x=a, y=b)["lpips"])


@pytest.mark.parametrize("metric", [pairwise_ms_ssim.metric, pairwise_lpips.metric])
def test_the_direction_is_that_of_diversity(metric: object) -> None:
    assert metric.takes == "own_pairs"  # type: ignore[attr-defined]
    expected = {"pairwise_ms_ssim": "lower", "pairwise_lpips": "higher"}
    assert all(expected[name] == better for name, better in metric.reports.items())  # type: ignore[attr-defined]


def test_fewer_modes_are_more_alike() -> None:
    pool = images(48)
    vectors = pool.flatten(1).float() / 255
    alike, apart = [], []
    for modes in (48, 8, 3, 1):
        i, j = collapsed(modes)
        alike.append(float(pairwise_ms_ssim.per_pair(x=pool[i], y=pool[j], **SMALL)["pairwise_ms_ssim"].mean()))
        apart.append(float(pairwise_lpips.per_pair(x=vectors[i], y=vectors[j])["pairwise_lpips"].mean()))
    assert alike == sorted(alike)
    assert apart == sorted(apart, reverse=True)
    assert alike[-1] == 1
    assert apart[-1] == 0
    assert alike[0] < 0.3


def test_the_default_protocol_is_for_large_images() -> None:
    x = images(2)
    with pytest.raises(DataError, match="at least 176x176 pixels"):
        pairwise_ms_ssim.per_pair(x=x, y=x, **pairwise_ms_ssim.metric.protocols[""])
