"""Captions: read from files that may come from anyone, and given to the images that they belong to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from genbench.data import captions as module
from genbench.data.captions import Captioned, captions_for, read_captions
from genbench.data.sets.shapes import Shapes
from genbench.errors import DataError, UsageError


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# -- files -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["name", "file_name", "image"])
@pytest.mark.parametrize("text", ["caption", "text", "prompt"])
def test_csv_with_each_column_name(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path / "c.csv", f'seed,{name},{text}\r\n1,0.png,"a dog, ""big"""\r\n\r\n2,./sub/1.png,"two\nlines"\r\n')
    assert read_captions(path) == {"0.png": Captioned('a dog, "big"'), "sub/1.png": Captioned("two\nlines")}


def test_csv_with_references_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = written(
        tmp_path / "c.CSV", "\ufeffimage,caption,references\n0.png,ein Hündchen 🐶,a puppy| a small dog |\n1.png,x,\n"
    )
    assert read_captions(path) == {
        "0.png": Captioned("ein Hündchen 🐶", ("a puppy", "a small dog")),
        "1.png": Captioned("x"),
    }


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        {"file_name": "0.png", "text": "a\u2028dog", "references": ["one", "two"], "seed": 3},
        {"name": "1.png", "prompt": "cat"},
    ]
    path = written(tmp_path / "c.jsonl", "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    assert read_captions(str(path)) == {"0.png": Captioned("a\u2028dog", ("one", "two")), "1.png": Captioned("cat")}


def test_a_folder_of_texts(tmp_path: Path) -> None:
    root, outside = tmp_path / "images", written(tmp_path / "secret.txt", "secret")
    written(root / "0.txt", "a dog\n")
    written(root / "sub" / "1.TXT", "a cat")
    written(root / "sub" / "2.png.txt", "a bird")
    written(root / "0.png", b"\x89PNG")
    written(root / ".hidden.txt", "no")
    written(root / ".git" / "3.txt", "no")
    (root / "link.txt").symlink_to(outside)
    assert read_captions(root) == {"0": Captioned("a dog"), "sub/1": Captioned("a cat"), "sub/2.png": Captioned("a bird")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.csv", "", "c.csv is empty"),
        ("c.csv", "name;caption\na.png;red\n", "c.csv separates its columns otherwise than with commas"),
        ("c.csv", "filename,caption\n", "none of name, file_name, image; there is: filename, caption"),
        ("c.csv", "image,label\n0.png,dog\n", "the header of c.csv has none of caption, text, prompt"),
        ("c.csv", "image,name,text\n", "the header of c.csv has image and name"),
        ("c.csv", "image,text\n", "c.csv holds no captions"),
        ("c.csv", "image,text\n0.png,a dog, big\n", "c.csv, line 2: 3 fields under 2 columns"),
        ("c.csv", "image,text\n0.png,dog\n0.png,cat\n", "c.csv, line 3 is a second caption of 0.png"),
        ("c.csv", 'image,text\n0.png,"a dog\n1.png,a cat\n', "c.csv, line 3: unexpected end of data"),
        ("c.csv", "image,text\n0.png,   \n", "c.csv, line 2: a caption is empty"),
        ("c.csv", "image,text\n,dog\n", "c.csv, line 2: the name of the image is empty"),
        ("c.csv", f"image,text\n0.png,{'x' * 20_001}\n", "c.csv, line 2: a caption has more than 20000 characters"),
        ("c.csv", f"image,text\n0.png,{'x' * 200_000}\n", "c.csv, line 2: field larger than field limit"),
        ("c.csv", b"image,text\n0.png,dog\n1.png,\xff\xfe\n", "c.csv, line 3 is not UTF-8"),
        ("c.jsonl", '{"name": "0.png", "text": "dog"}\nnot json\n', "c.jsonl, line 2 is no JSON"),
        ("c.jsonl", "[" * 100_000, "c.jsonl, line 1 is no JSON"),
        ("c.jsonl", '["0.png", "dog"]', "c.jsonl, line 1 is no JSON object"),
        ("c.jsonl", '{"name": "0.png", "text": 3}', "c.jsonl, line 1: a caption is empty or no text"),
        ("c.jsonl", '{"name": 0, "text": "dog"}', "c.jsonl, line 1: the name of the image is empty or no text"),
        ("c.jsonl", '{"name": "0.png", "text": "dog", "prompt": "dog"}', "c.jsonl, line 1 has text and prompt"),
        ("c.jsonl", '{"name": "0.png", "text": "dog", "references": "dog|cat"}', "c.jsonl, line 1: references is no list"),
        ("c.jsonl", '{"name": "0.png", "text": "dog", "references": [1]}', "c.jsonl, line 1: a caption is empty or no text"),
    ],
)
def test_what_is_no_file_of_captions_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_captions(written(tmp_path / name, content))
    assert message in caught.value.message
    assert caught.value.hint


def test_other_specs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"c\.txt is no file of captions"):
        read_captions(written(tmp_path / "c.txt", "a dog"))
    with pytest.raises(DataError, match="no file or folder of captions, and no dataset: absent"):
        read_captions("absent.csv")
    with pytest.raises(DataError, match="holds no captions"):
        read_captions(written(tmp_path / "empty" / "x.md", "").parent)
    with pytest.raises(UsageError, match="the dataset digits has no captions"):
        read_captions("digits/test")
    with pytest.raises(UsageError, match="int is nothing that holds captions"):
        read_captions(3)
    with pytest.raises(DataError, match="number 1: a caption is empty or no text"):
        read_captions(["a dog", None])


def test_files_that_are_too_large_or_never_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE", 1 << 20)
    with pytest.raises(DataError, match=r"large\.csv has more than 1 MB"):
        read_captions(written(tmp_path / "large.csv", "x" * (1 << 20) + "x"))
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match=r"pipe\.csv is no ordinary file"):
        read_captions(tmp_path / "pipe.csv")


# -- matching --------------------------------------------------------------------------------------------------------------


def texts(names: list[str], captions: object) -> list[str]:
    return [one.caption for one in captions_for(names, read_captions(captions))]


def test_by_the_full_name_then_without_the_suffix_then_without_folders() -> None:
    captions = {"a/0.png": "full", "a/1": "no suffix", "2.jpg": "no folder", "v1.5": "a dot", "unused": "left"}
    assert texts(["b/v1.5.png", "a/1.webp", "a/0.png", "a/2.png"], captions) == ["a dot", "no suffix", "full", "no folder"]


def test_images_without_a_caption_and_captions_without_an_image_are_counted_and_named() -> None:
    with pytest.raises(DataError) as caught:
        texts([f"{i}.png" for i in range(9)], {"0": "dog", "x\n": "cat"} | {f"y{i}": "bird" for i in range(4)})
    assert "8 of 9 images have no caption: 1.png, 2.png, 3.png, ..." in caught.value.message
    assert "5 captions have no image: x\\n, y0, y1, ..." in caught.value.hint


@pytest.mark.parametrize(
    ("names", "keys", "message"),
    [
        (["a/0.png", "b/0.png"], ["0"], "the caption of 0 is both of a/0.png and of b/0.png"),
        (["0.webp"], ["0.png", "0.jpg"], "0.webp may be meant by 0.png and by 0.jpg"),
        (["0.png", "0.jpg"], ["0.png"], "the caption of 0.png is both of 0.png and of 0.jpg"),
    ],
)
def test_what_could_be_meant_twice_is_refused(names: list[str], keys: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        texts(names, dict.fromkeys(keys, "dog"))


def test_a_named_set_is_in_the_order_of_its_images() -> None:
    captions = Shapes().captions("test")
    assert texts([f"{i:06d}.png" for i in range(100)], "shapes/test") == captions[:100]
    assert texts([f"image {i}" for i in range(1024)], "shapes/test") == captions
    assert texts(["sample_000007.png", "sample_000000.png"], "shapes/test") == [captions[7], captions[0]]
    assert texts(["0.png"], "shapes") == Shapes().captions("train")[:1]
    with pytest.raises(UsageError, match="no shapes split"):
        read_captions("shapes/tset")


def test_order_is_by_number_where_there_are_numbers_and_never_guessed() -> None:
    assert texts(["image 10", "image 0", "image 2"], [str(i) for i in range(11)]) == ["10", "0", "2"]
    assert texts(["b.png", "a.png"], ["of a", "of b"]) == ["of b", "of a"]
    with pytest.raises(DataError, match=r"2 of 3 images have no caption: image 1, image 2"):
        texts(["image 0", "image 1", "image 2"], ["one"])
    for names in (["1.png", "2.png"], ["a.png", "b0.png"], ["a.png"], ["a/0.png", "b/0.png"]):
        with pytest.raises(DataError, match="cannot be told"):
            texts(names, ["one", "two"])
