"""pix2pix: an image from an image, by a U-Net against a discriminator that sees pairs (source, image) patch by patch.

Isola et al. 2017, https://arxiv.org/abs/1611.07004: conditional GAN loss plus 100 times the L1 distance. Dropout, also when
sampling, is the only noise; its masks then come from the sample's own stream. Smaller: 32 channels, as many halvings as the
image has down to one pixel, and the largest patch of the paper's family that fits into the image: 7x7 for 8x8, 16x16 for 16x16
to 32x32, 70x70 for 128x128 and more. Different: batch normalisation uses running averages when sampling, where the paper
normalises with the test batch, so that one image does not depend on the others.

Turning night into day on `shapes` is a map of each pixel by itself, which a 1x1 convolution could learn. A low L1 distance
there shows that the pieces work together, not how good the system is at hard translations.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Task
from genbench.models.stages import Phase, Recipe, Stage
from genbench.seeding import Noise


class UNet(nn.Module):
    """Source (B, C', H, W) -> image (B, C, H, W) in [-1, 1]: halves the size down to one pixel and comes back, with skips.

    Dropout acts in the first three steps up, in training and in sampling alike.
    """

    def __init__(self, spec: DataSpec, channels: int) -> None:
        super().__init__()
        depth = min(spec.height, spec.width).bit_length() - 1
        widths = [channels << min(level, 3) for level in range(depth)]
        self.down = nn.ModuleList([nn.Conv2d(spec.source_channels, widths[0], 4, 2, 1)])
        for level in range(1, depth):
            # The innermost step leaves one pixel, which a batch of one image could not normalise.
            convolution = _convolution(widths[level - 1], widths[level], batch_norm=level < depth - 1)
            self.down.append(nn.Sequential(nn.LeakyReLU(0.2), *convolution))
        self.up = nn.ModuleList()
        before = widths[-1]
        for step, after in enumerate(reversed(widths[:-1])):
            self.up.append(Up(before, after, dropped=step < 3))
            before = 2 * after
        self.last = nn.ConvTranspose2d(before, spec.channels, 4, 2, 1)

    def forward(self, source: Tensor, noise: Noise | None) -> Tensor:
        x, skips = source, []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.up:
            x = layer(x, skips.pop(), noise)
        return self.last(F.relu(x), output_size=source.shape[-2:]).tanh()


class Up(nn.Module):
    """(B, before, h, w) and the skip (B, after, H, W) -> (B, 2 after, H, W)."""

    def __init__(self, before: int, after: int, *, dropped: bool) -> None:
        super().__init__()
        self.convolution, self.norm = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after)
        self.dropped = dropped

    def forward(self, x: Tensor, skip: Tensor, noise: Noise | None) -> Tensor:
        # The skip's size says whether 3 pixels come from 7 or from 6.
        x = self.norm(self.convolution(F.relu(x), output_size=skip.shape[-2:]))
        return torch.cat([dropout(x, noise) if self.dropped else x, skip], 1)


def dropout(x: Tensor, noise: Noise | None) -> Tensor:
    """Half of the values set to 0 and the others doubled; the mask of row i from stream i of `noise`, or torch's if None."""
    uniform = torch.rand_like(x) if noise is None else noise.uniform(*x.shape[1:])
    return x * (uniform < 0.5) * 2.0


def patch_critic(spec: DataSpec, channels: int) -> nn.Sequential:
    """(B, C' + C, H, W) -> logits (B, 1, H', W'), each of one patch: up to three strided convolutions and two more.

    Its batch normalisation has no running statistics: nobody samples from it, and reals and fakes are normalised apart.
    """
    # The patch's side is 7, 16, 34 or 70 pixels for 0, 1, 2 or 3 strided convolutions.
    strided = sum(patch <= min(spec.height, spec.width) for patch in (16, 34, 70))
    layers: list[nn.Module] = []
    before = spec.source_channels + spec.channels
    for level in range(strided + 1):
        stride = 2 if level < strided else 1
        layers += _convolution(before, channels << level, stride=stride, batch_norm=level > 0, running=False)
        layers.append(nn.LeakyReLU(0.2))
        before = channels << level
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))


def _convolution(before: int, after: int, *, stride: int = 2, batch_norm: bool, running: bool = True) -> list[nn.Module]:
    """A 4x4 convolution, with batch normalisation in the place of its bias if wanted."""
    norm = [nn.BatchNorm2d(after, track_running_stats=running)] if batch_norm else []
    return [nn.Conv2d(before, after, 4, stride, 1, bias=not batch_norm), *norm]


class Pix2Pix(GenerativeModel):
    """Paired image-to-image translation: conditional GAN and L1."""

    title = "pix2pix"
    paper = "Isola et al. 2017, https://arxiv.org/abs/1611.07004"
    recipe = Recipe(lr=2e-4, betas=(0.5, 0.999), batch_size=16)
    tiny: ClassVar = {"channels": 8}
    task: ClassVar[Task] = "paired"
    judgement: ClassVar[Literal["logit", "potential"]] = "logit"

    def __init__(self, spec: DataSpec, *, channels: int = 32, l1_weight: float = 100.0) -> None:
        super().__init__(spec)
        if min(spec.height, spec.width) < 4:
            raise ValueError(f"patches need images of 4x4 pixels at least, not {spec.height}x{spec.width}")
        self.generator, self.critic = UNet(spec, channels), patch_critic(spec, channels)
        self.l1_weight = l1_weight

    def judge(self, x: Tensor, condition: Condition) -> Tensor:
        """(B,) the mean of the logits of a pair's patches."""
        return self.judge_patches(x, condition).flatten(1).mean(1)

    def judge_patches(self, x: Tensor, condition: Condition) -> Tensor:
        """Patch logits (B, 1, H', W') of pairs."""
        return self.critic(torch.cat([_sources(condition), x], 1))

    def stages(self) -> list[Stage]:
        critic = Phase(name="critic", modules=(self.critic,), loss=self.critic_loss)
        return [Stage(phases=(critic, Phase(name="generator", modules=(self.generator,), loss=self.generator_loss)))]

    def critic_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        """Half the sum of the two cross-entropies: the discriminator learns at half the generator's pace (section 3.3)."""
        with torch.no_grad():
            fakes = self.generator(_sources(batch.condition), None)
        real, fake = self.judge_patches(batch.x, batch.condition), self.judge_patches(fakes, batch.condition)
        loss = 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        return {"loss": loss, "real": real.detach().mean(), "fake": fake.detach().mean()}

    def generator_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        fakes = self.generator(_sources(batch.condition), None)
        adversarial, l1 = F.softplus(-self.judge_patches(fakes, batch.condition)).mean(), F.l1_loss(fakes, batch.x)
        return {"loss": adversarial + self.l1_weight * l1, "adversarial": adversarial.detach(), "l1": l1.detach()}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        """One image per source; the chance lies in the masks of dropout."""
        return self.generator(_sources(condition), noise)


def _sources(condition: Condition) -> Tensor:
    assert condition.sources is not None
    return condition.sources
