"""DDPM and the path from data to noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.diffusion.base import NoisePath, linear_betas
from genbench.models.diffusion.ddpm import DDPM, _strata, log_decoder
from genbench.seeding import Noise

CONTINUOUS = DataSpec(channels=3, height=32, width=32, levels=0)  # many values in an image, all alike: a large sample
DIGITS = DataSpec(channels=1, height=8, width=8, levels=17)
POINTS = DataSpec(channels=2, height=1, width=1, levels=0)


def path() -> NoisePath:
    return NoisePath(linear_betas(1000))


def steps(*values: int) -> Tensor:
    return torch.tensor(values)


def with_network(spec: DataSpec, predict_eps: Callable[[Tensor, Tensor], Tensor]) -> DDPM:
    """A model that guesses the noise by a formula."""
    model = DDPM(spec, channels=8)
    model.predict_eps = predict_eps  # type: ignore[method-assign]
    return model


def for_gaussian_data(mean: float, std: float, spec: DataSpec = CONTINUOUS) -> DDPM:
    """The model that is right about data whose values are independent N(mean, std^2): E[eps | x_t]."""
    known = path()

    def predict_eps(xt: Tensor, t: Tensor) -> Tensor:
        signal, noise = (c[t][:, None, None, None] for c in (known.signal, known.noise))
        return noise * (xt - signal * mean) / ((signal * std).square() + noise.square())

    return with_network(spec, predict_eps)


class Counted(Noise):
    """Counts how often it is asked."""

    asked = 0

    def normal(self, *shape: int) -> Tensor:
        self.asked += 1
        return super().normal(*shape)


# The path


def test_schedule_is_the_paper_s() -> None:
    model = DDPM(DIGITS)
    assert model.path.steps == 1000
    assert model.path.betas[[0, 1, 1000]].tolist() == pytest.approx([0, 1e-4, 0.02])
    np.testing.assert_allclose(np.diff(model.path.betas[1:].double()), (0.02 - 1e-4) / 999, rtol=1e-2)
    assert model._times(1000) == list(range(1000, -1, -1))
    assert model.path.signal[-1].square() == pytest.approx(4.04e-5, rel=0.01)  # alpha bar of the last step, well known


def test_closed_form_is_the_iterated_kernel() -> None:
    mean, variance = 1.0, 0.0
    found = path()
    for t, beta in enumerate(np.linspace(1e-4, 0.02, 1000), 1):
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        assert float(found.signal[t]) == pytest.approx(mean, rel=1e-6)
        assert float(found.noise[t]) == pytest.approx(math.sqrt(variance), rel=1e-6)


def test_guess_of_the_data_undoes_the_noise() -> None:
    x0, eps, t = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2), steps(1, 10, 100, 500)
    torch.testing.assert_close(path().x0_from_eps(path().diffuse(x0, t, eps), t, eps), x0, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("s", "t"), [(0, 1), (1, 2), (499, 500), (999, 1000), (10, 30), (500, 1000), (0, 1000)])
def test_posterior_is_bayes_rule_for_gaussians(s: int, t: int) -> None:
    """Precisions add: x_s ~ N(a_s x_0, n_s^2), and x_t | x_s ~ N(r x_s, 1 - r^2)."""
    betas = np.concatenate([[0], np.linspace(1e-4, 0.02, 1000)])
    kept = np.cumprod(1 - betas)
    x0, xt = 0.7, -1.3
    mean, std = path().posterior(torch.full((1, 1), x0), torch.full((1, 1), xt), steps(s), steps(t))
    if s == 0:
        assert (float(mean), float(std)) == (pytest.approx(x0), 0)
        return
    ratio = math.sqrt(kept[t] / kept[s])
    prior_precision, likelihood_precision = 1 / (1 - kept[s]), ratio**2 / (1 - ratio**2)
    variance = 1 / (prior_precision + likelihood_precision)
    expected = variance * (prior_precision * math.sqrt(kept[s]) * x0 + likelihood_precision * xt / ratio)
    assert float(std) == pytest.approx(math.sqrt(variance), rel=1e-4)
    assert float(mean) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_every_eta_leads_through_the_same_marginals(eta: float) -> None:
    known, s, t = path(), steps(300), steps(700)
    of_x0, std = known.posterior(torch.ones(1, 1), torch.zeros(1, 1), s, t, eta)
    of_xt, _ = known.posterior(torch.zeros(1, 1), torch.ones(1, 1), s, t, eta)
    torch.testing.assert_close(of_x0 + of_xt * known.signal[700], known.signal[300].view(1, 1))
    torch.testing.assert_close((of_xt * known.noise[700]).square() + std.square(), known.noise[300].square().view(1, 1))
    assert float(std) == (0 if eta == 0 else pytest.approx(eta * float(known.posterior(of_x0, of_xt, s, t)[1])))


# Sampling


def test_ancestral_sampling_is_right_where_the_network_is() -> None:
    model = for_gaussian_data(0.3, 0.5, DataSpec(channels=1, height=32, width=32, levels=0))
    samples = model.generate(4, knobs={"steps": 1000, "eta": 1})
    assert float(samples.mean()) == pytest.approx(0.3, abs=0.03)
    assert float(samples.std()) == pytest.approx(0.5, abs=0.02)


def test_error_of_ddim_falls_with_the_steps() -> None:
    """DDIM maps latents to samples linearly here, and should map N(0, 1) to N(0.3, 0.5^2)."""
    model = for_gaussian_data(0.3, 0.5)
    x = Noise(0, [0]).normal(*CONTINUOUS.shape)
    errors = []
    for count in (5, 20, 100, 1000):
        found = model.sample(Noise(0, [0]), Condition(), steps=count)
        errors.append(float((found - (0.3 + 0.5 * x)).square().mean().sqrt()))
    assert all(after < 0.6 * before for before, after in itertools.pairwise(errors)), errors
    assert errors[-1] < 0.005


def test_ddim_takes_chance_only_for_its_start() -> None:
    model = for_gaussian_data(0.0, 1.0)
    for eta, asked in ((0, 1), (1, 10)):  # the last step is certain
        noise = Counted(0, range(2))
        model.sample(noise, Condition(), steps=10, eta=eta)
        assert noise.asked == asked


@pytest.mark.parametrize("eta", [0, 1])
def test_a_sample_is_the_same_whatever_the_batch(eta: int) -> None:
    torch.manual_seed(0)
    model = DDPM(DIGITS, channels=8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    knobs = {"steps": 5.0, "eta": float(eta)}
    whole = model.generate(5, knobs=knobs)
    assert whole.std() > 0.1
    torch.testing.assert_close(model.generate(5, knobs=knobs, batch_size=2), whole, atol=1e-4, rtol=0)
    torch.testing.assert_close(model.generate(2, knobs=knobs, first=3), whole[3:], atol=1e-4, rtol=0)


def test_the_guess_is_clipped_before_the_mean_is_computed() -> None:
    """A guess far outside moves x_s only as far as the edge of the range does."""
    seen: list[Tensor] = []

    def predict_eps(xt: Tensor, t: Tensor) -> Tensor:
        seen.append(xt)
        return torch.zeros_like(xt)  # so that x_0 is guessed as x_T / 0.006

    samples = with_network(DIGITS, predict_eps).sample(Noise(0, [0]), Condition(), steps=2)
    start, middle = seen
    expected, _ = path().posterior(start.sign(), start, steps(500), steps(1000), eta=0)
    torch.testing.assert_close(middle, expected)
    assert samples.abs().max() <= 1


def test_continuous_data_are_not_clipped() -> None:
    assert with_network(POINTS, lambda xt, t: torch.zeros_like(xt)).generate(8).abs().max() > 2
    assert float(for_gaussian_data(5.0, 0.1).generate(1, knobs={"steps": 100}).mean()) == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("count", [1, 7, 50, 1000])
def test_evaluations_are_those_of_the_network(count: int) -> None:
    called: list[int] = []

    def predict_eps(xt: Tensor, t: Tensor) -> Tensor:
        called.append(int(t[0]))
        return torch.zeros_like(xt)

    model = with_network(POINTS, predict_eps)
    model.sample(Noise(0, [0]), Condition(), steps=count)
    assert len(called) == len(set(called)) == model.evaluations(steps=count) == count
    assert model.evaluations() == model.knobs["steps"].default


@pytest.mark.parametrize("count", [0, 1001])
def test_steps_that_do_not_exist_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        DDPM(POINTS, channels=8).evaluations(steps=count)


# The loss and the bound


def test_loss_is_the_mean_squared_error_of_the_noise() -> None:
    """Guessing nothing costs 1 at every step; the right guess for N(0, 1) costs the mean of a_t."""
    torch.manual_seed(0)
    batch = Batch(x=torch.randn(256, 3, 8, 8))
    spec = DataSpec(channels=3, height=8, width=8, levels=0)
    blind = with_network(spec, lambda xt, t: torch.zeros_like(xt)).loss(batch, 0)["loss"]
    right = for_gaussian_data(0, 1, spec).loss(batch, 0)["loss"]
    assert float(blind) == pytest.approx(1, abs=0.02)
    assert float(right) == pytest.approx(float(path().signal[1:].square().mean()), abs=0.05)


@pytest.mark.parametrize("t", [2, 50, 1000])
def test_terms_of_the_bound_are_weighted_squared_errors_of_the_noise(t: int) -> None:
    """L_{t-1} = lambda_t |eps - eps_theta|^2 + constant with lambda_t = beta_t^2 / (2 sigma_t^2 alpha_t (1 - alpha bar_t))."""
    spec = DataSpec(channels=1, height=8, width=8, levels=0)
    x0, eps = torch.randn(3, 1, 8, 8), Noise(0, range(3)).normal(1, 8, 8)
    at = torch.full((3,), t)

    def term(predict_eps: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return with_network(spec, predict_eps)._step_term(x0, at, Noise(0, range(3))).double()

    found = term(lambda xt, t: torch.zeros_like(xt)) - term(lambda xt, t: eps)
    betas = np.linspace(1e-4, 0.02, 1000)
    kept, beta = np.cumprod(1 - betas)[t - 1], betas[t - 1]
    weight = beta**2 / (2 * beta * (1 - beta) * (1 - kept))
    torch.testing.assert_close(found, weight * eps.double().square().flatten(1).sum(1), rtol=2e-3, atol=1e-3)


def test_terms_of_the_bound_are_divergences_of_gaussians() -> None:
    model = for_gaussian_data(0.3, 0.5)
    x0, t = 0.3 + 0.5 * torch.randn(2, *CONTINUOUS.shape), steps(2, 400)
    xt = model.path.diffuse(x0, t, Noise(0, range(2)).normal(*CONTINUOUS.shape))
    true_mean, true_std = model.path.posterior(x0, xt, t - 1, t)
    mean, _ = model.path.posterior(model.predict_x0(xt, t), xt, t - 1, t)
    normal = torch.distributions.Normal
    model_std = model.path.betas[t].sqrt().view(2, 1, 1, 1)
    expected = torch.distributions.kl_divergence(normal(true_mean, true_std), normal(mean, model_std)).flatten(1).sum(1)
    torch.testing.assert_close(model._step_term(x0, t, Noise(0, range(2))), expected, rtol=1e-3, atol=1e-2)
    last = normal(model.path.signal[-1] * x0, model.path.noise[-1])
    expected = torch.distributions.kl_divergence(last, normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(model._prior_term(x0), expected, rtol=1e-2, atol=1e-2)


def test_bound_is_below_the_likelihood_of_gaussian_data_by_what_theory_says() -> None:
    """With the right means, only the variance of each step (beta_t, not beta_t v_{t-1} / v_t) and the last marginal are off."""
    torch.manual_seed(0)
    mean, std = 0.3, 0.5
    kept = np.cumprod(np.concatenate([[1], 1 - np.linspace(1e-4, 0.02, 1000)]))
    marginal = kept * std**2 + 1 - kept
    ratio = marginal[:-1] / marginal[1:]
    last = 0.5 * (kept[-1] * mean**2 + marginal[-1] - 1 - np.log(marginal[-1]))
    theory = 0.5 * (ratio - 1 - np.log(ratio)).sum() + last
    assert 0 < theory < 0.005, "the bound is nearly tight"

    x = mean + std * torch.randn(24, *CONTINUOUS.shape)
    bound = for_gaussian_data(mean, std).log_prob(Batch(x=x), Noise(0, range(24))).mean()
    exact = torch.distributions.Normal(mean, std).log_prob(x).flatten(1).sum(1).mean()
    assert float(exact - bound) / CONTINUOUS.dimensions == pytest.approx(theory, abs=0.01)
    worse = for_gaussian_data(mean, 0.6).log_prob(Batch(x=x), Noise(0, range(24))).mean()
    assert float(bound - worse) / CONTINUOUS.dimensions > 0.01


def test_strata_hold_every_step_once() -> None:
    strata = _strata(1000)
    assert [t for first, size in strata for t in range(first, first + size)] == list(range(2, 1001))
    assert len(strata) <= 50
    assert strata[0] == (2, 1)


def test_the_sampled_sum_is_unbiased() -> None:
    model = DDPM(POINTS, channels=8)
    model._step_term = lambda x0, t, noise: 1 / t  # type: ignore[method-assign,assignment]
    model._prior_term = lambda x0: torch.full((len(x0),), 10.0)  # type: ignore[method-assign]
    model._decoder_term = lambda x0, noise: torch.full((len(x0),), 100.0)  # type: ignore[method-assign]
    found = model.log_prob(Batch(x=torch.zeros(4000, 2, 1, 1)), Noise(0, range(4000)))
    exact = -110 - sum(1 / t for t in range(2, 1001))
    assert float(found.mean()) == pytest.approx(exact, abs=4 * float(found.std()) / 4000**0.5)
    assert 0 < float(found.std()) < 0.05


@pytest.mark.parametrize("trained", [False, True])
def test_probabilities_of_all_tiny_images_sum_to_at_most_one(trained: bool) -> None:
    """For the network that is right about fair values -1 and 1 they do to 0.3 nats a value, which the variances beta_t cost."""
    torch.manual_seed(0)
    spec, draws, known = DataSpec(channels=1, height=2, width=2, levels=2), 200 if trained else 10, path()

    def predict_eps(xt: Tensor, t: Tensor) -> Tensor:
        signal, noise = (c[t][:, None, None, None] for c in (known.signal, known.noise))
        return (xt - signal * torch.tanh(signal * xt / noise.square())) / noise

    model = with_network(spec, predict_eps) if trained else DDPM(spec, channels=8)
    every = images.from_levels(torch.cartesian_prod(*[torch.arange(2)] * 4).view(-1, 1, 2, 2), 2)
    bound = model.log_prob(Batch(x=every.repeat(draws, 1, 1, 1)), Noise(0, range(16 * draws)))
    total = float(bound.double().view(draws, 16).mean(0).exp().sum())
    assert total <= 1
    assert total > 0.2 or not trained


def test_the_bound_is_that_of_levels_and_not_of_8_bits() -> None:
    """Level 7 of 17 is stored as 112 of 255, 0.004 beside its place; the decoder's deviation is 0.01."""
    torch.manual_seed(0)
    model, level = DDPM(DIGITS, channels=8), torch.randint(17, (4, 1, 8, 8))
    exact = images.from_levels(level, 17)
    stored = images.to_float(images.to_uint8(exact))
    assert not torch.equal(stored, exact)
    found = [model.log_prob(Batch(x=x), Noise(0, range(4))) for x in (exact, stored)]
    assert torch.equal(*found)


def test_odd_sides_are_refused_where_patches_are_seen() -> None:
    with pytest.raises(ValueError, match="even, not 29x29"):
        DDPM(DataSpec(channels=1, height=29, width=29), channels=8)
    assert DDPM(DataSpec(channels=1, height=9, width=9), channels=8).generate(1, knobs={"steps": 1}).shape == (1, 1, 9, 9)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_decoder_s_probabilities_sum_to_one(levels: int) -> None:
    mean = torch.tensor([-1.0, -0.97, 0.123, 0.4, 1.0])[:, None]
    every = images.from_levels(torch.arange(levels), levels)
    for std in (0.01, 0.3):
        torch.testing.assert_close(log_decoder(every, mean, std, levels).logsumexp(1), torch.zeros(5), atol=1e-4, rtol=0)


def test_decoder_agrees_with_scipy() -> None:
    levels, std, mean = 9, 0.2, 0.31
    centres = np.linspace(-1, 1, levels)
    edges = np.concatenate([[-np.inf], centres[:-1] + 1 / (levels - 1), [np.inf]])
    expected = np.log(np.diff(stats.norm.cdf(edges, mean, std)))
    found = log_decoder(torch.from_numpy(centres), torch.tensor(mean, dtype=torch.float64), std, levels)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    density = log_decoder(torch.tensor(0.1), torch.tensor(mean), std, 0)
    assert float(density) == pytest.approx(stats.norm.logpdf(0.1, mean, std))


def test_decoder_is_finite_far_from_the_mean() -> None:
    every = images.from_levels(torch.arange(256), 256)
    for mean in (-1.0, 1.0):
        found = log_decoder(every, torch.tensor(mean), 0.01, 256)
        assert found.isfinite().all()
        assert found.max() <= 0
