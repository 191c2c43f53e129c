"""PSNR: its formula, where it is cut off, and that more noise is less PSNR."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError
from genbench.metrics import l1, l2, ms_ssim, psnr, ssim


def images(count: int = 4, size: int = 16, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def noisy(clean: Tensor, sigma: float, seed: int = 1) -> Tensor:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return (clean + sigma * noise).round().clamp(0, 255).to(torch.uint8)


def value(x: Tensor, y: Tensor, cap: float = 60.0) -> Tensor:
    return psnr.per_pair(x=x, y=y, cap=cap)["psnr"]


def test_the_formula() -> None:
    x, y = images(seed=0), images(seed=1)
    error = ((x.numpy().astype(float) - y.numpy()) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(value(x, y).numpy(), 10 * np.log10(255**2 / error), rtol=1e-12)


@pytest.mark.parametrize(("levels", "expected"), [(1, 48.1308), (10, 28.1308), (255, 0.0)])
def test_a_known_difference_in_every_value(levels: int, expected: float) -> None:
    black = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    assert value(black, black + levels).tolist() == pytest.approx([expected] * 2, abs=1e-4)


@pytest.mark.parametrize("cap", [settings["cap"] for settings in psnr.metric.protocols.values()])
def test_identical_images_have_the_cap_and_nothing_exceeds_it(cap: float) -> None:
    x = images()
    assert value(x, x, cap).tolist() == [cap] * 4
    almost = x.clone()
    almost[:, 0, 0, 0] ^= 1  # one value of 768 by one level: 76.98 dB
    assert value(x, almost, cap).tolist() == pytest.approx([min(cap, 76.9844)] * 4, abs=1e-4)


def test_the_cap_leaves_what_is_below_it() -> None:
    x = images()
    y = noisy(x, 3)
    assert torch.equal(value(x, y, 60), value(x, y, 100))


def test_symmetric_and_one_image_at_a_time() -> None:
    x, y = images(seed=0), images(seed=1)
    assert torch.equal(value(x, y), value(y, x))
    assert torch.equal(value(x, y), torch.cat([value(a[None], b[None]) for a, b in zip(x, y, strict=True)]))


def test_falls_with_growing_noise() -> None:
    x = images(count=8)
    steps = torch.stack([value(x, noisy(x, sigma)) for sigma in (0, 2, 8, 32, 128)])
    assert (steps.diff(dim=0) < 0).all()


# What all metrics of two images refuse


@pytest.mark.parametrize("metric", [psnr, l1, l2, ssim, ms_ssim])
def test_what_is_refused(metric: object) -> None:
    per_pair, name = metric.metric.per_pair, metric.metric.per_pair.__module__.rpartition(".")[2]  # type: ignore[attr-defined]
    x = images()
    with pytest.raises(UsageError, match=rf"{name} takes uint8 images in \[0, 255\], not torch.float32"):
        per_pair(x=x / 255, y=x / 255)
    with pytest.raises(UsageError, match="takes uint8"):
        per_pair(x=x, y=x.int())
    with pytest.raises(UsageError, match=r"takes images \(B, 3, H, W\), not \(4, 1, 16, 16\)"):
        per_pair(x=x[:, :1], y=x[:, :1])
    with pytest.raises(IncomparableError, match=r"\(4, 3, 16, 16\) and \(4, 3, 16, 8\)"):
        per_pair(x=x, y=x[..., :8])
    with pytest.raises(IncomparableError):
        per_pair(x=x, y=x[:1])
    with pytest.raises(DataError, match="at least one pair"):
        per_pair(x=x[:0], y=x[:0])
