"""pix2pix: a U-Net for every size, a discriminator of pairs and patches, and dropout as the only noise."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.image_to_image.pix2pix import Pix2Pix, UNet, dropout, patch_critic
from genbench.seeding import Noise


def spec_of(side: int, channels: int = 1, source_channels: int = 3, width: int | None = None) -> DataSpec:
    return DataSpec(channels=channels, height=side, width=width or side, source_channels=source_channels)


def build(side: int = 8) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(spec_of(side), channels=8).eval()


def sources(n: int, side: int = 8) -> Condition:
    return Condition(sources=torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1)


@pytest.mark.parametrize(("side", "width"), [(8, 8), (16, 16), (28, 28), (32, 32), (28, 32), (25, 19)])
@pytest.mark.parametrize(("channels", "source_channels"), [(1, 3), (3, 1)])
def test_sizes(side: int, width: int, channels: int, source_channels: int) -> None:
    torch.manual_seed(0)
    model = Pix2Pix(spec_of(side, channels, source_channels, width), channels=4)
    condition = Condition(sources=torch.rand(2, source_channels, side, width) * 2 - 1)
    images = model.generate(2, condition=condition)
    assert images.shape == (2, channels, side, width)
    assert images.isfinite().all()
    assert images.abs().max() <= 1
    batch = Batch(x=images[:1], condition=condition.select(slice(1)))
    for phase in model.stages()[0].phases:
        assert phase.loss(batch, 0.0)["loss"].isfinite()  # a batch of one, as in the paper


def test_the_unet_goes_down_to_one_pixel() -> None:
    """Every pixel of the image may depend on every pixel of the source; the bottleneck has one pixel, also from 28."""
    for side in (8, 28, 32):
        torch.manual_seed(0)
        net = UNet(spec_of(side), 16).eval()
        x = torch.rand(1, 3, side, side, requires_grad=True)
        seen: list[torch.Size] = []
        net.down[-1].register_forward_hook(lambda _, __, output, into=seen: into.append(output.shape[-2:]))
        net(x, Noise(0, [0]))[0, 0, 0, 0].backward()
        assert seen == [(1, 1)]
        assert x.grad is not None
        assert float(x.grad[0, :, -1, -1].abs().sum()) > 0


def test_the_discriminator_sees_the_pair() -> None:
    """The logits of one image change with the source. Without that, any realistic image would do for any source."""
    model = build()
    x = torch.rand(4, 1, 8, 8)
    first, second = sources(4), sources(4)
    assert second.sources is not None
    second.sources[0] = -second.sources[0]
    assert not torch.allclose(model.judge(x, first)[0], model.judge(x, second)[0], atol=1e-4)


@pytest.mark.parametrize(("side", "patch"), [(8, 7), (16, 15), (28, 16), (32, 16), (64, 34), (128, 70), (256, 70)])
def test_a_logit_sees_one_patch(side: int, patch: int) -> None:
    """Receptive field of a logit in the middle, by autograd, without batch normalisation; at 16 one row is padding."""
    critic = patch_critic(spec_of(side), 2)
    critic = torch.nn.Sequential(*(layer for layer in critic if not isinstance(layer, torch.nn.BatchNorm2d)))
    x = torch.rand(1, 4, side, side, requires_grad=True)
    logits = critic(x)
    extents = []
    for row in range(logits.shape[2]):
        (gradient,) = torch.autograd.grad(logits[0, 0, row, logits.shape[3] // 2], x, retain_graph=True)
        extents.append(int((gradient.abs().sum((0, 1, 3)) > 0).sum()))
    assert max(extents) == patch
    assert logits.shape[2] > 1  # more than one patch


def test_loss_is_adversarial_and_a_hundred_l1() -> None:
    model = build().train()
    batch = Batch(x=torch.rand(4, 1, 8, 8), condition=sources(4))
    torch.manual_seed(0)
    losses = model.generator_loss(batch, 0.0)
    assert losses["loss"].item() == pytest.approx((losses["adversarial"] + 100 * losses["l1"]).item(), rel=1e-5)
    torch.manual_seed(0)
    fakes = model.generator(batch.condition.sources, None)
    assert losses["l1"].item() == pytest.approx((fakes - batch.x).abs().mean().item(), rel=1e-5)
    logits = model.judge_patches(fakes, batch.condition)
    assert losses["adversarial"].item() == pytest.approx(-F.logsigmoid(logits).mean().item(), rel=1e-5)


def test_critic_loss_is_the_mean_cross_entropy() -> None:
    model = build().train()
    batch = Batch(x=torch.rand(4, 1, 8, 8), condition=sources(4))
    torch.manual_seed(0)
    loss = model.critic_loss(batch, 0.0)["loss"].item()
    torch.manual_seed(0)
    real = model.judge_patches(batch.x, batch.condition)
    fake = model.judge_patches(model.generator(batch.condition.sources, None), batch.condition)
    torch_loss = F.binary_cross_entropy_with_logits(
        torch.cat([real, fake]), torch.cat([torch.ones(len(real), *real.shape[1:]), torch.zeros_like(fake)])
    )
    assert loss == pytest.approx(torch_loss.item(), rel=1e-4)


def test_dropout_gives_variety_and_repeats() -> None:
    """One source twice under two streams: two images; under one stream: one, whatever the batch."""
    model = build()
    condition = sources(1)
    assert condition.sources is not None
    same = Condition(sources=condition.sources.expand(6, -1, -1, -1))
    images = model.generate(6, condition=same, seed=3)
    assert torch.pdist(images.flatten(1)).min() > 1e-4
    assert torch.equal(model.generate(6, condition=same, seed=3), images)
    assert torch.allclose(model.generate(1, condition=condition, seed=3, first=4), images[4:5], atol=1e-6)
    assert torch.allclose(model.generate(6, condition=same, seed=3, batch_size=4), images, atol=1e-6)
    assert not torch.allclose(model.generate(6, condition=same, seed=4), images, atol=1e-4)


def test_dropout_keeps_the_mean() -> None:
    """Half the values are 0 and half doubled, from the stream when sampling and from torch when training."""
    x = torch.ones(50, 40, 5)
    torch.manual_seed(0)
    for dropped in (dropout(x, Noise(0, range(50))), dropout(x, None)):
        assert set(dropped.unique().tolist()) == {0.0, 2.0}
        assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)
