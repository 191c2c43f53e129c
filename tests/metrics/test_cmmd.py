"""CMMD: numpy in float64, the bias of the V-statistic, the influence of an image, and planted failures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import _mmd
from genbench.metrics.cmmd import compute


def sample(n: int, seed: int, shift: float = 0.0, dim: int = 8) -> Tensor:
    features = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    features[:, 0] += 1 + shift
    return features


def direct(real: Tensor, fake: Tensor, *, unbiased: bool = False) -> float:
    """1000 x MMD² with all pairs in one matrix of exponentials."""
    x, y = (side.double().numpy() / np.linalg.norm(side.double().numpy(), axis=1, keepdims=True) for side in (real, fake))

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-np.square(a[:, None] - b[None]).sum(-1) / (2 * 10**2))

    def within(a: np.ndarray) -> float:
        k, n = kernel(a, a), len(a)
        return float((k.sum() - np.trace(k)) / (n * (n - 1)) if unbiased else k.mean())

    return 1000 * float(within(x) + within(y) - 2 * kernel(x, y).mean())


@pytest.mark.parametrize("block", [1, 7, 16, 1024])
@pytest.mark.parametrize("dim", [2, 8, 40])
def test_equals_numpy_for_every_block(block: int, dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mmd, "BLOCK", block)
    real, fake = sample(21, 0, dim=dim), sample(16, 1, 0.5, dim=dim)
    estimate = compute(real=real, fake=fake)["mmd"]
    assert float(estimate) == pytest.approx(direct(real, fake), rel=1e-9, abs=1e-11)
    assert estimate.bias_corrected == pytest.approx(direct(real, fake, unbiased=True), rel=1e-9, abs=1e-11)


def test_no_digits_are_lost_where_the_sets_nearly_agree() -> None:
    """Moved by 1e-6, unit vectors are at about 1000 · 1e-12 / 100; kernels near 1 would lose ten digits of their 16."""
    angles = torch.linspace(0, 6, 50, dtype=torch.float64)
    around, moved = (torch.stack([(angles + a).cos(), (angles + a).sin()], dim=1) for a in (0.0, 1e-6))
    step = 1e-6 * torch.stack([-angles.sin(), angles.cos()], dim=1).mean(0)
    assert float(compute(real=around, fake=moved)["mmd"]) == pytest.approx(1000 * float(step.square().sum()) / 100, rel=0.05)


def test_identical_sets_are_at_zero_and_unbiased_slightly_below() -> None:
    real = sample(100, 0)
    estimate = compute(real=real, fake=real)["mmd"]
    assert 0 <= float(estimate) < 1e-12
    assert estimate.bias_corrected is not None
    assert -0.5 < estimate.bias_corrected < 0


def test_lengths_of_embeddings_and_sides_do_not_matter() -> None:
    real, fake = sample(50, 0), sample(60, 1, 0.5)
    lengths = torch.rand(60, 1, generator=torch.Generator().manual_seed(2)) + 0.5
    estimate, scaled, back = (
        compute(real=a, fake=b)["mmd"] for a, b in ((real, fake), (3 * real, lengths * fake), (fake, real))
    )
    assert float(scaled) == pytest.approx(float(estimate), rel=1e-5)
    assert float(back) == pytest.approx(float(estimate), rel=1e-12)
    assert back.se == pytest.approx(estimate.se, rel=1e-12)


def test_bias_corrected_is_without_bias_and_the_value_is_not() -> None:
    estimates = [compute(real=sample(50, 2 * i), fake=sample(60, 2 * i + 1))["mmd"] for i in range(200)]
    corrected = np.array([estimate.bias_corrected for estimate in estimates], dtype=float)
    assert abs(corrected.mean()) < 3 * corrected.std() / 200**0.5
    assert min(float(estimate) for estimate in estimates) > 0


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    real, fake = sample(300, 0), sample(200, 1, 1.0)
    estimate = compute(real=real, fake=fake)["mmd"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        effect = (float(estimate) - float(compute(real=real, fake=fake[torch.arange(200) != i])["mmd"])) * 199
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=0.1)
        effect = (float(estimate) - float(compute(real=real[torch.arange(300) != i], fake=fake)["mmd"])) * 299
        assert float(estimate.influence.real[i]) == pytest.approx(effect, rel=0.05, abs=0.1)


def test_grows_with_the_share_of_another_content() -> None:
    real, fake, other = sample(300, 0), sample(300, 1), sample(300, 2, shift=3)
    values = [float(compute(real=real, fake=torch.cat([other[:k], fake[k:]]))["mmd"]) for k in (0, 30, 90, 180, 300)]
    assert values == sorted(values)
    assert values[-1] > 10 * values[0]


def test_an_embedding_of_length_zero_has_no_direction() -> None:
    fake = sample(20, 1)
    fake[[3, 5]] = 0
    with pytest.raises(DataError, match="2 of 20 fake images have embeddings of length zero"):
        compute(real=sample(20, 0), fake=fake)
