"""Batches of examples without end, each epoch in an order of its own; a position is all there is to remember."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import Tensor

from genbench.batch import Batch, Examples


class Stream:
    """Draws batches; epochs follow each other without a gap, so no example is left out and every batch is full.

    position: examples drawn so far by all `world` processes; setting it continues there.
    unpaired: sources are shuffled on their own, so that no pair of source and image survives.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        unpaired: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._examples, self._batch_size, self._seed = examples, batch_size, seed
        self._device, self._unpaired = device, unpaired
        self._rank, self._world = rank, world
        self._orders: dict[tuple[str, int], Tensor] = {}
        self.position = 0

    def __next__(self) -> Batch:
        share = slice(self._rank, None, self._world)
        batch = self._batch(self._rows("images")[share])
        if self._unpaired:
            sources = self._batch(self._rows("sources")[share]).condition.sources
            batch = replace(batch, condition=replace(batch.condition, sources=sources))
        self.position += self._batch_size
        return batch

    def _batch(self, rows: Tensor) -> Batch:
        """Moved as bytes where the examples are not on the device: a quarter of what floats would take."""
        return self._examples.select(rows).to(self._device).batch()

    def _rows(self, column: str) -> Tensor:
        """The next batch_size row numbers."""
        parts, start, end = [], self.position, self.position + self._batch_size
        while start < end:
            epoch, offset = divmod(start, len(self._examples))
            parts.append(self._order(column, epoch)[offset : offset + end - start])
            start += len(parts[-1])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _order(self, column: str, epoch: int) -> Tensor:
        if (column, epoch) not in self._orders:
            key = hashlib.sha256(f"{self._seed}/{column}/{epoch}".encode()).digest()[:8]
            generator = torch.Generator().manual_seed(int.from_bytes(key, "big") % 2**63)
            order = torch.randperm(len(self._examples), generator=generator)
            self._orders = {name: kept for name, kept in self._orders.items() if name[0] != column}
            self._orders[column, epoch] = order.to(self._examples.images.device)
        return self._orders[column, epoch]
