"""PixelCNN: an image's probability as a product over its values, each given those before it, and an exact likelihood.

Source: van den Oord et al. 2016, Pixel Recurrent Neural Networks, https://arxiv.org/abs/1601.06759, in the gated form without
a blind spot of https://arxiv.org/abs/1606.05328. A value is one of `levels`, and its distribution a softmax over all of them.

Smaller than the paper: 6 gated layers of 24 features (the paper: 15 of 128), dilated so that they see as far.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Knob, Likelihood
from genbench.models.stages import Phase, Recipe, Stage
from genbench.nn.gated_pixel_stack import GatedPixelStack
from genbench.seeding import Noise


class PixelCNN(GenerativeModel):
    """Draws images value by value and completes the rest of one whose beginning is known.

    channels: features of each stack; layers: gated layers.
    """

    title = "PixelCNN"
    paper = "van den Oord et al. 2016, https://arxiv.org/abs/1601.06759"
    recipe = Recipe(lr=4e-3, batch_size=16, warmup=50, decay="cosine", clip=1.0, ema=10_000)
    tiny: ClassVar = {"channels": 8, "layers": 2}
    knobs: ClassVar = {
        "temperature": Knob(1.0, (0.8, 0.9, 1.0), "divides the logits: larger values give more varied, less likely images")
    }
    likelihood: ClassVar[Likelihood] = "exact"

    def __init__(self, spec: DataSpec, *, channels: int = 24, layers: int = 6) -> None:
        super().__init__(spec)
        if spec.levels == 0:
            raise ValueError("PixelCNN gives probabilities to discrete levels, and these data are continuous (levels = 0)")
        self.stack = GatedPixelStack(spec.levels, channels=spec.channels, width=channels, layers=layers, ordered=True)

    def stages(self) -> list[Stage]:
        phase = Phase(name="likelihood", modules=(self.stack,), loss=self._loss)
        return [Stage(phases=(phase,), prepare=self._start_at_frequencies)]

    def sample(self, noise: Noise, condition: Condition, *, temperature: float = 1.0, **knobs: float) -> Tensor:
        """Samples (N, C, H, W) on the grid of levels; temperature is above 0."""
        levels = self.stack.draw(noise.uniform(*self.spec.shape), temperature=temperature)
        return images.from_levels(levels, self.spec.levels)

    def evaluations(self, **knobs: float) -> int:
        """One pass per pixel, one after another; features are kept, so that together they cost little more than one."""
        return self.spec.height * self.spec.width

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) log probability of the images' levels; no chance is needed."""
        return self.stack.log_prob(images.to_levels(batch.x, self.spec.levels))

    def restore(self, x: Tensor, known: Tensor, noise: Noise) -> Tensor:
        """(B, C, H, W): unknown values are drawn in raster order, each given all that come before it.

        Known values that come after an unknown one stay, but the unknown one is not drawn with regard to them: a missing
        lower half is completed as the model's distribution demands, a missing upper half is not.
        """
        known = known.expand_as(x)
        start = images.to_levels(x, self.spec.levels)
        levels = self.stack.draw(noise.uniform(*self.spec.shape), start=start, known=known)
        return x.where(known, images.from_levels(levels, self.spec.levels))

    def _start_at_frequencies(self, batch: Batch) -> None:
        self.stack.start_at_frequencies(images.to_levels(batch.x, self.spec.levels))

    def _loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        levels = images.to_levels(batch.x, self.spec.levels)
        loss = F.cross_entropy(self.stack(levels).float(), levels)
        return {"loss": loss, "bits_per_dim": loss.detach() / math.log(2)}
