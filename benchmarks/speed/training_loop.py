"""What the training loop costs beside a bare PyTorch loop of the same model, batch, optimiser and average.

    python benchmarks/speed/training_loop.py -o benchmarks/results/speed-training-loop.json

The bare loop is what a reader would write: shuffled indices, forward, backward, step, moving average. Both take turns in
one process on one thread, and processor time is compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from machine import record
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genbench.batch import Batch, Condition
from genbench.data.dataset import Dataset, open_dataset
from genbench.models.base import GenerativeModel
from genbench.training.budget import Budget
from genbench.training.loop import train
from genbench.training.saved import build_model
from genbench.training.turn import make_optimizer

SYSTEMS = {
    "vae": 4000,
    "pixel_cnn": 200,
    "ddpm": 150,
}  # name -> steps; some seconds each
REPEATS = 3


def bare(model: GenerativeModel, images: torch.Tensor, labels: torch.Tensor, steps: int) -> float:
    """Processor seconds of a plain loop."""
    model = model.to(memory_format=torch.channels_last)  # as the loop does
    (stage,) = model.stages()
    (phase,) = stage.phases
    parameters = [parameter for module in phase.modules for parameter in module.parameters()]
    optimizer = make_optimizer(parameters, model.recipe)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999)) if model.recipe.ema else None
    model.train()
    started = time.process_time()
    order, place = torch.randperm(len(images)), 0
    for step in range(steps):
        if place + model.recipe.batch_size > len(images):
            order, place = torch.randperm(len(images)), 0
        rows = order[place : place + model.recipe.batch_size]
        place += model.recipe.batch_size
        batch = Batch(x=images[rows].float() / 127.5 - 1, condition=Condition(labels=labels[rows]))
        loss = phase.loss(batch, step / steps)["loss"]
        loss.backward()
        if model.recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, model.recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if average is not None:
            average.update_parameters(model)
    return time.process_time() - started


def looped(model: GenerativeModel, dataset: Dataset, steps: int) -> float:
    """Processor seconds of the project's loop, with its log and its checkpoint at the end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        train(model, dataset.train, budget=Budget(steps=steps), folder=Path(folder))
        return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path)
    output = parser.parse_args().output
    torch.set_num_threads(1)
    dataset = open_dataset("digits")
    assert dataset.train.labels is not None
    measured = {}
    for name, steps in SYSTEMS.items():
        ours, plain = [], []
        for repeat in range(REPEATS):
            torch.manual_seed(repeat)
            models = [build_model(name, dataset.spec, {}) for _ in range(2)]
            for which in (0, 1) if repeat % 2 else (1, 0):  # neither always goes first
                if which:
                    plain.append(bare(models[0], dataset.train.images, dataset.train.labels, steps))
                else:
                    ours.append(looped(models[1], dataset, steps))
        ratios = [mine / theirs for mine, theirs in zip(ours, plain, strict=True)]
        measured[name] = {
            "steps": steps,
            "ms_per_step_bare": 1000 * statistics.median(plain) / steps,
            "ms_per_step_loop": 1000 * statistics.median(ours) / steps,
            "ratios": [round(ratio, 4) for ratio in ratios],
            "median_ratio": statistics.median(ratios),
        }
        print(f"{name}: {measured[name]['ms_per_step_bare']:.3f} ms bare, x {measured[name]['median_ratio']:.3f} in the loop")
    record(output, {"question": "processor time of the training loop beside a bare one", "systems": measured})


if __name__ == "__main__":
    main()
