"""Active units, rate and information: closed forms of Gaussian posteriors, and a divergence that weighs more and more."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from known_subjects import DIGITS, digits, measured, subject_of
from torch import Tensor

from genbench.batch import Batch
from genbench.diagnostics.posterior_collapse import active_units, information, rate
from genbench.models.vae.base import gaussian_kl
from genbench.models.vae.vae import VAE
from genbench.training.budget import Budget
from genbench.training.loop import train


def codes(n: int, signal: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """One latent, posterior N(signal x, 1 - signal²) of x ~ N(0, 1): as a whole the prior. And the chance of its draws."""
    generator = torch.Generator().manual_seed(seed)
    x, normal = torch.randn(2, n, 1, dtype=torch.float64, generator=generator)
    return signal * x, torch.full_like(x, math.sqrt(1 - signal**2)), normal


@pytest.mark.parametrize("signal", [0.0, 0.5, 0.9])
def test_information_of_a_gaussian_channel_is_known(signal: float) -> None:
    found = information(*codes(4000, signal))
    expected = -0.5 * math.log(1 - signal**2)
    assert found.se is not None
    assert float(found) == pytest.approx(expected, abs=3 * found.se + 1e-3)  # 4,000 images leave a little bias
    assert float(rate(*codes(4000, signal)[:2])) == pytest.approx(expected, rel=0.1)


def test_information_is_the_mean_of_the_logarithms_written_out() -> None:
    mean, std, normal = torch.randn(3, 100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    std = std.abs() + 0.1
    posteriors = [torch.distributions.Normal(m, s) for m, s in zip(mean, std, strict=True)]
    total = 0.0
    for i, z in enumerate(mean + std * normal):
        logs = torch.stack([posterior.log_prob(z).sum() for posterior in posteriors])
        total += float(logs[i] - logs.logsumexp(0) + math.log(100))
    assert float(information(mean, std, normal)) == pytest.approx(total / 100, rel=1e-9)


def test_no_more_can_be_told_than_which_image_it_was() -> None:
    mean = torch.arange(50.0, dtype=torch.float64)[:, None]
    found = information(mean, torch.full_like(mean, 1e-3), torch.zeros_like(mean))
    assert float(found) == pytest.approx(math.log(50)) == pytest.approx(found.details["ceiling"])


def test_one_posterior_for_all_images_has_a_rate_but_no_information() -> None:
    mean, std = torch.full((100, 3), 2.0, dtype=torch.float64), torch.full((100, 3), 0.5, dtype=torch.float64)
    assert float(information(mean, std, torch.randn(100, 3, dtype=torch.float64))) == pytest.approx(0, abs=1e-9)
    assert float(rate(mean, std)) == pytest.approx(3 * (0.5 * (4 + 0.25 - 1) + math.log(2)))
    assert float(active_units(mean)) == 0


def test_the_rate_agrees_with_torch_and_is_split_by_latent() -> None:
    mean, std = torch.randn(2, 64, 3, dtype=torch.float64)
    std = std.exp()
    prior = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    expected = torch.distributions.kl_divergence(torch.distributions.Normal(mean, std), prior).mean(0)
    found = rate(mean, std)
    assert float(found) == pytest.approx(float(expected.sum()))
    assert list(found.details.values()) == pytest.approx(expected.sort(descending=True).values.tolist())


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_active_units_are_counted(kept: int) -> None:
    mean = torch.randn(500, 5, dtype=torch.float64) * torch.tensor([1.0] * kept + [0.01] * (5 - kept))
    found = active_units(mean)
    assert float(found) == kept
    assert found.details == {"latents": 5, "undecided": 0}


class Beta(VAE):
    """The weight `beta` on the divergence."""

    beta = 1.0

    def _loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        mean, log_var = self._posterior(batch.x)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        fit = self.observation.log_prob(self._outputs(z), batch.x).mean()
        return {"loss": self.beta * gaussian_kl(mean, log_var).sum(1).mean() - fit}


@pytest.fixture(scope="module")
def by_beta() -> list[Mapping[str, float]]:
    """Readings of short trainings under larger and larger weights."""
    trained_on, test = digits()
    found = []
    for beta in (0.01, 0.05, 0.2, 10.0):
        torch.manual_seed(0)
        model = Beta(DIGITS, latents=6, channels=8)
        model.beta = beta
        train(model, trained_on, budget=Budget(steps=200))
        estimates = measured("posterior_collapse", subject_of(model, train=trained_on, test=test, n=200))
        found.append({name: float(estimate) for name, estimate in estimates.items()})
    return found


@pytest.mark.parametrize("name", ["active_units", "rate", "information"])
def test_collapse_follows_the_weight_of_the_divergence(by_beta: list[Mapping[str, float]], name: str) -> None:
    values = [reading[name] for reading in by_beta]
    assert values == sorted(values, reverse=True)
    assert values[0] >= (6 if name == "active_units" else 3)
    assert values[-1] == pytest.approx(0, abs=0.1)


def test_dropout_and_the_mode_of_the_model_do_not_reach_it() -> None:
    torch.manual_seed(0)
    model, (_, test) = VAE(DIGITS, latents=3, channels=4), digits()
    in_evaluation = measured("posterior_collapse", subject_of(model.eval(), test=test, n=50))
    assert measured("posterior_collapse", subject_of(model.train(), test=test, n=50)) == in_evaluation
