"""Two players, min over x and max over y of x·y: why a GAN's two gradient steps need not arrive anywhere.

    python examples/games/bilinear_game.py [-o picture.png]

The only equilibrium is (0, 0). Each way of taking turns is a linear map M of (x, y), so that theory is exact:

    simultaneous   x' = x - a y                 y' = y + a x       |M v| = √(1 + a²) |v|: outwards, at every step
    alternating    x' = x - a y                 y' = y + a x'      det M = 1 and, for a < 2, x² + y² - a x y never changes
    extragradient  x' = x - a (y + a x)         y' = y + a (x - a y)    |M v| = √(1 - a² + a⁴) |v|: inwards for a < 1

Alternation neither converges nor diverges: with q the value of x² + y² - a x y at the start, its squared radius stays between
q / (1 + a/2) and q / (1 - a/2). Gidel et al. 2019, https://arxiv.org/abs/1802.10551. Takes a second.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Path2D = NDArray[np.float64]
Rule = Callable[[float, float, float], tuple[float, float]]


def simultaneous(x: float, y: float, a: float) -> tuple[float, float]:
    """Both players step along their gradients at the same point."""
    return x - a * y, y + a * x


def alternating(x: float, y: float, a: float) -> tuple[float, float]:
    """The second player sees the first one's new place."""
    x = x - a * y
    return x, y + a * x


def extragradient(x: float, y: float, a: float) -> tuple[float, float]:
    """Both step from where they are along the gradients of where a simultaneous step would have brought them."""
    ahead_x, ahead_y = simultaneous(x, y, a)
    return x - a * ahead_y, y + a * ahead_x


RULES: dict[str, Rule] = {"simultaneous": simultaneous, "alternating": alternating, "extragradient": extragradient}


def play(rule: Rule, *, a: float, steps: int, start: tuple[float, float] = (1.0, 1.0)) -> Path2D:
    """(steps + 1, 2): all places (x, y) from the start on, with steps of size a."""
    places = [start]
    for _ in range(steps):
        places.append(rule(*places[-1], a))
    return np.array(places)


def radii(path: Path2D) -> NDArray[np.float64]:
    """(steps + 1,) distances from the equilibrium."""
    return np.hypot(path[:, 0], path[:, 1])


def growth(path: Path2D) -> float:
    """Factor by which the radius grows per step, the geometric mean over the path."""
    r = radii(path)
    return float((r[-1] / r[0]) ** (1 / (len(r) - 1)))


def theory(name: str, a: float) -> float:
    """The factor of `growth` for ever so many steps."""
    return {"simultaneous": math.sqrt(1 + a**2), "alternating": 1.0, "extragradient": math.sqrt(1 - a**2 + a**4)}[name]


def conserved(path: Path2D, a: float) -> NDArray[np.float64]:
    """(steps + 1,) x² + y² - a x y, which alternation keeps."""
    x, y = path.T
    return x**2 + y**2 - a * x * y


def orbit(a: float, start: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Smallest and largest radius that alternation can reach from `start`; a < 2."""
    q = float(conserved(np.array([start]), a)[0])
    return math.sqrt(q / (1 + a / 2)), math.sqrt(q / (1 - a / 2))


def table(a: float, steps: int) -> str:
    lines = [
        f"min over x, max over y of xy; {steps} steps of size {a} from (1, 1), at radius {math.sqrt(2):.4f}",
        f"{'steps':14} {'factor per step':>16} {'theory':>10} {'least radius':>13} {'largest':>12} {'last':>12}",
    ]
    for name, rule in RULES.items():
        path = play(rule, a=a, steps=steps)
        r = radii(path)
        numbers = f"{growth(path):16.8f} {theory(name, a):10.8f} {r.min():13.4g} {r.max():12.4g} {r[-1]:12.4g}"
        lines.append(f"{name:14} {numbers}")
    if a < 2:
        least, largest = orbit(a)
        lines.append(f"theory: alternation stays between the radii {least:.4g} and {largest:.4g} for ever")
    return "\n".join(lines)


def draw(output: Path, a: float, steps: int) -> None:
    """The three paths, and their radii with the theory's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    plane, time = figure.subplots(1, 2)
    for colour, (name, rule) in zip(("tab:red", "tab:blue", "tab:green"), RULES.items(), strict=True):
        path = play(rule, a=a, steps=steps)
        plane.plot(*path[: min(steps, 150) + 1].T, color=colour, marker=".", markersize=3, linewidth=0.8, label=name)
        time.semilogy(radii(path), color=colour, label=name)
        if name != "alternating":
            time.semilogy(math.sqrt(2) * theory(name, a) ** np.arange(steps + 1), color=colour, linestyle=":", linewidth=2.5)
        elif a < 2:
            time.axhspan(*orbit(a), color=colour, alpha=0.2)
    plane.plot(0, 0, "k+", markersize=12)
    plane.plot(1, 1, "ko", markersize=5)
    plane.set(aspect="equal", xlabel="x, which minimises xy", ylabel="y, which maximises xy", title=f"Steps of size {a}")
    time.set(xlabel="step", ylabel="distance from the equilibrium", title="Dotted and shaded: theory")
    time.legend(loc="upper left")
    figure.savefig(output, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-a", "--step-size", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("-o", "--output", type=Path, help="write a picture")
    options = parser.parse_args(arguments)
    if options.output and (options.output.suffix != ".png" or not options.output.absolute().parent.is_dir()):
        parser.error(f"-o {options.output}: the picture is a .png in a folder that exists")
    print(table(options.step_size, options.steps))
    if options.output:
        draw(options.output, options.step_size, options.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
