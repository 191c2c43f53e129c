"""Encoded image -> uint8 (3, H, W): which formats and modes are read, and how each mode becomes RGB.

    1, L            replicated to three channels
    LA, RGBA, PA    alpha dropped where it is opaque everywhere; else composed over `Policy.background`, or refused
    P, CMYK, YCbCr  converted by Pillow
    I;16            v / 257, rounded: scaled to [0, 255], never clipped
    16-bit colour   the high byte, which is all that Pillow reads
    F, I            refused: nothing says which value is white

EXIF orientation is applied. Of several frames the first is used.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from genbench.data.base import BadImageError, Pixels, Policy

# Pillow's other decoders are rarely used and have had holes; none of them is for samples of a model.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
# Without these words a PNG is not turned, and asking Pillow for its EXIF would decode the whole file.
PNG_ORIENTATION = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@dataclass(frozen=True, kw_only=True, slots=True)  # a million of them are kept during a survey
class Header:
    """What is known without decoding. height, width: after EXIF orientation; mode: Pillow's, "RGB;16" for 16-bit colour;
    frames: whether there are several; alpha: whether some pixel may be transparent.
    """

    height: int
    width: int
    mode: str
    format: str
    frames: bool
    alpha: bool


def read_header(data: bytes, policy: Policy) -> Header:
    """Raises BadImageError for what is no image, is too large or has a mode that is refused."""
    with _opened(data, policy) as image:
        _check_mode(image)
        width, height = image.size
        if _orientation(image, data) in SIDEWAYS:
            width, height = height, width
        return Header(
            height=height,
            width=width,
            mode=f"{image.mode};16" if _deep_colour(image) else image.mode,
            format="JPEG" if image.format == "MPO" else str(image.format),
            frames=bool(getattr(image, "is_animated", False)),
            alpha=image.has_transparency_data,
        )


def decode(data: bytes, policy: Policy) -> Pixels:
    """uint8 (3, H, W). Raises BadImageError for what cannot be decoded to the last row, or is transparent."""
    with _opened(data, policy) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image, policy)


def to_rgb(image: Image.Image, policy: Policy) -> Pixels:
    """A Pillow image of any mode that is not refused -> uint8 (3, H, W)."""
    _check_mode(image)
    if image.mode.startswith("I"):
        return _planes(_from_16_bit(image))
    if image.has_transparency_data:
        return _planes(_without_alpha(np.asarray(image.convert("RGBA")), policy))
    return _planes(np.asarray(image.convert("L" if image.mode == "1" else image.mode).convert("RGB")))


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Pillow's antialiased bicubic."""
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return _planes(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)))


@contextlib.contextmanager
def _opened(data: bytes, policy: Policy) -> Iterator[Image.Image]:
    """The image, only its header read. Whatever Pillow raises inside becomes BadImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about pixels, which are limited here, and about odd metadata
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > policy.max_pixels:
                    raise _too_large(f" ({image.width}x{image.height})", policy)
                yield image
    except (BadImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("", policy) from error
    except UnidentifiedImageError as error:
        reason = "not an image that is read here" if data else "the file is empty"
        raise BadImageError("E-BAD-IMAGE", f"{reason} ({' '.join(FORMATS).lower()})" if data else reason) from error
    except Exception as error:  # hostile files make Pillow raise OSError, ValueError, SyntaxError, struct.error and others
        raise BadImageError("E-BAD-IMAGE", f"damaged or truncated ({error})") from error


def _too_large(size: str, policy: Policy) -> BadImageError:
    return BadImageError("E-PIXELS", f"more pixels than the {policy.max_pixels:,} that are allowed{size}")


def _orientation(image: Image.Image, data: bytes) -> int:
    """EXIF's, 1 for upright. A TIFF is turned by Pillow itself, and its size is that of the turned image."""
    if image.format == "TIFF" or (image.format == "PNG" and not any(word in data for word in PNG_ORIENTATION)):
        return 1
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def _deep_colour(image: Image.Image) -> bool:
    """Whether a PNG stores 16 bits for each of several channels, of which Pillow gives the high byte."""
    stored = [str(tile.args) for tile in getattr(image, "tile", ())]
    return image.format == "PNG" and image.mode != "I;16" and any(";16" in layout for layout in stored)


def _check_mode(image: Image.Image) -> None:
    mode = image.mode
    if mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"):
        return
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):  # PPM's mode I holds 16 bits
        if "transparency" not in image.info:
            return
        raise BadImageError("E-MODE", "16-bit grey with a transparent colour cannot be read")
    what = {"F": "float pixels", "I": "32-bit integer pixels"}.get(mode, "pixels")
    hint = "save it with 8 bits per channel, or pass an array with its value range"
    raise BadImageError("E-MODE", f"mode {mode} ({what}) has no fixed white level or no plain way to RGB", hint=hint)


def _from_16_bit(image: Image.Image) -> Pixels:
    """(H, W) 16-bit grey -> (H, W, 3): round(v / 257), which takes 65535 to 255."""
    values = np.asarray(image).astype(np.uint32)
    grey = ((values + 128) // 257).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _without_alpha(rgba: NDArray[np.uint8], policy: Policy) -> Pixels:
    """(H, W, 4) -> (H, W, 3)."""
    alpha = rgba[..., 3:].astype(np.uint32)
    if alpha.min() == 255:
        return rgba[..., :3]
    if policy.background is None:
        hint = "say what is behind it with --background white, black or R,G,B"
        raise BadImageError("E-ALPHA", "partly transparent, and what is behind it decides how it looks", hint=hint)
    behind = np.array(policy.background, dtype=np.uint32)
    mixed = (rgba[..., :3] * alpha + behind * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)


def _planes(rgb: Pixels) -> Pixels:
    """(H, W, 3) -> (3, H, W) in one piece of memory."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))
