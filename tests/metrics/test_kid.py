"""The kernel distance: a double loop, unbiasedness, blocks, and torch-fidelity's subsets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics import _mmd, kid


def sample(n: int, seed: int, scale: float = 1.0, shift: float = 0.0, dim: int = 8) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def loops(real: Tensor, fake: Tensor) -> float:
    def mean_kernel(a: Tensor, b: Tensor, skip_same: bool) -> float:
        pairs = [(x, y) for i, x in enumerate(a) for j, y in enumerate(b) if not (skip_same and i == j)]
        return float(np.mean([(float(x.double() @ y.double()) / len(x) + 1) ** 3 for x, y in pairs]))

    return mean_kernel(real, real, True) + mean_kernel(fake, fake, True) - 2 * mean_kernel(real, fake, False)


@pytest.mark.parametrize("block", [1, 7, 16, 1024])
def test_equals_a_double_loop_for_every_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mmd, "BLOCK", block)
    real, fake = sample(21, 0), sample(16, 1, 1.2, 0.3)
    assert float(kid.compute(real=real, fake=fake)["kd"]) == pytest.approx(loops(real, fake), rel=1e-12)


def test_symmetric_and_without_bias() -> None:
    values = [float(kid.compute(real=sample(50, 2 * i), fake=sample(60, 2 * i + 1))["kd"]) for i in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5
    assert min(values) < 0 < max(values)
    real, fake = sample(50, 0), sample(60, 1, 1.2)
    forth, back = kid.compute(real=real, fake=fake)["kd"], kid.compute(real=fake, fake=real)["kd"]
    assert float(forth) == pytest.approx(float(back), rel=1e-12)
    assert forth.se == pytest.approx(back.se, rel=1e-12)


def test_identical_sets_are_slightly_below_zero() -> None:
    """Each image meets its copy across the sets, but not itself within: the value is -2/n times the spread of the kernel."""
    real = sample(400, 0)
    value = float(kid.compute(real=real, fake=real)["kd"])
    assert -0.1 < value < 0


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    real, fake = sample(300, 0), sample(200, 1, 1.2, 0.2)
    estimate = kid.compute(real=real, fake=fake)["kd"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        rest = torch.arange(200) != i
        effect = (float(estimate) - float(kid.compute(real=real, fake=fake[rest])["kd"])) * 199
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=0.02)
    rest = torch.arange(300) != 7
    effect = (float(estimate) - float(kid.compute(real=real[rest], fake=fake)["kd"])) * 299
    assert float(estimate.influence.real[7]) == pytest.approx(effect, rel=0.05, abs=0.02)


def test_subsets_are_means_over_the_same_draws_every_time() -> None:
    real, fake = sample(120, 0), sample(110, 1, 1.2)
    settings = {"subsets": 10, "subset_size": 40, "seed": 2020}
    estimate = kid.compute(real=real, fake=fake, **settings)["kd"]
    assert float(estimate) == float(kid.compute(real=real, fake=fake, **settings)["kd"])

    random, values = np.random.RandomState(2020), []
    for _ in range(10):
        of_fake, of_real = random.choice(110, 40, replace=False), random.choice(120, 40, replace=False)
        values.append(float(kid.compute(real=real[of_real], fake=fake[of_fake])["kd"]))
    assert float(estimate) == pytest.approx(np.mean(values), rel=1e-12)
    assert estimate.details["subset_std"] == pytest.approx(np.std(values), rel=1e-12)
    full = kid.compute(real=real, fake=fake)["kd"]
    assert full.se is not None
    assert estimate.se is not None
    assert estimate.se**2 == pytest.approx(full.se**2 + np.var(values) / 10)


def test_subsets_of_everything_are_all_pairs() -> None:
    real, fake = sample(40, 0), sample(40, 1, 1.2)
    subsets = kid.compute(real=real, fake=fake, subsets=3, subset_size=40)["kd"]
    assert float(subsets) == pytest.approx(float(kid.compute(real=real, fake=fake)["kd"]), rel=1e-10)
    assert subsets.details["subset_std"] < 1e-12


def test_too_few_images_for_a_subset() -> None:
    with pytest.raises(DataError, match="subsets of 1000 images, and there are 512 fake ones") as caught:
        kid.compute(real=sample(1000, 0), fake=sample(512, 1), **kid.metric.protocols["subsets"])
    assert "subset_size=512" in caught.value.hint


@pytest.mark.parametrize(("sigma", "dim"), [(10.0, 8), (10.0, 2), (0.5, 2)])
def test_gaussian_kernel_equals_all_exponentials(sigma: float, dim: int) -> None:
    real, fake = sample(31, 0, dim=dim), sample(26, 1, 1.2, 0.3, dim=dim)
    x, y = real.double().numpy(), fake.double().numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-np.square(a[:, None] - b[None]).sum(-1) / (2 * sigma**2))

    def within(a: np.ndarray) -> float:
        return float((kernel(a, a).sum() - len(a)) / (len(a) * (len(a) - 1)))

    direct = within(x) + within(y) - 2 * kernel(x, y).mean()
    assert float(kid.compute(real=real, fake=fake, sigma=sigma)["kd"]) == pytest.approx(direct, rel=1e-9)


def test_gaussian_kernel_of_gaussians_has_a_closed_form() -> None:
    """E k(x, y) = (1 + v / σ²)^(-D/2) exp(-|Δ|² / 2(σ² + v)) where v is the variance of x - y in each coordinate."""
    dim, sigma, shift = 4, 2.0, 1.0

    def expected(v: float, squared: float) -> float:
        return float((1 + v / sigma**2) ** (-dim / 2) * np.exp(-squared / (2 * (sigma**2 + v))))

    truth = 2 * expected(2.0, 0.0) - 2 * expected(2.0, dim * shift**2)
    got = kid.compute(real=sample(4000, 0, dim=dim), fake=sample(4000, 1, shift=shift, dim=dim), sigma=sigma)["kd"]
    assert got.se is not None
    assert abs(float(got) - truth) < 3 * got.se < 0.1 * truth


def test_the_rbf_protocol_sees_a_planted_shift() -> None:
    real, fake = sample(300, 0), sample(300, 1)
    values = [
        float(kid.compute(real=real, fake=fake + step, **kid.metric.protocols["rbf"])["kd"]) for step in (0, 0.2, 0.5, 1, 3)
    ]
    assert values == sorted(values)
    assert values[-1] > 100 * abs(values[0])


@pytest.mark.parametrize("settings", [{}, {"subsets": 3, "subset_size": 20}])
def test_features_whose_kernel_overflows_are_named(settings: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"kernel of kid overflows: features reach \d\.\d+e\+3") as caught:
        kid.compute(real=sample(40, 0) * 1e30, fake=sample(40, 1), **settings)
    assert caught.value.code == "E-NON-FINITE"
