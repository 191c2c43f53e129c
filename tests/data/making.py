"""Images made for tests, and short ways to read them back."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genbench.data.base import Policy
from genbench.data.loader import batches
from genbench.data.open import open_images
from genbench.data.survey import survey


def pixels(seed: int, height: int = 6, width: int = 5) -> NDArray[np.uint8]:
    """(H, W, 3) of noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image | NDArray[Any], format: str = "PNG", **options: Any) -> bytes:
    """The file that Pillow writes."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG from its parts; `rows` with a filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def load(spec: Any, *, batch_size: int = 4, workers: int = 0, **policy: Any) -> Tensor:
    """Everything in `spec`, as uint8 (N, 3, H, W)."""
    rules = Policy(**policy)
    source = open_images(spec, policy=rules)
    found = survey(source, rules, workers=workers)
    stream = batches(source, found, rules, batch_size=batch_size, workers=workers)
    return torch.cat([batch.images for batch in stream])
