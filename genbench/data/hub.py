"""Image datasets of the Hugging Face hub: `hf://name[:split]`. The encoded files are read; decoding is ours."""

from __future__ import annotations

import os
from typing import Any

from genbench import files
from genbench.data.base import BadImageError, ImageSource
from genbench.errors import DataError, SetupError, missing_extra

PREFIX = "hf://"


class HubSource(ImageSource):
    """The images of the first image column of one split; without a split, "train"."""

    def __init__(self, address: str) -> None:
        name, _, split = address.removeprefix(PREFIX).partition(":")
        split = split or "train"
        # owner and name; a local folder, which `datasets` reads as well, has a longer path that is nobody's business
        super().__init__(name=f"{PREFIX}{'/'.join(name.split('/')[-2:])}:{split}", kind="hub")
        self._rows, self._column = _load(name, split)

    def __len__(self) -> int:
        return len(self._rows)

    def item_name(self, index: int) -> str:
        return f"image {index}"

    def read(self, index: int) -> bytes:
        stored = self._rows[index][self._column]
        if stored is None:
            raise BadImageError("E-BAD-IMAGE", "the row has no image")
        if stored["bytes"] is not None:
            return bytes(stored["bytes"])
        try:
            with open(stored["path"], "rb") as file:
                return file.read()
        except OSError as error:
            raise BadImageError("E-BAD-IMAGE", f"cannot be read ({error.strerror})") from error


def _load(name: str, split: str) -> tuple[Any, str]:
    """The rows, with images left encoded, and the name of the image column."""
    if files.offline():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # `datasets` reads it when it is imported
    try:
        import datasets
    except ImportError as error:
        raise missing_extra("datasets", "hub") from error
    try:
        rows = datasets.load_dataset(name, split=split)
    except Exception as error:  # its errors have no common base: offline, no such dataset, no such split, gated, disk full
        hint = "check the name and split on the hub; offline, fetch it once while connected"
        raise SetupError("E-HUB", f"cannot load {PREFIX}{name}:{split}: {error}", hint=hint) from error
    columns = [column for column, feature in rows.features.items() if isinstance(feature, datasets.Image)]
    if not columns:
        raise DataError("E-HUB", f"{PREFIX}{name} has no image column", hint=f"its columns: {', '.join(rows.features)}")
    # without the other columns a row costs only its image
    return rows.select_columns(columns[:1]).cast_column(columns[0], datasets.Image(decode=False)), columns[0]
