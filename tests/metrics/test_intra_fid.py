"""The mean Fréchet distance within classes: swapped labels, collapse within a class, error bars, classes that do not match."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.metrics.intra_fid import compute

CLASSES = 4


def labels(n: int) -> Tensor:
    return torch.arange(n) % CLASSES


def images(classes: Tensor, seed: int, dim: int = 6) -> Tensor:
    """Each class around a centre of its own, with a spread of its own."""
    centres = 5 * torch.randn(CLASSES, dim, generator=torch.Generator().manual_seed(99))
    noise = torch.randn(len(classes), dim, generator=torch.Generator().manual_seed(seed))
    return centres[classes] + noise * (1 + classes[:, None] / CLASSES)


def intra(real: Tensor, fake: Tensor, real_classes: Tensor, fake_classes: Tensor) -> Estimate:
    return compute(real=real, fake=fake, real_classes=real_classes, fake_classes=fake_classes)["intra_fd"]


def plain(real: Tensor, fake: Tensor) -> Estimate:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]


def test_it_is_the_mean_of_the_distances_within() -> None:
    c, d = labels(120), labels(200)
    real, fake = images(c, 0), images(d, 1) + 0.3
    estimate = intra(real, fake, c, d)
    within = [plain(real[c == k], fake[d == k]) for k in range(CLASSES)]
    assert dict(estimate.details) == {f"fd/{k}": float(one) for k, one in enumerate(within)}
    assert float(estimate) == pytest.approx(np.mean([float(one) for one in within]), rel=1e-12)
    assert estimate.se == pytest.approx(np.sqrt(sum((one.se or 0) ** 2 for one in within)) / CLASSES, rel=1e-12)
    assert estimate.bias_corrected == pytest.approx(np.mean([one.bias_corrected or 0 for one in within]), rel=1e-12)
    assert (estimate.n, estimate.n_real) == (200, 120)


def test_a_closed_form() -> None:
    """Class c is N(0, I) and is drawn as N(c, I) in 3 dimensions: 3 · mean of c²."""
    c = labels(8000)
    real = torch.randn(8000, 3, generator=torch.Generator().manual_seed(0))
    fake = torch.randn(8000, 3, generator=torch.Generator().manual_seed(1)) + c[:, None]
    assert float(intra(real, fake, c, c)) == pytest.approx(3 * (0 + 1 + 4 + 9) / 4, rel=0.03)


def test_one_class_is_the_plain_distance() -> None:
    c = labels(100)
    real, fake, one = images(c, 0), images(c, 1), torch.full((100,), 7)
    estimate, whole = intra(real, fake, one, one), plain(real, fake)
    assert float(estimate) == float(whole)
    assert estimate.se == pytest.approx(whole.se, rel=1e-12)


def test_identical_sets_and_the_order_of_images() -> None:
    c, d = labels(120), labels(200)
    real, fake = images(c, 0), images(d, 1)
    assert float(intra(real, real, c, c)) < 1e-8
    mixed = torch.randperm(200, generator=torch.Generator().manual_seed(3))
    estimate, again = intra(real, fake, c, d), intra(real, fake[mixed], c, d[mixed])
    assert float(again) == pytest.approx(float(estimate), rel=1e-9)
    assert again.influence is not None
    assert estimate.influence is not None
    torch.testing.assert_close(again.influence.fake, estimate.influence.fake[mixed])


def test_influence_carries_the_error_bar() -> None:
    """Also with classes of unequal numbers."""
    c, d = labels(400).clamp(min=1), labels(300).clamp(max=2)
    d[:40] = 3
    c[:40] = 0
    estimate = intra(images(c, 0), images(d, 1), c, d)
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    assert abs(float(estimate.influence.fake.mean())) < 1e-10
    variance = estimate.influence.fake.var() / 300 + estimate.influence.real.var() / 400
    assert estimate.se == pytest.approx(float(variance.sqrt()), rel=0.02)


def test_grows_with_the_share_of_swapped_labels_which_the_plain_distance_does_not_see() -> None:
    c = labels(800)
    real, fake = images(c, 0), images(c, 1)
    values, plains = [], []
    for wrong in (0, 40, 160, 400, 800):
        claimed = c.clone()
        claimed[:wrong] = (c[:wrong] + 1) % CLASSES
        values.append(float(intra(real, fake, c, claimed)))
        plains.append(float(plain(real, fake)))
    assert values == sorted(values)
    assert values[-1] > 100 * values[0]
    assert len(set(plains)) == 1


def test_names_the_class_that_collapsed() -> None:
    c = labels(800)
    real, fake = images(c, 0), images(c, 1)
    centre = fake[c == 2].mean(0)
    values = []
    for kept in (1.0, 0.7, 0.3, 0.0):
        collapsed = torch.where((c == 2)[:, None], centre + kept * (fake - centre), fake)
        estimate = intra(real, collapsed, c, c)
        values.append(float(estimate))
    assert values == sorted(values)
    assert max(estimate.details, key=lambda name: estimate.details[name]) == "fd/2"


def test_classes_of_one_side_only_are_named() -> None:
    c, d = labels(40), labels(40) + 2
    with pytest.raises(DataError, match="classes 0, 1 among the real images only and classes 4, 5 among the fake images only"):
        intra(images(c, 0), images(c, 1), c, d)
    with pytest.raises(DataError, match="class 3 among the real images only"):
        intra(images(c, 0), images(c, 1), c, c.clamp(max=2))
    many = torch.arange(40)
    with pytest.raises(DataError, match="classes 4, 5, 6, 7, 8 and 31 more among the fake images only"):
        intra(images(c, 0), images(c, 1), c, many)


def test_a_class_of_one_image() -> None:
    c, d = labels(40), labels(40).clamp(max=2)
    d[0] = 3
    with pytest.raises(DataError, match="at least 2 fake images of each class, and class 3 has fewer"):
        intra(images(c, 0), images(c, 1), c, d)
    d[1] = 3
    assert intra(images(c, 0), images(c, 1), c, d).se is not None


def test_bad_inputs() -> None:
    c = labels(40)
    real, fake = images(c, 0), images(c, 1)
    with pytest.raises(UsageError, match=r"a class for each of the 40 fake images, not \(39,\)"):
        intra(real, fake, c, c[:39])
    with pytest.raises(IncomparableError, match="6 features each and the fake ones 5"):
        intra(real, fake[:, :5], c, c)
    fake[3, 1] = float("nan")
    with pytest.raises(DataError, match="1 of 40 fake images"):
        intra(real, fake, c, c)
