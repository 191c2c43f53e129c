"""The study itself: what is asked, about which images, and which answers are known; `study.json`, `genbench.study/1`.

It is the answer key, so it stays with whoever runs the study. Raters get images under names that say nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from genbench import files
from genbench.documents import read_document
from genbench.errors import DataError
from genbench.evaluation.result import Caution, Document
from genbench.study.votes import Kind

FILE = "study.json"
IMAGES = "images"
MAX_BYTES = 256 * 2**20
PNG = b"\x89PNG\r\n\x1a\n"

Opaque = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]


class Shown(Document):
    """An image of a question. name: what it is called in its set; file: what raters see of its name."""

    system: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    name: Annotated[str, StringConstraints(max_length=1000)]
    file: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}\.png$")]


class Question(Document):
    """Two images; which of them is left is drawn for every rater.

    text: the caption they were made for, or "". catch: both are of one system and one of them is noise, which tells who does
    not look. correct: the one that is known to be right, of catch trials and of two-alternative questions.
    """

    id: Opaque
    a: Shown
    b: Shown
    text: Annotated[str, StringConstraints(max_length=20_000)] = ""
    catch: bool = False
    correct: Literal["a", "b"] | None = None

    @property
    def pair(self) -> tuple[str, str]:
        return self.a.system, self.b.system


class Study(Document):
    """id: of the content, so that votes cannot be mixed up with those of another study. question: what raters are asked.
    ties: whether "I cannot decide" is an answer. matched: whether pairs share a name, and so perhaps a prompt.
    """

    schema_: Literal["genbench.study/1"] = Field(default="genbench.study/1", alias="schema")
    id: str
    kind: Kind
    question: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    ties: bool
    seed: int
    systems: list[str]
    matched: bool
    questions: list[Question]
    warnings: tuple[Caution, ...] = ()

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @cached_property
    def image_files(self) -> frozenset[str]:
        return frozenset(shown.file for question in self.questions for shown in (question.a, question.b))

    def fingerprint(self) -> str:
        """16 hexadecimal digits of everything but the identifier."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"id"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write study.json; the images must be there before."""
        files.write_atomic(folder / FILE, self.model_dump_json(indent=1, by_alias=True) + "\n")


def load_study(folder: Path) -> Study:
    """The study in a folder. Raises DataError for what is none, was changed, or lacks an image of its own."""
    path = folder / FILE
    if not path.is_file():
        raise DataError("E-NO-STUDY", f"no study in {folder}", hint="`genbench study new ... -o FOLDER` makes one")
    hint = "take it from a copy, or make a new study in another folder with `genbench study new`"
    parse = Study.model_validate_json
    study = read_document(path, parse, kind="genbench.study/1", most=MAX_BYTES, code="E-STUDY", hint=hint)
    if study.fingerprint() != study.id:
        hint = "make a new study in another folder; votes of the changed one would mean something else"
        raise DataError("E-STUDY", f"{path} was changed after it was made", hint=hint)
    missing = sorted(file for file in study.image_files if not (folder / IMAGES / file).is_file())
    if missing:
        message = f"{len(missing)} of {len(study.image_files)} images are not in {folder / IMAGES}: {missing[0]}"
        raise DataError("E-STUDY", message, hint="copy the whole folder, or repeat the command that made it")
    for file in sorted(study.image_files):
        _check_own(folder / IMAGES / file, folder)
    return study


def _check_own(image: Path, folder: Path) -> None:
    """Images are shown to everybody, so a stranger's study must not name other files of this machine."""
    if image.resolve().parent != folder.resolve() / IMAGES:
        raise DataError("E-LINK", f"{image} leads out of its folder", hint="put a copy in the place of the link")
    with open(image, "rb") as content:
        if content.read(len(PNG)) != PNG:
            raise DataError("E-STUDY", f"{image} is no PNG", hint="repeat the command that made the study")
