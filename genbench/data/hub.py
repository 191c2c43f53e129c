"""A dataset of the Hugging Face hub: `hf://name[:split]`, `hf://owner/name:test`. Needs the extra `hub`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from genbench.data.base import ImageSource
from genbench.errors import DataError, SetupError, missing_extra
from genbench.files import offline

PREFIX = "hf://"


class HubDataset(ImageSource):
    """The first column of images, as the bytes that were uploaded; they are decoded here, as everywhere."""

    kind = "hub"

    def __init__(self, spec: str) -> None:
        self.name, self.ignored = spec, Counter()
        path, _, split = spec.removeprefix(PREFIX).partition(":")
        if offline():
            os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"  # read when the package is imported
        try:
            from datasets import Image, load_dataset
        except ImportError:
            raise missing_extra("datasets", "hub") from None
        try:
            rows = load_dataset(path, split=split or "train")
        except Exception as error:  # the package raises errors of its own, of the hub's client and of the network
            hint = "check the name and the split; offline, the dataset must be in the package's cache already"
            raise SetupError("E-HUB", f"{spec} cannot be loaded: {error}", hint=hint) from error
        columns = [name for name, feature in rows.features.items() if isinstance(feature, Image)]
        if not columns:
            raise DataError("E-HUB", f"{spec} has no column of images, only {', '.join(rows.features)}")
        self.column = columns[0]
        self.rows = rows.select_columns(columns[:1]).cast_column(self.column, Image(decode=False))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> bytes:
        item = self.rows[index][self.column]
        return item["bytes"] if item["bytes"] is not None else Path(item["path"]).read_bytes()
