"""Checkpoints: a safetensors file of all tensors and a JSON file of all else. The newest two are kept.

The JSON file is written last, so a checkpoint without one does not exist; a process may die at any moment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genbench.files import atomic_path, write_atomic

KEPT = 2


class Checkpoints:
    """The checkpoints in a folder, named by the number of steps in all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, steps: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        path = self._folder / f"{steps:09d}.json"
        with atomic_path(path.with_suffix(".safetensors")) as temporary:
            save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, temporary)
        write_atomic(path, json.dumps(facts, indent=1))
        for old in self._paths()[:-KEPT]:
            old.unlink()
            old.with_suffix(".safetensors").unlink(missing_ok=True)

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors on the CPU and facts of the newest checkpoint that can be read, or None."""
        for path in reversed(self._paths()):
            try:
                return load_file(path.with_suffix(".safetensors")), json.loads(path.read_text())
            except (OSError, ValueError, SafetensorError):  # damaged: the one before it is whole
                continue
        return None

    def newest_name(self) -> str | None:
        """The name of the newest one, for an error message."""
        paths = self._paths()
        return paths[-1].stem if paths else None

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with "prefix/", without it."""
    return {name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> dict[str, Tensor]:
    """The optimiser's memory of each parameter, by the parameter's position."""
    memory = {number: optimizer.state[parameter] for number, parameter in enumerate(parameters) if parameter in optimizer.state}
    return {f"{number}/{name}": value for number, state in memory.items() for name, value in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], tensors: dict[str, Tensor]) -> None:
    """The way back. Every tensor takes its parameter's device and memory layout, on which fused optimisers rely."""
    fused = optimizer.defaults.get("fused")
    for name, value in tensors.items():
        number, _, key = name.partition("/")
        parameter = parameters[int(number)]
        if key == "step":
            optimizer.state[parameter][key] = value.to(parameter.device) if fused else value
        else:
            optimizer.state[parameter][key] = torch.empty_like(parameter).copy_(value)
