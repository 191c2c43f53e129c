"""Moments are exact for any split of the data, and factors reproduce covariances of any rank."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genbench.gaussian import RunningMoments, factorize, moments, without


@pytest.fixture
def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(300, 12, generator=generator) * torch.linspace(0.1, 3, 12) + 5


@pytest.mark.parametrize("sizes", [[300], [1, 299], [100, 100, 100], [1] * 300, [0, 150, 0, 150]])
def test_any_split_gives_the_same_moments(features: torch.Tensor, sizes: list[int]) -> None:
    running = RunningMoments(12)
    for part in features.split(sizes):
        running.update(part)
    got = running.result()
    assert got.n == 300
    np.testing.assert_allclose(got.mean, features.double().mean(0), rtol=1e-13)
    np.testing.assert_allclose(got.cov, features.double().T.cov(), rtol=1e-12, atol=1e-14)


def test_merging_streams_equals_one_stream(features: torch.Tensor) -> None:
    merged = RunningMoments(12)
    for part in features.split([7, 200, 93]):
        other = RunningMoments(12)
        other.update(part)
        merged.merge(other)
    merged.merge(RunningMoments(12))
    np.testing.assert_allclose(merged.result().cov, moments(features).cov, rtol=1e-12, atol=1e-14)


def test_large_mean_loses_no_digits() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(5000, 4, generator=generator, dtype=torch.float64)
    near, far = moments(noise, block=64), moments(noise + 1e6, block=64)
    np.testing.assert_allclose(far.cov, near.cov, rtol=1e-8, atol=1e-8)


def test_fewer_than_two_vectors_have_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least 2 vectors, got 1"):
        moments(torch.zeros(1, 3))


def test_without_is_the_moments_of_the_rest(features: torch.Tensor) -> None:
    gone = torch.arange(300) % 7 == 3
    left = without(moments(features), features[gone])
    expected = moments(features[~gone])
    assert left.n == expected.n
    np.testing.assert_allclose(left.mean, expected.mean, rtol=1e-13)
    np.testing.assert_allclose(left.cov, expected.cov, rtol=1e-11, atol=1e-13)
    with pytest.raises(ValueError, match="299 of 300"):
        without(moments(features), features[:299])


@pytest.mark.parametrize("rank", [12, 11, 5, 1, 0])
def test_factor_reproduces_covariances_of_any_rank(rank: int) -> None:
    generator = torch.Generator().manual_seed(rank)
    root = torch.randn(12, rank, generator=generator, dtype=torch.float64)
    cov = root @ root.T
    factor = factorize(cov)
    assert factor.shape == (12, rank)
    np.testing.assert_allclose(factor @ factor.T, cov, atol=1e-12)
    assert rank < 12 or not factor.triu(1).any()


def test_few_images_bring_a_thin_factor(features: torch.Tensor) -> None:
    few = moments(features[:5])
    assert few.stored_factor is not None
    assert few.factor.shape == (12, 5)
    np.testing.assert_allclose(few.factor @ few.factor.T, few.cov, atol=1e-12)


def test_dead_features_are_no_obstacle(features: torch.Tensor) -> None:
    features[:, 3] = 0
    some = moments(features)
    np.testing.assert_allclose(some.factor @ some.factor.T, some.cov, atol=1e-12)
