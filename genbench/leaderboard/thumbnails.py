"""The picture of a row: the samples beside its result, small. Files come from strangers, so one that is odd is left out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from genbench.leaderboard.row import Row
from genbench.leaderboard.submission import within
from genbench.pages.pictures import Picture, of_image

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MAX_PIXELS = 64_000_000
MAX_BYTES = 64 * 2**20
SIDE = 320  # pixels; shown small, and whole when asked for
TILES = 4  # along each side of a grid that is made of single images


def thumbnail(row: Row) -> Picture | None:
    """None where there is no picture beside any of the row's documents, or none that can be read."""
    path = row.picture
    if path is None:
        return None
    alt = f"samples of {row.label}"
    return _grid(path, alt) if path.is_dir() else _single(path, alt)


def _single(path: Path, alt: str) -> Picture | None:
    image = _open(path)
    return None if image is None else of_image(image, alt=alt, side=SIDE)


def _grid(folder: Path, alt: str) -> Picture | None:
    """The first images of a folder by name, in rows."""
    from PIL import Image

    names = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and within(path, folder))
    tiles = [image for path in names[: TILES**2] if (image := _open(path)) is not None]
    if not tiles:
        return None
    side = SIDE // TILES
    whole = Image.new("RGB", (SIDE, SIDE))
    for index, tile in enumerate(tiles):
        filter = Image.Resampling.NEAREST if max(tile.size) <= side else Image.Resampling.LANCZOS
        whole.paste(tile.resize((side - 2, side - 2), filter), (index % TILES * side + 1, index // TILES * side + 1))
    rows = -(-len(tiles) // TILES)
    return of_image(whole.crop((0, 0, SIDE, rows * side)), alt=alt, side=SIDE)


def _open(path: Path) -> Image.Image | None:
    from PIL import Image

    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
