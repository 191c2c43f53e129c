"""Realism: a naive computation, pruned balls, exact copies, and images that drift away from the real ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import _neighbours
from genbench.metrics import realism as module
from genbench.metrics.realism import compute, realism


def sample(n: int, seed: int, scale: float = 1.0, shift: float = 0.0, dim: int = 8) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def naive(real: np.ndarray, fake: np.ndarray, k: int = 3) -> np.ndarray:
    among = np.linalg.norm(real[:, None] - real[None], axis=2)
    radii = np.sort(among, axis=1)[:, k]  # the first is the image itself
    kept = np.argsort(radii)[: (len(real) + 1) // 2]
    return (radii[kept] / np.linalg.norm(fake[:, None] - real[None, kept], axis=2)).max(1)


@pytest.mark.parametrize("block", [5, 16, 1024])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equals_the_definition_for_every_block(block: int, offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_neighbours, "BLOCK", block)
    real, fake = sample(61, 0, shift=offset), sample(44, 1, 1.3, offset)
    expected = naive(real.double().numpy(), fake.double().numpy())
    assert realism(real=real, fake=fake).numpy() == pytest.approx(expected, rel=1e-10)
    estimate = compute(real=real, fake=fake)["realism"]
    assert float(estimate) == pytest.approx(np.minimum(expected, 1).mean(), rel=1e-10)
    assert estimate.details["inside"] == (expected >= 1).mean()
    assert estimate.details["median"] == pytest.approx(np.sort(expected)[21], rel=1e-10)


def test_a_ball_by_hand() -> None:
    """Of four real points on a line at 0, 1, 3 and 7 the first two are kept with k = 1: balls of radius 1 around 0 and 1."""
    real, fake = torch.tensor([[0.0], [1.0], [3.0], [7.0]]), torch.tensor([[-2.0], [2.0], [5.0], [0.25]])
    assert realism(real=real, fake=fake, k=1).tolist() == [0.5, 1.0, 0.25, 4.0]
    assert float(compute(real=real, fake=fake, k=1)["realism"]) == (0.5 + 1 + 0.25 + 1) / 4


def test_copies_of_images_whose_ball_is_kept_are_infinitely_real() -> None:
    """Copies of the others are not: identical sets are below 1."""
    real = sample(50, 0)
    kept = naive(real.double().numpy(), real.double().numpy() + 1e-9) > 1e3
    scores = realism(real=real, fake=real)
    assert (scores.isinf().numpy() == kept).all()
    assert kept.mean() == 0.5
    others = naive(real.double().numpy(), real.double().numpy() + 1e-9)[~kept]
    assert others.max() < 10
    whole = compute(real=real, fake=real)["realism"]
    assert float(whole) == pytest.approx((25 + np.minimum(others, 1).sum()) / 50, rel=1e-6)
    assert 0.8 < float(whole) < 1
    estimate = compute(real=real, fake=real[scores.isinf()])["realism"]
    assert float(estimate) == 1
    assert estimate.ci == (1, 1)
    assert "median" not in estimate.details


def test_copies_of_an_image_that_the_real_side_repeats() -> None:
    """Its ball has no size; only exact copies are in it."""
    real = torch.cat([torch.full((30, 3), 5.0), sample(20, 0, dim=3)])
    fake = torch.tensor([[5.0, 5, 5], [5, 5, 5.5]])
    assert realism(real=real, fake=fake)[0] == torch.inf
    assert realism(real=real, fake=fake)[1] < 0.5


def test_scale_and_shift_of_the_features_change_nothing() -> None:
    real, fake = sample(80, 0), sample(70, 1, 1.2)
    here, there = realism(real=real, fake=fake), realism(real=4 * real + 8, fake=4 * fake + 8)
    assert there.numpy() == pytest.approx(here.numpy(), rel=1e-5)


def test_falls_with_noise_and_with_the_share_of_strangers() -> None:
    real, clean = sample(300, 0), sample(300, 1)
    noisy = [
        float(compute(real=real, fake=clean + level * sample(300, 2))["realism"]) for level in (0.0, 0.3, 0.6, 1.0, 2.0, 4.0)
    ]
    assert noisy == sorted(noisy, reverse=True)
    assert noisy[-1] < 0.5 * noisy[0]
    far = sample(300, 3, shift=5.0)
    mixed = [float(compute(real=real, fake=torch.cat([clean[n:], far[:n]]))["realism"]) for n in (0, 15, 60, 150, 300)]
    assert mixed == sorted(mixed, reverse=True)
    assert mixed[0] - mixed[2] == pytest.approx((mixed[0] - mixed[4]) * 0.2, rel=0.1)  # by as much as there are


def test_not_moved_by_missing_modes_nor_repeats() -> None:
    """What it is documented to be blind to."""
    real, fake = sample(300, 0), sample(300, 1)
    whole = compute(real=real, fake=fake)["realism"]
    assert whole.se is not None
    half = compute(real=real, fake=fake[fake[:, 0] > 0])["realism"]
    assert abs(float(half) - float(whole)) < 4 * whole.se
    assert float(compute(real=real, fake=fake.repeat(2, 1))["realism"]) == pytest.approx(float(whole), rel=1e-12)


def test_too_few_images_for_k() -> None:
    with pytest.raises(DataError, match="at least 4 real images, got 3"):
        compute(real=sample(3, 0), fake=sample(9, 1))
    assert module.metric.protocols == {"k3": {"k": 3}}
