"""The study as one file, for those without a server: the images are in it, answers stay in the browser until they are saved.

The page needs to know which image is whose to write votes, so the answer key is in the file too. It is encoded, so that nobody
reads it by accident, and whoever wants to read it can.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from genbench import files
from genbench.errors import DataError
from genbench.study.collect import collect_page
from genbench.study.document import IMAGES, Question, Study, load_study

LARGEST = 100 * 2**20  # bytes of images; phones give up on pages beyond that


def static_page(folder: Path, out: Path) -> Study:
    """Write the study in a folder as one page. Raises DataError where its images are too much for one."""
    study = load_study(folder)
    total = sum((folder / IMAGES / file).stat().st_size for file in study.image_files)
    if total > LARGEST:
        message = f"the images have {total >> 20} MB, and one page holds {LARGEST >> 20}"
        raise DataError("E-LARGE", message, hint="make a study with fewer --questions or smaller images, or serve this one")
    files.write_atomic(out, html(study, folder))
    return study


def html(study: Study, folder: Path) -> str:
    numbers = {file: number for number, file in enumerate(sorted(study.image_files))}
    everything = {
        "images": [_address(folder / IMAGES / file) for file in numbers],
        "questions": [
            {"id": one.id, "a": numbers[one.a.file], "b": numbers[one.b.file], "text": one.text} for one in study.questions
        ],
        "key": _encoded(study.questions),
    }
    return collect_page(study, everything, served=False)


def _address(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _encoded(questions: list[Question]) -> str:
    """What each question's images are, in the order of the questions: system and name of a, of b, what is correct, catch."""
    rows = [[one.a.system, one.a.name, one.b.system, one.b.name, one.correct, one.catch] for one in questions]
    return base64.b64encode(json.dumps(rows).encode()).decode()
