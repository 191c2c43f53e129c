"""What is measured of a model: its samples, its likelihood, its cost of sampling."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbench import catalog, images
from genbench.batch import Condition, Examples
from genbench.bench.jobs import is_points
from genbench.bench.record import Likelihood, Measurement, Quality
from genbench.bench.suite import Suite
from genbench.data.dataset import Dataset
from genbench.estimate import Better, badness
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.evaluator import Evaluator
from genbench.features._precision import computing
from genbench.metrics.base import FeatureSet
from genbench.models.base import GenerativeModel, Scores, device_of
from genbench.seeding import Noise

VALIDATION_SEED = 10_000
SAMPLE_SEED = 20_000  # apart from the seeds of training, so that no sample's chance was a training step's
VALIDATION_SAMPLES = 128
CPU_BATCH, CUDA_BATCH = 64, 512  # of sampling; they change no image


@dataclass(frozen=True)
class Sampled:
    """samples: (N, C, H, W) float in [-1, 1]; seconds: wall time per sample."""

    samples: Tensor
    seconds: float


def sample(
    model: GenerativeModel, n: int, held_out: Examples, knobs: dict[str, float], *, seed: int, purpose: int = SAMPLE_SEED
) -> Sampled:
    """`n` samples; where the model needs a condition, sample i gets that of held-out example i, in turn."""
    condition = condition_of(model, n, held_out)
    device = device_of(model)
    started = time.perf_counter()
    with computing("fp32", device):
        batch_size = CUDA_BATCH if device.type == "cuda" else CPU_BATCH
        drawn = model.generate(n, seed=purpose + seed, condition=condition, knobs=knobs, batch_size=batch_size)
    return Sampled(drawn, (time.perf_counter() - started) / n)


def condition_of(model: GenerativeModel, n: int, held_out: Examples) -> Condition | None:
    """The conditions of the first `n` held-out examples, again from the first when they end; None for a model without."""
    return held_out.select(torch.arange(n) % len(held_out)).condition() if model.conditional else None


def quality(samples: Tensor, suite: Suite, dataset: Dataset, device: torch.device) -> Quality:
    """The suite's metrics on samples in [-1, 1], against the training split."""
    if is_points(suite):
        return Quality(points=measure_points(samples.flatten(1), suite, dataset.train))
    real = reference(suite, dataset)
    pixels, held_out = images.to_uint8(samples), dataset.test.images
    measured = evaluate(pixels, ref=real, held_out=held_out, metrics=suite.metrics, device=str(device), allow_small=True)
    return Quality(evaluation=measured)


def reference(suite: Suite, dataset: Dataset) -> Any:
    """The training split: by name, so that shipped statistics serve; of images at a path, those that are trained on."""
    named = suite.dataset in catalog.names("datasets") and suite.image_size is None
    return f"{suite.dataset}/train" if named else dataset.train.images


def measure_points(points: Tensor, suite: Suite, real: Examples) -> dict[str, Measurement]:
    """Metrics on the coordinates themselves: distances between distributions, and modes found where they are known."""
    mixture = catalog.find("datasets", suite.dataset)
    found = {}
    for name in suite.metrics:
        metric = catalog.find("metrics", name)
        assert metric.compute is not None, "the plan lets no metric of pairs through"
        if metric.takes == "points":
            estimates = metric.compute(fake=points, modes=mixture.modes, sigma=mixture.sigma)
        else:
            sides: dict[str, Any] = {"real": real.images.flatten(1), "fake": points}
            if metric.takes == "distributions":
                sides = {side: FeatureSet(features=features) for side, features in sides.items()}
            settings = next(iter(metric.protocols.values()))
            computed = metric.compute(**sides, **settings)
            estimates = {f"{reported}@coordinates": estimate for reported, estimate in computed.items()}
        for reported, estimate in estimates.items():
            found[reported] = Measurement(value=float(estimate), se=estimate.se, n=estimate.n, better=estimate.better)
    return found


class Validation:
    """The number that chooses the best checkpoint: the suite's first metric of a few samples, against the validation split."""

    def __init__(self, suite: Suite, dataset: Dataset, knobs: dict[str, float], device: torch.device) -> None:
        self._suite, self._dataset, self._knobs = suite, dataset, knobs
        self._evaluator: Evaluator | None = None
        if not is_points(suite):
            real = dataset.validation.images
            self._evaluator = Evaluator(ref=real, metrics=suite.metrics[:1], device=str(device), allow_small=True)

    def __call__(self, model: GenerativeModel) -> float:
        """Lower is better."""
        held_out = self._dataset.validation
        samples = sample(model, VALIDATION_SAMPLES, held_out, self._knobs, seed=0, purpose=VALIDATION_SEED).samples
        if self._evaluator is None:
            first = next(iter(measure_points(samples.flatten(1), self._suite, held_out).values()))
            return badness(first.value, first.better)
        self._evaluator.reset()
        self._evaluator.update(images.to_uint8(samples))
        measured = self._evaluator.result().metrics[0]
        if measured.value is None:
            raise ValueError(f"{measured.name} of {VALIDATION_SAMPLES} validation samples has no value: {measured.reason}")
        return badness(measured.value, measured.better)


def likelihood(model: GenerativeModel, test: Examples, n: int, device: torch.device) -> Likelihood | None:
    """Bits per dimension of the first `n` test images (nats for continuous data); None for a model that gives none.

    Bits per dimension are -log2 p(x) / D, lower is better; a log density of continuous data is in nats, higher is better.
    """
    if not isinstance(model, Scores):
        return None
    parts = []
    for start in range(0, min(n, len(test)), CPU_BATCH):
        chosen = test.select(slice(start, min(start + CPU_BATCH, n, len(test)))).to(device)
        noise = Noise(SAMPLE_SEED, range(start, start + len(chosen)), device=device)
        with computing("fp32", device):
            parts.append(model.log_prob(chosen.batch(), noise).double().cpu())
    nats = torch.cat(parts)
    continuous = model.spec.levels == 0
    values = nats if continuous else images.bits_per_dim(nats, model.spec.dimensions)
    se = float(values.std() / len(values) ** 0.5)
    better: Better = "higher" if continuous else "lower"
    measured = Measurement(value=float(values.mean()), se=se, n=len(values), better=better)
    return Likelihood(kind=model.likelihood, unit="nats" if continuous else "bits/dim", measured=measured)
