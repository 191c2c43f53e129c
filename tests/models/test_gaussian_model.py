"""The Gaussian model: the density in closed form, the maximum likelihood of both fits, samples with the full Λ^(1/2)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.decomposition import PCA
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.linear.gaussian import Gaussian
from genbench.seeding import Noise

POINTS = DataSpec(channels=2, height=1, width=1, levels=0)
CONTINUOUS = DataSpec(channels=1, height=2, width=3, levels=0)
IMAGES = DataSpec(channels=1, height=4, width=4, levels=17)


def fitted(spec: DataSpec, stored: Tensor, **arguments: int) -> Gaussian:
    model = Gaussian(spec, **arguments)
    (stage,) = model.stages()
    assert stage.fit is not None
    model.logs = list(stage.fit(Examples(images=stored)))
    return model


def correlated(n: int, *shape: int) -> Tensor:
    """Float32 (n, *shape) with a full covariance and a mean that is not zero."""
    generator = torch.Generator().manual_seed(0)
    dim = math.prod(shape)
    mixing = torch.randn(dim, dim, generator=generator)
    return (torch.randn(n, dim, generator=generator) @ mixing + torch.arange(dim)).unflatten(1, shape)


def grey(n: int = 300) -> Tensor:
    """uint8 (n, 1, 4, 4) on 17 levels, correlated, with one pixel that never changes."""
    levels = correlated(n, 1, 4, 4).add(8).round().clamp(0, 16)
    levels[:, 0, 0, 0] = 0
    return images.to_uint8(images.from_levels(levels.long(), 17))


def log_prob(model: Gaussian, x: Tensor, seed: int = 0) -> Tensor:
    return model.log_prob(Batch(x=x), Noise(seed, range(len(x))))


def test_density_has_the_half_and_agrees_with_scipy() -> None:
    x = correlated(500, 1, 2, 3)
    model = fitted(CONTINUOUS, x)
    flat = x.flatten(1).double().numpy()
    expected = stats.multivariate_normal(flat.mean(0), np.cov(flat.T, bias=True)).logpdf(flat)
    torch.testing.assert_close(log_prob(model, x), torch.from_numpy(expected), rtol=1e-9, atol=1e-6)


def test_density_of_points_integrates_to_one() -> None:
    """Without the 1/2 in the exponent it would integrate to 1/2 in two dimensions."""
    model = fitted(POINTS, correlated(200, 2, 1, 1))
    mean, spread = model.whitening.mean, 8 * float(model.whitening.scales.max())
    axis = np.linspace(-spread, spread, 401)
    grid = torch.from_numpy(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)) + mean
    density = log_prob(model, grid.unflatten(1, (2, 1, 1))).exp().reshape(401, 401).numpy()
    assert integrate.trapezoid(integrate.trapezoid(density, axis), axis) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_rank_is_probabilistic_pca(rank: int) -> None:
    x = correlated(400, 1, 2, 3)
    flat = x.flatten(1).double().numpy()
    theirs = PCA(rank).fit(flat)
    covariance = theirs.get_covariance() * (1 - 1 / len(flat))  # sklearn divides by N - 1
    expected = stats.multivariate_normal(flat.mean(0), covariance).logpdf(flat)
    torch.testing.assert_close(log_prob(fitted(CONTINUOUS, x, rank=rank), x), torch.from_numpy(expected), rtol=1e-7, atol=1e-5)


@pytest.mark.parametrize("rank", [None, 2])
def test_logged_loss_is_the_mean_negative_log_likelihood(rank: int | None) -> None:
    x = correlated(400, 1, 2, 3)
    model = fitted(CONTINUOUS, x, rank=rank)
    assert model.logs[-1]["loss"] == pytest.approx(-float(log_prob(model, x).mean()), rel=1e-9)


def test_logged_loss_counts_dequantisation() -> None:
    stored = grey()
    model = fitted(IMAGES, stored)
    draws = [float(log_prob(model, images.to_float(stored), seed).mean()) for seed in range(20)]
    assert model.logs[-1]["loss"] == pytest.approx(-np.mean(draws), abs=0.05)


def test_the_fit_is_the_limit_of_many_dequantised_draws() -> None:
    stored = grey()
    model = fitted(IMAGES, stored)
    x = images.to_float(stored).repeat(200, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    drawn = images.dequantize(x, 17, torch.rand(x.shape, generator=generator)).flatten(1).double()
    w = model.whitening
    cov = w.vectors * w.scales.square() @ w.vectors.T
    torch.testing.assert_close(w.mean, drawn.mean(0), atol=2e-3, rtol=0)
    torch.testing.assert_close(cov, drawn.T.cov(correction=0), atol=2e-3, rtol=0)
    assert float(cov[0, 0]) == pytest.approx((2 / 17) ** 2 / 12)  # the constant pixel


def test_levels_of_one_pixel_never_have_more_than_probability_one() -> None:
    spec = DataSpec(channels=1, height=1, width=1, levels=5)
    model = fitted(spec, images.to_uint8(images.from_levels(torch.tensor([1, 2, 2, 3]), 5)).view(-1, 1, 1, 1))
    every_level = images.from_levels(torch.arange(5), 5).view(-1, 1, 1, 1)
    mean_log = torch.stack([log_prob(model, every_level, seed) for seed in range(200)]).mean(0)
    assert 0.9 < float(mean_log.exp().sum()) <= 1


def test_samples_have_the_data_s_moments() -> None:
    x = correlated(500, 2, 1, 1)
    samples = fitted(POINTS, x).generate(4000).flatten(1)
    torch.testing.assert_close(samples.mean(0), x.flatten(1).mean(0), atol=0.15, rtol=0)
    torch.testing.assert_close(samples.T.cov(), x.flatten(1).T.cov(), rtol=0.1, atol=0.1)


def test_samples_of_a_low_rank_still_fill_all_dimensions() -> None:
    model = fitted(CONTINUOUS, correlated(500, 1, 2, 3), rank=2)
    values = torch.linalg.eigvalsh(model.generate(4000).flatten(1).T.cov()).flip(0)
    torch.testing.assert_close(values, model.whitening.scales.square().float(), rtol=0.15, atol=0)


def test_samples_lie_on_the_grid() -> None:
    samples = fitted(IMAGES, grey()).generate(50)
    torch.testing.assert_close(samples, images.from_levels(images.to_levels(samples, 17), 17))


@pytest.mark.parametrize("stored", [grey(), correlated(100, 1, 4, 4)], ids=["levels", "continuous"])
def test_decode_inverts_encode_at_full_rank(stored: Tensor) -> None:
    spec = IMAGES if stored.dtype == torch.uint8 else DataSpec(channels=1, height=4, width=4, levels=0)
    x = Examples(images=stored).batch().x
    model = fitted(spec, stored)
    torch.testing.assert_close(model.decode(model.encode(x)), x, atol=1e-5, rtol=1e-5)


def test_codes_are_white() -> None:
    x = correlated(300, 1, 2, 3)
    codes = fitted(CONTINUOUS, x, rank=4).encode(x)
    assert codes.shape == (300, 4)
    torch.testing.assert_close(codes.T.cov(correction=0), torch.eye(4, dtype=torch.float64), atol=1e-6, rtol=0)


def test_reconstruction_of_a_low_rank_is_sklearn_s() -> None:
    x = correlated(300, 1, 2, 3)
    model, theirs = fitted(CONTINUOUS, x, rank=2), PCA(2).fit(x.flatten(1).double())
    expected = theirs.inverse_transform(theirs.transform(x.flatten(1).double()))
    torch.testing.assert_close(
        model.decode(model.encode(x)).flatten(1), torch.from_numpy(expected).float(), atol=1e-4, rtol=1e-4
    )


def test_fewer_examples_than_pixels_leave_a_proper_density() -> None:
    model = fitted(IMAGES, grey(5))
    assert log_prob(model, images.to_float(grey(20))).isfinite().all()
    assert model.generate(3).isfinite().all()


def test_untrained_it_samples() -> None:
    samples = Gaussian(IMAGES).sample(Noise(0, range(3)), Condition())
    assert samples.shape == (3, 1, 4, 4)
    assert samples.abs().max() <= 1
