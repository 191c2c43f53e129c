"""The Gaussian mixture: EM climbs, one component is the Gaussian, agreement with scikit-learn's EM and density."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from torch import Tensor

from genbench import images
from genbench.batch import Batch, DataSpec, Examples
from genbench.models.linear.gaussian import Gaussian
from genbench.models.linear.gmm import GMM
from genbench.seeding import Noise

POINTS = DataSpec(channels=2, height=1, width=1, levels=0)
DIGITS = DataSpec(channels=1, height=8, width=8, levels=17)


def fitted(model: GMM | Gaussian, stored: Tensor, seed: int = 0) -> list[float]:
    """Fit the model; the losses of all iterations."""
    torch.manual_seed(seed)
    (stage,) = model.stages()
    assert stage.fit is not None
    return [log["loss"] for log in stage.fit(Examples(images=stored))]


def log_prob(model: GMM | Gaussian, x: Tensor) -> Tensor:
    return model.log_prob(Batch(x=x), Noise(0, range(len(x))))


def ring(n: int = 400, modes: int = 4) -> Tensor:
    """Float (n, 2, 1, 1), Gaussians of standard deviation 0.1 around a circle."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.arange(n) % modes * (2 * torch.pi / modes)
    return (torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2, generator=generator)).view(n, 2, 1, 1)


def digits() -> tuple[Tensor, Tensor]:
    """uint8 training and held-out images."""
    stored = torch.from_numpy(np.round(load_digits().images * 255 / 16).astype(np.uint8)).unsqueeze(1)
    held_out = torch.arange(len(stored)) % 3 == 2
    return stored[~held_out], stored[held_out]


@pytest.mark.parametrize("floor", [1e-4, 0.3, 1.0])
def test_the_log_likelihood_never_falls(floor: float) -> None:
    x = torch.randn(300, 1, 2, 3, generator=torch.Generator().manual_seed(0)).exp()
    spec = DataSpec(channels=1, height=2, width=3, levels=0)
    losses = fitted(GMM(spec, components=5, floor=floor, tolerance=0), x)
    assert len(losses) > 5
    assert all(after <= before + 1e-9 for before, after in pairwise(losses))


def test_the_logged_loss_is_the_mean_negative_log_likelihood() -> None:
    x = ring()
    model = GMM(POINTS, components=4)
    losses = fitted(model, x)
    assert losses[-1] == pytest.approx(-float(log_prob(model, x).mean()), abs=1e-9)


@pytest.mark.parametrize("levels", [0, 17])
def test_one_component_is_the_gaussian(levels: int) -> None:
    """With levels, both give the probability of a level and not the density within it."""
    spec = DataSpec(channels=1, height=2, width=2, levels=17) if levels else POINTS
    stored = torch.randint(256, (400, 1, 2, 2), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    stored, x = (stored, images.to_float(stored)) if levels else (ring() ** 3, ring() ** 3)
    mixture, gaussian = GMM(spec, components=1), Gaussian(spec)
    fitted(mixture, stored)
    fitted(gaussian, stored)
    tolerance = 0.3 if levels else 1e-6  # each fit draws its own dequantisation; the volume of the bins is 8.6 nats
    torch.testing.assert_close(log_prob(mixture, x), log_prob(gaussian, x), atol=tolerance, rtol=1e-6)


def test_density_agrees_with_scikit_learn() -> None:
    """Parameters found here and put into scikit-learn's mixture give the same density, apart from the map's volume."""
    x = ring()
    model = GMM(POINTS, components=4)
    fitted(model, x)
    theirs = GaussianMixture(4)
    theirs.weights_, theirs.means_ = model.log_weights.exp().numpy(), model.means.numpy()
    covariances = (model.factors @ model.factors.mT).numpy()
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covariances))
    expected = theirs.score_samples(model.whitening.whiten(x).numpy()) - float(model.whitening.scales.log().sum())
    torch.testing.assert_close(log_prob(model, x), torch.from_numpy(expected), atol=1e-8, rtol=1e-8)


def test_em_ends_where_scikit_learn_s_does() -> None:
    x = ring()
    losses = fitted(GMM(POINTS, components=4, tolerance=1e-8, iterations=200), x)
    theirs = GaussianMixture(4, reg_covar=0, tol=1e-8, max_iter=200, random_state=0).fit(x.flatten(1).double())
    assert losses[-1] == pytest.approx(-theirs.score(x.flatten(1).double()), abs=1e-4)


def test_no_component_is_narrower_than_the_floor() -> None:
    model = GMM(POINTS, components=8, floor=0.05)
    fitted(model, ring(12))
    values = torch.linalg.eigvalsh(model.factors @ model.factors.mT)
    assert values.min() > 0.05 - 1e-9
    assert values.min() < 0.06  # the data would have it narrower


def test_more_components_than_different_examples_stay_finite() -> None:
    model = GMM(POINTS, components=6)
    assert np.isfinite(fitted(model, ring(3).repeat(2, 1, 1, 1))).all()
    assert model.generate(4).isfinite().all()


def test_it_beats_the_gaussian_on_digits_it_has_not_seen() -> None:
    train, held_out = digits()
    mixture, gaussian = GMM(DIGITS, iterations=20), Gaussian(DIGITS)
    fitted(mixture, train)
    fitted(gaussian, train)
    gain = log_prob(mixture, images.to_float(held_out)).mean() - log_prob(gaussian, images.to_float(held_out)).mean()
    assert gain > 5


def test_samples_follow_the_mixture() -> None:
    model = GMM(POINTS, components=4)
    x = ring()
    fitted(model, x)
    samples = model.generate(2000, batch_size=500)
    nearest = torch.cdist(samples.flatten(1), torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])).min(1)
    assert nearest.values.square().mean().sqrt() == pytest.approx(0.1 * 2**0.5, rel=0.1)
    torch.testing.assert_close(nearest.indices.bincount() / 2000, torch.full((4,), 0.25), atol=0.05, rtol=0)


def test_mean_log_density_of_own_samples_is_the_entropy_s() -> None:
    """The components hardly overlap, so the entropy is the mean of theirs plus that of the weights."""
    model = GMM(POINTS, components=4)
    fitted(model, ring())
    volumes = model.factors.diagonal(dim1=1, dim2=2).log().sum(1) + model.whitening.scales.log().sum()
    entropy = (model.log_weights.exp() * (volumes + np.log(2 * np.pi * np.e) - model.log_weights)).sum()
    assert float(log_prob(model, model.generate(4000)).mean()) == pytest.approx(-float(entropy), abs=0.06)


def test_responsibilities_tell_the_components_apart() -> None:
    model = GMM(POINTS, components=4)
    x = ring()
    fitted(model, x)
    responsibilities = model.encode(x)
    torch.testing.assert_close(responsibilities.sum(1), torch.ones(len(x), dtype=torch.float64))
    assert len(torch.unique(responsibilities[:4].argmax(1))) == 4
    assert float((model.decode(responsibilities) - x).square().mean()) == pytest.approx(0.01, rel=0.15)
