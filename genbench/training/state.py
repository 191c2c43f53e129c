"""What a run holds beside the model, and how all of it goes into a checkpoint and comes back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genbench import seeding
from genbench.models.base import GenerativeModel
from genbench.models.stages import Stage
from genbench.training.average import WeightAverage
from genbench.training.budget import Clock
from genbench.training.checkpoint import below, optimizer_tensors, prefixed, restore_optimizer
from genbench.training.stream import Stream
from genbench.training.turn import Turn


@dataclass(frozen=True)
class Validated:
    """value: the validation's number, lower is better; steps: how many updates had been made, over all stages."""

    value: float
    steps: int


@dataclass
class Trained:
    """What training cost, and the best validation with the weights it was made with (None where nothing validates).

    stages: what each finished one used; peak_memory: bytes above what the process held before (GPU: allocated).
    """

    stages: dict[str, Clock] = field(default_factory=dict)
    peak_memory: int = 0
    validations: int = 0
    best: Validated | None = None
    best_weights: dict[str, Tensor] | None = None

    @property
    def used(self) -> Clock:
        """Over all stages."""
        return sum(self.stages.values(), Clock())


@dataclass
class StageState:
    """A stage under way. owner: the turn whose parameters take gradients now."""

    number: int
    stage: Stage
    clock: Clock
    turns: list[Turn]
    stream: Stream
    average: WeightAverage | None
    owner: Turn | None = None


def pack(
    model: GenerativeModel, state: StageState, trained: Trained, device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a checkpoint: weights, average, best weights, optimisers, chance, clocks, data position."""
    tensors = prefixed("model", dict(model.state_dict())) | {"random/cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    if state.average is not None:
        tensors |= prefixed("average", dict(state.average.model.state_dict()))
    if trained.best_weights is not None:
        tensors |= prefixed("best", trained.best_weights)
    for turn in state.turns:
        tensors |= prefixed(f"optimizer/{turn.phase.name}", optimizer_tensors(turn.optimizer, turn.parameters))
    facts = {
        "stage": state.number,
        "position": state.stream.position,
        "clock": dataclasses.asdict(state.clock),
        "finished": {name: dataclasses.asdict(clock) for name, clock in trained.stages.items()},
        "validations": trained.validations,
        "best": dataclasses.asdict(trained.best) if trained.best else None,
        "peak_memory": trained.peak_memory,
    }
    return tensors, facts


def unpack_run(model: GenerativeModel, tensors: dict[str, Tensor], facts: dict[str, Any]) -> Trained:
    """Give the model its weights back; what earlier stages used."""
    model.load_state_dict(below("model", tensors))
    return Trained(
        stages={name: Clock(**clock) for name, clock in facts["finished"].items()},
        peak_memory=facts["peak_memory"],
        validations=facts["validations"],
        best=Validated(**facts["best"]) if facts["best"] else None,
        best_weights=below("best", tensors) or None,
    )


def unpack_stage(state: StageState, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Give average, optimisers and stream back to the stage that was under way."""
    state.stream.position = facts["position"]
    if state.average is not None:
        state.average.model.load_state_dict(below("average", tensors))
    for turn in state.turns:
        restore_optimizer(turn.optimizer, turn.parameters, below(f"optimizer/{turn.phase.name}", tensors))


def chance(seed: int, process: int | str) -> int:
    """A seed for torch's global generator, from which dropout, noise and latents are drawn in training."""
    return int(seeding.generator(seed, f"training/{process}").integers(2**63))
