"""The training loop, one for every family.

It owns device, precision, compilation, data order, chance, budget, averaging, checkpoints and logs; what is minimised is the
model's. Nothing here asks what kind of model it is.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from genbench.batch import Batch, Examples
from genbench.errors import GenbenchError, UsageError
from genbench.models.base import GenerativeModel
from genbench.models.stages import Recipe, Stage
from genbench.training.average import WeightAverage
from genbench.training.budget import Budget, Clock
from genbench.training.checkpoint import Checkpoints
from genbench.training.log import RunLog
from genbench.training.memory import PeakMemory
from genbench.training.processes import Processes, joined
from genbench.training.state import StageState, Trained, Validated, chance, pack, unpack_run, unpack_stage
from genbench.training.stream import Stream
from genbench.training.turn import Turn

Validate = Callable[[GenerativeModel], float]
Report = Callable[[Mapping[str, Any]], None]

PREPARED = 1024  # examples for data-dependent initialisation
LOGS = 100  # lines per stage
VALIDATIONS = 5  # at equal parts of the last stage's budget
GPU_CHECK = 50  # steps between looks at whether a loss was finite, where looking means waiting


class DivergedError(GenbenchError):
    """A loss that is not a number any more."""

    exit_code = 2


def ignore(line: Mapping[str, Any]) -> None:
    """The report of a run that nobody watches."""


def train(
    model: GenerativeModel,
    examples: Examples,
    *,
    budget: Budget,
    recipe: Recipe | None = None,
    seed: int = 0,
    folder: Path | None = None,
    device: torch.device | str = "cpu",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    compiled: bool = False,
    tensorboard: bool = False,
    checkpoint_every: float = 60.0,
    validate: Validate | None = None,
    report: Report = ignore,
) -> Trained:
    """Train `model` in place on `examples`; afterwards it holds the weights to sample from, and lies on `device`.

    Args:
        budget: seconds, steps or images, shared among the model's stages.
        recipe: instead of the model's own.
        seed: of everything random, initial weights excepted: those are there already.
        folder: for log and checkpoints; a run that was interrupted goes on from the newest one when repeated, and on a CPU,
            with a budget in steps or images, ends with the same weights bit for bit. None: neither log nor checkpoints.
        precision: of the forward pass; "auto" is bfloat16 autocast on CUDA, float32 elsewhere.
        compiled: use torch.compile, except where gradients are differentiated again.
        checkpoint_every: seconds between checkpoints.
        validate: called with the model to sample from at five points of the last stage; its time is not the budget's.
        report: called with every line of the log.

    Started by torchrun, the processes share each batch; process 0 writes.

    Raises:
        DivergedError: a loss was not finite; names step, phase and the last checkpoint.
        UsageError: the folder holds another run.
    """
    device = torch.device(device)
    if not len(examples):
        raise UsageError("E-NO-EXAMPLES", "there are no examples to train on", hint="check the dataset and its split")
    random_devices = [device] if device.type == "cuda" else []
    with joined(device) as processes, torch.random.fork_rng(devices=random_devices):
        bf16 = precision == "bf16" or (precision == "auto" and device.type == "cuda")
        settings = _Settings(budget, recipe or model.recipe, seed, device, bf16, compiled, checkpoint_every)
        model.to(device).to(memory_format=torch.channels_last)  # convolutions are faster so, on both kinds of device
        run = _Run(model, examples, settings, processes, folder, tensorboard, validate, report)
        return run.run()


@dataclass(frozen=True)
class _Settings:
    budget: Budget
    recipe: Recipe
    seed: int
    device: torch.device
    bf16: bool
    compiled: bool
    checkpoint_every: float

    def identity(self, model: GenerativeModel, world: int) -> dict[str, Any]:
        """What must agree for a checkpoint to be gone on from."""
        weights = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        recipe = {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self.recipe).items()}
        facts = {"model": type(model).__name__, "weights": weights, "recipe": recipe}
        return facts | {"budget": str(self.budget), "seed": self.seed, "processes": world}


class _Run:
    """A training run: stages in order, each a loop of steps."""

    def __init__(
        self,
        model: GenerativeModel,
        examples: Examples,
        settings: _Settings,
        processes: Processes,
        folder: Path | None,
        tensorboard: bool,
        validate: Validate | None,
        report: Report,
    ) -> None:
        self.model, self.examples, self.settings, self.processes = model, examples, settings, processes
        self.folder = folder
        self.checkpoints = Checkpoints(folder / "checkpoints") if folder else None
        self.log = RunLog(folder if processes.leads else None, tensorboard=tensorboard)
        self.validate, self.report = validate, report
        self.memory = PeakMemory(settings.device)
        self.trained = Trained()

    def run(self) -> Trained:
        torch.manual_seed(chance(self.settings.seed, self.processes.rank))
        self.processes.share(self.model)
        self.trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        stages = self.model.stages()
        self._check_names(stages)
        total = sum(stage.share for stage in stages)
        resumed = self._resumed()
        try:
            for number, stage in enumerate(stages):
                reached = resumed.facts["stage"] if resumed else 0
                if number >= reached:
                    budget = self.settings.budget.part(stage.share / total)
                    self._stage(number, stage, budget, resumed if number == reached else None, last=number == len(stages) - 1)
        finally:
            self._own_all()
            self.log.close()
        self.model.eval()
        self.trained.peak_memory = self.memory.peak()
        return self.trained

    # -- one stage -----------------------------------------------------------------------------------------------------

    def _stage(self, number: int, stage: Stage, budget: Budget, resumed: _Resumed | None, *, last: bool) -> None:
        if stage.fit is not None:
            self.trained.stages[stage.name] = self._fit(stage, budget)
        else:
            self.trained.stages[stage.name] = self._descend(number, stage, budget, resumed, last=last)

    def _fit(self, stage: Stage, budget: Budget) -> Clock:
        """A closed form or an algorithm of its own; short enough to begin again after an interruption."""
        assert stage.fit is not None
        self.model.eval()
        clock = Clock()
        logs = iter(stage.fit(self.examples.to(self.settings.device)))
        while True:
            with clock.running(), torch.no_grad():
                log = next(logs, None)
            if log is None:
                break
            clock.steps += 1
            clock.images += len(self.examples)
            self._write(stage, clock, log)
            if budget.seconds is not None and budget.progress(clock) >= 1:
                break
        self.processes.share(self.model)
        return clock

    def _descend(self, number: int, stage: Stage, budget: Budget, resumed: _Resumed | None, *, last: bool) -> Clock:
        """Steps of gradient descent until the budget is spent."""
        recipe = self.settings.recipe
        clock = Clock(**resumed.facts["clock"]) if resumed else Clock()
        if resumed is None and stage.prepare is not None:
            with clock.running():
                self._prepare(stage, stage.prepare)
        self._own_all()
        self._set_modes(stage)
        average = WeightAverage(self.model, recipe.ema) if recipe.ema else None
        stream = self._stream(recipe.batch_size, rank=self.processes.rank, world=self.processes.world)
        state = StageState(number, stage, clock, self._turns(stage), stream, average)
        if resumed:
            unpack_stage(state, resumed.tensors, resumed.facts)
            self._restore_chance(resumed, clock)
        self._steps(state, budget, last=last)
        if average is not None:
            self.model.load_state_dict(average.model.state_dict())
        return clock

    def _stream(self, batch_size: int, *, rank: int = 0, world: int = 1) -> Stream:
        return Stream(
            self.examples,
            batch_size,
            seed=self.settings.seed,
            device=self.settings.device,
            unpaired=self.model.task == "unpaired",
            rank=rank,
            world=world,
        )

    def _steps(self, state: StageState, budget: Budget, *, last: bool) -> None:
        saved, clock = time.monotonic(), state.clock
        while (progress := self.processes.agree(budget.progress(clock), self.settings.device)) < 1:
            with clock.running():
                losses = self._step(state, progress)
            self._check_finite(state)
            reached = budget.progress(clock)
            if clock.steps == 1 or math.floor(reached * LOGS) > math.floor(progress * LOGS):
                self._check_finite(state, now=True)
                self._write(state.stage, clock, {name: float(value.detach()) for name, value in losses.items()})
            if last:
                self._validate_when_due(state, reached)
            if time.monotonic() - saved >= self.settings.checkpoint_every:
                self._save(state)
                saved = time.monotonic()
        self._check_finite(state, now=True)
        self._save(state)

    def _step(self, state: StageState, progress: float) -> dict[str, Tensor]:
        """One turn of every phase that is due."""
        logs: dict[str, Tensor] = {}
        seen = state.stream.position
        for turn in state.turns:
            if state.clock.steps % turn.phase.every:
                continue
            self._own(state, turn)
            for _ in range(turn.phase.repeats):
                batch = next(state.stream)
                if state.stage.view is not None:
                    with torch.no_grad():
                        batch = state.stage.view(batch)
                losses = turn(batch, progress, state.clock.steps)
            prefix = f"{turn.phase.name}/" if len(state.turns) > 1 else ""
            logs |= {prefix + name: value for name, value in losses.items()}
        state.clock.steps += 1
        state.clock.images = state.stream.position
        if state.average is not None:
            state.average.update(images_seen=state.stream.position, new_images=state.stream.position - seen)
        return logs

    def _own(self, state: StageState, turn: Turn) -> None:
        """Let gradients reach the parameters of this turn and no others."""
        if state.owner is turn:
            return
        self.model.requires_grad_(False)
        for parameter in turn.parameters:
            parameter.requires_grad_(True)
        state.owner = turn

    def _own_all(self) -> None:
        for parameter in self.trainable:
            parameter.requires_grad_(True)

    def _prepare(self, stage: Stage, prepare: Callable[[Batch], None]) -> None:
        batch = next(self._stream(min(PREPARED, len(self.examples))))
        with torch.no_grad():
            prepare(stage.view(batch) if stage.view is not None else batch)
        self.processes.share(self.model)

    def _set_modes(self, stage: Stage) -> None:
        """What is trained is in training mode; the rest, earlier stages above all, is not."""
        self.model.eval()
        for phase in stage.phases:
            for module in phase.modules:
                module.train()

    def _turns(self, stage: Stage) -> list[Turn]:
        s = self.settings
        return [
            Turn(phase, s.recipe, device=s.device, bf16=s.bf16, compiled=s.compiled, processes=self.processes)
            for phase in stage.phases
        ]

    def _check_names(self, stages: list[Stage]) -> None:
        names = [stage.name for stage in stages]
        if len(set(names)) != len(names):
            raise TypeError(f"{type(self.model).__name__} has two stages of one name: {names}")
        for stage in stages:
            if (stage.fit is None) == (not stage.phases):
                raise TypeError(f"stage {stage.name!r} of {type(self.model).__name__} needs either phases or a fit")

    # -- what can go wrong, and what is kept ---------------------------------------------------------------------------

    def _check_finite(self, state: StageState, *, now: bool = False) -> None:
        if not now and self.settings.device.type != "cpu" and state.clock.steps % GPU_CHECK:
            return
        for turn in state.turns:
            if turn.first_bad >= 0:
                kept = self.checkpoints.newest_name() if self.checkpoints else None
                where = f"step {int(turn.first_bad)} of stage {state.stage.name!r}, phase {turn.phase.name!r}"
                last = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
                hint = "try a smaller recipe.lr or a recipe.clip"
                raise DivergedError("E-DIVERGED", f"the loss is not finite at {where}; {last}", hint=hint)

    def _validate_when_due(self, state: StageState, progress: float) -> None:
        if self.validate is None or progress < (self.trained.validations + 1) / VALIDATIONS:
            return
        self.trained.validations = math.floor(progress * VALIDATIONS)
        if not self.processes.leads:
            return
        shown = state.average.model if state.average is not None else self.model
        with self._kept_chance():
            value = self.validate(shown)
        self._set_modes(state.stage)
        self._write(state.stage, state.clock, {"validation": value})
        if self.trained.best is None or value < self.trained.best.value:
            self.trained.best = Validated(value, self._steps_in_all(state.clock))
            weights = {name: tensor.detach().cpu().clone() for name, tensor in shown.state_dict().items()}
            self.trained.best_weights = weights
            self._save(state)

    @contextmanager
    def _kept_chance(self) -> Iterator[None]:
        """Validation takes no random number from training."""
        devices = [self.settings.device] if self.settings.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            yield

    def _save(self, state: StageState) -> None:
        if self.checkpoints is None or not self.processes.leads:
            return
        self.trained.peak_memory = self.memory.peak()
        tensors, facts = pack(self.model, state, self.trained, self.settings.device)
        facts["identity"] = self.settings.identity(self.model, self.processes.world)
        self.checkpoints.save(self._steps_in_all(state.clock), tensors, facts)

    def _resumed(self) -> _Resumed | None:
        """The newest checkpoint; the model has its weights."""
        found = self.checkpoints.latest() if self.checkpoints else None
        if found is None:
            self.log.rewind(-1)
            return None
        tensors, facts = found
        own, kept = self.settings.identity(self.model, self.processes.world), facts["identity"]
        differing = next((name for name in own if own[name] != kept[name]), None)
        if differing is not None:
            what = "the weights' shapes" if differing == "weights" else f"{kept[differing]} there, {own[differing]} here"
            hint = "choose another folder, or remove this one to begin again"
            raise UsageError("E-OTHER-RUN", f"the folder holds a run with another {differing}: {what}", hint=hint)
        self.trained = unpack_run(self.model, tensors, facts)
        self.memory.raise_to(self.trained.peak_memory)
        self.log.rewind(self._steps_in_all(Clock(**facts["clock"])))
        return _Resumed(tensors, facts)

    def _restore_chance(self, resumed: _Resumed, clock: Clock) -> None:
        if self.processes.world > 1:  # the checkpoint holds the leader's chance only
            torch.manual_seed(chance(self.settings.seed, f"{self.processes.rank}/{clock.steps}"))
            return
        torch.set_rng_state(resumed.tensors["random/cpu"])
        if self.settings.device.type == "cuda":
            torch.cuda.set_rng_state(resumed.tensors["random/cuda"], self.settings.device)

    def _steps_in_all(self, clock: Clock) -> int:
        return self.trained.used.steps + clock.steps

    def _write(self, stage: Stage, clock: Clock, values: Mapping[str, float]) -> None:
        """A line of the log. step counts within the stage, steps over all."""
        speed = {"images_per_second": clock.images / clock.seconds} if clock.seconds else {}
        line = {"stage": stage.name, "step": clock.steps, "steps": self._steps_in_all(clock), "images": clock.images}
        line |= {"seconds": clock.seconds, "cpu_seconds": clock.cpu_seconds, "peak_memory": self.memory.peak()}
        line |= speed | {name: float(value) for name, value in values.items()}
        if self.processes.leads:
            self.log.write(line)
            self.report(line)


@dataclass(frozen=True)
class _Resumed:
    """A checkpoint as it was read."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
