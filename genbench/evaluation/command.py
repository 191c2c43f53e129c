"""What the command that a result records says: images, options, policy, and places that may be opened without being asked.

A document may come from a stranger, so its words can be anything, and no word makes us look beyond the current folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PureWindowsPath

from genbench import catalog
from genbench.data.base import Policy
from genbench.evaluation.result import Images

FLAGS = {"--json", "--quiet", "-q", "--allow-small", "--offline"}  # of `genbench evaluate`, without a value
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0)}


def options_of(command: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """The images and the options with a value that `genbench evaluate` was called with; None and nothing for other commands."""
    if list(command[:2]) != ["genbench", "evaluate"]:
        return None, {}
    images, options = None, {}
    rest = iter(command[2:])
    for word in rest:
        if word in FLAGS:
            continue
        if word.startswith("--") and "=" in word:
            name, _, options[name] = word.partition("=")
        elif word.startswith("-") and len(word) > 1:
            options[word] = next(rest, "")
        elif images is None:
            images = word
    return images, options


def policy_of(options: Mapping[str, str]) -> Policy:
    """How the images of that command were treated; what cannot be read is left at its default, and the digest will tell."""
    return Policy(
        on_bad="skip" if options.get("--on-bad") == "skip" else "fail",
        on_size_mix="resize" if options.get("--on-size-mix") == "resize" else "fail",
        background=colour(options.get("--background", "")),
        value_range=value_range(options.get("--value-range", "")),
    )


def colour(text: str) -> tuple[int, int, int] | None:
    """ "white", "black" or "R,G,B" with 0..255; None for anything else."""
    try:
        red, green, blue = COLOURS.get(text) or map(int, text.split(","))
    except ValueError:
        return None
    return (red, green, blue) if all(0 <= part < 256 for part in (red, green, blue)) else None


def value_range(text: str) -> tuple[float, float] | None:
    """ "LOW,HIGH" with LOW below HIGH; None for anything else."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        return None
    return (low, high) if -math.inf < low < high < math.inf else None


def place_of(side: Images | None, recorded: str | None) -> str | None:
    """Where a side of a result may still be: a path as it was given, or a named set; None where nothing near is there."""
    return next((place for place in (recorded, side.name if side else None) if place is not None and is_near(place)), None)


def is_near(place: str) -> bool:
    """Whether a document may have a place opened: what lies below the current folder, links followed, or a known data set."""
    parts = PurePath(place).parts
    if not parts or ".." in parts or "://" in place or place.startswith("~") or PureWindowsPath(place).anchor:
        return False
    here = Path.cwd().resolve()
    try:
        found = Path(place).resolve()
        known = found.exists()
    except (OSError, RuntimeError, ValueError):  # too long for a name, links in a circle, characters that no name has
        return False
    return here in found.parents if known else parts[0] in catalog.names("datasets")
