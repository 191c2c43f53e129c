"""The critic: logits that are known, made surer and surer; a potential whose distance is known."""

from __future__ import annotations

import math

import pytest
import torch
from known_subjects import DIGITS, PLANE, continuous, digits, measured, subject_of
from torch import Tensor, nn

from genbench.batch import Condition
from genbench.diagnostics.discriminator import of_logits
from genbench.models.gan.gan import GAN
from genbench.models.gan.wgan_gp import WGANGP


def normal(n: int, seed: int) -> Tensor:
    return torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_lost_critic_says_one_half() -> None:
    found = of_logits(*[torch.zeros(50, dtype=torch.float64)] * 3)
    halves = ("critic_on_train", "critic_on_test", "critic_on_fake", "critic_accuracy")
    assert [float(found[name]) for name in halves] == [0.5] * 4
    assert float(found["critic_saturation"]) == float(found["critic_overfitting"]) == 0


def test_numbers_of_known_logits() -> None:
    """Logits N(1, 1) of real images and N(-1, 1) of fakes: 84 % right, and D averages to what the integral says."""
    found = of_logits(normal(4000, 0) + 1, normal(4000, 1) + 1, normal(4000, 2) - 1)
    assert float(found["critic_accuracy"]) == pytest.approx(0.8413, abs=0.015)
    grid = torch.linspace(-9, 11, 20_001, dtype=torch.float64)
    density = (-0.5 * (grid - 1).square()).exp() / math.sqrt(2 * math.pi)
    expected = float(torch.trapezoid(density * grid.sigmoid(), grid))
    for name in ("critic_on_train", "critic_on_test"):
        assert float(found[name]) == pytest.approx(expected, abs=0.015)
    assert float(found["critic_on_fake"]) == pytest.approx(1 - expected, abs=0.015)


def test_surer_logits_saturate_and_are_no_more_often_right() -> None:
    train, test, fake = normal(500, 0) + 1, normal(500, 1) + 1, normal(400, 2) - 1
    found = [of_logits(times * train, times * test, times * fake) for times in (1, 10, 100)]
    saturated = [float(one["critic_saturation"]) for one in found]
    assert saturated[0] < 0.01
    assert saturated == sorted(saturated)
    assert saturated[-1] > 0.9
    assert len({float(one["critic_accuracy"]) for one in found}) == 1


def test_knowing_the_training_images_by_heart_shows_dose_by_dose() -> None:
    found = [of_logits(normal(800, 0) + dose, normal(800, 1), normal(800, 2))["critic_overfitting"] for dose in (0, 1, 3)]
    values = [float(one) for one in found]
    assert abs(values[0]) < 0.05
    assert values == sorted(values)
    assert values[-1] > 0.35
    assert all(one.ci is not None and one.ci[0] < float(one) < one.ci[1] for one in found)


def test_logits_that_are_not_finite_leave_no_value() -> None:
    found = of_logits(normal(5, 0), normal(5, 1) / 0 * 0, normal(5, 2))
    missing = {name for name, estimate in found.items() if estimate.value is None}
    assert missing == {"critic_on_test", "critic_accuracy", "critic_saturation", "critic_overfitting"}
    assert found["critic_saturation"].reason == "for 5 of 10 images the number is not finite"


def test_the_three_kinds_of_images_are_judged() -> None:
    """Training images are black, test images white; the critic is their mean, and the samples are grey."""
    torch.manual_seed(0)
    model = GAN(DIGITS, hidden=8, latent=4)
    model.judge = lambda x, condition: 4 * x.flatten(1).mean(1)  # type: ignore[method-assign]
    model.generator = nn.Sequential(Grey())
    _, test = digits()
    black, white = (type(test)(images=torch.full_like(test.images[:40], level)) for level in (0, 255))
    found = measured("discriminator", subject_of(model, train=black, test=white))
    sure = 1 / (1 + math.exp(-4))
    assert float(found["critic_on_train"]) == pytest.approx(1 - sure)
    assert float(found["critic_on_test"]) == pytest.approx(sure)
    assert float(found["critic_on_fake"]) == pytest.approx(0.5)
    assert float(found["critic_accuracy"]) == pytest.approx(0.75)
    assert found["critic_w1"].value is None


class Grey(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return 0 * z.sum() + torch.zeros(len(z), 1, 8, 8)


class At(nn.Module):
    """Every z becomes the point (x, 0)."""

    def __init__(self, x: float) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.tensor([x, 0.0]).view(2, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.point.expand(len(z), -1, -1, -1)


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_a_potential_of_slope_one_gives_the_distance(shift: float) -> None:
    model = WGANGP(PLANE, hidden=8, latent=4)
    model.judge = lambda x, condition: x[:, 0, 0, 0]  # type: ignore[method-assign]
    model.generator = At(-shift)
    points = continuous(torch.zeros(30, 2))
    further = continuous(torch.ones(30, 2))
    found = measured("discriminator", subject_of(model, test=points, train=further))
    assert float(found["critic_w1"]) == pytest.approx(shift)
    assert found["critic_w1"].details["train"] == pytest.approx(shift + 1)
    assert found["critic_on_test"].value is None


def test_judges_see_the_condition_of_each_image() -> None:
    from known_subjects import random_images

    from genbench.batch import DataSpec
    from genbench.models.gan.conditional_gan import ConditionalGAN

    torch.manual_seed(0)
    spec = DataSpec(channels=1, height=8, width=8, classes=3)
    model = ConditionalGAN(spec, channels=4, latent=4)

    def judge(x: Tensor, condition: Condition) -> Tensor:
        assert condition.labels is not None
        assert len(condition.labels) == len(x)
        return condition.labels.float()

    model.judge = judge  # type: ignore[method-assign]
    found = measured("discriminator", subject_of(model, test=random_images(spec, 99), n=99))
    expected = float(torch.arange(3.0).sigmoid().mean())
    assert float(found["critic_on_test"]) == pytest.approx(expected) == pytest.approx(float(found["critic_on_fake"]))
