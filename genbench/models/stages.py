"""How a model asks to be trained: `Recipe`, `Stage`, `Phase`. Data only; genbench.training runs it.

A stage is one training run: a VAE has one; VQ-VAE has two, the tokenizer and then the prior over its codes. A phase is one
optimiser's turn inside a step: a GAN has two, critic and generator. A closed-form stage has no phases but a `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from genbench.batch import Batch, Examples

# Batch and progress in [0, 1] through the stage -> scalars: "loss" is minimised, everything is logged.
Loss = Callable[[Batch, float], Mapping[str, Tensor]]
Log = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The paper's way to train, scaled to the budget where short runs need it.

    optimizer: "adam" (AdamW where weight_decay is not 0) or "rmsprop".
    warmup: steps of linear learning-rate warm-up, never more than 5 % of the budget.
    decay: how the learning rate falls to 0 over the budget.
    clip: largest norm of the gradient of a phase; None: unlimited.
    ema: half-life, in images, of the averaged weights that are sampled from, ramped so that it never exceeds 5 % of the
        images seen (Karras et al. 2022); None: the last weights are sampled from.
    """

    lr: Annotated[float, Field(gt=0)] = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    batch_size: Annotated[int, Field(gt=0)] = 64
    optimizer: Literal["adam", "rmsprop"] = "adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    warmup: Annotated[int, Field(ge=0)] = 0
    decay: Literal["none", "linear", "cosine"] = "none"
    clip: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(gt=0)] | None = None


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One optimiser's turn inside a step.

    modules: what the optimiser owns; gradients reach nothing else.
    repeats: turns per step, each with a batch of its own (critic steps); every: only each so many steps (lazy regulariser).
    lr_factor: times the recipe's learning rate.
    after: called behind each turn with the batch it was for: weight clip, codebook update, replay buffer.
    second_order: the loss takes a gradient of its own, so it runs in float32 and is never compiled.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Loss
    repeats: int = 1
    every: int = 1
    lr_factor: float = 1.0
    after: Callable[[Batch], None] | None = None
    second_order: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training run; the stages of a model run in order, and an earlier one stays as it is unless a phase names it.

    phases: turns of each step; or
    fit: a closed form or an algorithm of its own: takes all examples, changes the model, yields a log per iteration.
    share: of the budget, relative to the model's other stages.
    prepare: called once before the first step with a large batch: data-dependent initialisation, scale of the latents.
    view: what this stage makes of a batch before its losses see it (codes, latents, another resolution); no gradient.
    """

    name: str = "main"
    phases: tuple[Phase, ...] = ()
    fit: Callable[[Examples], Iterator[Log]] | None = None
    share: float = 1.0
    prepare: Callable[[Batch], None] | None = None
    view: Callable[[Batch], Batch] | None = None
