"""The images that hurt most, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench.files import atomic_path
from genbench.gate.verdict import Check

if TYPE_CHECKING:
    from PIL import Image

    from genbench.data.base import Pixels, Policy

SIDE, GAP, LINE = 96, 8, 14  # pixels: the longer side of an image, between images, and of a line of text
SHOWN = 8  # images of each metric
LETTERS = 15  # of a name that fit below an image
POLICY = ("on_bad", "on_size_mix", "background", "value_range")


def save_worst(path: Path, check: Check, images: Any, evaluation: Mapping[str, Any]) -> None:
    """Write a row of images per metric that is regressed or open, the worst first, as PNG in one step."""
    from genbench.evaluation.collection import Collection
    from genbench.evaluation.extract import quiet
    from genbench.evaluation.plan import prepare_execution

    collection = Collection.look(images, data_policy(evaluation), prepare_execution("cpu", 1, 0, quiet))
    positions = {collection.names([position])[0]: position for position in collection.surveyed.usable}
    rows = []
    for metric, hurt in check.hurt.items():
        known = [(name, pull) for name, pull in hurt[:SHOWN] if name in positions]
        rows.append((metric, [(collection.pixels(positions[name]), name, pull) for name, pull in known]))
    with atomic_path(path) as temporary:
        sheet(rows).save(temporary, format="PNG")


def data_policy(evaluation: Mapping[str, Any]) -> Policy:
    """How images are treated, from the arguments of `evaluate`."""
    from genbench.data.base import Policy

    return Policy(**{name: value for name, value in evaluation.items() if name in POLICY and value is not None})


def sheet(rows: list[tuple[str, list[tuple[Pixels, str, float]]]]) -> Image.Image:
    """Per metric its name and a row of uint8 (3, H, W), each with its name and the worsening that it adds."""
    from PIL import Image, ImageDraw, ImageFont

    from genbench.pages.pictures import enlarged

    height = LINE + SIDE + 2 * LINE + 2 * GAP
    canvas = Image.new("RGB", (GAP + SHOWN * (SIDE + GAP), GAP + max(1, len(rows)) * height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    if not rows:
        draw.text((GAP, GAP), "nothing regressed and nothing is open", fill="black", font=font)
    for number, (metric, shown) in enumerate(rows):
        top = GAP + number * height
        draw.text((GAP, top), f"{_plain(metric)}: images that hurt most", fill="black", font=font)
        for place, (pixels, name, pull) in enumerate(shown):
            left, picture = GAP + place * (SIDE + GAP), enlarged(pixels, SIDE)
            canvas.paste(picture, (left, top + LINE))
            draw.text((left, top + LINE + SIDE), _plain(name)[-LETTERS:], fill="black", font=font)
            draw.text((left, top + 2 * LINE + SIDE), f"{pull:+.2g}", fill="black", font=font)
    return canvas


def _plain(text: str) -> str:
    """What the built-in font can draw."""
    return text.encode("ascii", "replace").decode().replace("\n", " ")
