"""`vgg16`: VGG16 trained on ImageNet, the network of improved precision and recall (`prdc@vgg16:k3`).

Sources: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556; Kynkäänniemi et al. 2019,
https://arxiv.org/abs/1904.06991, section 2, for the layer. The weights are torchvision's IMAGENET1K_V1, and images come to
224x224 as torch-fidelity 0.4.0 brings them there (tests/parity/test_paired_parity.py). Kynkäänniemi's own numbers were made
with another copy of the weights and another resize.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from genbench.assets import Asset, fetch
from genbench.features._precision import WEIGHT_DTYPE, computing, convert_convolutions
from genbench.features._tf1_resize import tf1_bilinear
from genbench.features._weights import load_weights
from genbench.features.base import FeatureExtractor, Precision

SIZE = 224  # pixels of each side that the network sees
CPU_CHUNK = 8  # images at a time on a CPU, however large the batch: the first maps have 13 MB per image
MEAN = (0.485, 0.456, 0.406)  # ImageNet's, of images in [0, 1]
STD = (0.229, 0.224, 0.225)

WEIGHTS = Asset(
    name="vgg16-397923af.pth",
    urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    sha256="397923af",  # the prefix in the published name
    megabytes=553,
)


def preprocess(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, 224, 224), normalised by ImageNet's mean and standard deviation."""
    mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1).mul_(255) for values in (MEAN, STD))
    return tf1_bilinear(images, SIZE).sub_(mean).div_(std)


class VGG16(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool" (N, 4096), the second linear layer after its ReLU, and "logits" (N, 1000)."""

    layers: ClassVar = {"pool": 4096, "logits": 1000}
    inputs: ClassVar = ("tf",)
    download: ClassVar = True

    def __init__(
        self, convolutions: nn.Sequential, classifier: nn.Sequential, *, precision: Precision, weights_sha256: str
    ) -> None:
        """Of torchvision's network its `features` and its `classifier`; the pool between them does nothing at 224x224."""
        super().__init__(
            input="tf",
            precision=precision,
            weights_sha256=weights_sha256,
            preprocess="tf1-bilinear-224,(x/255-mean)/std",
        )
        self.convolutions = convolutions
        self.classifier = classifier
        convert_convolutions(convolutions, precision)

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> VGG16:
        from torchvision.models import vgg16

        path, sha256 = fetch(WEIGHTS, weights=weights)
        with torch.device("meta"):  # 138 million numbers that need not be drawn, as the file's replace them
            network = vgg16(weights=None, init_weights=False)
        network.to_empty(device="cpu")
        load_weights(network, path, hint=f"needed is {WEIGHTS.urls[0]}")
        return cls(network.features, network.classifier, precision=precision, weights_sha256=sha256).eval()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The asked layers of uint8 images (N, 3, H, W): float32, without gradients."""
        layers = tuple(layers)
        with computing(self.identity.precision, images.device):
            parts = [self._vectors(part) for part in images.split(CPU_CHUNK if images.is_cpu else len(images))]
        return {layer: torch.cat([part[layer] for part in parts]) for layer in layers}

    def _vectors(self, images: Tensor) -> dict[str, Tensor]:
        with computing("fp32", images.device):
            x = preprocess(images)
        x = x.to(WEIGHT_DTYPE[self.identity.precision], memory_format=torch.channels_last)
        x = self.convolutions(x).flatten(1).float()  # (N, 25088)
        pool = self.classifier[:5](x)
        return {"pool": pool, "logits": self.classifier[5:](pool)}
