"""CIFAR-100: objects and animals of 100 kinds, 50,000 + 10,000, 32x32 colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genbench.data.sets._torchvision import TorchvisionDataset

NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree
wolf woman worm
"""


class CIFAR100(TorchvisionDataset):
    title = "CIFAR-100"
    size = (32, 32)
    classes = tuple(NAMES.split())
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    stored = "cifar-100-python"

    def open(self, root: Path, split: str, *, download: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR100(root, train=split == "train", download=download)
