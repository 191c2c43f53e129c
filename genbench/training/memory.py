"""How much memory training takes at its peak."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


class PeakMemory:
    """Bytes at the peak since this object was made: allocated on the GPU; on a CPU, resident beyond what was held before."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._floor = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with contextlib.suppress(OSError):  # Linux: start a new peak
                Path("/proc/self/clear_refs").write_text("5")
            self._before = _peak_resident()

    def peak(self) -> int:
        if self._device.type == "cuda":
            return max(self._floor, torch.cuda.max_memory_allocated(self._device))
        return max(self._floor, _peak_resident() - self._before)

    def raise_to(self, earlier: int) -> None:
        """Remember the peak of the part of the run before an interruption."""
        self._floor = max(self._floor, earlier)


def _peak_resident() -> int:
    """Largest resident size of this process, in bytes."""
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes everywhere else
