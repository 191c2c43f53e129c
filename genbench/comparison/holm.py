"""Several tests at once: Holm's adjustment keeps the chance of any false alarm at the level of one."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given: below alpha are those that may be called significant together at alpha.

    Raises ValueError for a p that is no number: it would drag those of all other tests along.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    if any(map(math.isnan, p)):
        raise ValueError(f"NaN is no p value: {list(p)}")
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted
