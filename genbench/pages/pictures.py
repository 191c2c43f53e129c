"""Pictures inside of a page: small, encoded anew so that no metadata travels, with words for those who cannot see them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

SIDE = 128  # pixels of the longer side at most
PNG_LIMIT = 48  # images up to this side stay exact; larger ones are photographs, for which WebP is smaller


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`source` is a data address for <img src>; `alt` says what it shows; `note` stands below it."""

    source: str
    alt: str
    width: int
    height: int
    note: str = ""


def picture(pixels: Any, *, alt: str, note: str = "", side: int = SIDE) -> Picture:
    """A picture of uint8 (3, H, W) or (1, H, W); larger ones are shrunk to `side`, smaller ones stay as they are."""
    import numpy as np
    from PIL import Image

    array = np.asarray(pixels, dtype=np.uint8).transpose(1, 2, 0)
    return of_image(Image.fromarray(array[..., 0] if array.shape[2] == 1 else array), alt=alt, note=note, side=side)


def enlarged(pixels: Any, side: int) -> Image.Image:
    """uint8 (3, H, W) with its longer side at `side`: whole pixels where it is smaller, means where it is larger."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(np.asarray(pixels, dtype=np.uint8).transpose(1, 2, 0)))
    longer = max(image.size)
    smooth = Image.Resampling.NEAREST if longer <= side else Image.Resampling.BOX
    return image.resize((max(1, image.width * side // longer), max(1, image.height * side // longer)), smooth)


def of_image(image: Image.Image, *, alt: str, note: str = "", side: int = SIDE) -> Picture:
    """The same of an image of Pillow."""
    from PIL import Image

    longer = max(image.size)
    if longer > side:
        size = max(1, image.width * side // longer), max(1, image.height * side // longer)
        image = image.resize(size, Image.Resampling.LANCZOS)
    exact = max(image.size) <= PNG_LIMIT
    out = io.BytesIO()
    if exact:
        image.save(out, "PNG", optimize=True)
    else:
        image.convert("RGB").save(out, "WEBP", quality=82, method=4)
    kind = "png" if exact else "webp"
    source = f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
    return Picture(source=source, alt=alt, width=image.width, height=image.height, note=note)
