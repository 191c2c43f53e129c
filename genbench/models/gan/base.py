"""What every generative adversarial network runs: a critic's turn, a generator's turn, and the losses of both.

The critic (the discriminator, where its output is a logit) gives one number per image, larger for what it takes for real.
Losses are functions of these numbers, written with softplus, so that no logarithm of a rounded probability is taken:
log D = -softplus(-logit), log(1 - D) = -softplus(logit). Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Knob
from genbench.models.stages import Phase, Stage
from genbench.seeding import Noise

# The truncation that is none: a float32 uniform number reaches no further than 5.4 standard deviations.
WHOLE = 6.0


def minimax_critic(real: Tensor, fake: Tensor) -> Tensor:
    """-V(D, G) = -mean log D(x) - mean log(1 - D(G(z))) from logits (B,); the best D makes V = 2 JSD - log 4."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_generator(fake: Tensor) -> Tensor:
    """V's part that the generator minimises, mean log(1 - D(G(z))); flat where the critic is sure of its case."""
    return -F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-mean log D(G(z)): the same fixed point as minimax, and a gradient where the critic is sure of its case."""
    return F.softplus(-fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """The critic maximises mean f(x) - mean f(G(z)), the distance W1 if f is the best 1-Lipschitz function."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-mean f(G(z))."""
    return -fake.mean()


class AdversarialModel(GenerativeModel):
    """A generator from z ~ N(0, I) against a critic; the losses are the non-saturating ones unless a model says otherwise."""

    knobs: ClassVar[Mapping[str, Knob]] = {
        "truncation": Knob(WHOLE, (0.5, 1.0, 2.0, WHOLE), "more variety, fewer typical images: the largest |z|")
    }
    judgement: ClassVar[Literal["logit", "potential"]] = "logit"
    critic_steps: int = 1
    second_order: ClassVar[bool] = False

    def __init__(self, spec: DataSpec, *, generator: nn.Module, critic: nn.Module, latent: int) -> None:
        super().__init__(spec)
        self.generator, self.critic, self.latent = generator, critic, latent

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), latent)."""
        return truncated_normal(noise.uniform(self.latent), WHOLE)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """z (B, latent) -> (B, C, H, W)."""
        return self.generator(z)

    def judge(self, x: Tensor, condition: Condition) -> Tensor:
        """The critic's numbers (B,) of images (B, C, H, W)."""
        return self.critic(x)

    def stages(self) -> list[Stage]:
        critic = Phase(
            name="critic",
            modules=(self.critic,),
            loss=self.critic_loss,
            repeats=self.critic_steps,
            second_order=self.second_order,
        )
        return [Stage(phases=(critic, Phase(name="generator", modules=(self.generator,), loss=self.generator_loss)))]

    def critic_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        real, fake = self.judge(batch.x, batch.condition), self.judge(fakes, batch.condition)
        return {"loss": minimax_critic(real, fake), "real": real.detach().mean(), "fake": fake.detach().mean()}

    def generator_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        return {"loss": non_saturating_generator(self.judge(self.fakes(batch), batch.condition))}

    def fakes(self, batch: Batch) -> Tensor:
        """As many images as the batch has, under its conditions, for training."""
        return self.from_latents(torch.randn(len(batch), self.latent, device=batch.x.device), batch.condition)

    def sample(self, noise: Noise, condition: Condition, *, truncation: float = WHOLE, **knobs: float) -> Tensor:
        """z is normal given |z| <= truncation: drawn anew, not clamped (Brock et al. 2019, section 3.1)."""
        return self.from_latents(truncated_normal(noise.uniform(self.latent), truncation), condition)


def truncated_normal(uniform: Tensor, largest: float) -> Tensor:
    """Uniform numbers in [0, 1) -> standard normal ones given that |z| <= largest, by the inverse distribution function."""
    tail = torch.special.ndtr(uniform.new_tensor(-largest))
    # Half a step of float32 keeps the argument from 0, where the inverse is infinite.
    return torch.special.ndtri(tail + (uniform + 2.0**-25).clamp(max=1 - 2.0**-24) * (1 - 2 * tail))
