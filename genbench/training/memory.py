"""How much memory training takes at its peak."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


class PeakMemory:
    """Bytes at the peak beyond what was held when this object was made: allocated on the GPU, or resident."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._floor = 0
        self._begin(held=0)

    def peak(self) -> int:
        return max(self._floor, self._highest() - self._before)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is used inside, and kept for later by the allocator, does not count."""
        self._floor = self.peak()
        held = max(0, self._now() - self._before)
        try:
            yield
        finally:
            self._begin(held)

    def raise_to(self, earlier: int) -> None:
        """Remember the peak of the part of the run before an interruption."""
        self._floor = max(self._floor, earlier)

    def _begin(self, held: int) -> None:
        """Start a new peak, of which `held` bytes are in use already."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with contextlib.suppress(OSError):  # Linux
                Path("/proc/self/clear_refs").write_text("5")
        self._before = self._now() - held

    def _now(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.memory_allocated(self._device)
        return _resident("VmRSS:")

    def _highest(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return _resident("VmHWM:")


def _resident(field: str) -> int:
    """Resident size of this process in bytes: "VmRSS:" now, "VmHWM:" at most. Where there is no /proc, the most ever."""
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes everywhere else
