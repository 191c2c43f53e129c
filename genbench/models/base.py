"""The contract of a generative model, and the abilities that some have beside sampling.

A model is a file genbench/models/<family>/<name>.py with one subclass of `GenerativeModel`; the file's name is the model's.
It imports its family's base.py and genbench.nn, never another model. It holds no loop, no device and no precision: it says
what to minimise (`stages`) and how to draw (`sample`).

All state that training changes lies in parameters or buffers, so that a checkpoint holds it.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from genbench import catalog
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.stages import Recipe, Stage
from genbench.seeding import Noise

Task = Literal["unconditional", "class", "text", "paired", "unpaired", "inverse", "video", "single_image"]
Likelihood = Literal["exact", "exact, dequantised", "lower bound", "lower bound, binarised"]


@dataclass(frozen=True)
class Knob:
    """A choice made when sampling. `sweep`: values worth comparing; `effect`: what a larger value does."""

    default: float
    sweep: tuple[float, ...]
    effect: str


class GenerativeModel(nn.Module, abc.ABC):
    """A system that can be trained and sampled.

    Hyperparameters are keyword arguments of the constructor with defaults that work; facts of the data come from `spec`.

    title: as a table calls it; paper: authors, year and address of its source.
    recipe: how it is trained, unless told otherwise.
    tiny: constructor arguments for tests: a step and four samples of 8x8 images take well under a second on one core.
    task: what a sample is conditioned on.
    knobs: keyword arguments of `sample`.
    """

    title: ClassVar[str]
    paper: ClassVar[str]
    recipe: ClassVar[Recipe] = Recipe()
    tiny: ClassVar[Mapping[str, Any]] = {}
    task: ClassVar[Task] = "unconditional"
    knobs: ClassVar[Mapping[str, Knob]] = {}

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec

    @property
    def conditional(self) -> bool:
        """Whether `sample` needs a condition."""
        return self.task not in ("unconditional", "single_image")

    @abc.abstractmethod
    def stages(self) -> list[Stage]:
        """How it is trained, in order. Called once per training run; phases hold bound methods of this very model."""

    @abc.abstractmethod
    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        """len(noise) samples (N, C, H, W) in [-1, 1] (continuous data: any range), on the noise's device.

        All chance comes from `noise`. `condition` has len(noise) rows, of the columns that `task` needs.
        """

    def evaluations(self, **knobs: float) -> int:
        """Number of passes through the largest network that one sample takes; 0 where there is no network."""
        return 1

    @torch.no_grad()
    def generate(
        self,
        n: int,
        *,
        seed: int = 0,
        condition: Condition | None = None,
        knobs: Mapping[str, float] | None = None,
        batch_size: int = 64,
        first: int = 0,
    ) -> Tensor:
        """`n` samples on the CPU, float (N, C, H, W) in [-1, 1]; sample i depends on `seed` and first + i alone.

        Without a condition a class-conditional model walks through its classes in turn. Raises UsageError for a knob that the
        model has not.
        """
        for knob in knobs or {}:
            if knob not in self.knobs:
                raise catalog.unknown(f"knobs of {type(self).title}", knob, self.knobs)
        device = device_of(self)
        condition = self._condition(n, first) if condition is None else condition
        with evaluating(self):
            parts = [
                self.sample(
                    Noise(seed, range(first + start, first + min(start + batch_size, n)), device=device),
                    condition.select(slice(start, min(start + batch_size, n))).to(device),
                    **(knobs or {}),
                ).cpu()
                for start in range(0, n, batch_size)
            ]
        return torch.cat(parts)

    def _condition(self, n: int, first: int) -> Condition:
        if not self.conditional:
            return Condition()
        if self.task == "class":
            return Condition(labels=torch.arange(first, first + n) % self.spec.classes)
        raise ValueError(f"{type(self).__name__} makes images from a condition ({self.task}); pass condition=")


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters and buffers lie."""
    return next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode; afterwards each of its modules is in its own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@runtime_checkable
class Scores(Protocol):
    """Gives likelihoods. `likelihood` says of what kind the number is; kinds are never mixed in one comparison."""

    likelihood: Likelihood

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) natural log of the probability of each discrete image in `batch.x` given `batch.condition`.

        "exact": of the levels themselves. "exact, dequantised": an exact log density of uniformly dequantised values plus
        `images.log_bin_volume`. "lower bound": an evidence lower bound of either, all constants included;
        "binarised": of images whose grey values were drawn as bits, other data altogether. Continuous data
        (levels = 0): log density.
        """
        ...


@runtime_checkable
class Tightens(Scores, Protocol):
    """Has a variational bound that importance sampling brings nearer to the likelihood."""

    def importance_bound(self, batch: Batch, noise: Noise, draws: int) -> Tensor:
        """(B,) as `log_prob`: log of the mean of p(x, z) / q(z|x) over `draws` draws of z, tighter the more there are."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Has latents: `decode(encode(x))` is a reconstruction."""

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> latents (B, ...), without chance."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> (B, C, H, W) in [-1, 1]."""
        ...


@runtime_checkable
class Restores(Protocol):
    """Completes images of which a part is known."""

    def restore(self, x: Tensor, known: Tensor, noise: Noise) -> Tensor:
        """x: (B, C, H, W); known: bool of the same shape or (B, 1, H, W). Known values come back unchanged."""
        ...


@runtime_checkable
class HasLatents(Protocol):
    """Makes every sample from a latent.

    At the default of every knob `sample` is `from_latents(draw_latents(noise), condition)`, snapped to the data's levels where
    there are some.
    """

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), ...) draws from the distribution that samples start from."""
        ...

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """Latents -> (B, C, H, W), without chance and before any snapping to levels, so that gradients pass to z."""
        ...


@runtime_checkable
class Inverts(HasLatents, Protocol):
    """Maps images to latents and back without loss."""

    def to_latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Continuous or dequantised (B, C, H, W) -> latents and log |det dz/dx| (B,), inverse to `from_latents`."""
        ...


@runtime_checkable
class Infers(Protocol):
    """Has a Gaussian posterior q(z|x) of independent latents, against a prior N(0, I)."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> mean and standard deviation (B, latents)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Latents -> (B, C, H, W) in [-1, 1]."""
        ...


@runtime_checkable
class Quantizes(Protocol):
    """Describes an image by indices into a codebook."""

    @property
    def codes(self) -> int:
        """Number of vectors in the codebook."""
        ...

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> int64 (B, ...)."""
        ...


@runtime_checkable
class Judges(Protocol):
    """Has a critic. judgement: what its numbers are: "logit" of being real, or a "potential", whose mean difference is W1."""

    judgement: Literal["logit", "potential"]

    def judge(self, x: Tensor, condition: Condition) -> Tensor:
        """(B, C, H, W) -> (B,), larger for what is taken for real."""
        ...


@runtime_checkable
class HasEnergy(Protocol):
    """Gives an image an energy; samples are likely where it is low."""

    def energy(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        ...


@runtime_checkable
class Cycles(Protocol):
    """Translates between two domains, there and back."""

    def there(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        ...

    def back(self, y: Tensor) -> Tensor:
        """(B, C', H, W) -> (B, C, H, W)."""
        ...
