"""An order of images that is their own: what is drawn or fitted in it does not depend on the order they came in."""

from __future__ import annotations

from torch import Tensor


def ranks(features: Tensor) -> Tensor:
    """(N,) int64 place of each row of (N, D) among the distinct rows, sorted by their first number, then the second, ...

    Copies have the same rank.
    """
    place: Tensor = features.unique(dim=0, return_inverse=True)[1]
    return place
