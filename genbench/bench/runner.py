"""Runs a suite: trains, samples and measures every entry, each in a folder of its own, and goes on where it stopped."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from genbench import catalog
from genbench.bench import measure
from genbench.bench.grid import save_grid
from genbench.bench.jobs import Job, dataset_for, plan
from genbench.bench.record import Best, Cost, Quality, Record
from genbench.bench.suite import Suite
from genbench.data.dataset import Dataset, open_dataset
from genbench.data.memory import examples_on
from genbench.errors import GenbenchError, UsageError
from genbench.evaluation import environment
from genbench.files import write_atomic
from genbench.models.base import Diagnoses, GenerativeModel
from genbench.training.loop import train
from genbench.training.saved import save_model
from genbench.training.state import Trained

HELD_OUT = "held-out data"
GRID = 64

# Called with the name of a job and what happened to it.
Tell = Callable[[str, str], None]


def silent(name: str, event: str) -> None:
    """Tell of a run that nobody watches."""


def run_suite(
    suite: Suite, name: str, folder: Path, *, device: str = "auto", jobs: int = 1, tell: Tell = silent, **settings: Any
) -> list[Record]:
    """Run what is not finished yet and return the record of every run, that of the held-out data first.

    A failed entry is a record with its error, and the others go on; repeating the command tries it again. `jobs` runs
    so many entries at a time, each in a process of its own with the suite's number of threads.

    Raises UsageError where the suite is wrong, or the folder holds results of another configuration.
    """
    planned = plan(suite, name, folder)
    for job in planned:
        _check_folder(job)
    unfinished = [job for job in planned if not _finished(job)]
    for job in planned:
        if job not in unfinished:
            tell(job.name, "finished before")
    records = [_held_out(suite, folder)]
    for job, outcome in _run_all(unfinished, device, jobs, settings):
        tell(job.name, outcome)
    return records + [Record.load(job.folder) for job in planned]


def _run_all(jobs: list[Job], device: str, processes: int, settings: dict[str, Any]) -> Iterator[tuple[Job, str]]:
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, run_job(job, device, settings)
        return
    # A fresh process for each entry: its memory is its own, and what it leaves behind goes with it.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {pool.submit(run_job, job, device, settings): job for job in jobs}
        try:
            for future in as_completed(waiting):
                job, error = waiting[future], future.exception()
                if error is not None:  # the process itself died: out of memory, or killed
                    _fail(job, error)
                yield job, f"failed: {error}" if error is not None else future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_job(job: Job, device: str, settings: dict[str, Any]) -> str:
    """Run one entry under one seed to its record; the sentence that says how it went."""
    threads = torch.get_num_threads()
    torch.set_num_threads(job.suite.threads)
    started = time.perf_counter()
    try:
        record = _run(job, environment.choose_training_device(device), settings)
    except Exception as error:  # whatever it is, the other entries go on
        _fail(job, error)
        return f"failed: {error}".splitlines()[0]
    finally:
        torch.set_num_threads(threads)
    record.save(job.folder)
    return f"done in {time.perf_counter() - started:.0f} s; {_headline(record)}"


def _run(job: Job, device: torch.device, settings: dict[str, Any]) -> Record:
    suite, dataset = job.suite, dataset_for(job.suite, job.entry)
    write_atomic(job.folder / "config.json", json.dumps(job.config(), indent=1))
    model = job.build(dataset)
    n = suite.num_images or len(dataset.test)
    untrained = None
    if job.seed == suite.seeds[0]:
        samples = measure.sample(model.to(device), n, dataset.test, job.entry.knobs, seed=job.seed).samples
        untrained = measure.quality(samples, suite, dataset)
    trained = train(
        model,
        examples_on(dataset.train, device),
        budget=suite.budget_of(job.entry),
        recipe=job.recipe(),
        seed=job.seed,
        folder=job.folder,
        device=device,
        validate=measure.Validation(suite, dataset, job.entry.knobs),
        **settings,
    )
    final, seconds = _measured(job, model, dataset, n, "samples.png")
    likelihood = measure.likelihood(model, dataset.test, suite.num_scored, device)
    diagnostics = _diagnostics(model, dataset, device)
    save_model(job.folder, model, name=job.entry.model, args=job.entry.args)
    return Record(
        **_facts(job),
        final=final,
        best=_best(job, model, dataset, n, trained, final),
        untrained=untrained,
        likelihood=likelihood,
        cost=_cost(job, model, trained, seconds),
        diagnostics=diagnostics,
        environment=environment.describe(device),
    )


def _facts(job: Job) -> dict[str, Any]:
    kind = catalog.find("models", job.entry.model)
    return {
        "label": job.entry.label or kind.title,
        "family": catalog.family(job.entry.model),
        "task": kind.task,
        "config": job.config(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _measured(job: Job, model: GenerativeModel, dataset: Dataset, n: int, picture: str) -> tuple[Quality, float]:
    """Quality of fresh samples and the time each took; the first of them go into a picture."""
    sampled = measure.sample(model, n, dataset.test, job.entry.knobs, seed=job.seed)
    save_grid(job.folder / picture, sampled.samples[: n if model.spec.is_points else GRID])
    return measure.quality(sampled.samples, job.suite, dataset), sampled.seconds


def _best(job: Job, model: GenerativeModel, dataset: Dataset, n: int, trained: Trained, final: Quality) -> Best | None:
    """The quality of the checkpoint that validated best; changes the model's weights."""
    if trained.best is None or trained.best_weights is None:
        return None
    if trained.best.steps == trained.used.steps:
        quality = final
    else:
        model.load_state_dict(trained.best_weights)
        quality, _ = _measured(job, model, dataset, n, "best.png")
    return Best(steps=trained.best.steps, validation=trained.best.value, quality=quality)


def _cost(job: Job, model: GenerativeModel, trained: Trained, sample_seconds: float) -> Cost:
    used = trained.used
    return Cost(
        parameters=_size(model),
        steps=used.steps,
        images=used.images,
        train_seconds=used.seconds,
        train_cpu_seconds=used.cpu_seconds,
        peak_memory=trained.peak_memory,
        sample_seconds=sample_seconds,
        evaluations=model.evaluations(**job.entry.knobs),
    )


def _size(model: GenerativeModel) -> int:
    """Trainable parameters; of a closed-form model, the numbers that it fits."""
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return trainable or sum(buffer.numel() for buffer in model.buffers() if buffer.is_floating_point())


def _diagnostics(model: GenerativeModel, dataset: Dataset, device: torch.device) -> dict[str, float | None]:
    if not isinstance(model, Diagnoses):
        return {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(measure.SAMPLE_SEED)
        found = model.diagnostics(dataset.test.select(slice(0, 256)).to(device).batch())
    return {name: value if abs(value) < float("inf") else None for name, value in found.items()}


def _held_out(suite: Suite, folder: Path) -> Record:
    """The ceiling: real test images measured as if they were samples."""
    place = folder / "held-out"
    config = suite.model_dump(include={"dataset", "metrics", "num_images", "image_size"})
    if (place / "result.json").is_file() and (found := Record.load(place)).config == config:
        return found
    dataset = open_dataset(suite.dataset, image_size=suite.image_size)
    real = dataset.test.select(slice(0, suite.num_images or len(dataset.test))).batch().x
    save_grid(place / "samples.png", real if dataset.spec.is_points else real[:GRID])
    record = Record(
        label=HELD_OUT,
        family="data",
        task="unconditional",
        config=config,
        final=measure.quality(real, suite, dataset),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    record.save(place)
    return record


def _finished(job: Job) -> bool:
    return (job.folder / "result.json").is_file() and Record.load(job.folder).error is None


def _check_folder(job: Job) -> None:
    """Results of another configuration are never mixed in or written over."""
    path = job.folder / "config.json"
    if not path.is_file():
        return
    kept, own = json.loads(path.read_text()), json.loads(json.dumps(job.config()))
    differing = [name for name in own if kept.get(name) != own[name]]
    if differing:
        name = differing[0]
        what = f"{job.name}: the folder holds a run with {name} = {kept.get(name)}, now it is {own[name]}"
        raise UsageError("E-OTHER-RUN", what, hint=f"choose another folder with -o, or remove {job.folder}")


def _fail(job: Job, error: BaseException) -> None:
    reason = str(error).strip() or type(error).__name__
    expected = isinstance(error, GenbenchError)
    write_atomic(job.folder / "error.txt", "".join(traceback.format_exception(error)))
    Record(**_facts(job), error=reason if expected else f"{type(error).__name__}: {reason}").save(job.folder)


def _headline(record: Record) -> str:
    quality = record.final.values() if record.final else {}
    return next((f"{name} {found.value:.4g}" for name, found in quality.items() if found.value is not None), "")
