"""Plots as SVG that is part of a page: drawn by matplotlib, coloured by the page so that they follow light and dark, and read
out as a title and a sentence.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people of every colour vision tell apart; each also gets a marker of its own.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, PAPER = "#010203", "#fdfeff"  # of the drawing; the page puts its own in their place


@contextlib.contextmanager
def drawing(width: float = 6.4, height: float = 3.6) -> Iterator[tuple[Figure, Axes]]:
    """A figure and its axes in inches, in the style of the pages; without pyplot, so that nothing is global."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.rcsetup import cycler

    style: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "genbench",  # the same data give the same file
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=COLOURS),
        "text.parse_math": False,  # a name with a dollar sign is a name
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def logarithmic(*axes: Any) -> None:
    """Axes such as `axes.xaxis` with a logarithmic scale and plain numbers, since nothing here reads mathematics."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis in axes:
        axis._set_axes_scale("log")
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def bar(value: float, interval: tuple[float, float] | None) -> tuple[float, float]:
    """How far an error bar goes below and above a value; nowhere on a side where the interval begins beyond it."""
    low, high = interval or (value, value)
    return max(0.0, value - low), max(0.0, high - value)


def svg(figure: Figure, *, title: str, description: str) -> Any:
    """The drawing as markup for a page, with words for those who hear the page. Call it inside `drawing`."""
    from markupsafe import Markup, escape

    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)  # frame.css says the same for all plots
    text = text.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    head = f'<svg role="img" aria-label="{escape(title)}. {escape(description)}" '
    return Markup(text.replace("<svg ", head, 1))  # matplotlib escapes what it draws
