"""Which systems are worth their cost: those that nothing beats in both cost and quality."""

from __future__ import annotations

from collections.abc import Sequence


def on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of (cost, badness), both the smaller the better: True where no other point is as good in both and better in one."""

    def beaten(point: tuple[float, float]) -> bool:
        return any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points)

    return [not beaten(point) for point in points]
