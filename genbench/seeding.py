"""Chance that repeats: one independent stream per purpose, and one per sample.

Adding a metric never shifts another's random numbers, and a sample does not depend on the batch it was drawn in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The stream of `purpose` (such as "reference/subsample") under `seed`; the same on every platform."""
    import numpy as np

    key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key])))


class Noise:
    """Chance for a batch of samples, one stream per index: sample i is the same whatever batch it is drawn in.

    The streams are the CPU's, so every device gets the same numbers. len() is the number of samples.
    """

    def __init__(self, seed: int, indices: Iterable[int], *, device: torch.device | str = "cpu") -> None:
        import torch

        self.device = torch.device(device)
        # torch's CPU generator keeps 32 bits of its seed; multiplying by an odd number gives each index its own.
        start = int.from_bytes(hashlib.sha256(f"noise/{seed}".encode()).digest()[:4], "big")
        self._streams = [torch.Generator().manual_seed((start + index * 2654435761) % 2**32) for index in indices]

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal (N, *shape)."""
        return self._fill(shape, lambda row, stream: row.normal_(generator=stream))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), (N, *shape)."""
        return self._fill(shape, lambda row, stream: row.uniform_(generator=stream))

    def categorical(self, logits: Tensor) -> Tensor:
        """One draw per row of logits (N, ..., K) -> int64 (N, ...), by the Gumbel trick."""
        uniform = self.uniform(*logits.shape[1:]).clamp_(min=1e-20)
        return (logits.float() - (-uniform.log()).log()).argmax(-1)

    def _fill(self, shape: tuple[int, ...], draw: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
        import torch

        rows = torch.empty(len(self), *shape)
        for row, stream in zip(rows, self._streams, strict=True):
            draw(row, stream)
        return rows.to(self.device, non_blocking=True)
