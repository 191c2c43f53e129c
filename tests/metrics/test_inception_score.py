"""The Inception Score: its extremes, splits, and a jackknife that equals leaving images out one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.metrics.inception_score import compute


def logits(n: int, classes: int = 7, seed: int = 0, scale: float = 2.0) -> Tensor:
    return torch.randn(n, classes, generator=torch.Generator().manual_seed(seed)) * scale


def plain_score(some: Tensor) -> float:
    p = some.double().softmax(1).numpy()
    return float(np.exp((p * np.log(p / p.mean(0))).sum(1).mean()))


def test_answers_that_never_change_score_one() -> None:
    estimate = compute(fake=torch.zeros(200, 10))["inception_score"]
    assert float(estimate) == pytest.approx(1, abs=1e-12)
    assert estimate.se == pytest.approx(0, abs=1e-12)
    assert float(compute(fake=logits(1).expand(200, -1))["inception_score"]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("height", [100.0, 1e6])  # the second makes probabilities of exactly zero
def test_sure_and_even_answers_score_the_number_of_classes(height: float) -> None:
    one_hot = torch.eye(10)[torch.arange(200) % 10] * height
    assert float(compute(fake=one_hot, splits=1)["inception_score"]) == pytest.approx(10, rel=1e-9)


def test_splits_of_a_shuffled_order() -> None:
    some = logits(123)
    order = np.random.RandomState(2020).permutation(123)
    parts = [some[order[i * 123 // 10 : (i + 1) * 123 // 10]] for i in range(10)]
    estimate = compute(fake=some)["inception_score"]
    assert float(estimate) == pytest.approx(np.mean([plain_score(part) for part in parts]), rel=1e-10)
    assert estimate.details["split_std"] == pytest.approx(np.std([plain_score(part) for part in parts]), rel=1e-8)


def test_jackknife_equals_leaving_images_out() -> None:
    some, m = logits(40), 20
    order = np.random.RandomState(2020).permutation(40)
    variance, bias, influence = 0.0, 0.0, np.empty(40)
    for members in (order[:m], order[m:]):
        left_out = np.array([plain_score(some[np.delete(members, i)]) for i in range(m)])
        variance += (m - 1) / m * ((left_out - left_out.mean()) ** 2).sum() / 4
        bias += (m - 1) * (left_out.mean() - plain_score(some[members])) / 2
        influence[members] = (m - 1) * (left_out.mean() - left_out)
    estimate = compute(fake=some, splits=2)["inception_score"]
    assert estimate.se == pytest.approx(variance**0.5, rel=1e-9)
    assert estimate.bias_corrected == pytest.approx(float(estimate) - bias, rel=1e-9)
    assert estimate.influence is not None
    np.testing.assert_allclose(estimate.influence.fake, influence, rtol=1e-7, atol=1e-9)
    assert bias < 0  # with few images the score is too low


def test_influence_has_the_spread_of_the_error_bar() -> None:
    estimate = compute(fake=logits(997))["inception_score"]
    assert estimate.influence is not None
    assert estimate.se == pytest.approx(float(estimate.influence.fake.std()) / 997**0.5, rel=0.02)


def test_adding_a_constant_to_logits_changes_nothing() -> None:
    some = logits(100).double()
    shifted = compute(fake=some + torch.arange(100)[:, None])["inception_score"]
    assert float(shifted) == pytest.approx(float(compute(fake=some)["inception_score"]), rel=1e-9)
