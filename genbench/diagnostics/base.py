"""The contract of a diagnostic: a number that shows whether a model's mechanism works, and what to do where it does not.

A diagnostic is a file genbench/diagnostics/<name>.py with one `Diagnostic`. It applies to every model with the ability that it
needs, of whatever family; abilities are in genbench.models.base.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition
from genbench.data.dataset import Dataset
from genbench.estimate import Estimate
from genbench.features._precision import computing
from genbench.features.tiny import Tiny, preprocess
from genbench.models.base import GenerativeModel, device_of
from genbench.seeding import Noise, generator

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a number.

    meaning: a sentence on what it is, in which unit.
    usual: (low, high) between which nothing is to be done; None: no limit on that side.
    advice: what to try outside of it.
    """

    meaning: str
    usual: tuple[float | None, float | None] = (None, None)
    advice: str = ""

    def is_usual(self, value: float) -> bool:
        """Whether `value` lies within `usual`."""
        low, high = self.usual
        return (low is None or value >= low) and (high is None or value <= high)


@dataclass(kw_only=True)
class Subject:
    """A trained model and the data it was trained on, seen by all diagnostics of one run. What is dear is computed once.

    n: images of each kind, real and generated; seed: of everything random.
    """

    model: GenerativeModel
    data: Dataset
    n: int = 512
    seed: int = 0

    @property
    def device(self) -> torch.device:
        return device_of(self.model)

    def noise(self, rows: int | slice, purpose: str) -> Noise:
        """One stream for each row, whatever rows are asked for with it; rows: a number, the first ones, or which.

        purpose: such as "video_flicker/order"; two purposes have streams that are independent, as have two seeds.
        """
        seed = int(generator(self.seed, f"diagnostics/{purpose}").integers(2**63))
        rows = slice(0, rows) if isinstance(rows, int) else rows
        return Noise(seed, range(rows.start, rows.stop), device=self.device)

    @cached_property
    def real(self) -> Batch:
        """The first `n` test examples as the model takes them, on its device."""
        return self.data.test.select(slice(0, self.n)).to(self.device).batch()

    @cached_property
    def trained_on(self) -> Batch:
        """`n` training examples, spread evenly over the split."""
        count = min(self.n, len(self.data.train))
        return self.data.train.select(torch.arange(count) * len(self.data.train) // count).to(self.device).batch()

    @cached_property
    def samples(self) -> Tensor:
        """`n` samples (n, C, H, W) in [-1, 1] on the model's device, under `conditions` where the model needs some."""
        return self.sample(self.n)

    @property
    def conditions(self) -> Condition | None:
        """Those of the test examples, in turn; None for a model without."""
        if not self.model.conditional:
            return None
        return self.data.test.select(torch.arange(self.n) % len(self.data.test)).condition()

    def sample(self, n: int, **knobs: float) -> Tensor:
        """As the first `n` of `samples`, with other knobs: from the same noise, under the same conditions."""
        condition = None if self.conditions is None else self.conditions.select(slice(0, n))
        return self.model.generate(n, seed=self.seed, condition=condition, knobs=knobs, batch_size=BATCH).to(self.device)

    @cached_property
    def extractor(self) -> Tiny:
        """The features in which a diagnostic compares sets of images."""
        with torch.random.fork_rng(devices=[]):  # building a network takes numbers of torch's stream
            return Tiny.load(input="bilinear", precision="fp32", weights=None).to(self.device)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> (N, 128) float32 on the CPU; grey images as colour, points as they are."""
        if self.model.spec.is_points:
            return x.flatten(1).cpu()
        return torch.cat([self.extractor(part, ["pool"])["pool"].cpu() for part in colour(images.to_uint8(x)).split(BATCH)])

    def smooth_features(self, x: Tensor) -> Tensor:
        """As `features`, of values that are not rounded to 8 bits, so that the smallest changes of an image show."""
        if self.model.spec.is_points:
            return x.detach().flatten(1).cpu()
        with computing(self.extractor.identity.precision, self.device):
            parts = [preprocess(part.clamp(-1, 1).add(1).mul(127.5)).contiguous() for part in colour(x).float().split(BATCH)]
            return torch.cat([self.extractor.network(part)[0].cpu() for part in parts])


def colour(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 3, H, W), grey images as colour."""
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One file, one diagnostic.

    applies: whether a model has what is needed; asked by ability or knob, never by family.
    compute: one `Estimate` for each name in `reports`, and for no other.
    reports: name -> how to read it.
    quick: whether it takes no more than a few passes of the network over `n` images; the benchmark records these of every run.
    source: where the number or the failure is described.
    """

    applies: Callable[[GenerativeModel], bool]
    compute: Callable[[Subject], Mapping[str, Estimate]]
    reports: Mapping[str, Reading]
    quick: bool
    source: str
