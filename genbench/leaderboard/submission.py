"""A row that somebody hands in: a folder with `submission.toml` beside one `result.json`, or beside folders of several seeds.

name = "NCSN++, 1,000 steps"
url = "https://example.org/ncsnpp"         # of the paper or the code; shown as a link
licence = "Apache-2.0"                     # of the samples or the model
family = "diffusion"
hardware = "1 x H200"
parameters = 61_800_000
seeds = [0]                                # one result per seed, in this order

[training]
seconds = 432_000

[sampling]
ms_per_image = 310.0
evaluations = 1000                         # passes of the network per image

[images]                                   # where the samples are kept; never fetched
url = "https://example.org/ncsnpp-samples.zip"
bytes = 123_456_789
sha256 = "..."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from genbench.documents import Table, read_document
from genbench.errors import DataError
from genbench.evaluation.influence import FILE as INFLUENCE
from genbench.evaluation.result import DOCUMENT, Finite

FILE = "submission.toml"
MAX_BYTES = 2**16
CEILING = "data"  # the family of real images, which are measured as if they were samples and take part in no rank
SEEDS = range(-(2**63), 2**64)


def _https(text: str) -> str:
    if not text.startswith("https://") or any(character.isspace() for character in text):
        raise ValueError("an address begins with https://")
    return text


def _ranked(family: str) -> str:
    if family == CEILING:
        raise ValueError(f"the family {CEILING!r} is that of real images, which have no rank")
    return family


Url = Annotated[str, Field(max_length=500), AfterValidator(_https)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Cost = Annotated[Finite, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=2**53)]
Seed = Annotated[int, Field(ge=SEEDS[0], le=SEEDS[-1])]


class Training(Table):
    seconds: Cost


class Sampling(Table):
    ms_per_image: Cost
    evaluations: Count | None = None


class Archive(Table):
    url: Url
    bytes: Count
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Submission(Table):
    """What its authors say of a row; see the example at the head of this file. Only what is measured is checked."""

    name: Text
    url: Url
    licence: Text
    hardware: Text
    family: Annotated[Text, AfterValidator(_ranked)] = "other"
    parameters: Count | None = None
    seeds: list[Seed] = Field(default=[0], min_length=1, max_length=100)
    training: Training | None = None
    sampling: Sampling | None = None
    images: Archive | None = None

    @classmethod
    def load(cls, path: Path) -> Submission:
        """Raises DataError that names the key that is wrong."""
        hint = "docs/leaderboard.md shows a whole submission"
        return read_document(path, cls._parse, kind="submission", most=MAX_BYTES, code="E-SUBMISSION", hint=hint)

    @classmethod
    def _parse(cls, content: bytes) -> Submission:
        return cls.model_validate(tomllib.loads(content.decode()))

    def documents(self, folder: Path) -> list[Path]:
        """The results in the order of `seeds`: result.json itself, or those of the folders below in the order of their names.

        Raises DataError where there are more or fewer than seeds, and for a link that leads out of the folder.
        """
        own = folder / DOCUMENT
        found = [own] if own.is_file() else sorted(folder.glob(f"*/{DOCUMENT}"))
        if len(found) != len(self.seeds):
            what = f"{folder / FILE} names {len(self.seeds)} seeds, and there are {len(found)} results"
            raise DataError("E-SUBMISSION", what, hint="put one result.json per seed, each in a folder of its own")
        check_links([folder / FILE, *found, *(path.with_name(INFLUENCE) for path in found)], folder)
        return found


def check_links(paths: Iterable[Path], root: Path) -> None:
    """Raises DataError for the first path that leads out of `root`."""
    for path in paths:
        if not within(path, root):
            raise DataError("E-LINK", f"{path} leads out of {root}", hint="put a copy in the place of the link")


def within(path: Path, root: Path) -> bool:
    """Whether what `path` leads to, through links as well, lies below `root`."""
    return path.resolve().is_relative_to(root.resolve())
