"""Reading the weights of a network from a file that may come from anyone: tensors only, and the right ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from genbench.errors import SetupError


def load_weights(network: nn.Module, path: Path, *, hint: str = "") -> None:
    """Put the state dict in `path` (.safetensors, or what torch.save writes) into `network`.

    Batch counters of normalisations (`num_batches_tracked`) may be there or not. Raises SetupError that names the first
    wrong key; `hint` says which file is needed.
    """
    put_weights(network, read_weights(path, hint=hint), path, hint=hint)


def put_weights(network: nn.Module, state: Mapping[str, Tensor], path: Path, *, hint: str = "") -> None:
    """`load_weights` for a state dict that was read from `path` and changed since."""
    state = {name: value for name, value in state.items() if not _is_counter(name)}
    wanted = {name: value for name, value in network.state_dict().items() if not _is_counter(name)}
    fault = _first_fault(state, wanted)
    if fault:
        raise SetupError("E-WEIGHTS", f"{path} holds weights of another network: {fault}", hint=hint)
    network.load_state_dict(state, strict=False)


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def read_weights(path: Path, *, hint: str = "") -> Mapping[str, Tensor]:
    """The tensors in `path`. A pickle is read by torch's restricted reader, which runs no code of the file."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a broken or hostile file raises depends on where it breaks
        first_line = (str(error).splitlines() or [""])[0]
        raise SetupError(
            "E-WEIGHTS", f"{path} cannot be read as weights: {type(error).__name__}: {first_line}", hint=hint
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise SetupError("E-WEIGHTS", f"{path} holds no state dict, a mapping of names to tensors", hint=hint)
    return state


def _first_fault(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    for name, value in wanted.items():
        if name not in state:
            return f"{name} is missing"
        if state[name].shape != value.shape:
            return f"{name} has shape {tuple(state[name].shape)}, needed is {tuple(value.shape)}"
        if not state[name].is_floating_point():
            return f"{name} is {state[name].dtype}, needed are floating point numbers"
    unknown = next((name for name in state if name not in wanted), None)
    return f"{unknown} does not belong" if unknown else None
