"""Several processes on one run: what `torchrun` starts, or just this one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from genbench.batch import Batch
from genbench.errors import UsageError
from genbench.models.stages import Loss, Phase


@dataclass(frozen=True)
class Processes:
    """rank: this process, 0 is the one that writes; world: how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def parallel(self, phase: Phase) -> Loss:
        """The phase's loss, with gradients averaged over all processes where there are several."""
        if self.world == 1:
            return phase.loss
        wrapped = nn.parallel.DistributedDataParallel(_PhaseModule(phase))

        def loss(batch: Batch, progress: float) -> Mapping[str, Tensor]:
            return wrapped(batch, progress)

        return loss

    def check_divides(self, batch_size: int) -> None:
        """Raises UsageError where the processes' shares of a batch would differ."""
        if batch_size % self.world:
            what = f"a batch of {batch_size} cannot be divided among {self.world} processes"
            raise UsageError("E-BATCH", what, hint=f"set recipe.batch_size to a multiple of {self.world}")

    def share(self, module: nn.Module) -> None:
        """Give every process the leader's weights and buffers."""
        if self.world > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def agree(self, value: float, device: torch.device) -> float:
        """The leader's value, so that all stop at the same step."""
        if self.world == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(tensor, src=0)
        return float(tensor)


class _PhaseModule(nn.Module):
    """A phase as DistributedDataParallel wants it: a module whose forward is the loss."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.modules_of_phase = nn.ModuleList(phase.modules)
        self._loss = phase.loss

    def forward(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        return self._loss(batch, progress)


def alone() -> bool:
    """Whether this process was not started by torchrun together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1


def own_device(device: torch.device) -> torch.device:
    """With several processes on CUDA, this one's GPU, which torchrun numbers in LOCAL_RANK."""
    if alone() or device.type != "cuda" or device.index is not None:
        return device
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(own)
    return own


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started (it sets WORLD_SIZE), over NCCL on GPUs and gloo on CPUs."""
    if alone():
        yield Processes()
        return
    own = not dist.is_initialized()
    if own:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
        if own:
            dist.barrier()  # all leave together: a process that ends while another still works has been seen to abort
    finally:
        if own:
            dist.destroy_process_group()
