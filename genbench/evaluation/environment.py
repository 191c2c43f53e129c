"""Where a number was made, as far as it may matter to the number; nothing that names a person, a machine or a path."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from genbench.errors import UsageError

PACKAGES = ("genbench", "torch", "torchvision", "numpy", "scipy", "pillow")


def describe(device: torch.device) -> dict[str, str]:
    """Versions, processor and device, by name."""
    found = {package: _version(package) for package in PACKAGES}
    return {
        **found,
        "python": platform.python_version(),
        "os": platform.system(),
        "cpu": cpu_model(),
        "cpu_cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


@cache
def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA, then Apple's MPS, then the CPU; any other name is torch's. Raises UsageError for what is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError("E-DEVICE", f"cannot use the device {name!r}: {reason}", hint="--device auto") from error
    return device


def choose_training_device(name: str) -> torch.device:
    """As `choose_device`, but "auto" is never MPS, which lacks the float64 of the closed-form models."""
    return choose_device("cpu" if name == "auto" and not torch.cuda.is_available() else name)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
