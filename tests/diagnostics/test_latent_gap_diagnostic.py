"""The hole problem: codes that are shifted, stretched or tied together away from where samples start."""

from __future__ import annotations

import pytest
import torch
from known_subjects import DIGITS, applies, digits, measured, subject_of
from torch import Tensor

from genbench.batch import Examples
from genbench.diagnostics.latent_gap import latent_c2st
from genbench.models.diffusion.ddpm import DDPM
from genbench.models.linear.gaussian import Gaussian
from genbench.models.linear.gmm import GMM
from genbench.models.vae.autoencoder import Autoencoder
from genbench.models.vae.vae import VAE
from genbench.training.budget import Budget
from genbench.training.loop import train


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dim", [1, 16, 400])
def test_equal_latents_are_told_apart_by_guessing_alone(dim: int) -> None:
    found = [float(latent_c2st(normal(300, dim, seed), normal(300, dim, 100 + seed))) for seed in range(20)]
    assert torch.tensor(found).mean() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("dim", [4, 64])
def test_shift_and_scale_are_seen_dose_by_dose(dim: int) -> None:
    codes, draws = normal(400, dim, 0), normal(400, dim, 1)
    shifted = [latent_c2st(codes + shift, draws) for shift in (0.0, 0.2, 0.5, 2.0)]
    stretched = [latent_c2st(codes * factor, draws) for factor in (1.0, 1.3, 1.8, 4.0)]
    shrunk = [latent_c2st(codes * factor, draws) for factor in (1.0, 0.8, 0.6, 0.3)]
    for doses in (shifted, stretched, shrunk):
        values = [float(found) for found in doses]
        assert values == sorted(values)
        assert values[0] < 0.56
        assert values[-1] > 0.9
    assert [found.details["length"] for found in stretched] == pytest.approx([1, 1.3, 1.8, 4], rel=0.05)


def test_correlation_is_seen() -> None:
    codes, draws = normal(400, 4, 0), normal(400, 4, 1)
    values = []
    for tied in (0.0, 0.5, 0.8, 0.95):
        together = tied * codes[:, :1] + (1 - tied**2) ** 0.5 * codes[:, 1:]
        values.append(float(latent_c2st(torch.cat([codes[:, :1], together], 1), draws)))
    assert values == sorted(values)
    assert values[-1] > 0.7


def test_the_units_of_the_latents_do_not_count() -> None:
    codes, draws = 1.5 * normal(200, 3, 0), normal(200, 3, 1)
    units = torch.tensor([1e-3, 1.0, 50.0], dtype=torch.float64)
    assert float(latent_c2st(codes * units + 7, draws * units + 7)) == float(latent_c2st(codes, draws))


@pytest.fixture(scope="module")
def autoencoder() -> tuple[Autoencoder, Examples, Examples]:
    torch.manual_seed(0)
    model, (known, test) = Autoencoder(DIGITS, latents=8, channels=16), digits()
    train(model, known, budget=Budget(steps=400))
    return model, known, test


def test_draws_that_leave_the_codes_show_in_the_latents_and_in_the_images(
    autoencoder: tuple[Autoencoder, Examples, Examples],
) -> None:
    model, known, test = autoencoder
    mean, step = model.code_mean.clone(), model.code_factor.diagonal().mean()
    told, distances = [], []
    for dose in (0.0, 0.5, 2.0):
        model.code_mean.copy_(mean + dose * step)
        found = measured("latent_gap", subject_of(model, train=known, test=test, n=300))
        told.append(float(found["latent_c2st"]))
        distances.append(float(found["latent_fd"]))
    model.code_mean.copy_(mean)
    assert told == sorted(told)
    assert distances == sorted(distances)
    assert told[0] < 0.6
    assert told[-1] > 0.95
    assert distances[-1] > 3 * distances[0] > 0


def test_draws_that_are_too_wide_show_in_the_latents(autoencoder: tuple[Autoencoder, Examples, Examples]) -> None:
    """In the images they need not: this decoder blurs, and codes further out make livelier images."""
    model, known, test = autoencoder
    factor = model.code_factor.clone()
    told, lengths = [], []
    for dose in (1.0, 1.5, 3.0):
        model.code_factor.copy_(factor * dose)
        found = measured("latent_gap", subject_of(model, train=known, test=test, n=300))["latent_c2st"]
        told.append(float(found))
        lengths.append(found.details["length"])
    model.code_factor.copy_(factor)
    assert told == sorted(told)
    assert told[0] < 0.6
    assert told[-1] > 0.9
    assert lengths == pytest.approx([1, 1 / 1.5, 1 / 3], rel=0.1)


def test_of_a_model_that_loses_nothing_it_is_the_excess_over_real_images() -> None:
    """A full Gaussian gives back every image, so that its reconstructions are test images."""
    model, (known, test) = Gaussian(DIGITS), digits()
    fit = model.stages()[0].fit
    assert fit is not None
    list(fit(known))
    found = measured("latent_gap", subject_of(model, train=known, test=test, n=300))["latent_fd"]
    assert 0 < found.details["reconstructions"] < 0.6 * found.details["samples"]
    assert float(found) == pytest.approx(found.details["samples"] - found.details["reconstructions"])
    assert found.se is not None
    assert float(found) > 3 * found.se


def test_a_posterior_is_drawn_from_and_not_taken_for_its_mean() -> None:
    """Posteriors that are all the prior fill it, although their means are one point."""
    torch.manual_seed(0)
    model, (_, test) = VAE(DIGITS, latents=4, channels=4), digits()
    model.posterior = lambda x: (x.new_zeros(len(x), 4), x.new_ones(len(x), 4))  # type: ignore[method-assign]
    found = measured("latent_gap", subject_of(model, test=test, n=300))["latent_c2st"]
    assert float(found) == pytest.approx(0.5, abs=0.07)
    assert found.details["length"] == pytest.approx(1, rel=0.05)


def test_it_needs_codes_in_the_space_that_samples_start_from() -> None:
    assert applies("latent_gap", Gaussian(DIGITS))
    assert not applies("latent_gap", Gaussian(DIGITS, rank=5))
    assert not applies("latent_gap", GMM(DIGITS, components=2, subspace=4))
    assert not applies("latent_gap", DDPM(DIGITS, channels=8))
