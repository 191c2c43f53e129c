"""The Vendi Score: known answers, both forms of the spectrum, the influence of an image, and repeated or missing images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import UsageError
from genbench.metrics.vendi import compute
from genbench.seeding import generator


def sample(n: int, seed: int, dim: int = 8, shift: float = 0.3) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * torch.linspace(0.5, 2, dim) + shift


def vendi(fake: Tensor, order: float = 1.0) -> float:
    return float(compute(fake=fake, order=order)["vendi"])


def naive(fake: Tensor, order: float = 1.0) -> float:
    x = fake.double().numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(x @ x.T / len(x))
    values = values[values > 1e-12]
    if order == 1:
        return float(np.exp(-(values * np.log(values)).sum()))
    return float((values**order).sum() ** (1 / (1 - order)))


def features_of(kernel: np.ndarray) -> Tensor:
    """Rows whose cosines are `kernel`."""
    values, vectors = np.linalg.eigh(kernel)
    return torch.from_numpy(vectors * np.sqrt(values.clip(0)))


def test_known_answers() -> None:
    """The two examples of the README of vertaix/Vendi-Score, which cuts the digits of the first, 2.999999996."""
    places = np.array([0, 0, 10, 10, 20, 20])
    assert int(1e4 * vendi(features_of(np.exp(-np.abs(places[:, None] - places))))) == 29999
    assert round(vendi(features_of(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]))), 4) == 2.1573


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(("n", "dim"), [(40, 8), (8, 40), (20, 20)])
def test_equals_the_n_by_n_form(n: int, dim: int, order: float) -> None:
    assert vendi(sample(n, 0, dim), order) == pytest.approx(naive(sample(n, 0, dim), order), rel=1e-9)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_counts_images_that_have_nothing_in_common(order: float) -> None:
    """k kinds, equally often, are k; of shares p, the exponential of their entropy."""
    assert vendi(torch.eye(7), order) == pytest.approx(7)
    assert vendi(torch.eye(5).repeat(6, 1), order) == pytest.approx(5)
    assert vendi(torch.ones(9, 3), order) == pytest.approx(1)
    shares = torch.tensor([0.5, 0.3, 0.2])
    entropy = -(shares * shares.log()).sum() if order == 1 else -shares.square().sum().log()
    assert vendi(torch.eye(3).repeat_interleave(torch.tensor([5, 3, 2]), 0), order) == pytest.approx(float(entropy.exp()))


def test_lengths_rotations_and_repeating_everything_change_nothing() -> None:
    fake = sample(60, 0)
    turn = torch.linalg.qr(sample(8, 1))[0]
    lengths = torch.rand(60, 1, generator=torch.Generator().manual_seed(2)) + 0.1
    for same in (fake * lengths, fake @ turn, fake.repeat(3, 1)):
        assert vendi(same) == pytest.approx(vendi(fake), rel=1e-5)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("n", "dim"), [(60, 8), (20, 40)])
def test_influence_is_the_derivative_by_the_weight_of_an_image(n: int, dim: int, order: float) -> None:
    fake = sample(n, 0, dim)
    estimate = compute(fake=fake, order=order)["vendi"]
    assert estimate.influence is not None

    def weighted(i: int, more: float) -> float:
        weights = torch.full((n, 1), (1 - more) / n, dtype=torch.float64)
        weights[i] += more
        unit = torch.nn.functional.normalize(fake.double())
        values = torch.linalg.eigvalsh((weights.sqrt() * unit).T @ (weights.sqrt() * unit))
        values = values[values > 1e-12]
        if order == 1:
            return float((-values * values.log()).sum().exp())
        return float(values.pow(order).sum() ** (1 / (1 - order)))

    slopes = [(weighted(i, 1e-5) - weighted(i, -1e-5)) / 2e-5 for i in (0, 7, n - 1)]
    pulls = estimate.influence.fake[[0, 7, n - 1]].numpy()
    scale = pulls[0] / slopes[0]  # where there are few images it is stretched to the error of the jackknife
    assert pulls / scale == pytest.approx(slopes, rel=1e-5)
    assert (estimate.method == "jackknife") == (n == 20)
    assert n == 20 or scale == pytest.approx(1, rel=1e-5)


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    fake = sample(1500, 0)
    estimate = compute(fake=fake)["vendi"]
    assert estimate.influence is not None
    for i in (0, 7, 1499):
        effect = (float(estimate) - vendi(fake[torch.arange(1500) != i])) * 1499
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.02, abs=0.02)


@pytest.mark.parametrize("dim", [60, 300])
def test_few_images_per_feature_have_a_jackknife(dim: int) -> None:
    fake = sample(200, 0, dim)
    fake[:3] = 0
    estimate = compute(fake=fake)["vendi"]
    assert estimate.method == "jackknife"
    again = compute(fake=fake.flip(0))["vendi"]
    assert again.se == pytest.approx(estimate.se, rel=1e-9)
    group = torch.from_numpy(generator(0, "vendi/groups").permutation(200)) % 20
    ordered = fake[torch.from_numpy(np.lexsort(fake.numpy().T[::-1]).copy())]
    without = [vendi(ordered[group != i]) for i in range(20)]
    assert estimate.se == pytest.approx((19 / 20) ** 0.5 * np.std(without) * 20**0.5, rel=1e-9)


@pytest.mark.parametrize("dim", [20, 60])
def test_below_40_images_single_ones_are_left_out(dim: int) -> None:
    fake = sample(25, 0, dim)
    estimate = compute(fake=fake)["vendi"]
    without = [vendi(fake[torch.arange(25) != i]) for i in range(25)]
    assert estimate.method == "jackknife"
    assert estimate.se == pytest.approx((24 / 25) ** 0.5 * np.std(without) * 25**0.5, rel=1e-9)
    assert compute(fake=fake[:3])["vendi"].se is not None
    assert compute(fake=fake[:2])["vendi"].se is None
    assert compute(fake=fake[:1].repeat(2, 1))["vendi"].se == 0


def test_images_without_direction_are_one_kind() -> None:
    fake = torch.cat([torch.eye(3), torch.zeros(1, 3)])
    assert vendi(fake) == pytest.approx(4)
    assert vendi(torch.zeros(5, 3)) == pytest.approx(1)


def test_falls_with_repeats_and_missing_modes() -> None:
    fake = sample(400, 0, 32)
    repeated = [vendi(fake[: 400 // copies].repeat(copies, 1)) for copies in (1, 2, 5, 10, 40, 400)]
    assert repeated == sorted(repeated, reverse=True)
    assert repeated[-1] == pytest.approx(1)
    modes = torch.eye(10).repeat_interleave(40, 0) * 10
    points = modes + 0.3 * sample(400, 1, 10, shift=0.0)
    found = [vendi(points[: 40 * kept]) for kept in (10, 7, 4, 2, 1)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 9
    assert found[-1] < 1.5


def test_takes_noise_for_variety() -> None:
    """What it is documented to be blind to."""
    fake = sample(300, 0, shift=2.0)
    noisy = [vendi(fake + level * torch.randn(300, 8, generator=torch.Generator().manual_seed(4))) for level in (0.0, 1, 3, 10)]
    assert noisy == sorted(noisy)


def test_order_must_be_positive() -> None:
    with pytest.raises(UsageError, match="positive order"):
        compute(fake=sample(9, 0), order=0)
