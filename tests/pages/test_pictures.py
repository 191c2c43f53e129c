"""Pictures keep what they show, lose what travels with files, and stay small."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from genbench.pages import pictures, plots


def opened(picture: pictures.Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.source.partition(",")[2])))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_are_exact(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 8, 12), dtype=np.uint8)
    made = pictures.picture(pixels, alt="a")
    assert (made.width, made.height) == (12, 8)
    with opened(made) as image:
        assert np.array_equal(np.asarray(image).reshape(8, 12, channels).transpose(2, 0, 1), pixels)


def test_photographs_are_shrunk_and_light() -> None:
    yx = np.mgrid[0:512, 0:1024] / 4
    pixels = np.stack([yx[0] % 256, yx[1] % 256, (yx[0] + yx[1]) % 256]).astype(np.uint8)
    made = pictures.picture(pixels, alt="a")
    assert (made.width, made.height) == (128, 64)
    assert len(made.source) < 10_000


def test_metadata_does_not_travel() -> None:
    secret = Image.new("RGB", (300, 200), "red")
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    buffer = io.BytesIO()
    secret.save(buffer, "JPEG", exif=exif)
    made = pictures.of_image(Image.open(buffer), alt="a")
    assert b"taken" not in base64.b64decode(made.source.partition(",")[2])


def test_a_plot_shows_hostile_names_as_text_and_says_what_it_is() -> None:
    name = "</svg><script>alert(1)</script> $x_1$"
    with plots.drawing() as (figure, axes):
        axes.plot([0, 1], [1, 2], label=name)
        axes.set_title(name)
        axes.legend()
        markup = str(plots.svg(figure, title='quote " and <', description="two points"))
    assert "<script" not in markup
    assert markup.count("&lt;script&gt;") >= 2
    assert 'aria-label="quote &#34; and &lt;. two points"' in markup
    assert "<style" not in markup
    assert plots.INK not in markup


def test_equal_data_give_an_equal_plot() -> None:
    def drawn() -> str:
        with plots.drawing() as (figure, axes):
            axes.errorbar([1, 2], [1, 2], yerr=[0.1, 0.2], marker="o")
            return str(plots.svg(figure, title="t", description="d"))

    assert drawn() == drawn()


@pytest.mark.parametrize("shape", [(200, 100), (3, 5), (96, 96), (1, 300)])
def test_images_of_any_shape_are_enlarged_or_shrunk_to_one_side(shape: tuple[int, int]) -> None:
    assert max(pictures.enlarged(np.zeros((3, *shape), dtype=np.uint8), 96).size) == 96


def test_enlarged_images_keep_their_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 8), dtype=np.uint8)
    shown = np.asarray(pictures.enlarged(pixels, 16)).transpose(2, 0, 1)
    assert np.array_equal(shown, pixels.repeat(2, 1).repeat(2, 2))
