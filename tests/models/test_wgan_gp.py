"""The gradient penalty where it is known exactly, and the critic's estimate of the distance W1."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.gan.wgan_gp import WGANGP, gradient_penalty

SPEC = DataSpec(channels=1, height=8, width=8)
POINTS = DataSpec(channels=2, height=1, width=1, levels=0)


def images(n: int, seed: int) -> Tensor:
    return torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.0, 0.01, 0.1, 1.0])
def test_penalty_of_a_linear_critic_is_exact(scale: float) -> None:
    """f(x) = w·x has the gradient w everywhere, so the penalty is (|w| - 1)², the norm over all of an image's values."""
    weight = scale * torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    penalty = gradient_penalty(lambda x: (x * weight).sum((1, 2, 3)), real=images(5, 0), fake=images(5, 1))
    assert penalty.item() == pytest.approx((weight.norm().item() - 1) ** 2, rel=1e-12)
    by_channel = (weight.norm(dim=0) - 1).square().mean().item()  # the common mistake: norm(dim=1) of (B, C, H, W)
    assert scale == 0 or penalty.item() != pytest.approx(by_channel, rel=1e-2)


def test_penalty_is_averaged_over_images_not_their_norms() -> None:
    """f(x) = a·x for one image and b·x for the other: ((|a| - 1)² + (|b| - 1)²) / 2."""
    weights = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    weights[0, 0, 0, 0], weights[1, 2, 3, 3] = 3.0, 0.5
    penalty = gradient_penalty(lambda x: (x * weights).sum((1, 2, 3)), real=images(2, 0), fake=images(2, 1))
    assert penalty.item() == pytest.approx((4 + 0.25) / 2)


def test_points_lie_on_segments_one_per_image() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum((1, 2, 3))

    torch.manual_seed(0)
    real, fake = images(500, 0), images(500, 1)
    gradient_penalty(critic, real=real, fake=fake)
    t = ((seen[0] - fake) / (real - fake)).flatten(1)
    assert torch.allclose(t, t[:, :1].expand_as(t), atol=1e-6)
    assert 0 <= float(t.min()) < 0.02
    assert 0.98 < float(t.max()) <= 1
    assert float(t[:, 0].mean()) == pytest.approx(0.5, abs=0.05)


def test_penalty_teaches_the_critic() -> None:
    """Descending it brings the slope of a critic to 1 from both sides: it is differentiable twice."""
    for start in (0.2, 3.0):
        slope = torch.tensor(start, requires_grad=True)
        for _ in range(100):
            penalty = gradient_penalty(
                lambda x, a=slope: a * x.flatten(1)[:, 0], real=images(4, 0).float(), fake=images(4, 1).float()
            )
            (gradient,) = torch.autograd.grad(penalty, slope)
            slope = (slope - 0.1 * gradient).detach().requires_grad_()
        assert slope.item() == pytest.approx(1.0, abs=1e-3)


def test_critic_judges_each_image_alone() -> None:
    """No batch normalisation in the critic, on images or points; the generator may have it."""
    torch.manual_seed(0)
    for spec in (SPEC, POINTS):
        model = WGANGP(spec, channels=8, hidden=16, latent=4)
        assert not any("Norm" in type(layer).__name__ for layer in model.critic.modules())
        x = torch.randn(6, *spec.shape)
        alone = torch.cat([model.critic(row) for row in x.split(1)])
        assert torch.allclose(model.critic(x), alone, atol=1e-5)


def test_loss_is_distance_and_ten_penalties() -> None:
    torch.manual_seed(0)
    model = WGANGP(SPEC, channels=8, latent=4)
    losses = model.critic_loss(Batch(x=torch.rand(6, 1, 8, 8)), 0.0)
    assert losses["loss"].item() == pytest.approx((10 * losses["penalty"] - losses["wasserstein"]).item(), rel=1e-5)
    (critic, generator) = model.stages()[0].phases
    assert critic.second_order
    assert not generator.second_order
    assert (critic.repeats, generator.repeats) == (model.critic_steps, 1)


def test_critic_estimates_the_distance_between_two_points() -> None:
    """Reals at (1, 0), fakes at (-0.5, 0): W1 = 1.5, and the critic is larger for real.

    A slope a along the segment earns 1.5 a - 10 (a - 1)², so the best one is 1 + 1.5 / 20: the penalty is soft.
    """
    torch.manual_seed(0)
    model = WGANGP(POINTS, latent=4, penalty=10.0)
    model.generator = nn.Sequential(nn.Unflatten(1, (4, 1, 1)), Shift())
    model.critic = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False), nn.Flatten(0))
    batch = Batch(x=torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(4, 2, 1, 1))
    (weight,) = model.critic.parameters()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(model.critic_loss(batch, 0.0)["loss"], weight)
        with torch.no_grad():
            weight -= 0.03 * gradient
    distance = model.judge(batch.x, Condition()) - model.judge(model.fakes(batch), Condition())
    assert float(distance.mean()) == pytest.approx(1.5 * (1 + 1.5 / 20), rel=1e-3)
    assert model.judge(batch.x, Condition())[0] > model.judge(-0.5 * batch.x, Condition())[0]


def test_lambda_is_ten_for_images() -> None:
    assert WGANGP(SPEC, channels=8).penalty == 10.0
    assert WGANGP(POINTS).penalty == 0.1


class Shift(nn.Module):
    """Every z becomes the point (-0.5, 0)."""

    def forward(self, z: Tensor) -> Tensor:
        return 0 * z[:, :2] + torch.tensor([-0.5, 0.0]).view(2, 1, 1)
