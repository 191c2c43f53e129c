"""The classifier two-sample test: exactly 0.5 for copies, calibrated for equal distributions, 1 for sets far apart."""

from __future__ import annotations

from math import erf
from typing import Any

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from genbench.errors import DataError
from genbench.metrics.c2st import metric

CLASSIFIERS = ["logistic", "knn"]


def sample(n: int, seed: int, scale: float = 1.0, shift: float = 0.0, dim: int = 4) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) * scale + shift


def compute(real: Tensor, fake: Tensor, **settings: Any) -> Any:
    return metric.compute(real=real, fake=fake, **settings)["c2st"]


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_identical_sets_are_at_one_half(classifier: str) -> None:
    real = sample(150, 0)
    for fake in (real, real.flip(0)):
        estimate = compute(real, fake, classifier=classifier)
        assert float(estimate) == 0.5
        assert estimate.se < 1e-15


def test_answers_that_belong_together_across_sides_have_no_influence_of_a_side() -> None:
    """Copies on both sides answer together, so that the error is not what the pulls of either side add up to."""
    real, fake = sample(150, 0), sample(150, 1)
    assert compute(real, fake).influence is not None
    assert compute(real, torch.cat([real[:1], fake[1:]])).influence is None


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_copies_of_real_images_do_not_leak(classifier: str) -> None:
    """Were a copy in another fold, its real twin would vote against it: the value would fall below one half."""
    real = sample(200, 0, dim=2)
    memorised = torch.cat([real[:150], sample(50, 1, dim=2)])
    estimate = compute(real, memorised, classifier=classifier)
    assert abs(float(estimate) - 0.5) < 3 * estimate.se
    assert estimate.se < compute(real, sample(200, 2, dim=2), classifier=classifier).se  # of 150 pairs, one answer is right


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_far_apart(classifier: str) -> None:
    estimate = compute(sample(100, 0), sample(130, 1, shift=20.0), classifier=classifier)
    assert float(estimate) == 1
    assert estimate.ci[0] > 0.9
    assert estimate.details["p_value"] < 1e-6


def test_two_gaussians_reach_the_best_possible_accuracy() -> None:
    """Φ(δ/2) for means at the distance δ."""
    shift = torch.tensor([1.5, 0, 0, 0])
    for m, n in ((1500, 1500), (2500, 600)):
        estimate = compute(sample(m, 0), sample(n, 1) + shift)
        assert abs(float(estimate) - (1 + erf(0.75 / 2**0.5)) / 2) < 3 * estimate.se
        assert abs(estimate.details["real"] - estimate.details["fake"]) < 0.08  # also where there are fewer of one side


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_agrees_with_scikit_learn(classifier: str) -> None:
    real, fake = sample(400, 0), sample(400, 1, shift=0.4)
    model = LogisticRegression() if classifier == "logistic" else KNeighborsClassifier(13)
    order = torch.randperm(800, generator=torch.Generator().manual_seed(3))
    images, labels = torch.cat([real, fake])[order], (torch.arange(800) >= 400)[order]
    peer = cross_val_score(model, images.numpy(), labels.numpy(), cv=5).mean()
    assert float(compute(real, fake, classifier=classifier)) == pytest.approx(peer, abs=0.03)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_calibrated_for_equal_distributions(classifier: str) -> None:
    estimates = [compute(sample(100, 2 * i), sample(100, 2 * i + 1), classifier=classifier) for i in range(60)]
    values = torch.tensor([float(estimate) for estimate in estimates])
    errors = torch.tensor([estimate.se for estimate in estimates])
    assert abs(float(values.mean()) - 0.5) < 3 * float(values.std()) / 60**0.5
    assert 0.6 < float(values.std() / errors.mean()) < 1.3
    p = torch.tensor([estimate.details["p_value"] for estimate in estimates])
    assert float((p < 0.05).double().mean()) <= 0.1


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_neither_order_nor_sides_matter(classifier: str) -> None:
    real, fake = sample(90, 0), torch.cat([sample(60, 1, shift=0.5), sample(20, 0)])
    estimate = compute(real, fake, classifier=classifier)
    shuffled = fake[torch.randperm(80, generator=torch.Generator().manual_seed(2))]
    assert float(compute(real.flip(0), shuffled, classifier=classifier)) == float(estimate)
    assert float(compute(real, fake, classifier=classifier)) == float(estimate)
    assert abs(float(compute(fake, real, classifier=classifier)) - float(estimate)) < 2 * estimate.se  # other folds


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_grows_with_missing_modes_and_shift(classifier: str) -> None:
    centres = 6 * torch.eye(8)
    real = centres.repeat(40, 1) + sample(320, 0, dim=8)
    fewer = [centres[:kept].repeat(320 // kept, 1) + sample(320, 1, dim=8)[: 320 // kept * kept] for kept in (8, 6, 4, 2, 1)]
    missing = [float(compute(real, fake, classifier=classifier)) for fake in fewer]
    assert missing == sorted(missing)
    assert missing[-1] > 0.8
    moved = [
        float(compute(sample(300, 0), sample(300, 1, shift=shift), classifier=classifier)) for shift in (0.0, 0.3, 0.8, 2.0)
    ]
    assert moved == sorted(moved)


def test_neighbours_see_repeats_and_noise() -> None:
    real, fake = sample(300, 0, dim=2), sample(300, 1, dim=2)
    repeated = [float(compute(real, fake[: 300 // copies].repeat(copies, 1), classifier="knn")) for copies in (1, 10, 30, 300)]
    assert repeated == sorted(repeated)
    assert repeated[-1] > 0.9
    noise = sample(300, 2, dim=2)
    noisy = [float(compute(real, fake + level * noise, classifier="knn")) for level in (0.0, 1.0, 2.0, 5.0)]
    assert noisy == sorted(noisy)
    assert noisy[-1] > 0.75


def test_one_repeated_image_on_both_sides() -> None:
    """All are in one fold, and there is nothing to learn from."""
    constant = torch.ones(20, 3)
    assert float(compute(constant, constant)) == 0.5


def test_too_few_images() -> None:
    with pytest.raises(DataError, match="at least 5 real images, got 4"):
        compute(sample(4, 0), sample(50, 1))
