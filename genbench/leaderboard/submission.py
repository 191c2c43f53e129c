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
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from genbench.errors import DataError
from genbench.evaluation.result import Finite

FILE = "submission.toml"
MAX_BYTES = 2**16


def _https(text: str) -> str:
    if not text.startswith("https://") or any(character.isspace() for character in text):
        raise ValueError("an address begins with https://")
    return text


Url = Annotated[str, Field(max_length=500), AfterValidator(_https)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Cost = Annotated[Finite, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Training(_Table):
    seconds: Cost


class Sampling(_Table):
    ms_per_image: Cost
    evaluations: Count | None = None


class Archive(_Table):
    url: Url
    bytes: Count
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Submission(_Table):
    """What its authors say of a row; see the example at the head of this file. Only what is measured is checked."""

    name: Text
    url: Url
    licence: Text
    hardware: Text
    family: Text = "other"
    parameters: Count | None = None
    seeds: list[int] = Field(default=[0], min_length=1, max_length=100)
    training: Training | None = None
    sampling: Sampling | None = None
    images: Archive | None = None

    @classmethod
    def load(cls, path: Path) -> Submission:
        """Raises DataError that names the key that is wrong."""
        hint = "docs/leaderboard.md shows a whole submission"
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DataError("E-SUBMISSION", f"{path} is larger than any submission", hint=hint)
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError("E-SUBMISSION", f"{path} cannot be read: {error}", hint=hint) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            raise DataError("E-SUBMISSION", f"{path}: {where}: {first['msg']}", hint=hint) from error

    def documents(self, folder: Path) -> list[Path]:
        """The results in the order of `seeds`: result.json itself, or those of the folders below in the order of their names.

        Raises DataError where there are more or fewer than seeds.
        """
        own = folder / "result.json"
        found = [own] if own.is_file() else sorted(folder.glob("*/result.json"))
        if len(found) != len(self.seeds):
            what = f"{folder / FILE} names {len(self.seeds)} seeds, and there are {len(found)} results"
            raise DataError("E-SUBMISSION", what, hint="put one result.json per seed, each in a folder of its own")
        return found
