"""What images were asked to show: captions from files that may come from anyone, and which image each belongs to."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from genbench import catalog
from genbench.data.names import SUFFIXES, byte_order, printable
from genbench.errors import DataError, UsageError

NAMES = ("name", "file_name", "image")  # of the column, or the key, that says which image
CAPTIONS = ("caption", "text", "prompt")
REFERENCES = "references"
BETWEEN = "|"  # references in one column of a CSV
MAX_FILE = 1 << 28  # bytes of a file with all captions
MAX_CAPTION = 20_000  # characters
HINT = f"a caption needs a name ({', '.join(NAMES)}) and a text ({', '.join(CAPTIONS)}); {REFERENCES} may be there or not"


@dataclass(frozen=True)
class Captioned:
    """What an image was asked to show; references: other captions that say the same."""

    caption: str
    references: tuple[str, ...] = ()


Captions = Mapping[str, Captioned] | Sequence[Captioned]  # by the name of the image, or in the order of the images


def read_captions(spec: Any) -> Captions:
    """The captions that `spec` names or is:

    a .csv file with a header; a .jsonl file, one object a line, whose references are a list; a folder with a .txt for each
    image, named as the image, all of its text being the caption; a named set with captions, "shapes/test", in the order of its
    images; a mapping of names to captions; a list in the order of the images.

    Raises UsageError for a spec that means nothing, DataError for what cannot be read as captions: the message says where.
    """
    if isinstance(spec, (str, Path)):
        path = Path(spec).expanduser()
        return _from_path(path) if path.exists() else _from_named_set(spec)
    if isinstance(spec, Mapping):
        return {str(name): _captioned(value, f"of {name}") for name, value in spec.items()}
    if isinstance(spec, Iterable):
        return [_captioned(value, f"number {position}") for position, value in enumerate(spec)]
    hint = "give a .csv or .jsonl file, a folder of .txt files, a named set such as shapes/test, a mapping or a list"
    raise UsageError("E-CAPTIONS", f"{type(spec).__name__} is nothing that holds captions", hint=hint)


def captions_for(names: Sequence[str], captions: Captions) -> list[Captioned]:
    """The caption of each image, in the order of `names`.

    By name: a caption belongs to the image of the same relative name; else of the same name but for the suffix; else of the
    same name but for the suffix and the folders. In order: to the image whose name ends with its number, counted from 0, as
    000000.png and "image 0"; where no name ends with a number, to the image at its place in the byte order of the names.

    Raises DataError where an image has no caption, several, or one that another image has too. Captions of no image are left.
    """
    return _by_name(names, captions) if isinstance(captions, Mapping) else _by_order(names, captions)


def _from_path(path: Path) -> dict[str, Captioned]:
    if path.is_dir():
        pairs = _sidecars(path.resolve())
    elif path.suffix.lower() == ".csv":
        pairs = _rows(_text(path, path.name), path.name)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        pairs = _lines(_text(path, path.name), path.name)
    else:
        hint = "give a .csv or a .jsonl file, or a folder with a .txt for each image"
        raise UsageError("E-CAPTIONS", f"{path.name} is no file of captions", hint=hint)
    found: dict[str, Captioned] = {}
    for where, name, captioned in pairs:
        if name in found:
            raise DataError("E-CAPTIONS", f"{where} is a second caption of {printable(name)}", hint="keep one for each image")
        found[name] = captioned
    if not found:
        raise DataError("E-CAPTIONS", f"{path.name} holds no captions", hint=HINT)
    return found


def _from_named_set(spec: str | Path) -> list[Captioned]:
    name, _, split = str(spec).partition("/")
    if name not in catalog.names("datasets"):
        raise DataError("E-NO-PATH", f"no file or folder of captions, and no dataset: {spec}", hint="check the spelling")
    dataset = catalog.find("datasets", name)()
    if "captions" not in dataset.holds:
        raise UsageError("E-CAPTIONS", f"the dataset {name} has no captions", hint="shapes has some")
    return [Captioned(caption) for caption in dataset.captions(dataset.checked(split) if split else dataset.splits[0])]


Found = Iterator[tuple[str, str, Captioned]]  # where it is written, the image's name, what it says


def _rows(text: str, file: str) -> Found:
    """Of a CSV. Its first row says what the columns are."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if not header:
            raise DataError("E-CAPTIONS", f"{file} is empty", hint=HINT)
        if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
            raise DataError(
                "E-CAPTIONS", f"{file} separates its columns otherwise than with commas", hint="save it with commas"
            )
        name, caption = _one_of(NAMES, header, f"the header of {file}"), _one_of(CAPTIONS, header, f"the header of {file}")
        for row in reader:
            where = f"{file}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                hint = 'put texts with commas between double quotes, and write a double quote inside twice: ""'
                raise DataError("E-CAPTIONS", f"{where}: {len(row)} fields under {len(header)} columns", hint=hint)
            fields = dict(zip(header, row, strict=True))
            references = [reference.strip() for reference in fields.get(REFERENCES, "").split(BETWEEN)]
            yield (
                where,
                _name(fields[name], where),
                _captioned(Captioned(fields[caption], tuple(filter(None, references))), where),
            )
    except csv.Error as error:
        raise DataError("E-CAPTIONS", f"{file}, line {reader.line_num}: {error}", hint="write it with a CSV writer") from error


def _lines(text: str, file: str) -> Found:
    """Of JSON lines."""
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: captions may hold other separators
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError("E-CAPTIONS", f"{where} is no JSON: {error}", hint="write one object on each line") from error
        if not isinstance(entry, dict):
            raise DataError("E-CAPTIONS", f"{where} is no JSON object", hint=HINT)
        name, caption = _one_of(NAMES, entry, where), _one_of(CAPTIONS, entry, where)
        references = entry.get(REFERENCES) or []
        if not isinstance(references, list):
            raise DataError("E-CAPTIONS", f"{where}: {REFERENCES} is no list", hint='write "references": ["...", "..."]')
        yield where, _name(entry[name], where), _captioned(Captioned(entry[caption], tuple(references)), where)


def _sidecars(root: Path) -> Found:
    """Of a folder: each .txt in it and below, but for hidden ones and links that lead out of it."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            path = Path(folder, file)
            if file.startswith(".") or path.suffix.lower() != ".txt" or not path.resolve().is_relative_to(root):
                continue
            name = path.relative_to(root).as_posix()
            yield name, name[: -len(".txt")], _captioned(_text(path, name), printable(name))


def _text(path: Path, name: str) -> str:
    """The content of a file, as UTF-8 with or without a byte order mark."""
    name = printable(name)
    try:
        if not path.is_file():
            raise DataError("E-CAPTIONS", f"{name} is no ordinary file", hint="give a .csv or a .jsonl file, or a folder")
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise DataError("E-CAPTIONS", f"{name} cannot be read: {error.strerror}", hint="check its permissions") from error
    if len(content) > MAX_FILE:
        raise DataError("E-CAPTIONS", f"{name} has more than {MAX_FILE >> 20} MB", hint="captions are shorter than that")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError("E-CAPTIONS", f"{name}, line {line} is not UTF-8", hint="save it as UTF-8") from error


def _one_of(names: Sequence[str], given: Collection[str], where: str) -> str:
    """The one of `names` that is given, once."""
    found = [name for name in given if name in names]
    if len(found) != 1:
        what = f"has {' and '.join(found)}" if found else f"has none of {', '.join(names)}"
        there = printable(", ".join(map(str, given)))[:80] or "nothing"
        raise DataError("E-CAPTIONS", f"{where} {what}; there is: {there}", hint=HINT)
    return found[0]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError("E-CAPTIONS", f"{where}: the name of the image is empty or no text", hint=HINT)
    return value.strip().removeprefix("./")


def _captioned(value: Any, where: str) -> Captioned:
    """A caption, or one with references, checked; spaces around are taken off."""
    given = value if isinstance(value, Captioned) else Captioned(value)
    texts = [text.strip() if isinstance(text, str) else "" for text in (given.caption, *given.references)]
    if not all(texts):
        raise DataError("E-CAPTIONS", f"{where}: a caption is empty or no text", hint="each image needs its text")
    if max(map(len, texts)) > MAX_CAPTION:
        raise DataError("E-CAPTIONS", f"{where}: a caption has more than {MAX_CAPTION} characters", hint="is a quote missing?")
    return Captioned(texts[0], tuple(texts[1:]))


def _by_name(names: Sequence[str], captions: Mapping[str, Captioned]) -> list[Captioned]:
    by_form: list[dict[str, list[str]]] = [{}, {}, {}]
    for key in captions:
        for forms, form in zip(by_form, _forms(printable(key)), strict=True):
            forms.setdefault(form, []).append(key)
    chosen = [_key(name, by_form) for name in names]
    unused = sorted(captions.keys() - set(chosen), key=byte_order)
    _refuse_missing([name for name, key in zip(names, chosen, strict=True) if key is None], len(names), unused)
    owner: dict[str, str] = {}
    for name, key in zip(names, map(str, chosen), strict=True):
        if key in owner:
            message = f"the caption of {printable(key)} is both of {owner[key]} and of {name}"
            raise DataError("E-CAPTIONS", message, hint="name every image as it is called, with its folders")
        owner[key] = name
    return [captions[key] for key in owner]


def _key(name: str, by_form: Sequence[Mapping[str, Sequence[str]]]) -> str | None:
    """The caption's name that fits an image best."""
    for forms, form in zip(by_form, _forms(name), strict=True):
        keys = forms.get(form, ())
        if len(keys) > 1:
            message = f"{name} may be meant by {' and by '.join(printable(key) for key in keys[:3])}"
            raise DataError("E-CAPTIONS", message, hint="name every image as it is called, with its folders")
        if keys:
            return keys[0]
    return None


def _forms(name: str) -> tuple[str, str, str]:
    """A name, without the suffix of an image, and that without folders."""
    path = PurePosixPath(name)
    plain = str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else name
    return name, plain, plain.rpartition("/")[2]


def _by_order(names: Sequence[str], captions: Sequence[Captioned]) -> list[Captioned]:
    numbers = [re.search(r"[0-9]{1,18}$", _forms(name)[2]) for name in names]
    found = [int(number[0]) for number in numbers if number]
    if not found and len(names) == len(captions):
        place = {name: position for position, name in enumerate(sorted(names, key=byte_order))}
        return [captions[place[name]] for name in names]
    if len(found) != len(names) or len(set(found)) != len(found) or (found and 0 not in found):
        raise DataError(
            "E-CAPTIONS",
            f"which of {len(captions)} captions in order belongs to which of {len(names)} images cannot be told",
            hint="number the images from 0 on, 000000.png and so on, or give a .csv of names and captions",
        )
    _refuse_missing([name for name, number in zip(names, found, strict=True) if number >= len(captions)], len(names), ())
    return [captions[number] for number in found]


def _refuse_missing(missing: Sequence[str], of: int, unused: Sequence[str]) -> None:
    if missing:
        message = f"{len(missing)} of {of} images have no caption: {_few(missing)}"
        hint = f"{len(unused)} captions have no image: {_few(unused)}" if unused else "give one for each image"
        raise DataError("E-CAPTIONS", message, hint=hint)


def _few(names: Sequence[str]) -> str:
    return ", ".join(printable(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
