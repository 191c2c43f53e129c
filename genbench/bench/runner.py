"""Runs a suite: trains, samples and measures every entry, each in a folder of its own, and goes on where it stopped."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from genbench import catalog
from genbench.bench import measure
from genbench.bench.config import check_config, compare_config
from genbench.bench.grid import save_grid
from genbench.bench.jobs import Job, dataset_for, plan
from genbench.bench.pool import run_apart
from genbench.bench.record import Best, Cost, Quality, Record
from genbench.bench.suite import Suite
from genbench.data.dataset import Dataset, open_dataset
from genbench.data.memory import examples_on
from genbench.diagnostics.base import Subject
from genbench.errors import GenbenchError, SetupError, UsageError
from genbench.evaluation import environment
from genbench.files import write_atomic
from genbench.models.base import GenerativeModel
from genbench.training.loop import Precision, train
from genbench.training.processes import alone
from genbench.training.saved import save_model
from genbench.training.state import Trained

HELD_OUT = "held-out data"
GRID = 64
DIAGNOSED = 256  # images of each kind that diagnostics of a benchmark look at
FAILED_DIAGNOSTICS = "diagnostics-error.txt"

# Called with the name of a job and what happened to it.
Tell = Callable[[str, str], None]


def silent(name: str, event: str) -> None:
    """Tell of a run that nobody watches."""


def run_suite(
    suite: Suite,
    name: str,
    folder: Path,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    compiled: bool = False,
    jobs: int = 1,
    tell: Tell = silent,
) -> list[Record]:
    """Run what is not finished yet and return the record of every run, that of the held-out data first.

    A failed entry is a record with its error, and the others go on; repeating the command tries it again. `jobs` runs
    so many entries at a time, each in a process of its own with the suite's number of threads.

    Raises UsageError where the suite is wrong, the device is not there, or the folder holds results of another
    configuration.
    """
    if not alone():
        hint = "start it without torchrun; `--jobs` runs entries side by side, and `genbench train` takes torchrun"
        raise UsageError("E-PROCESSES", "a suite is run by one process", hint=hint)
    if jobs < 1:
        raise UsageError("E-USAGE", f"--jobs {jobs}", hint="at least one entry at a time")
    if folder.resolve() == Path(suite.dataset).resolve():  # a folder counts before a data set of its name
        raise UsageError("E-OUT", f"the runs in {folder} would be taken for the data", hint="choose another folder with -o")
    environment.choose_training_device(device)
    planned = plan(suite, name, folder, precision=precision, compiled=compiled)
    for job in planned:
        compare_config(job.folder, job.config())
    unfinished = [job for job in planned if not _finished(job)]
    for job in planned:
        if job not in unfinished:
            tell(job.name, "finished before")
    records = [_held_out(suite, folder, device)]
    for job, outcome in _run_all(unfinished, device, jobs):
        tell(job.name, outcome)
    return records + [Record.load(job.folder) for job in planned]


def _run_all(jobs: list[Job], device: str, processes: int) -> Iterator[tuple[Job, str]]:
    work = partial(run_job, device=device)
    if processes == 1:
        yield from ((job, work(job)) for job in jobs)
        return
    for job, outcome in run_apart(work, jobs, processes):
        if outcome is None:
            error = SetupError("E-DIED", "its process died", hint="out of memory? try fewer --jobs")
            _fail(job, error)
            outcome = f"failed: {error.message}"
        yield job, outcome


def run_job(job: Job, device: str) -> str:
    """Run one entry under one seed to its record; the sentence that says how it went."""
    threads = torch.get_num_threads()
    started = time.perf_counter()
    try:
        torch.set_num_threads(job.suite.threads)
        record = _run(job, environment.choose_training_device(device))
    except Exception as error:  # whatever it is, the other entries go on
        _fail(job, error)
        return f"failed: {error}".splitlines()[0]
    finally:
        torch.set_num_threads(threads)
    record.save(job.folder)
    return f"done in {time.perf_counter() - started:.0f} s; {_headline(record)}"


def _run(job: Job, device: torch.device) -> Record:
    suite, dataset = job.suite, dataset_for(job.suite, job.entry)
    check_config(job.folder, job.config())
    model = job.build(dataset)
    n = suite.num_images or len(dataset.test)
    untrained = None
    if job.seed == suite.seeds[0]:
        samples = measure.sample(model.to(device), n, dataset.test, job.entry.knobs, seed=job.seed).samples
        untrained = measure.quality(samples, suite, dataset, device)
    trained = train(
        model,
        examples_on(dataset.train, device),
        budget=suite.budget_of(job.entry),
        recipe=job.recipe(),
        seed=job.seed,
        folder=job.folder,
        device=device,
        validate=measure.Validation(suite, dataset, job.entry.knobs, device),
        precision=job.precision,
        compiled=job.compiled,
        facts={"args": job.entry.args},
    )
    save_model(job.folder, model, name=job.entry.model, args=job.entry.args)  # first: no failure below costs the training
    final, seconds = _measured(job, model, dataset, n, "samples.png", device)
    likelihood = measure.likelihood(model, dataset.test, suite.num_scored, device)
    diagnostics = _diagnostics(job, model, dataset)
    return Record(
        **_facts(job),
        final=final,
        best=_best(job, model, dataset, n, trained, final, device),
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


def _measured(
    job: Job, model: GenerativeModel, dataset: Dataset, n: int, picture: str, device: torch.device
) -> tuple[Quality, float]:
    """Quality of fresh samples and the time each took; the first of them go into a picture."""
    sampled = measure.sample(model, n, dataset.test, job.entry.knobs, seed=job.seed)
    save_grid(job.folder / picture, sampled.samples[: n if model.spec.is_points else GRID])
    return measure.quality(sampled.samples, job.suite, dataset, device), sampled.seconds


def _best(
    job: Job, model: GenerativeModel, dataset: Dataset, n: int, trained: Trained, final: Quality, device: torch.device
) -> Best | None:
    """The quality of the checkpoint that validated best, kept as a model in the folder `best`; changes the model's weights."""
    if trained.best is None or trained.best_weights is None:
        return None
    if trained.best.steps == trained.used.steps:
        quality = final
    else:
        model.load_state_dict(trained.best_weights)
        save_model(job.folder / "best", model, name=job.entry.model, args=job.entry.args)
        quality, _ = _measured(job, model, dataset, n, "best/samples.png", device)
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


def _diagnostics(job: Job, model: GenerativeModel, dataset: Dataset) -> dict[str, float | None]:
    """Every number of the quick diagnostics that apply; None where there is no value.

    What went wrong with those that failed is written to a file of the run's folder.
    """
    subject = Subject(model=model, data=dataset, n=DIAGNOSED, seed=measure.SAMPLE_SEED + job.seed)
    found: dict[str, float | None] = {}
    failures = []
    for name in catalog.names("diagnostics"):
        diagnostic = catalog.find("diagnostics", name)
        if not diagnostic.quick:
            continue
        try:
            with torch.random.fork_rng(devices=[]):  # networks that are loaded take numbers of torch's stream
                if diagnostic.applies(model):
                    found |= {reported: estimate.value for reported, estimate in diagnostic.compute(subject).items()}
        except Exception as error:  # whatever it is, such as weights that diverged or a full device: the run is worth more
            found |= dict.fromkeys(diagnostic.reports)
            failures.append(f"{name}:\n{''.join(traceback.format_exception(error))}")
    if failures:
        write_atomic(job.folder / FAILED_DIAGNOSTICS, "\n".join(failures))
    else:
        (job.folder / FAILED_DIAGNOSTICS).unlink(missing_ok=True)  # of an earlier try
    return found


def _held_out(suite: Suite, folder: Path, device: str) -> Record:
    """The ceiling: real test images measured as if they were samples."""
    place = folder / "held-out"
    config = suite.shared()
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
        final=measure.quality(real, suite, dataset, environment.choose_training_device(device)),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    record.save(place)
    return record


def _finished(job: Job) -> bool:
    return (job.folder / "result.json").is_file() and Record.load(job.folder).error is None


def _fail(job: Job, error: BaseException) -> None:
    reason = str(error).strip() or type(error).__name__
    expected = isinstance(error, GenbenchError)
    write_atomic(job.folder / "error.txt", "".join(traceback.format_exception(error)))
    Record(**_facts(job), error=reason if expected else f"{type(error).__name__}: {reason}").save(job.folder)


def _headline(record: Record) -> str:
    quality = record.final.values() if record.final else {}
    return next((f"{name} {found.value:.4g}" for name, found in quality.items() if found.value is not None), "")
