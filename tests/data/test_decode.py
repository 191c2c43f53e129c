from __future__ import annotations

import contextlib

import numpy as np
import pytest
from making import encoded, pixels, raw_png
from PIL import Image

from genbench.data.base import BadImageError, Policy
from genbench.data.decode import decode, read_header, resize

GREY = np.array([[0, 100, 255], [7, 8, 9]], dtype=np.uint8)  # (2, 3)
COLOUR = np.array([[[255, 0, 0], [0, 255, 0], [1, 2, 3]], [[9, 9, 9], [50, 60, 70], [0, 0, 255]]], dtype=np.uint8)


def three(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey] * 3)


def planes(rgb: np.ndarray) -> np.ndarray:
    return rgb.transpose(2, 0, 1)


def with_alpha(mode: str, alpha: np.ndarray) -> Image.Image:
    bands = [GREY] if mode == "LA" else list(planes(COLOUR))
    return Image.merge(mode, [Image.fromarray(band) for band in [*bands, alpha]])


OPAQUE = np.full((2, 3), 255, dtype=np.uint8)
VARYING = np.array([[255, 0, 128], [255, 255, 51]], dtype=np.uint8)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_rgb_is_kept(format: str) -> None:
    data = encoded(COLOUR, format, **({"lossless": True} if format == "WEBP" else {}))
    assert np.array_equal(decode(data, Policy()), planes(COLOUR))
    header = read_header(data, Policy())
    assert (header.height, header.width, header.mode, header.format) == (2, 3, "RGB", format)


def test_grey_is_replicated() -> None:
    assert np.array_equal(decode(encoded(GREY), Policy()), three(GREY))


def test_bits_become_black_and_white() -> None:
    bits = Image.fromarray(np.where(GREY > 8, 255, 0).astype(np.uint8)).convert("1")
    assert np.array_equal(decode(encoded(bits), Policy()), three(np.where(GREY > 8, 255, 0)))


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_is_looked_up(format: str) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([2, 0, 1])
    assert decode(encoded(image, format), Policy())[:, 0].T.tolist() == [[70, 80, 90], [10, 20, 30], [40, 50, 60]]


@pytest.mark.parametrize(("format", "quality"), [("TIFF", None), ("JPEG", 100)])
def test_cmyk(format: str, quality: int | None) -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # full magenta and yellow is red
    data = encoded(cmyk, format, **({"quality": quality} if quality else {}))
    assert np.abs(decode(data, Policy())[:, 4, 4].astype(int) - [255, 0, 0]).max() <= 2
    assert read_header(data, Policy()).mode == "CMYK"


def test_ycbcr() -> None:
    data = encoded(Image.fromarray(COLOUR).convert("YCbCr"), "TIFF")
    assert read_header(data, Policy()).mode == "YCbCr"
    assert np.abs(decode(data, Policy()).astype(int) - planes(COLOUR)).max() <= 2  # JFIF rounding there and back


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opaque_alpha_is_dropped(mode: str) -> None:
    data = encoded(with_alpha(mode, OPAQUE))
    assert np.array_equal(decode(data, Policy()), three(GREY) if mode == "LA" else planes(COLOUR))
    assert read_header(data, Policy()).alpha


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_needs_a_background(mode: str) -> None:
    data = encoded(with_alpha(mode, VARYING))
    with pytest.raises(BadImageError, match="partly transparent") as caught:
        decode(data, Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-ALPHA", 5)
    assert "--background" in caught.value.hint
    background = (200, 100, 0)
    opacity = VARYING / 255
    foreground = three(GREY) if mode == "LA" else planes(COLOUR)
    expected = foreground * opacity + np.array(background)[:, None, None] * (1 - opacity)
    assert np.abs(decode(data, Policy(background=background)) - expected).max() <= 0.5


def test_constant_half_transparency_is_transparency() -> None:
    with pytest.raises(BadImageError, match="partly transparent"):
        decode(encoded(with_alpha("RGBA", np.full((2, 3), 128, dtype=np.uint8))), Policy())


@pytest.mark.parametrize(("transparent", "fails"), [(2, True), (9, False)])
def test_transparent_palette_entry(transparent: int, fails: bool) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30] * 16)
    image.putdata([2, 0, 1])
    data = encoded(image, transparency=transparent)
    if fails:
        with pytest.raises(BadImageError, match="transparent"):
            decode(data, Policy())
    else:
        assert decode(data, Policy())[:, 0, 0].tolist() == [10, 20, 30]


def test_transparent_colour_of_rgb() -> None:
    data = encoded(COLOUR, transparency=(255, 0, 0))
    with pytest.raises(BadImageError, match="transparent"):
        decode(data, Policy())
    assert decode(data, Policy(background=(5, 6, 7)))[:, 0, 0].tolist() == [5, 6, 7]


DEEP = np.array([[0, 383, 385, 32768, 65534, 65535]], dtype=np.uint16)
SCALED = [0, 1, 1, 128, 255, 255]  # v / 257 = 0, 1.49, 1.50 (385 / 257 = 1.498), 127.5, 254.996, 255


def test_16_bit_grey_is_scaled() -> None:
    assert [round(float(v) / 257 + 1e-9) for v in DEEP[0]] == SCALED
    for data in (encoded(DEEP), encoded(DEEP, "TIFF"), b"P5\n6 1\n65535\n" + DEEP.astype(">u2").tobytes()):
        assert decode(data, Policy()).tolist() == [[SCALED]] * 3


def test_16_bit_big_endian_tiff() -> None:
    image = Image.frombytes("I;16B", (6, 1), DEEP.astype(">u2").tobytes())
    assert decode(encoded(image, "TIFF"), Policy()).tolist() == [[SCALED]] * 3


def test_16_bit_colour_keeps_the_high_byte() -> None:
    values = np.array([[0x0180, 0x00FF, 0xFFFF]], dtype=">u2")
    data = raw_png(1, 1, 16, 2, b"\0" + values.tobytes())
    assert decode(data, Policy())[:, 0, 0].tolist() == [0x01, 0x00, 0xFF]
    assert read_header(data, Policy()).mode == "RGB;16"


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_modes_without_a_white_level_are_refused(mode: str) -> None:
    data = encoded(Image.new(mode, (2, 2)), "TIFF")
    for read in (read_header, decode):
        with pytest.raises(BadImageError, match=f"mode {mode} ") as caught:
            read(data, Policy())
        assert (caught.value.code, caught.value.exit_code) == ("E-MODE", 5)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(format: str, orientation: int) -> None:
    turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 6: lambda a: np.rot90(a, -1)}
    turns |= {5: lambda a: a.T, 7: lambda a: np.rot90(a, 2).T, 8: np.rot90}
    corner = np.zeros((16, 24), dtype=np.uint8)
    corner[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corner, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    expected = turns[orientation](corner)
    header = read_header(data, Policy())
    assert (header.height, header.width) == expected.shape
    assert np.abs(decode(data, Policy())[0].astype(int) - expected).max() <= 4


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_used(format: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **lossless)
    assert read_header(data, Policy()).frames
    assert decode(data, Policy()).min() == 255
    assert not read_header(encoded(frames[0], format), Policy()).frames


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_truncated(format: str) -> None:
    data = encoded(pixels(0, 64, 64), format)
    with pytest.raises(BadImageError) as caught:
        decode(data[: len(data) * 2 // 3], Policy())
    assert (caught.value.code, caught.value.exit_code) == ("E-BAD-IMAGE", 5)


def test_corrupt_bytes_never_escape_as_other_errors() -> None:
    chance = np.random.default_rng(0)
    for format in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"):
        data = encoded(pixels(1, 16, 16), format)
        for _ in range(40):
            broken = bytearray(data)
            for at in chance.integers(0, min(len(data), 200), 3):
                broken[at] = chance.integers(256)
            for read in (read_header, decode):
                with contextlib.suppress(BadImageError):
                    read(bytes(broken), Policy(max_pixels=2**20))


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"<html></html>", "not an image"), (b"%!PS-Adobe-3.0", "not an")]
)
def test_no_image(data: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason):
        read_header(data, Policy())


def test_header_of_absurd_size_is_refused_before_decoding() -> None:
    data = raw_png(60_000, 60_000, 8, 2, b"\0" * 100)
    for read in (read_header, decode):
        with pytest.raises(BadImageError, match="more pixels than the 134,217,728") as caught:
            read(data, Policy())
        assert caught.value.code == "E-PIXELS"
    with pytest.raises(BadImageError, match=r"more pixels than the 99 that are allowed \(10x10\)"):
        read_header(encoded(pixels(0, 10, 10)), Policy(max_pixels=99))


def test_resize_is_pillows_bicubic() -> None:
    image = pixels(3, 9, 7)
    expected = np.asarray(Image.fromarray(image).resize((4, 5), Image.Resampling.BICUBIC))
    assert np.array_equal(resize(planes(image), 5, 4), planes(expected))
