"""Shapes: one or two coloured objects on grey grounds, 16x16, drawn in code, with everything that any task needs.

Labels, captions, label and edge maps, a second domain ("night") and videos come with the pictures, and a parser reads
captions back from pixels, so that how well a text-to-image model obeys is counted, not judged by a network.

Classes are shape and colour of the main object, 24 of them: enough that a model must use its label, each one visible, and
the parser tells whether a sample has the class it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genbench.batch import DataSpec, Examples
from genbench.data.arrays import ArraySource
from genbench.data.base import Policy
from genbench.data.sets import _draw, _scene
from genbench.data.sets._parse import parse
from genbench.data.sets._scene import Description, Scenes
from genbench.data.sets.base import NamedDataset

FRAMES = 8


class Shapes(NamedDataset):
    """Image i of a split depends on the split and on i alone; shapes32 draws the same scenes at twice the resolution.

    Task "text" brings captions; "paired" the same scene at night as the source; "unpaired" other scenes at night, none of
    which is among the images; "video" captions and, as images, videos whose first frame is the still picture.
    """

    title = "Shapes drawn in code, with captions, pairs and videos"
    size = (16, 16)
    classes = _scene.CLASSES
    words = _scene.WORDS
    holds = ("captions", "sources", "videos")
    homepage = ""
    counts: ClassVar[Mapping[str, int]] = {"train": 4096, "test": 1024}

    @classmethod
    def spec(cls, task: str = "unconditional") -> DataSpec:
        captions = task in ("text", "video")
        return DataSpec(
            channels=3,
            height=cls.size[0],
            width=cls.size[1],
            classes=len(cls.classes),
            vocabulary=len(cls.words) if captions else 0,
            caption_length=_scene.CAPTION_LENGTH if captions else 0,
            source_channels=3 if task in ("paired", "unpaired") else 0,
            frames=FRAMES if task == "video" else 0,
        )

    def images(self, split: str) -> ArraySource:
        pixels = torch.from_numpy(_draw.draw(self.scenes(split), self.size[0]))
        return ArraySource(pixels, Policy(), name=f"{self.name()}/{split}", kind="dataset")

    def labels(self, split: str) -> NDArray[np.int64]:
        return self.scenes(split).labels()

    def captions(self, split: str) -> list[str]:
        """In the order of `images`."""
        return [str(description.caption) for description in self.scenes(split).descriptions()]

    def label_maps(self, split: str) -> Tensor:
        """uint8 (N, 1, H, W): 0 for the ground, 1 + class for an object."""
        return torch.from_numpy(_draw.label_map(self.scenes(split), self.size[0]))

    def edge_maps(self, split: str) -> Tensor:
        """uint8 (N, 1, H, W): outlines of the objects, white on black."""
        return torch.from_numpy(_draw.edge_map(self.scenes(split), self.size[0]))

    def examples(self, split: str, task: str = "unconditional", *, image_size: int | None = None) -> Examples:
        self.refuse_other_size(image_size)
        scenes, size = self.scenes(split), self.size[0]
        images = _draw.video(scenes, size, FRAMES) if task == "video" else _draw.draw(scenes, size)
        at_night = {"paired": self.scenes, "unpaired": self.other_scenes}.get(task)
        return Examples(
            images=torch.from_numpy(images),
            labels=torch.from_numpy(scenes.labels()),
            captions=self.tokens(self.captions(split)) if task in ("text", "video") else None,
            sources=None if at_night is None else torch.from_numpy(_draw.night(_draw.draw(at_night(split), size))),
        )

    def scenes(self, split: str) -> Scenes:
        """What the images show."""
        return _scene.scenes(split, range(self.counts[split]))

    def other_scenes(self, split: str) -> Scenes:
        """As many that no image shows: where the sources of unpaired training come from."""
        return _scene.scenes(split, range(self.counts[split], 2 * self.counts[split]))

    @staticmethod
    def tokens(captions: Iterable[str]) -> Tensor:
        """(N, L) int64 ids; raises UsageError for a word that is not in `words`."""
        return torch.from_numpy(_scene.tokens(captions))

    @staticmethod
    def night(images: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) by day -> at night: the right answer of an image-to-image model."""
        return torch.from_numpy(_draw.night(images.numpy()))

    @staticmethod
    def day(images: Tensor) -> Tensor:
        """The way back from `night`, to within 2 levels."""
        return torch.from_numpy(_draw.day(images.numpy()))

    @staticmethod
    def understand(caption: str) -> Description:
        """What a caption of this dataset asks for. Raises UsageError for other texts."""
        return Description.from_caption(caption)

    @staticmethod
    def describe(images: Tensor) -> list[Description]:
        """What uint8 (N, 3, H, W) pictures by day show; `caption` and `label` of each are None where that is not clear."""
        return parse(images.numpy())
