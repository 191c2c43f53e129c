"""One seed, one independent stream of chance per purpose: adding a metric never shifts another's random numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The stream of `purpose` (such as "reference/subsample") under `seed`; the same on every platform."""
    import numpy as np

    key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key])))
