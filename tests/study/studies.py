"""Small studies for tests: systems of digits that anyone could tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genbench.study.design import new_study
from genbench.study.document import Study
from genbench.study.turns import Turn, turns_of, vote_of
from genbench.study.votes import Vote

HOSTILE = "<img src=x onerror=alert(1)>"


def pictures(folder: Path, count: int, *, seed: int = 0, side: int = 12, prefix: str = "") -> Path:
    """So many PNG files of random blocks, named 0000.png, ...."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng([seed, len(folder.name)])
    for index in range(count):
        blocks = chance.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(4, 0).repeat(4, 1)).save(folder / f"{prefix}{index:04d}.png", pnginfo=None)
    return folder


def systems(root: Path, names: str = "ddpm gan vae", count: int = 12) -> dict[str, Path]:
    return {name: pictures(root / f"set{number}", count, seed=number) for number, name in enumerate(names.split())}


def pairwise(root: Path, **options: Any) -> tuple[Study, Path]:
    """A study of three systems, and its folder."""
    options = {"questions": 6, "catch": 0.2, **options}
    return new_study("pairwise", systems(root), root / "study", **options), root / "study"


def vote(study: Study, turn: Turn, *, rater: str = "r1", id: str = "", choice: Any = "left") -> Vote:
    identifier = id or f"{rater}-{turn.question.id}"
    return vote_of(study, turn, id=identifier, rater=rater, choice=choice, seconds=1.5, time="2026-01-02T03:04:05Z")


def votes(study: Study, rater: str = "r1") -> list[Vote]:
    """Everything a rater would be asked, answered with left."""
    return [vote(study, turn, rater=rater) for turn in turns_of(study, rater)]
