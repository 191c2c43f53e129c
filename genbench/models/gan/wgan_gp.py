"""WGAN-GP: the critic estimates the Wasserstein distance, kept 1-Lipschitz by a penalty on the norm of its gradient.

Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, algorithm 1: lambda 10, Adam with betas (0, 0.9), the penalty at
points on segments between a real and a fake image, no batch normalisation in the critic. Smaller or different: DCGAN's
convolutions for residual networks (perceptrons for points), 2 critic steps for 5 and lr 1e-3 for 1e-4, which short runs need.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from genbench.batch import Batch, DataSpec
from genbench.models.gan._networks import conv_critic, conv_generator, mlp_critic, mlp_generator
from genbench.models.gan.base import AdversarialModel, wasserstein_critic, wasserstein_generator
from genbench.models.stages import Recipe


def gradient_penalty(critic: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient of the critic at x̂| - 1)², x̂ uniform on the segment from fake to real (equation 3).

    The norm is that of an image's whole gradient. The critic must judge each image alone: no batch normalisation.
    """
    t = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    between = torch.lerp(fake, real, t).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


class WGANGP(AdversarialModel):
    """Wasserstein loss with gradient penalty; perceptrons on points, convolutions on images.

    penalty: lambda; None is the paper's 10 for images, and for points 0.1, as in the authors' code for toy data.
    """

    title = "WGAN-GP"
    paper = "Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028"
    recipe = Recipe(lr=1e-3, betas=(0.0, 0.9))
    tiny: ClassVar = {"channels": 8, "latent": 8, "hidden": 32, "critic_steps": 2}
    judgement = "potential"
    second_order = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: int = 32,
        hidden: int = 128,
        latent: int = 64,
        penalty: float | None = None,
        critic_steps: int = 2,
    ) -> None:
        if spec.is_points:
            generator, critic = mlp_generator(spec, inputs=latent, hidden=hidden), mlp_critic(spec, hidden=hidden)
        else:
            generator = conv_generator(spec, inputs=latent, channels=channels)
            critic = conv_critic(spec, channels=channels, batch_norm=False)
        super().__init__(spec, generator=generator, critic=critic, latent=latent)
        self.penalty = penalty if penalty is not None else 0.1 if spec.is_points else 10.0
        self.critic_steps = critic_steps

    def critic_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        loss = wasserstein_critic(self.critic(batch.x), self.critic(fakes))
        penalty = gradient_penalty(self.critic, real=batch.x, fake=fakes)
        return {"loss": loss + self.penalty * penalty, "wasserstein": -loss.detach(), "penalty": penalty.detach()}

    def generator_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        return {"loss": wasserstein_generator(self.critic(self.fakes(batch)))}
