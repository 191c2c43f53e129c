"""What is drawn by content: the same in any order, and alike on two sides where these are alike."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.metrics._order import drawn_alike, subsample


def sample(n: int, seed: int) -> Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def test_a_row_of_both_sides_is_drawn_on_both_or_neither() -> None:
    shared, mine, yours = sample(30, 0), sample(20, 1), sample(25, 2)
    real, fake = torch.cat([shared, mine]), torch.cat([yours, shared.flip(0)])
    first, second = drawn_alike(real, fake, 20, seed=0, purpose="test")
    assert len(first.unique()) == len(second.unique()) == 20
    of_real, of_fake = ({tuple(row.tolist()) for row in rows} for rows in (real[first], fake[second]))
    both = {tuple(row.tolist()) for row in shared}
    assert len(of_real & of_fake) > 5
    assert len((of_real ^ of_fake) & both) <= 5  # those at the end of the shorter side
    again = drawn_alike(real.flip(0), fake, 20, seed=0, purpose="test")[0]
    assert {tuple(row.tolist()) for row in real.flip(0)[again]} == of_real


def test_copies_are_drawn_one_by_one() -> None:
    kinds = sample(5, 0)
    real, fake = kinds.repeat(20, 1), kinds.repeat(10, 1)
    first, _ = drawn_alike(real, fake, 50, seed=0, purpose="test")
    counts = (real[first][:, None] == kinds).all(2).sum(0)
    assert int(counts.max()) < 18
    first, second = drawn_alike(real, real.flip(0), 50, seed=0, purpose="test")
    assert torch.equal(real[first], real.flip(0)[second])


def test_subsample_is_of_the_rows_and_not_of_their_places() -> None:
    rows = sample(100, 0)
    some = subsample(rows, 30, seed=0, purpose="test")
    assert len(some.unique(dim=0)) == 30
    assert torch.equal(subsample(rows.flip(0), 30, seed=0, purpose="test"), some)
    assert not torch.equal(subsample(rows, 30, seed=1, purpose="test"), some)
    assert subsample(rows, 100, seed=0, purpose="test") is rows
