"""The images of a result, opened again where they still are, and only if they are the very ones that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbench import catalog
from genbench.data.base import Policy
from genbench.errors import DataError
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Execution
from genbench.evaluation.result import Images, Result

FLAGS = {"--json", "--quiet", "-q", "--allow-small", "--offline"}  # of `genbench evaluate`, without a value


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images that are those of a result: row i of its features and of its influence is the image at position rows[i]."""

    collection: Collection
    rows: Sequence[int]

    def name(self, row: int) -> str:
        return self.collection.source.item_name(self.rows[row])

    def pixels(self, row: int) -> Any:
        """uint8 (3, H, W)."""
        return self.collection.pixels(self.rows[row])


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
    named = {"white": (255, 255, 255), "black": (0, 0, 0)}
    background, span = options.get("--background", ""), _numbers(options.get("--value-range", ""), 2)
    colour = named.get(background) or _numbers(background, 3)
    return Policy(
        on_bad="skip" if options.get("--on-bad") == "skip" else "fail",
        on_size_mix="resize" if options.get("--on-size-mix") == "resize" else "fail",
        background=(int(colour[0]), int(colour[1]), int(colour[2])) if colour else None,
        value_range=(span[0], span[1]) if span else None,
    )


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return found if len(found) == count else None


def place_of(side: Images | None, recorded: str | None) -> str | None:
    """Where a side of a result may still be: a path as it was given, or a named set; None where nothing is there."""
    for candidate in (recorded, side.name if side else None):
        if candidate is None:
            continue
        named = candidate.partition("/")[0] in catalog.names("datasets")
        if named or Path(candidate).expanduser().exists():
            return candidate
    return None


def open_measured(spec: Any, side: Images, policy: Policy, execution: Execution, *, option: str) -> Pictures:
    """The images that `spec` names. Raises DataError where they are not those that `side` describes.

    option: of the command line, to name others with.
    """
    collection = Collection.look(spec, policy, execution)
    found = collection.surveyed.digest
    if side.digest is None or found != side.digest:
        raise other_images(collection.source.name, found, side, option)
    skipped = {item.name for item in side.skipped}
    usable = collection.surveyed.usable
    left = usable if len(usable) == side.n else [i for i in usable if collection.source.item_name(i) not in skipped]
    return Pictures(collection=collection, rows=left)


def other_images(name: str, digest: str | None, side: Images, option: str) -> DataError:
    """The error for images `name` that are not, or cannot be shown to be, those of a side of the result."""
    if side.digest is None or digest is None:
        what = f"nothing shows that {name} is what was measured as {side.name}: there is no digest of its images"
    else:
        digests = f"their digests are {_short(digest)} and {_short(side.digest)}"
        what = f"these are not the images that were measured: {name} here, {side.name} in the result; {digests}"
    hint = f"name those that were measured with {option}, evaluate again, or leave pictures out with --no-pictures"
    return DataError("E-OTHER-IMAGES", what, hint=hint)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def recorded_sides(result: Result) -> tuple[str | None, str | None, Policy]:
    """Where images and reference of a result were, as far as it says, and how they were treated."""
    images, options = options_of(result.command)
    return place_of(result.subject, images), place_of(result.reference, options.get("--ref")), policy_of(options)
