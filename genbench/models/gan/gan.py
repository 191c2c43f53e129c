"""The generative adversarial network: two perceptrons, one that makes images and one that tells them from real ones.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1 with k = 1. Smaller or different: SiLU in both networks
(ReLU for points), where the paper's discriminator has maxout and dropout; Adam for momentum; normal z for uniform. The loss is
a choice: "non_saturating", which section 3 recommends, or "minimax", whose gradient vanishes when the discriminator wins.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor

from genbench.batch import Batch, DataSpec
from genbench.models.gan._networks import mlp_critic, mlp_generator
from genbench.models.gan.base import AdversarialModel, minimax_generator, non_saturating_generator
from genbench.models.stages import Recipe


class GAN(AdversarialModel):
    """Perceptrons on flattened pixels; works on points."""

    title = "GAN"
    paper = "Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661"
    recipe = Recipe(lr=5e-4, betas=(0.5, 0.999))
    tiny: ClassVar = {"hidden": 32, "latent": 8}

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: int = 256,
        latent: int = 64,
        loss: Literal["non_saturating", "minimax"] = "non_saturating",
    ) -> None:
        generator, critic = mlp_generator(spec, inputs=latent, hidden=hidden), mlp_critic(spec, hidden=hidden)
        super().__init__(spec, generator=generator, critic=critic, latent=latent)
        self.objective = {"non_saturating": non_saturating_generator, "minimax": minimax_generator}[loss]

    def generator_loss(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        return {"loss": self.objective(self.judge(self.fakes(batch), batch.condition))}
