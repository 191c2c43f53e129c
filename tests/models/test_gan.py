"""The GAN's losses against their definitions, who learns in which phase, and truncated noise."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.gan.base import (
    AdversarialModel,
    minimax_critic,
    minimax_generator,
    non_saturating_generator,
    truncated_normal,
    wasserstein_critic,
    wasserstein_generator,
)
from genbench.models.gan.conditional_gan import ConditionalGAN
from genbench.models.gan.dcgan import DCGAN
from genbench.models.gan.gan import GAN
from genbench.models.gan.wgan_gp import WGANGP
from genbench.models.image_to_image.pix2pix import Pix2Pix
from genbench.models.stages import Phase
from genbench.seeding import Noise

SPEC = DataSpec(channels=1, height=8, width=8, classes=3, source_channels=2)
POINTS = DataSpec(channels=2, height=1, width=1, levels=0)
ADVERSARIAL = [GAN, DCGAN, WGANGP, ConditionalGAN]


def batch(n: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels, sources = torch.arange(n) % 3, torch.rand(n, 2, 8, 8, generator=generator) * 2 - 1
    return Batch(x=torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1, condition=Condition(labels=labels, sources=sources))


def expected(per_value: Tensor, probabilities: Tensor) -> Tensor:
    return (per_value * probabilities).sum()


def test_losses_are_their_definitions() -> None:
    real, fake = torch.randn(50, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    assert torch.allclose(minimax_critic(real, fake), -value)
    assert torch.allclose(minimax_generator(fake), (1 - fake.sigmoid()).log().mean())
    assert torch.allclose(non_saturating_generator(fake), -fake.sigmoid().log().mean())


def test_best_discriminator_gives_twice_jensen_shannon_less_log_4() -> None:
    p, q = (torch.tensor(values, dtype=torch.float64) for values in ([0.5, 0.3, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]))
    middle = (p + q) / 2
    jensen_shannon = 0.5 * expected((p / middle).log(), p) + 0.5 * expected((q / middle).log(), q)
    logits = (p / q).log()  # D* = p / (p + q)

    sure = torch.tensor(1e9)

    def value(logits: Tensor) -> float:  # the losses are plain means, so each value of x is judged by itself, then weighted
        reals = torch.stack([minimax_critic(logit, -sure) for logit in logits])
        fakes = torch.stack([minimax_critic(sure, logit) for logit in logits])
        return -float(expected(reals, p) + expected(fakes, q))

    assert value(logits) == pytest.approx(float(2 * jensen_shannon - math.log(4)), rel=1e-9)
    assert value(torch.zeros(4).double()) == pytest.approx(-math.log(4))  # natural logarithm: log 4, not 2
    assert all(value(logits + 0.1 * torch.randn(4).double()) < value(logits) for _ in range(20))


def test_disjoint_distributions_reach_log_2() -> None:
    """The Jensen-Shannon divergence of what a perfect discriminator separates is log 2, so V = 2 log 2 - log 4 = 0."""
    assert float(minimax_critic(torch.tensor([60.0]), torch.tensor([-60.0]))) == pytest.approx(0.0, abs=1e-12)


def test_only_the_minimax_gradient_vanishes_where_the_critic_wins() -> None:
    gradients = {}
    for loss in (minimax_generator, non_saturating_generator):
        logit = torch.tensor([-20.0], requires_grad=True)
        loss(logit).backward()
        assert logit.grad is not None
        assert float(logit.grad) < 0  # both raise the logit of a fake
        gradients[loss] = abs(float(logit.grad))
    assert gradients[minimax_generator] < 1e-8
    assert gradients[non_saturating_generator] == pytest.approx(1.0, abs=1e-6)


def test_losses_are_finite_at_extreme_logits() -> None:
    extreme = torch.tensor([-1e4, 1e4], requires_grad=True)
    for loss in (minimax_critic(extreme, extreme), minimax_generator(extreme), non_saturating_generator(extreme)):
        assert loss.isfinite()
        assert torch.autograd.grad(loss, extreme)[0].isfinite().all()


def test_wasserstein_critic_scores_real_above_fake() -> None:
    """The critic maximises mean f(real) - mean f(fake); the generator pushes f(fake) up."""
    real, fake = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([0.5, 0.5], requires_grad=True)
    assert wasserstein_critic(real, fake).item() == -1.5
    down_real, down_fake = torch.autograd.grad(wasserstein_critic(real, fake), (real, fake))
    assert (down_real < 0).all()  # descending raises real
    assert (down_fake > 0).all()
    (down,) = torch.autograd.grad(wasserstein_generator(fake), fake)
    assert (down < 0).all()


def build(cls: type, spec: DataSpec = SPEC) -> AdversarialModel:
    torch.manual_seed(0)
    return cls(spec, **cls.tiny)


@pytest.mark.parametrize("cls", [*ADVERSARIAL, Pix2Pix])
def test_each_phase_reaches_its_own_network_only(cls: type) -> None:
    model = build(cls)
    (stage,) = model.stages()
    owners = {"critic": model.critic, "generator": model.generator}
    assert [phase.name for phase in stage.phases] == ["critic", "generator"]
    for phase in stage.phases:
        assert phase.modules == (owners[phase.name],)
        take_turn(model, phase)
        for name, network in owners.items():
            grads = [parameter.grad for parameter in network.parameters()]
            if name == phase.name:
                assert sum(float(grad.abs().sum()) for grad in grads if grad is not None) > 0
            else:
                assert all(grad is None for grad in grads)


def take_turn(model: torch.nn.Module, phase: Phase) -> None:
    model.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    for module in phase.modules:
        module.requires_grad_(True)
    phase.loss(batch(), 0.0)["loss"].backward()


@pytest.mark.parametrize("cls", [*ADVERSARIAL, Pix2Pix])
def test_a_generators_turn_leaves_the_critics_state_alone(cls: type) -> None:
    model = build(cls)
    before = {name: tensor.clone() for name, tensor in model.critic.state_dict().items()}
    take_turn(model, model.stages()[0].phases[1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.critic.state_dict().items())


def test_the_loss_is_the_one_asked_for() -> None:
    losses = {}
    for name in ("non_saturating", "minimax"):
        torch.manual_seed(0)
        model = GAN(SPEC, hidden=16, latent=4, loss=name)  # type: ignore[arg-type]
        torch.manual_seed(1)
        losses[name] = model.generator_loss(batch(), 0.0)["loss"].item()
    torch.manual_seed(1)
    logits = model.judge(model.fakes(batch()), Condition())
    assert losses["minimax"] == pytest.approx((1 - logits.sigmoid()).log().mean().item(), rel=1e-5)
    assert losses["non_saturating"] == pytest.approx(-logits.sigmoid().log().mean().item(), rel=1e-5)


def test_truncated_noise_is_the_truncated_normal() -> None:
    """Drawn anew beyond the threshold, not clamped: no mass lies on the threshold."""
    uniform = Noise(0, range(200)).uniform(100)
    for largest in (0.5, 1.0, 2.0, 6.0):
        z = truncated_normal(uniform, largest).flatten()
        assert z.abs().max() < largest
        assert scipy.stats.kstest(z.numpy(), scipy.stats.truncnorm(-largest, largest).cdf).pvalue > 0.01


def test_truncated_noise_is_finite_at_the_ends() -> None:
    ends = truncated_normal(torch.tensor([0.0, 1 - 2.0**-24]), 6.0)
    assert ends.isfinite().all()
    assert float(ends.max()) > 5
    assert float(ends.min()) < -5


def test_truncation_takes_variety_away() -> None:
    model = build(GAN)
    spread = [float(model.generate(200, knobs={"truncation": value}).std(0).mean()) for value in (0.5, 1.0, 2.0, 6.0)]
    assert spread == sorted(spread)
    assert spread[0] < 0.7 * spread[-1]


def test_points_leave_the_square() -> None:
    """Points are not squashed into [-1, 1], and both networks take them."""
    model = GAN(POINTS, hidden=16, latent=4)
    assert model.generate(5).shape == (5, 2, 1, 1)
    assert model.judge(torch.randn(5, 2, 1, 1), Condition()).shape == (5,)
    with torch.no_grad():
        model.generator[0][-1].bias.fill_(3.0)  # type: ignore[index, union-attr]
    assert float(model.generate(5).mean()) > 1.5
