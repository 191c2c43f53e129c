"""A sheet of samples as one picture: the first ones, never chosen ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench import images
from genbench.bench.record import Record
from genbench.files import atomic_path

SIDE = 640  # pixels of the picture, about
POINT_PIXELS = 384
LABEL = 14  # pixels of a line of text


def save_grid(path: Path, samples: Tensor, *, rows: int = 8, columns: int = 8) -> None:
    """Write samples (N, C, H, W) in [-1, 1] as PNG, enlarged by a whole factor; points as a scatter."""
    from PIL import Image

    picture = scatter(samples) if samples.shape[2] == samples.shape[3] == 1 else sheet(samples[: rows * columns], columns)
    with atomic_path(path) as temporary:
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(temporary, format="PNG")


def sheet(samples: Tensor, columns: int) -> Tensor:
    """(N, C, H, W) in [-1, 1] -> uint8 (3, H', W'), a white line between images, unused places white; frames in a row."""
    if samples.dim() == 5:  # a video is a row of frames
        samples, columns = samples.transpose(1, 2).flatten(0, 1), samples.shape[2]
    pixels = images.to_uint8(samples)
    pixels = pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels[:, :3]
    factor = max(1, SIDE // (columns * pixels.shape[-1]))
    pixels = pixels.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    rows = -(-len(pixels) // columns)
    pixels = torch.cat([pixels, pixels.new_full((rows * columns - len(pixels), *pixels.shape[1:]), 255)])
    pixels = F.pad(pixels, (0, 2, 0, 2), value=255)
    height, width = pixels.shape[-2:]
    return pixels.reshape(rows, columns, 3, height, width).permute(2, 0, 3, 1, 4).reshape(3, rows * height, columns * width)


def scatter(points: Tensor) -> Tensor:
    """Points (N, 2, 1, 1) as dark pixels on white, over [-1.2, 1.2] squared; uint8 (3, P, P)."""
    position = ((points.flatten(1) + 1.2) / 2.4 * (POINT_PIXELS - 1)).round().long()
    inside = ((position >= 0) & (position < POINT_PIXELS)).all(1)
    counts = torch.zeros(POINT_PIXELS, POINT_PIXELS)
    counts.index_put_((POINT_PIXELS - 1 - position[inside, 1], position[inside, 0]), torch.ones(()), accumulate=True)
    spread = F.max_pool2d(counts[None, None], 3, stride=1, padding=1)[0, 0]
    return (255 - 200 * (spread > 0)).to(torch.uint8).expand(3, -1, -1)


def side_by_side(folder: Path, records: Sequence[Record]) -> Path:
    """One picture with a strip of samples of every run below `folder`, in the order of `records`; its path."""
    from PIL import Image, ImageDraw

    strips = []
    for result in sorted(folder.rglob("result.json")):  # a failed run has a result and no samples
        picture = result.with_name("samples.png")
        if not picture.is_file():
            continue
        with Image.open(picture) as opened:
            strips.append(
                (Record.load(result.parent).label, opened.convert("RGB").crop((0, 0, opened.width, opened.height // 4)))
            )
    order = {record.label: place for place, record in enumerate(records)}
    strips.sort(key=lambda strip: order.get(strip[0], len(order)))
    width, height = max(strip.width for _, strip in strips), sum(strip.height + LABEL for _, strip in strips)
    page = Image.new("RGB", (width, height), "white")
    draw, top = ImageDraw.Draw(page), 0
    for label, strip in strips:
        draw.text((2, top + 2), label, fill="black")
        page.paste(strip, (0, top + LABEL))
        top += strip.height + LABEL
    path = folder / "samples.png"
    with atomic_path(path) as temporary:
        page.save(temporary, format="PNG")
    return path
