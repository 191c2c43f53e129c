"""An order of images that is their own: what is drawn or fitted in it does not depend on the order they came in."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.seeding import generator


def ranks(features: Tensor) -> Tensor:
    """(N,) int64 place of each row of (N, D) among the distinct rows, sorted by their first number, then the second, ...

    Copies have the same rank.
    """
    place: Tensor = features.unique(dim=0, return_inverse=True)[1]
    return place


def subsample(features: Tensor, n: int, *, seed: int, purpose: str) -> Tensor:
    """(n, D) random rows of (N, D) features, sorted by `ranks`; where there are no more than n, the features as they are."""
    if n >= len(features):
        return features
    by_content = ranks(features).argsort(stable=True)
    drawn = torch.from_numpy(generator(seed, purpose).permutation(len(features))[:n]).to(features.device)
    return features[by_content[drawn.sort().values]]


def drawn_alike(real: Tensor, fake: Tensor, n: int, *, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """(n,) and (n,) indices of random rows of (M, D) and (N, D), n <= M and n <= N.

    Each distinct row has one place in a random order, its second copy another, and so on; either side gives its first n. So a
    row of both sides is drawn on both or on neither, and rows of one side alone are drawn independently of the other side.
    """
    rank = ranks(torch.cat([real, fake]))
    copy = torch.cat([_copies_before(rank[: len(real)]), _copies_before(rank[len(real) :])])
    kind = (rank * (int(copy.max()) + 1) + copy).unique(return_inverse=True)[1]
    turn = torch.from_numpy(generator(seed, purpose).permutation(int(kind.max()) + 1)).to(kind.device)[kind]
    return turn[: len(real)].argsort()[:n], turn[len(real) :].argsort()[:n]


def _copies_before(rank: Tensor) -> Tensor:
    """(N,) how many rows of the same rank come earlier."""
    order = rank.argsort(stable=True)
    counts = rank.bincount()
    copies = torch.empty_like(rank)
    copies[order] = torch.arange(len(rank), device=rank.device) - (counts.cumsum(0) - counts)[rank[order]]
    return copies
