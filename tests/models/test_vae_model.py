"""The VAE: its divergence, densities and bound against closed forms, Monte Carlo and independent implementations."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.vae.base import (
    BernoulliObservation,
    CategoricalObservation,
    GaussianObservation,
    gaussian_kl,
    gaussian_log_prob,
)
from genbench.models.vae.vae import VAE
from genbench.seeding import Noise

Kind = Literal["gaussian", "bernoulli", "categorical"]
KINDS: list[Kind] = ["gaussian", "bernoulli", "categorical"]
DIGITS = DataSpec(channels=1, height=8, width=8, levels=17)
BINARY = DataSpec(channels=1, height=2, width=3, levels=2)


def normals() -> tuple[Tensor, Tensor]:
    """Means and log variances (5, 3)."""
    return torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).double().unbind(0)


def grid(spec: DataSpec, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return images.from_levels(torch.randint(spec.levels, (n, *spec.shape), generator=generator), spec.levels)


# -- divergence and density ------------------------------------------------------------------------------------------------


def test_kl_agrees_with_torch_and_so_has_its_half() -> None:
    mean, log_var = normals()
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, (0.5 * log_var).exp()), normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected)
    without_half = mean.square() + log_var.exp() - 1 - log_var
    assert not torch.allclose(gaussian_kl(mean, log_var), without_half)


def test_kl_agrees_with_monte_carlo() -> None:
    mean, log_var = normals()
    z = mean + (0.5 * log_var).exp() * torch.randn(40000, 5, 3, generator=torch.Generator().manual_seed(1)).double()
    zero = torch.zeros_like(mean)
    log_ratios = [gaussian_log_prob(x, mean, log_var) - gaussian_log_prob(x, zero, zero) for x in z[:400]]
    coarse = torch.stack(log_ratios).mean(0)
    log_q = -0.5 * ((z - mean).square() / log_var.exp() + log_var)
    estimate = (log_q + 0.5 * z.square()).mean(0).sum(1)
    torch.testing.assert_close(gaussian_kl(mean, log_var).sum(1), estimate, rtol=0.02, atol=0.02)
    torch.testing.assert_close(coarse, estimate, rtol=0.3, atol=0.5)


def test_gaussian_density_divides_by_the_variance_and_has_its_half() -> None:
    """The lecture multiplies by the variance in one place and drops the 1/2 in another."""
    mean, log_var = normals()
    x = torch.ones_like(mean)
    expected = stats.norm(mean, (0.5 * log_var).exp()).logpdf(x).sum(1)
    torch.testing.assert_close(gaussian_log_prob(x, mean, log_var), torch.from_numpy(expected))


# -- what is observed ------------------------------------------------------------------------------------------------------


def test_gaussian_observation_is_a_density_of_dequantised_values() -> None:
    observation, x = GaussianObservation(DIGITS), grid(DIGITS, 3)
    outputs = torch.randn(3, *DIGITS.shape, generator=torch.Generator().manual_seed(1))
    observed = observation.observe(x, torch.full_like(x, 0.25))
    expected = torch.distributions.Normal(outputs, 0.5).log_prob(observed).flatten(1).sum(1) + 64 * math.log(2 / 17)
    torch.testing.assert_close(observation.log_prob(outputs, observed), expected)
    torch.testing.assert_close(images.quantize(observed, 17), x)


def test_categorical_observation_is_cross_entropy_in_the_right_order() -> None:
    spec = DataSpec(channels=3, height=2, width=2, levels=5)
    observation, x = CategoricalObservation(spec), grid(spec, 4)
    outputs = torch.randn(4, 15, 2, 2, generator=torch.Generator().manual_seed(1))
    levels = images.to_levels(x, 5)
    expected = [
        sum(
            float(outputs[n, 5 * c : 5 * c + 5, i, j].log_softmax(0)[levels[n, c, i, j]])
            for c, i, j in itertools.product(range(3), range(2), range(2))
        )
        for n in range(4)
    ]
    torch.testing.assert_close(observation.log_prob(outputs, x), torch.tensor(expected))


def test_bernoulli_observation_is_of_bits_and_is_cross_entropy() -> None:
    observation, x = BernoulliObservation(DIGITS), grid(DIGITS, 2)
    uniform = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    bits = observation.observe(x, uniform)
    assert set(bits.unique().tolist()) == {-1.0, 1.0}
    outputs = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    expected = -F.binary_cross_entropy_with_logits(outputs, (bits + 1) / 2, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(observation.log_prob(outputs, bits), expected)


def test_binarisation_is_dynamic_and_keeps_the_mean() -> None:
    observation, x = BernoulliObservation(DIGITS), grid(DIGITS, 1)
    uniform = torch.rand(4000, *DIGITS.shape, generator=torch.Generator().manual_seed(0))
    bits = observation.observe(x, uniform)
    torch.testing.assert_close(bits.mean(0), x[0], atol=0.07, rtol=0)
    assert not torch.equal(bits[0], bits[1])


@pytest.mark.parametrize(
    ("kind", "levels", "observed"),
    [
        ("gaussian", 17, "dequantised values"),
        ("bernoulli", 17, "binarised images"),
        ("bernoulli", 2, "levels"),
        ("categorical", 17, "levels"),
    ],
)
def test_a_vae_says_what_its_likelihood_is_of(kind: Kind, levels: int, observed: str) -> None:
    spec = DataSpec(channels=1, height=8, width=8, levels=levels)
    assert VAE(spec, decoder=kind, channels=2).observation.observed == observed


@pytest.mark.parametrize("kind", KINDS)
def test_draws_average_to_the_mean(kind: Kind) -> None:
    torch.manual_seed(0)
    model = VAE(DIGITS, decoder=kind, latents=2, channels=4)
    outputs = (0.3 * model.decoder(torch.randn(1, 2))).expand(4000, -1, -1, -1)
    draws = model.observation.draw(outputs, Noise(0, range(4000)))
    # Clipping to the grid's ends would bias the Gaussian's tails, so its standard deviation is made small.
    if isinstance(model.observation, GaussianObservation):
        model.observation.tenth_of_log_s.data.fill_(math.log(0.1) / 10)
        draws = model.observation.draw(outputs, Noise(0, range(4000)))
    torch.testing.assert_close(draws.mean(0), model.observation.mean(outputs)[0], atol=0.08, rtol=0)
    torch.testing.assert_close(draws, images.from_levels(images.to_levels(draws, 17), 17))


# -- the bound -------------------------------------------------------------------------------------------------------------


def linear_vae() -> tuple[VAE, Tensor, Tensor]:
    """A linear VAE that is probabilistic PCA at its optimum, data (256, 1, 2, 3), and their log densities in closed form.

    x = W z + mean + s eps with W = U (Λ - s²)^½ has the posterior N(M⁻¹ Wᵀ (x - mean), s² M⁻¹), M = WᵀW + s² I = Λ: diagonal,
    so the encoder can be exact (Tipping and Bishop 1999, equations 6 to 8).
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 6, generator=generator).double() @ torch.randn(6, 6, generator=generator).double() + 1
    mean, cov = x.mean(0), x.T.cov(correction=0)
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(cov))
    variance, top, axes = values[2:].mean(), values[:2], vectors[:, :2]
    weights = axes * (top - variance).sqrt()
    model = VAE(DataSpec(channels=1, height=2, width=3, levels=0), latents=2, network="linear")
    into, out = (next(m for m in net.modules() if isinstance(m, nn.Linear)) for net in (model.encoder, model.decoder))
    with torch.no_grad():
        out.weight.copy_(weights)
        out.bias.copy_(mean)
        posterior = weights.T / top.unsqueeze(1)
        into.weight.copy_(torch.cat([posterior, torch.zeros_like(posterior)]))
        into.bias.copy_(torch.cat([-posterior @ mean, (variance / top).log()]))
        assert isinstance(model.observation, GaussianObservation)
        model.observation.tenth_of_log_s.copy_(0.5 * variance.log() / 10)
    covariance = weights @ weights.T + variance * torch.eye(6)
    exact = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)
    return model, x.view(-1, 1, 2, 3).float(), exact.float()


def test_with_the_exact_posterior_the_bound_is_the_log_density_at_every_draw() -> None:
    model, x, exact = linear_vae()
    for seed in range(3):
        bound = model.importance_bound(Batch(x=x), Noise(seed, range(len(x))), 1)
        torch.testing.assert_close(bound, exact, atol=1e-4, rtol=0)


def test_with_the_exact_posterior_the_elbo_is_the_log_density_on_average() -> None:
    model, x, exact = linear_vae()
    repeated = x[:4].repeat_interleave(1500, 0)
    elbo = model.log_prob(Batch(x=repeated), Noise(0, range(len(repeated)))).view(4, -1)
    error = elbo.std(1) / elbo.shape[1] ** 0.5
    assert ((elbo.mean(1) - exact[:4]).abs() < 4 * error).all()
    assert error.max() < 0.05


def test_no_other_parameters_have_a_higher_elbo() -> None:
    model, x, exact = linear_vae()
    with torch.no_grad():
        next(m for m in model.decoder.modules() if isinstance(m, nn.Linear)).weight.mul_(1.3)
    bounds = [model.log_prob(Batch(x=x), Noise(seed, range(len(x)))).mean() for seed in range(20)]
    assert torch.stack(bounds).mean() < exact.mean() - 0.05


def test_the_training_loss_is_the_negative_bound_when_the_warm_up_is_over() -> None:
    """Sums over pixels and latents, not a mean over one and a sum over the other."""
    model, x, exact = linear_vae()
    torch.manual_seed(0)
    losses = torch.stack([model._loss(Batch(x=x), 1.0)["loss"].detach() for _ in range(200)])
    assert float(losses.mean()) == pytest.approx(-float(exact.mean()), abs=0.02)


def test_the_divergence_is_switched_on_over_the_first_fifth() -> None:
    model, x, _ = linear_vae()

    def loss(progress: float) -> float:
        torch.manual_seed(0)
        return float(model._loss(Batch(x=x), progress)["loss"].detach())

    kl = float(gaussian_kl(*model._posterior(x)).sum(1).mean().detach())
    assert loss(0.2) - loss(0.0) == pytest.approx(kl, rel=1e-6)
    assert loss(0.1) - loss(0.0) == pytest.approx(0.5 * kl, rel=1e-6)
    assert loss(1.0) == loss(0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_importance_weights_tighten_the_bound(kind: Kind) -> None:
    torch.manual_seed(0)
    model = VAE(DIGITS, decoder=kind, latents=4, channels=4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)  # away from zero latents that say nothing
    batch = Batch(x=grid(DIGITS, 400))
    elbo = model.log_prob(batch, Noise(0, range(400))).mean()
    few, many = (model.importance_bound(batch, Noise(0, range(400)), draws).mean() for draws in (5, 50))
    assert elbo < few < many


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_all_images_sum_to_at_most_one(kind: Kind) -> None:
    """All 64 images of 2x3 bits; the bound's mean over chance is below each log probability, and near it for many weights."""
    torch.manual_seed(0)
    model = VAE(BINARY, decoder=kind, latents=2, channels=4)
    bits = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6))).view(64, 1, 2, 3)
    repeated = Batch(x=bits.repeat_interleave(40, 0))

    def total(bound: torch.Tensor) -> float:
        return float(bound.view(64, 40).mean(1).exp().sum())

    elbo = total(model.log_prob(repeated, Noise(0, range(len(repeated.x)))))
    tighter = total(model.importance_bound(repeated, Noise(0, range(len(repeated.x))), 20))
    assert elbo < tighter <= 1.0 + 1e-3
    # Dequantisation costs the Gaussian decoder part of the mass; the others lose next to nothing.
    assert tighter > (0.2 if kind == "gaussian" else 0.98)


# -- samples, latents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_pixel_noise_leads_from_the_mean_to_a_draw(kind: Kind) -> None:
    torch.manual_seed(0)
    model = VAE(DIGITS, decoder=kind, latents=2, channels=4)
    z = Noise(0, range(3)).normal(2)
    mean = model.sample(Noise(0, range(3)), Condition())
    assert (mean - model.decode(z)).abs().max() <= 1 / 16 + 1e-6  # half a level
    noise = Noise(0, range(3))
    drawn = model.observation.draw(model.decoder(noise.normal(2)), noise)
    torch.testing.assert_close(model.sample(Noise(0, range(3)), Condition(), pixel_noise=1.0), drawn)
    assert (drawn - mean).abs().mean() > 0.1


def test_temperature_zero_leaves_one_image() -> None:
    samples = VAE(DIGITS, channels=4).generate(4, knobs={"temperature": 0.0})
    torch.testing.assert_close(samples, samples[:1].expand_as(samples))


def test_encoding_takes_no_chance() -> None:
    model = VAE(DIGITS, decoder="bernoulli", latents=3, channels=4).eval()
    x = grid(DIGITS, 2)
    torch.testing.assert_close(model.encode(x), model.encode(x))
    assert model.encode(x).shape == (2, 3)


def test_the_posterior_is_the_encoder_s_and_the_prior_s_where_the_encoder_says_nothing() -> None:
    model, x, _ = linear_vae()
    mean, std = model.posterior(x)
    mean_there, log_var = model.encoder(x).chunk(2, dim=1)
    torch.testing.assert_close(mean, mean_there)
    torch.testing.assert_close(std.square(), log_var.exp())
    nn.init.zeros_(next(m for m in model.encoder.modules() if isinstance(m, nn.Linear)).weight)
    nn.init.zeros_(next(m for m in model.encoder.modules() if isinstance(m, nn.Linear)).bias)
    mean, std = model.posterior(x)
    assert torch.equal(mean, torch.zeros_like(mean))
    assert torch.equal(std, torch.ones_like(std))


def test_training_improves_the_bound() -> None:
    torch.manual_seed(0)
    model = VAE(DIGITS, latents=4, channels=4)
    batch = Batch(x=grid(DIGITS, 1).expand(64, -1, -1, -1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = model.log_prob(batch, Noise(0, range(64))).mean()
    for step in range(60):
        optimizer.zero_grad()
        model._loss(batch, step / 60)["loss"].backward()
        optimizer.step()
    assert model.log_prob(batch, Noise(0, range(64))).mean() > before + 50


@pytest.mark.parametrize("kind", ["bernoulli", "categorical"])
def test_continuous_data_need_the_gaussian_decoder(kind: Kind) -> None:
    points = DataSpec(channels=2, height=1, width=1, levels=0)
    assert VAE(points).generate(3).isfinite().all()
    with pytest.raises(ValueError, match="continuous"):
        VAE(points, decoder=kind)


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli", "categorical"])
def test_training_begins_at_the_data_s_averages(kind: Kind) -> None:
    """With a decoder that says nothing, the mean of p(x|z) is the mean image."""
    model = VAE(DIGITS, decoder=kind, latents=2, channels=4)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(1, 1, 8, 8, generator=generator)
    x = images.from_levels(
        (torch.rand(4000, 1, 8, 8, generator=generator) < pixels).long() * (DIGITS.levels - 1), DIGITS.levels
    )
    model._prepare(Batch(x=x))
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(model.decode(torch.zeros(1, 2))[0], x.mean(0), atol=0.05, rtol=0)
