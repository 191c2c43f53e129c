"""Precision, recall, density, coverage: full matrices, ties and copies, blocks, and the published Gaussian values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.metrics import _neighbours, prdc

NAMES = ["precision", "recall", "density", "coverage"]


def sample(n: int, dim: int = 6, seed: int = 0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) + shift


def values(real: Tensor, fake: Tensor, **settings: object) -> list[float]:
    got = prdc.compute(real=real, fake=fake, **settings)
    return [float(got[name]) for name in NAMES]


def full_matrices(real: Tensor, fake: Tensor, k: int, closed: bool) -> list[float]:
    """The definitions, on all distances at once, in float64."""

    def distances(a: Tensor, b: Tensor) -> np.ndarray:
        return (a.double()[:, None] - b.double()[None]).square().sum(2).numpy()

    real_radii = np.sort(distances(real, real), 1)[:, k]
    fake_radii = np.sort(distances(fake, fake), 1)[:, k]
    compare = np.less_equal if closed else np.less
    in_real = compare(distances(real, fake), real_radii[:, None])
    in_fake = compare(distances(real, fake), fake_radii[None])
    return [in_real.any(0).mean(), in_fake.any(1).mean(), in_real.sum(0).mean() / k, in_real.any(1).mean()]


@pytest.mark.parametrize("block", [1, 13, 64, 1024])
@pytest.mark.parametrize("protocol", ["k5", "k3"])
def test_equals_full_matrices_for_every_block(block: int, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_neighbours, "BLOCK", block)
    settings = prdc.metric.protocols[protocol]
    real, fake = sample(101), sample(77, seed=1, shift=0.4)
    assert values(real, fake, **settings) == pytest.approx(full_matrices(real, fake, **settings), abs=1e-12)


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_many_copies_and_a_far_centre(offset: float, precision: str) -> None:
    """Whole numbers make exact ties; half of the fakes are copies; reduced matrix precision must not leak in."""
    real = sample(120).mul(2).round() + offset
    fake = torch.cat([real[:40], sample(40, seed=1).mul(2).round() + offset])
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        for settings in prdc.metric.protocols.values():
            assert values(real, fake, **settings) == pytest.approx(full_matrices(real, fake, **settings), abs=1e-12)
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("far", [30.0, 1e4])
def test_two_far_clusters_need_more_digits(far: float) -> None:
    """Products in float32 cannot tell the distances within the clusters apart at 30, nor those in float64 at 10,000."""
    side = torch.tensor([[-far], [far]])
    real, fake = sample(100) * 1e-2 + side.repeat(50, 1), sample(100, seed=1) * 1e-2 + side.repeat(50, 1)
    for settings in prdc.metric.protocols.values():
        assert values(real, fake, **settings) == pytest.approx(full_matrices(real, fake, **settings), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-25, 1e-10, 1e10, 1e25])
def test_units_do_not_matter(scale: float) -> None:
    real, fake = sample(80), sample(70, seed=1, shift=0.4)
    assert values(real * scale, fake * scale) == pytest.approx(values(real, fake), abs=1e-12)


def test_identical_sets() -> None:
    real = sample(300, dim=20)
    shuffled = real[torch.randperm(300, generator=torch.Generator().manual_seed(2))]
    # Without the surface a ball holds its own image and the k - 1 before the k-th: density is exactly 1.
    assert values(real, shuffled, k=5, closed=False) == pytest.approx([1, 1, 1, 1], abs=1e-12)
    assert values(real, shuffled, k=3, closed=True) == pytest.approx([1, 1, 4 / 3, 1], abs=1e-12)


def test_a_single_image_repeated() -> None:
    same = torch.ones(20, 4)
    assert values(same, same, k=5, closed=False) == [0, 0, 0, 0]  # all radii are zero, and nothing is below zero
    assert values(same, same, k=3, closed=True) == pytest.approx([1, 1, 20 / 3, 1])


def test_disjoint_sets() -> None:
    assert values(sample(50), sample(50, seed=1, shift=100)) == [0, 0, 0, 0]


def test_collapsed_fakes_are_precise_and_recall_nothing() -> None:
    precision, recall, _, coverage = values(sample(300), sample(300, seed=1) * 0.01)
    assert precision == 1
    assert recall < 0.05
    assert coverage < 0.5


def test_k_other_images_are_enough() -> None:
    real, fake = sample(6), sample(7, seed=1)
    assert values(real, fake, k=5) == pytest.approx(full_matrices(real, fake, 5, False))


def test_error_bars_of_the_images_asked() -> None:
    got = prdc.compute(real=sample(400), fake=sample(300, seed=1, shift=0.5))
    share = float(got["precision"])
    assert got["precision"].se == pytest.approx((share * (1 - share) / 300) ** 0.5)
    for estimate in got.values():
        assert (estimate.n, estimate.n_real) == (300, 400)
        assert estimate.influence is not None
        variance = estimate.influence.fake.var() / 300
        if estimate.influence.real is not None:
            variance += estimate.influence.real.var() / 400
        assert estimate.se == pytest.approx(float(variance) ** 0.5, rel=2e-3)


def test_jackknife_of_coverage_equals_leaving_images_out() -> None:
    real, fake = sample(50), sample(40, seed=1, shift=0.5)
    left_out = []
    for i in range(40):
        # Identical real sets, so the balls stay; only the fake image goes.
        left_out.append(values(real, fake[torch.arange(40) != i])[3])
    deviations = np.mean(left_out) - np.array(left_out)
    estimate = prdc.compute(real=real, fake=fake)["coverage"]
    assert estimate.se == pytest.approx((39 / 40 * (deviations**2).sum()) ** 0.5)
    assert estimate.influence is not None
    np.testing.assert_allclose(estimate.influence.fake, 39 * deviations, atol=1e-12)


def test_error_of_recall_is_that_of_the_real_images_and_of_leaving_balls_out() -> None:
    real, fake = sample(50), 0.5 * sample(40, seed=1)
    inside = torch.cdist(real, fake) < torch.cdist(fake, fake).kthvalue(6, dim=1).values
    left_out = np.array([float(inside[:, torch.arange(40) != i].any(1).double().mean()) for i in range(40)])
    deviations = left_out.mean() - left_out
    estimate = prdc.compute(real=real, fake=fake)["recall"]
    share = float(estimate)
    assert 0.1 < share < 0.9
    assert estimate.se == pytest.approx((39 / 40 * (deviations**2).sum() + share * (1 - share) / 50) ** 0.5)
    assert estimate.influence is not None
    np.testing.assert_allclose(estimate.influence.fake, 39 * deviations, atol=1e-12)


@pytest.mark.parametrize(("n", "dim", "scale"), [(200, 8, 0.7), (300, 32, 1.1), (200, 2, 0.7)])
def test_recalls_against_one_reference_vary_no_more_than_their_generated_images_tell(n: int, dim: int, scale: float) -> None:
    """With the reference kept, all that moves recall is which images were generated."""
    real = sample(400, dim=dim)
    found = [prdc.compute(real=real, fake=scale * sample(n, dim=dim, seed=seed))["recall"] for seed in range(1, 61)]
    errors = [(float(one.influence.fake.var()) / n) ** 0.5 for one in found if one.influence is not None]
    assert np.std([float(one) for one in found], ddof=1) < 1.2 * np.mean(errors)


@pytest.mark.slow
def test_published_gaussian_values() -> None:
    """README of prdc 0.2: N(0, I) in 1,000 dimensions, 10,000 images on either side, k = 5."""
    got = values(sample(10_000, 1000), sample(10_000, 1000, seed=1))
    assert got == pytest.approx([0.4772, 0.4705, 1.0555, 0.9735], abs=0.06)
