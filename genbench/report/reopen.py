"""The images of a result, opened again where they still are, and only if they are the very ones that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genbench.data.base import Policy
from genbench.errors import DataError
from genbench.evaluation.collection import Collection
from genbench.evaluation.command import options_of, place_of, policy_of
from genbench.evaluation.extract import Execution
from genbench.evaluation.result import Images, Result


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
