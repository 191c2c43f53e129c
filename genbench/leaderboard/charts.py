"""Quality against cost: one point per system with its error bar, a logarithmic axis of cost, and the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genbench.estimate import badness
from genbench.leaderboard.board import Group
from genbench.leaderboard.entry import Costs
from genbench.leaderboard.pareto import on_front
from genbench.pages import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 14  # systems that a chart has room to name; of more, those on the front are
LONGEST = 26  # letters of a name in a chart
LEAST, MOST = 1e-12, 1e18  # costs, in any unit: nothing real lies outside
LINE, LETTER = 9.5, 4.5  # points that a name needs in height, and for each letter

Box = tuple[float, float, float, float]  # left, right, bottom, top, in points


@dataclass(frozen=True, kw_only=True)
class Point:
    """A system: its cost, value with interval, family, and whether nothing beats it."""

    label: str
    family: str
    cost: float
    value: float
    interval: tuple[float, float] | None
    front: bool


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure for the page, and the same in words. joined: whether a line goes through the front."""

    heading: str
    joined: bool
    markup: Any
    words: str


KINDS: Sequence[tuple[str, str, Callable[[Costs], float | None]]] = (
    ("sampling cost", "milliseconds per image", lambda costs: costs.sample_ms),
    ("training cost", "seconds of training", lambda costs: costs.train_seconds),
)


def charts(group: Group) -> list[Chart]:
    """One for each cost that at least two systems of the group know."""
    found = []
    for name, unit, read in KINDS:
        points = points_of(group, read)
        if len(points) > 1:
            found.append(_chart(group, name, unit, points))
    return found


def points_of(group: Group, read: Callable[[Costs], float | None]) -> list[Point]:
    """The systems whose cost is known and such that a logarithmic axis can show it."""
    column = group.column
    known = [(s, cost) for s in group.systems if (cost := read(s.row.costs)) is not None and LEAST < cost < MOST]
    front = on_front([(cost, badness(s.scores[column.key].cell.mean, column.better)) for s, cost in known])
    return [
        Point(
            label=s.row.label,
            family=s.row.family,
            cost=cost,
            value=s.scores[column.key].cell.mean,
            interval=s.scores[column.key].interval,
            front=best,
        )
        for (s, cost), best in zip(known, front, strict=True)
    ]


def _chart(group: Group, name: str, unit: str, points: Sequence[Point]) -> Chart:
    title = f"{group.column.name} against {name}"
    front = sorted((point for point in points if point.front), key=lambda point: point.cost)
    listed = "; ".join(f"{point.label} at {point.cost:.3g}" for point in front)
    words = f"{len(points)} systems. On the Pareto front, from cheap to costly, in {unit}: {listed}"
    with plots.drawing(4.8, 3.7) as (figure, axes):
        _draw(axes, points, front)
        axes.set_xlabel(f"{name}, {unit}")
        axes.set_ylabel(group.column.heading)
        figure.canvas.draw()
        _name(axes, points if len(points) <= NAMED else front)
        markup = plots.svg(figure, title=title, description=words)
    return Chart(heading=title, joined=len(front) > 1, markup=markup, words=words)


def _draw(axes: Axes, points: Sequence[Point], front: Sequence[Point]) -> None:
    axes.set_xscale("log")
    axes.plot(
        [point.cost for point in front],
        [point.value for point in front],
        color=plots.INK,
        linewidth=1,
        linestyle=(0, (4, 3)),
        drawstyle="steps-post",  # the best that a budget buys
        zorder=1,
    )
    families = list(dict.fromkeys(point.family for point in points))
    for index, family in enumerate(families):
        colour, marker = plots.COLOURS[index % len(plots.COLOURS)], plots.MARKERS[index % len(plots.MARKERS)]
        for point in (point for point in points if point.family == family):
            if point.interval is not None:
                axes.plot([point.cost] * 2, point.interval, color=colour, linewidth=1, zorder=2)
            axes.plot(
                [point.cost],
                [point.value],
                marker=marker,
                markersize=7 if point.front else 6,
                color=colour if point.front else plots.PAPER,
                markeredgecolor=colour,
                markeredgewidth=1.4,
                linestyle="",
                zorder=3,
            )
        axes.plot([], [], marker=marker, linestyle="", color=colour, label=_short(family))
    costs = [point.cost for point in points]
    axes.set_xlim(min(costs) / 2, max(costs) * (max(costs) / min(costs)) ** 0.3 * 2)  # room for the names on the right
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), columnspacing=1, handletextpad=0.2)


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Names beside their points, as near as there is room: on no other name and on no marker."""
    scale = 72 / axes.figure.dpi
    places = {point: axes.transData.transform((point.cost, point.value)) * scale for point in points}
    taken: list[Box] = [(x - 5, x + 5, y - 5, y + 5) for x, y in places.values()]
    for point in sorted(points, key=lambda point: point.value):
        text, (x, y) = _short(point.label), places[point]
        width = LETTER * len(text)
        options = [(side, lift * LINE) for lift in (0, 0.7, -0.7, 1.3, -1.3, 2, -2, 3, -3, 4) for side in (7.0, -7.0 - width)]
        boxes = [(x + side, x + side + width, y + lift - LINE / 2, y + lift + LINE / 2) for side, lift in options]
        free = (n for n, box in enumerate(boxes) if box[0] > 25 and not any(_overlap(box, other) for other in taken))
        chosen = next(free, 0)
        taken.append(boxes[chosen])
        behind = {"facecolor": plots.PAPER, "edgecolor": "none", "pad": 0.5}  # the front shall not strike a name through
        axes.annotate(
            text,
            (point.cost, point.value),
            options[chosen],
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox=behind,
            zorder=2.5,
        )


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
