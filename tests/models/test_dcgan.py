"""DCGAN's convolutions at every size, and samples that do not know their batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.gan.dcgan import DCGAN
from genbench.seeding import Noise

SPEC = DataSpec(channels=1, height=8, width=8)


@pytest.mark.parametrize(("side", "start"), [(8, 2), (16, 4), (28, 7), (32, 4), (64, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(side: int, start: int, channels: int) -> None:
    model = DCGAN(DataSpec(channels=channels, height=side, width=side), channels=4, latent=8)
    images = model.generate(3)
    assert images.shape == (3, channels, side, side)
    assert images.isfinite().all()
    assert images.abs().max() <= 1
    assert model.judge(images, Condition()).shape == (3,)
    assert model.generator[1].unflattened_size[1:] == (start, start)  # type: ignore[union-attr]


def test_oblong_images() -> None:
    model = DCGAN(DataSpec(channels=1, height=8, width=28), channels=4, latent=8)
    assert model.generate(2).shape == (2, 1, 8, 28)


def test_a_size_without_two_halvings_is_refused() -> None:
    with pytest.raises(ValueError, match="divide by 4, not 25x25"):
        DCGAN(DataSpec(channels=1, height=25, width=25))


def test_architecture() -> None:
    """No pooling, no normalisation at the images, leaky discriminator, weights from N(0, 0.02²)."""
    torch.manual_seed(0)
    model = DCGAN(DataSpec(channels=3, height=32, width=32), channels=64)
    generator, critic = list(model.generator), list(model.critic)  # type: ignore[call-overload]
    assert [type(layer) for layer in generator[-3:]] == [nn.ReLU, nn.ConvTranspose2d, nn.Tanh]
    assert [type(layer) for layer in critic[:3]] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]
    convolutions = [layer for layer in generator + critic if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(layer.stride == (2, 2) for layer in convolutions)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in generator) == 3
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in critic) == 2
    assert not any("Pool" in type(layer).__name__ for layer in generator + critic)
    for layer in convolutions:
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_training_statistics_do_not_reach_samples() -> None:
    """Samples use running averages: image 5 is the same alone, in company, and in another order."""
    torch.manual_seed(0)
    model = DCGAN(SPEC, channels=4, latent=8)
    batch = Batch(x=torch.rand(16, 1, 8, 8) * 2 - 1)
    for _ in range(5):  # fills the running averages
        model.critic_loss(batch, 0.0)
    together = model.generate(8)
    assert torch.allclose(model.generate(1, first=5), together[5:6], atol=1e-6)
    assert torch.allclose(model.generate(8, batch_size=3), together, atol=1e-6)
    model.eval()
    assert torch.allclose(model.sample(Noise(0, [5, 0]), Condition()), together[[5, 0]], atol=1e-6)


def test_the_discriminator_normalises_over_the_batch() -> None:
    """The reason why a gradient penalty, which needs an image judged alone, has no place in this discriminator."""
    torch.manual_seed(0)
    model = DCGAN(SPEC, channels=4, latent=8).eval()
    x = torch.rand(4, 1, 8, 8)
    other = torch.cat([x[:1], torch.rand(3, 1, 8, 8) - 1])
    assert not torch.allclose(model.judge(x, Condition())[0], model.judge(other, Condition())[0], atol=1e-4)
    assert not any("running" in name for name in model.critic.state_dict())
