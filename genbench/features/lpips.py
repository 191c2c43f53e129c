"""`lpips`: images as the vectors whose squared Euclidean distance is LPIPS.

    φ(x) = ( x̂_lchw · (w_lc / (H_l W_l))^½ ) over layers l, channels c and places h, w;    |φ(x) - φ(y)|² = LPIPS(x, y)

where x̂ are a layer's features divided by their length in each place, and w the published weights of the channels, none of
them negative. Source: Zhang et al. 2018, https://arxiv.org/abs/1801.03924, equation 1, version 0.1 of the authors' weights.
Agrees with the package lpips 0.1.4 to 1e-5 (tests/parity/test_paired_parity.py); torchmetrics puts its guard against a
division by zero elsewhere and differs in the last digits.

Images are uint8, and their way to [-1, 1] is in here: LPIPS of images that someone left in [0, 1] is a number, too, and wrong.
They are not resized.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from genbench import files
from genbench.assets import Asset, fetch
from genbench.errors import DataError, SetupError, UsageError
from genbench.features import vgg16
from genbench.features._precision import WEIGHT_DTYPE, computing, convert_convolutions
from genbench.features._weights import load_weights
from genbench.features.base import FeatureExtractor, Precision
from genbench.images import to_float

SHIFT = (-0.030, -0.088, -0.188)  # of the authors' scaling layer, for images in [-1, 1]
SCALE = (0.458, 0.448, 0.450)
CPU_CHUNK = 8  # images at a time on a CPU, however large the batch


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A classifier of torchvision, by its name there.

    taps: layer of its `features` -> channels, where the maps are taken, each after a ReLU.
    least: pixels of the shortest side that leave something after the last pooling.
    """

    torchvision: str
    weights: Asset
    taps: dict[int, int]
    least: int


BACKBONES = {
    "alex": Backbone(
        torchvision="alexnet",
        weights=Asset(
            name="alexnet-owt-7be5be79.pth",
            urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
            sha256="7be5be79",  # here and below, the prefix in the published name
            megabytes=244,
        ),
        taps={1: 64, 4: 192, 7: 384, 9: 256, 11: 256},
        least=31,
    ),
    "vgg": Backbone(
        torchvision="vgg16",
        weights=vgg16.WEIGHTS,
        taps={3: 64, 8: 128, 15: 256, 22: 512, 29: 512},
        least=16,
    ),
    "squeeze": Backbone(
        torchvision="squeezenet1_1",
        weights=Asset(
            name="squeezenet1_1-b8a52dc0.pth",
            urls=("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",),
            sha256="b8a52dc0",
            megabytes=5,
        ),
        taps={1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512},
        least=17,
    ),
}


class LPIPS(FeatureExtractor):
    """uint8 (N, 3, H, W) -> "stack" (N, D); D follows from the size of the images and is in no table.

    For 256x256 pixels D is 0.6 million of `alex`, 8.0 million of `vgg`, 2.2 million of `squeeze`: four bytes each, so that
    whole sets of images are not for keeping. Vectors of images of two sizes cannot be compared.
    """

    layers: ClassVar = {"stack": 0}
    inputs: ClassVar = tuple(BACKBONES)
    download: ClassVar = True

    def __init__(
        self,
        network: nn.Sequential,
        heads: list[Tensor],
        *,
        input: str,
        precision: Precision,
        weights_sha256: str,
        heads_sha256: str,
    ) -> None:
        """network: the backbone's layers up to its last tap. heads: (C,) of each tap, not negative."""
        super().__init__(
            input=input,
            precision=precision,
            weights_sha256=weights_sha256,
            preprocess=f"x/127.5-1,(x-shift)/scale,{input},heads-0.1-{heads_sha256[:8]}",
        )
        self.network = network
        self.taps = BACKBONES[input].taps
        self.least = BACKBONES[input].least
        self.register_buffer("shift", torch.tensor(SHIFT).view(-1, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(-1, 1, 1))
        for tap, head in zip(self.taps, heads, strict=True):
            self.register_buffer(f"root{tap}", head.sqrt().view(-1, 1, 1))
        convert_convolutions(network, precision)

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> LPIPS:
        """`weights` names a file of the backbone; the channels' weights are in the package lpips."""
        backbone = BACKBONES[input]
        heads_path = _heads_path(input)
        heads = _heads(heads_path, backbone)
        path, sha256 = fetch(backbone.weights, weights=weights)
        network = _network(backbone, path)
        heads_sha256 = files.sha256(heads_path)
        return cls(network, heads, input=input, precision=precision, weights_sha256=sha256, heads_sha256=heads_sha256).eval()

    def width(self, layer: str) -> int:
        """Raises UsageError: the number of features depends on the size of the images."""
        raise UsageError(
            "E-WIDTH",
            f"lpips has no fixed number of features in {layer}: each place of an image has its own",
            hint="measure pairs of images with it; distances between sets take an extractor that pools, such as inception",
        )

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """{"stack": (N, D) float32} of uint8 images (N, 3, H, W), without gradients.

        Raises UsageError for floats, DataError for images too small for the network.
        """
        self._check(images)
        with computing(self.identity.precision, images.device):
            chunks = images.split(CPU_CHUNK if images.is_cpu else len(images))
            stack = torch.cat([torch.cat(list(self._parts(chunk)), 1) for chunk in chunks])
        return dict.fromkeys(layers, stack)

    def _check(self, images: Tensor) -> None:
        if images.dtype != torch.uint8:
            raise UsageError(
                "E-DTYPE",
                f"lpips takes uint8 images in [0, 255], not {images.dtype}: the range of floats would be a guess",
                hint="genbench.images.to_uint8 converts floats in [-1, 1]",
            )
        height, width = images.shape[2:]
        if min(height, width) < self.least:
            least, name = self.least, self.input
            raise DataError(
                "E-SIZE",
                f"the network {name} of lpips needs images of at least {least}x{least} pixels, these are {width}x{height}",
                hint="enlarge the images, both sides of each pair alike",
            )

    def _parts(self, images: Tensor) -> Iterator[Tensor]:
        """The part of φ that each tap gives: (N, C H W) float32."""
        x = (to_float(images) - self.get_buffer("shift")) / self.get_buffer("scale")
        x = x.to(WEIGHT_DTYPE[self.identity.precision], memory_format=torch.channels_last)
        for index, layer in enumerate(self.network):
            x = layer(x)
            if index in self.taps:
                root = self.get_buffer(f"root{index}") / (x.shape[2] * x.shape[3]) ** 0.5
                yield (_unit(x.float()) * root).flatten(1)


def _unit(x: Tensor) -> Tensor:
    """(N, C, H, W), each place divided by the length of its C values; the guard is the authors'."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _network(backbone: Backbone, path: Path) -> nn.Sequential:
    """The layers up to the last tap, with the weights in `path`."""
    from torchvision import models

    with torch.device("meta"):  # no numbers are drawn that the file's replace
        whole = models.get_model(backbone.torchvision, weights=None)
    whole.to_empty(device="cpu")
    load_weights(whole, path, hint=f"needed is {backbone.weights.urls[0]}")
    return whole.features[: max(backbone.taps) + 1]


def _heads_path(name: str) -> Path:
    """Where the package lpips keeps its weights; the package itself is not imported."""
    package = importlib.util.find_spec("lpips")
    if package is None or not package.submodule_search_locations:
        raise SetupError(
            "E-EXTRA", "LPIPS needs the weights in the package lpips, which is not installed", hint="pip install lpips==0.1.4"
        )
    return Path(package.submodule_search_locations[0]) / "weights" / "v0.1" / f"{name}.pth"


def _heads(path: Path, backbone: Backbone) -> list[Tensor]:
    """(C,) of each tap. Raises SetupError for a negative weight, of which there is no root."""
    # Parameters named as in the published files: lin0.model.1.weight, ...
    network = nn.ModuleDict(
        {
            f"lin{number}": nn.ModuleDict({"model": nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))})
            for number, channels in enumerate(backbone.taps.values())
        }
    )
    load_weights(network, path, hint="pip install lpips==0.1.4")
    heads = [head.detach().flatten() for head in network.parameters()]
    if any((head < 0).any() for head in heads):
        raise SetupError("E-WEIGHTS", f"{path} has negative weights, so that LPIPS would be no distance")
    return heads
