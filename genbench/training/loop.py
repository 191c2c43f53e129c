"""The training loop, one for every family.

It owns device, precision, compilation, data order, chance, budget, averaging, checkpoints and logs; what is minimised is the
model's. Nothing here asks what kind of model it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genbench.batch import Batch, Examples
from genbench.errors import UsageError
from genbench.models.base import GenerativeModel
from genbench.models.stages import Recipe, Stage
from genbench.training.average import WeightAverage
from genbench.training.budget import Budget, Clock
from genbench.training.checkpoint import Checkpoints
from genbench.training.log import RunLog
from genbench.training.memory import PeakMemory
from genbench.training.processes import Processes, joined, own_device
from genbench.training.state import StageState, Trained, Validated, chance, pack, unpack_run, unpack_stage
from genbench.training.stream import Stream
from genbench.training.turn import Turn

Validate = Callable[[GenerativeModel], float]
Precision = Literal["auto", "fp32", "bf16"]
Report = Callable[[Mapping[str, Any]], None]

PREPARED = 1024  # examples for data-dependent initialisation
LOGS = 100  # lines per stage
VALIDATIONS = 5  # at equal parts of the last stage's budget
GPU_CHECK = 50  # steps between looks at whether a loss was finite, where looking means waiting


class DivergedError(UsageError):
    """A loss or weights that are no numbers any more; another recipe is needed."""


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
    precision: Precision = "auto",
    compiled: bool = False,
    tensorboard: bool = False,
    checkpoint_every: float = 60.0,
    validate: Validate | None = None,
    report: Report = ignore,
    facts: Mapping[str, Any] | None = None,
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
        facts: what else must agree, such as the model's arguments, for an interrupted run to be gone on from.

    Started by torchrun, the processes share each batch, each on a GPU of its own where there are GPUs; process 0 writes.

    Raises:
        DivergedError: a loss was not finite; names step, phase and the last checkpoint.
        UsageError: the folder holds another run, or a batch cannot be divided among the processes.
    """
    device = own_device(torch.device(device))
    if not len(examples):
        raise UsageError("E-NO-EXAMPLES", "there are no examples to train on", hint="check the dataset and its split")
    random_devices = [device] if device.type == "cuda" else []
    with joined(device) as processes, torch.random.fork_rng(devices=random_devices):
        bf16 = precision == "bf16" or (precision == "auto" and device.type == "cuda")
        settings = _Settings(budget, recipe or model.recipe, seed, device, bf16, compiled, checkpoint_every, dict(facts or {}))
        processes.check_divides(settings.recipe.batch_size)
        _to_channels_last(model.to(device))
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
    facts: dict[str, Any]

    def identity(self, model: GenerativeModel, examples: Examples, world: int) -> dict[str, Any]:
        """What must agree for a checkpoint to be gone on from, as JSON gives it back."""
        found = {
            "model": type(model).__name__,
            "weights": {name: tensor.shape for name, tensor in model.state_dict().items()},
            "recipe": dataclasses.asdict(self.recipe),
            "data": _digest(examples),
            "budget": str(self.budget),
            "seed": self.seed,
            "processes": world,
            "device": self.device.type,
            "precision": "bf16" if self.bf16 else "fp32",
            "compiled": self.compiled,
        }
        return json.loads(json.dumps(found | self.facts))


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
        self.checkpoints = Checkpoints(folder / "checkpoints") if folder else None
        self.log = RunLog(folder if processes.leads else None, tensorboard=tensorboard)
        self.validate, self.report = validate, report
        self.identity = settings.identity(model, examples, processes.world)
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
        progress = budget.progress(clock)
        while progress < 1:
            with clock.running():  # all that waits for a GPU stands inside
                losses = self._step(state, progress)
                self._check_finite(state)
            before, progress = progress, self._progress(budget, clock)
            if clock.steps == 1 or math.floor(progress * LOGS) > math.floor(before * LOGS):
                with clock.running():
                    values = {name: float(value) for name, value in losses.items()}
                self._write(state.stage, clock, values)
            if last:
                self._validate_when_due(state, progress)
            if time.monotonic() - saved >= self.settings.checkpoint_every:
                self._save(state)
                saved = time.monotonic()
        self._save(state)

    def _progress(self, budget: Budget, clock: Clock) -> float:
        """The leader's, where clocks could differ: all processes stop at the same step."""
        progress = budget.progress(clock)
        return progress if budget.seconds is None else self.processes.agree(progress, self.settings.device)

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
                where = f"step {int(turn.first_bad)} of stage {state.stage.name!r}, phase {turn.phase.name!r}"
                raise self._diverged(f"the loss is not finite at {where}")

    def _diverged(self, what: str) -> DivergedError:
        kept = self.checkpoints.newest_name() if self.checkpoints else None
        last = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
        return DivergedError("E-DIVERGED", f"{what}; {last}", hint="try a smaller recipe.lr or a recipe.clip")

    def _validate_when_due(self, state: StageState, progress: float) -> None:
        if self.validate is None or progress < (self.trained.validations + 1) / VALIDATIONS:
            return
        self.trained.validations = math.floor(progress * VALIDATIONS)
        if not self.processes.leads:
            return
        shown = state.average.model if state.average is not None else self.model
        with self._kept_chance(), self.memory.paused():
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
        """Keep the state, if it is sound: a finite loss may still have had a gradient that was not."""
        self._check_finite(state, now=True)
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise self._diverged(f"weights are not finite after step {state.clock.steps - 1} of stage {state.stage.name!r}")
        if self.checkpoints is None or not self.processes.leads:
            return
        self.trained.peak_memory = self.memory.peak()
        tensors, facts = pack(self.model, state, self.trained, self.settings.device)
        facts["identity"] = self.identity
        self.checkpoints.save(self._steps_in_all(state.clock), tensors, facts)

    def _resumed(self) -> _Resumed | None:
        """The newest checkpoint; the model has its weights."""
        found = self.checkpoints.latest() if self.checkpoints else None
        if found is None:
            self.log.rewind(-1)
            return None
        tensors, facts = found
        own, kept = self.identity, facts["identity"]
        differing = next((name for name in own if own[name] != kept.get(name)), None)
        if differing is not None:
            hidden = differing in ("weights", "data")  # long, or nothing that a person could read
            what = "see its config.json" if hidden else f"{kept.get(differing)} there, {own[differing]} here"
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


def _to_channels_last(model: nn.Module) -> None:
    """Convolutions are faster in this order, on a processor as on a GPU; it is defined for images, not for video."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)  # also the strides of 1x1 kernels


def _digest(examples: Examples) -> str:
    """What tells two sets of examples apart: sizes, sums, and the first and the last image."""
    columns = {
        name: column for name in ("images", "labels", "captions", "sources") if (column := getattr(examples, name)) is not None
    }
    facts = [
        (name, tuple(column.shape), str(column.dtype), float(column.sum(dtype=torch.float64)))
        for name, column in columns.items()
    ]
    ends = examples.images[[0, -1]].cpu().numpy().tobytes()
    return hashlib.sha256(repr(facts).encode() + ends).hexdigest()[:16]


@dataclass(frozen=True)
class _Resumed:
    """A checkpoint as it was read."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
