"""The images of a study: encoded anew as PNG without metadata, and named so that neither file nor address tells a system."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genbench import files, seeding
from genbench.errors import DataError
from genbench.evaluation.result import Caution
from genbench.study.document import Shown

if TYPE_CHECKING:
    from genbench.data.base import ImageSource, Pixels, Policy

LARGEST = 1024  # pixels of the longer side; more than a page shows


@dataclass(frozen=True)
class Pick:
    """An image of a system, by its position; noise: noise of its size instead."""

    system: str
    index: int
    noise: bool = False


@dataclass(frozen=True)
class Sets:
    """Opened sets of images by the name of their system, and how they are read. seed: of everything random about the study."""

    sources: Mapping[str, ImageSource]
    policy: Policy
    seed: int

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """What the images of each system are called."""
        return {system: [source.item_name(i) for i in range(len(source))] for system, source in self.sources.items()}

    @cached_property
    def chance(self) -> np.random.Generator:
        """What the pairs are drawn with."""
        return seeding.generator(self.seed, "study/new")

    def shown(self, picks: Iterable[Pick]) -> tuple[dict[Pick, Shown], list[Caution]]:
        """What is shown, and what raters could tell the systems by, other than by looking."""
        shown: dict[Pick, Shown] = {}
        sizes: dict[str, set[tuple[int, int]]] = {}
        for pick in dict.fromkeys(picks):
            pixels = self._pixels(pick)
            if not pick.noise:
                sizes.setdefault(pick.system, set()).add((pixels.shape[1], pixels.shape[2]))
            # Of pixels, not of the encoded file, which another version of the encoder writes otherwise.
            digest = hashlib.sha256(f"image/{self.seed}/{pixels.shape}/".encode() + pixels.tobytes()).hexdigest()
            name = self.names[pick.system][pick.index] + (" as noise" if pick.noise else "")
            shown[pick] = Shown(system=pick.system, name=name[:1000], file=f"{digest[:20]}.png")
        return shown, _cautions(sizes)

    def write(self, shown: Mapping[Pick, Shown], folder: Path) -> None:
        """Write the files of what is shown; those that are there stay."""
        for pick, one in shown.items():
            if not (folder / one.file).is_file():
                files.write_atomic(folder / one.file, _png(self._pixels(pick)))

    def _pixels(self, pick: Pick) -> Pixels:
        """uint8 (3, H, W), shrunk to what a page shows."""
        from genbench.data.base import BadImageError
        from genbench.data.decode import decode, resize

        source = self.sources[pick.system]
        try:
            data = source.read(pick.index)
            pixels = decode(data, self.policy) if isinstance(data, bytes) else data
        except BadImageError as error:
            hint = error.hint if error.code in ("E-ALPHA", "E-MODE") else "repair or remove it"
            name = self.names[pick.system][pick.index]
            raise DataError(error.code, f"{source.name}: {name}: {error.message}", hint=hint) from error
        _, height, width = pixels.shape
        if max(height, width) > LARGEST:
            scale = LARGEST / max(height, width)
            pixels = resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
        if not pick.noise:
            return pixels
        grey = bool((pixels == pixels[:1]).all())
        chance = seeding.generator(self.seed, f"study/noise/{pick.system}/{pick.index}")
        noise = chance.integers(0, 256, (1 if grey else 3, *pixels.shape[1:]), dtype=np.uint8)
        return np.repeat(noise, 3, axis=0) if grey else noise


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(out, "PNG")
    return out.getvalue()


def _cautions(sizes: Mapping[str, set[tuple[int, int]]]) -> list[Caution]:
    """Sizes by which a rater may learn to know a system."""
    if len({frozenset(found) for found in sizes.values()}) < 2:
        return []
    said = [f"{system} {' and '.join(f'{w}x{h}' for h, w in sorted(found)[:2])}" for system, found in sizes.items()]
    text = (
        f"images differ in size ({', '.join(said)}): raters can tell the systems by their sharpness; resize to one size before"
    )
    return [Caution(code="W-SIZES", text=text)]
