"""One phase in action: its optimiser, precision and gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genbench.batch import Batch
from genbench.models.stages import Loss, Phase, Recipe
from genbench.training.processes import Processes

WARMUP_SHARE = 0.05  # of the budget: the most a learning-rate warm-up may take


class Turn:
    """A phase with its optimiser. Calling it makes one update.

    first_bad: number of the first turn whose loss was not finite, or -1; a tensor, so that a GPU is not waited for.
    """

    def __init__(self, phase: Phase, recipe: Recipe, *, device: torch.device, bf16: bool, compiled: bool, processes: Processes):
        self.phase, self._recipe, self._device = phase, recipe, device
        self.parameters = [p for module in nn.ModuleList(phase.modules) for p in module.parameters() if p.requires_grad]
        self.parameters = list(dict.fromkeys(self.parameters))
        self.optimizer = make_optimizer(self.parameters, recipe)
        self._bf16 = bf16 and not phase.second_order
        self._loss: Loss = processes.parallel(phase)
        if compiled and not phase.second_order:
            self._loss = torch.compile(self._loss)
        self.first_bad = torch.full((), -1, dtype=torch.int64, device=device)

    def __call__(self, batch: Batch, progress: float, step: int) -> Mapping[str, Tensor]:
        """Update on one batch; what the loss returned, detached."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._recipe.lr * self.phase.lr_factor * lr_scale(self._recipe, progress, step)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            losses = self._loss(batch, progress)
        loss = losses["loss"]
        loss.backward()
        if self._recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self._recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._remember_if_bad(loss.detach(), step)
        if self.phase.after is not None:
            with torch.no_grad():
                self.phase.after(batch)
        return {name: value.detach() for name, value in losses.items()}

    def _remember_if_bad(self, loss: Tensor, step: int) -> None:
        if self._device.type == "cpu":  # nothing to wait for
            if not math.isfinite(loss.item()) and self.first_bad < 0:
                self.first_bad.fill_(step)
        else:
            self.first_bad = torch.where(loss.isfinite() | (self.first_bad >= 0), self.first_bad, step)


def lr_scale(recipe: Recipe, progress: float, step: int) -> float:
    """The factor of the learning rate at `progress` in [0, 1] and the `step`-th step, which counts from 0."""
    warm = min(1.0, max((step + 1) / recipe.warmup, progress / WARMUP_SHARE)) if recipe.warmup else 1.0
    if recipe.decay == "linear":
        return warm * (1 - progress)
    if recipe.decay == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * progress))
    return warm


def make_optimizer(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser a recipe asks for, in torch's fused form where there is one."""
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    kind = torch.optim.AdamW if recipe.weight_decay else torch.optim.Adam
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return kind(parameters, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=fused)
