"""Small models whose training can be followed by hand."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel
from genbench.models.stages import Log, Phase, Recipe, Stage
from genbench.seeding import Noise

POINTS = DataSpec(channels=2, height=1, width=1, levels=0)


def points(n: int = 256) -> Examples:
    return Examples(images=torch.randn(n, 2, 1, 1, generator=torch.Generator().manual_seed(0)))


class Duel(GenerativeModel):
    """Two networks, two stages, dropout, and a fit: everything the loop must carry across a checkpoint."""

    title, paper = "Duel", "none"
    recipe = Recipe(lr=1e-2, batch_size=32, ema=500, warmup=10, decay="cosine", clip=1.0)

    def __init__(self, spec: DataSpec = POINTS) -> None:
        super().__init__(spec)
        self.generator = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 2))
        self.critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))

    def stages(self) -> list[Stage]:
        critic = Phase(name="critic", modules=(self.critic,), loss=self.critic_loss, repeats=2, after=self.count)
        generator = Phase(name="generator", modules=(self.generator,), loss=self.generator_loss, every=2)
        polish = Phase(name="polish", modules=(self.generator,), loss=self.polish_loss)
        return [
            Stage(name="moments", fit=self.fit, share=0.1),
            Stage(name="duel", phases=(critic, generator), prepare=self.prepare),
            Stage(name="polish", phases=(polish,), view=lambda batch: batch.with_x(batch.x * 0.5)),
        ]

    def fit(self, examples: Examples) -> Iterator[Log]:
        self.mean.copy_(examples.images.mean((0, 2, 3)))
        yield {"loss": 0.0}

    def prepare(self, batch: Batch) -> None:
        self.critic[0].bias.data.copy_(torch.full((16,), float(batch.x.std())))

    def count(self, batch: Batch) -> None:
        self.turns += 1

    def critic_loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.generator(torch.randn(len(batch), 2))
        real = self.critic(batch.x.flatten(1))
        return {"loss": F.softplus(-real).mean() + F.softplus(self.critic(fake)).mean(), "real": real.mean()}

    def generator_loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        return {"loss": F.softplus(-self.critic(self.generator(torch.randn(len(batch), 2)))).mean()}

    def polish_loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        return {"loss": (self.generator(torch.randn(len(batch), 2)).mean(0) - batch.x.flatten(1).mean(0)).square().sum()}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.generator(noise.normal(2)).reshape(-1, 2, 1, 1)


class Exploding(Duel):
    """Its loss is not a number from the fifth step on."""

    recipe = Recipe(batch_size=8)

    def stages(self) -> list[Stage]:
        self.steps = 0
        return [Stage(phases=(Phase(name="boom", modules=(self.generator,), loss=self.boom),))]

    def boom(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        self.steps += 1
        return {"loss": self.generator(batch.x.flatten(1)).sum() * (float("nan") if self.steps > 5 else 1.0)}


class Line(GenerativeModel):
    """Learns the identity by least squares, without chance; notes in which precision each phase runs."""

    title, paper = "Line", "none"
    recipe = Recipe(lr=1e-2, batch_size=32)

    def __init__(self, spec: DataSpec = POINTS) -> None:
        super().__init__(spec)
        self.line = nn.Linear(2, 2)
        self.autocast: dict[str, bool] = {}

    def stages(self) -> list[Stage]:
        plain = Phase(name="plain", modules=(self.line,), loss=lambda batch, _: self.loss("plain", batch))
        exact = Phase(name="exact", modules=(self.line,), loss=lambda batch, _: self.loss("exact", batch), second_order=True)
        return [Stage(phases=(plain, exact))]

    def loss(self, phase: str, batch: Batch) -> dict[str, Tensor]:
        self.autocast[phase] = torch.is_autocast_enabled(batch.x.device.type)
        x = batch.x.flatten(1)
        return {"loss": (self.line(x) - x).square().mean()}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.line(noise.normal(2)).reshape(-1, 2, 1, 1)
