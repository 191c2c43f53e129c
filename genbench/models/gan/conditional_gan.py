"""The conditional GAN: the label goes into the generator and into the discriminator, which judges the pair (image, label).

Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784. The label is one-hot; the generator takes it beside z, the
discriminator as constant planes beside the image. The architecture is DCGAN's (perceptrons for points), where the paper has
perceptrons with maxout and dropout.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.batch import Condition, DataSpec
from genbench.models.base import Task
from genbench.models.gan._networks import conv_critic, conv_generator, mlp_critic, mlp_generator
from genbench.models.gan.base import AdversarialModel
from genbench.models.stages import Recipe


class ConditionalGAN(AdversarialModel):
    """Label in both networks, non-saturating loss; perceptrons on points, convolutions on images."""

    title = "Conditional GAN"
    paper = "Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784"
    recipe = Recipe(lr=2e-4, betas=(0.5, 0.999))
    tiny: ClassVar = {"channels": 8, "latent": 8, "hidden": 32}
    task: ClassVar[Task] = "class"

    def __init__(self, spec: DataSpec, *, channels: int = 32, hidden: int = 128, latent: int = 64) -> None:
        inputs = latent + spec.classes
        if spec.is_points:
            generator, critic = (
                mlp_generator(spec, inputs=inputs, hidden=hidden),
                mlp_critic(spec, hidden=hidden, extra=spec.classes),
            )
        else:
            generator = conv_generator(spec, inputs=inputs, channels=channels)
            critic = conv_critic(spec, channels=channels, extra=spec.classes)
        super().__init__(spec, generator=generator, critic=critic, latent=latent)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        return self.generator(torch.cat([z, self._one_hot(condition)], 1))

    def judge(self, x: Tensor, condition: Condition) -> Tensor:
        planes = self._one_hot(condition)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.critic(torch.cat([x, planes], 1))

    def _one_hot(self, condition: Condition) -> Tensor:
        """Labels -> float (B, classes)."""
        assert condition.labels is not None
        return F.one_hot(condition.labels, self.spec.classes).float()
