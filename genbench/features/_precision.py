"""How a network computes, and making sure that it does: float32, TF32 on CUDA, or bfloat16 convolutions.

PyTorch lets a program trade float32's accuracy for speed by global switches, and turns TF32 on for CUDA convolutions by
itself. A feature that depends on them is not comparable, so an extractor sets them while it runs and puts them back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from genbench.errors import UsageError
from genbench.features.base import Precision

WEIGHT_DTYPE: dict[Precision, torch.dtype] = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def check_precision(precision: Precision, device: torch.device) -> None:
    """UsageError where `device` has no such arithmetic: TF32 exists on CUDA alone."""
    if precision == "tf32" and device.type != "cuda":
        raise UsageError(
            "E-PRECISION", f"tf32 is arithmetic of CUDA devices, and this runs on {device.type}", hint="use fp32 or bf16"
        )


def convert_convolutions(network: nn.Module, precision: Precision) -> None:
    """Give the convolutions of `network` weights in the type of `precision`, channels last; all else stays float32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(dtype=WEIGHT_DTYPE[precision]).to(memory_format=torch.channels_last)


@contextlib.contextmanager
def computing(precision: Precision, device: torch.device) -> Iterator[None]:
    """Inside, networks on `device` run in `precision` without gradients, whatever the program around has switched on."""
    check_precision(precision, device)
    backends: Any = torch.backends  # its annotations lack these switches
    switches = (backends.cudnn.conv, backends.cuda.matmul, backends.mkldnn.conv, backends.mkldnn.matmul)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
