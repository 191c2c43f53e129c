"""Norms of layers against the singular values of their matrices, and slopes that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from known_subjects import DIGITS, PLANE, continuous, digits, measured, subject_of
from torch import nn

from genbench.diagnostics.lipschitz import largest_singular_value, operator_norm
from genbench.models.gan.dcgan import DCGAN
from genbench.models.gan.gan import GAN
from genbench.models.gan.wgan_gp import WGANGP

LAYERS: list[tuple[Callable[[], nn.Module], tuple[int, ...]]] = [
    (lambda: nn.Linear(7, 5), (7,)),
    (lambda: nn.Conv2d(2, 3, 4, 2, 1), (2, 8, 8)),
    (lambda: nn.Conv2d(3, 2, 3, padding=1, bias=False), (3, 6, 5)),
    (lambda: nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), (4, 6, 6)),
    (lambda: nn.Conv3d(1, 2, 3, padding=1), (1, 3, 5, 5)),
]


def plane() -> GAN:
    torch.manual_seed(0)
    return GAN(PLANE, hidden=8, latent=4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_a_norm_is_the_largest_singular_value_of_the_layer_s_matrix(
    build: Callable[[], nn.Module], shape: tuple[int, ...], seed: int
) -> None:
    torch.manual_seed(seed)
    layer = build().double()
    subject = subject_of(plane(), test=continuous(torch.zeros(2, 2)))
    size = torch.Size(shape)
    inputs = torch.eye(size.numel(), dtype=torch.float64).view(-1, *size)
    with torch.no_grad():
        matrix = (layer(inputs) - layer(0 * inputs)).flatten(1)
    largest = float(torch.linalg.svdvals(matrix)[0])
    assert operator_norm(subject, layer, size) == pytest.approx(largest, rel=1e-5)
    assert operator_norm(subject, layer, size) <= largest * (1 + 1e-9)


def test_singular_values_that_crowd_at_the_top_are_told_apart() -> None:
    """Values 1, 0.99, 0.98, ...: the largest leads the next by a hundredth, and hundreds are to be told apart."""
    scales = 1 - torch.arange(400, dtype=torch.float64) / 400
    for seed in range(5):
        start = torch.randn(400, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert largest_singular_value(lambda v: 3 * scales * v, start) == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.Linear])
def test_weights_that_are_not_finite_leave_no_norm(kind: type[nn.Module], broken: float) -> None:
    torch.manual_seed(0)
    model, (_, test) = WGANGP(DIGITS, channels=4, latent=4), digits()
    layer = next(module for module in model.critic.modules() if isinstance(module, kind))
    with torch.no_grad():
        layer.weight.view(-1)[0] = broken  # type: ignore[operator]
    found = measured("lipschitz", subject_of(model, test=test, n=16))["critic_norm"]
    assert found.value is None
    assert found.reason == "some weights are not finite"


def test_a_layer_of_zeros_has_norm_zero() -> None:
    layer = nn.Conv2d(1, 1, 3)
    nn.init.zeros_(layer.weight)
    assert operator_norm(subject_of(plane(), test=continuous(torch.zeros(2, 2))), layer, torch.Size((1, 5, 5))) == 0


def test_a_linear_critic_has_the_slope_of_its_weights_everywhere() -> None:
    model = WGANGP(PLANE, hidden=8, latent=4)
    layer = nn.Linear(2, 1)
    model.critic = nn.Sequential(nn.Flatten(), layer, nn.Flatten(0))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
    for factor in (1.0, 10.0):
        found = measured("lipschitz", subject_of(model, test=continuous(torch.randn(40, 2))))
        assert float(found["critic_norm"]) == pytest.approx(5 * factor)
        assert float(found["critic_slope"]) == pytest.approx(5 * factor)
        assert found["critic_slope"].details == pytest.approx({"p05": 5 * factor, "p50": 5 * factor, "p95": 5 * factor})
        with torch.no_grad():
            layer.weight.mul_(10)


def test_the_slope_is_taken_between_images_and_samples() -> None:
    """Of |x|² the gradient is 2 |x|: real points at 1, samples at 0, and places evenly in between."""
    model = plane()
    model.judge = lambda x, condition: x.square().flatten(1).sum(1)  # type: ignore[method-assign]
    model.generator = Origin()
    points = torch.zeros(2000, 2)
    points[:, 0] = 1
    slope = measured("lipschitz", subject_of(model, test=continuous(points)))["critic_slope"]
    assert float(slope) == pytest.approx(1, abs=0.03)
    assert slope.details == pytest.approx({"p05": 0.1, "p50": 1, "p95": 1.9}, abs=0.06)


class Origin(nn.Module):
    def forward(self, z: Any) -> torch.Tensor:
        return torch.zeros(len(z), 2, 1, 1)


@pytest.mark.parametrize("kind", [WGANGP, DCGAN])
def test_every_layer_of_the_critic_is_measured_and_none_of_the_generator(kind: Any) -> None:
    torch.manual_seed(0)
    model, (_, test) = kind(DIGITS, channels=4, latent=4), digits()
    found = measured("lipschitz", subject_of(model, test=test, n=16))["critic_norm"]
    layers = {f"critic.{name}" for name, layer in model.critic.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}
    assert set(found.details) == layers | {"product"}
    assert float(found) == max(found.details[name] for name in layers)


def test_heavier_weights_are_steeper_by_their_product() -> None:
    torch.manual_seed(0)
    model, (_, test) = WGANGP(DIGITS, channels=4, latent=4), digits()
    weights = [layer.weight for layer in model.critic.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    biases = [layer.bias for layer in model.critic.modules() if isinstance(layer, nn.Conv2d) and layer.bias is not None]
    with torch.no_grad():  # leaky ReLUs are homogeneous: without biases, f times as heavy is f to the number of layers
        for bias in biases:
            bias.zero_()
    before = measured("lipschitz", subject_of(model, test=test, n=16))
    for factor in (2.0, 4.0):
        with torch.no_grad():
            for weight in weights:
                weight.mul_(2)
        now = measured("lipschitz", subject_of(model, test=test, n=16))
        assert float(now["critic_norm"]) == pytest.approx(factor * float(before["critic_norm"]), rel=1e-6)
        assert float(now["critic_slope"]) == pytest.approx(factor ** len(weights) * float(before["critic_slope"]), rel=1e-4)
        assert now["critic_slope"].details["p95"] <= now["critic_norm"].details["product"]
