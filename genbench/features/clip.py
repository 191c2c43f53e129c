"""`clip`: OpenAI's CLIP, pictures and texts in one space; CLIPScore, CLIP-FID and CMMD are defined on it.

Source: Radford et al. 2021, https://arxiv.org/abs/2103.00020. The network is open_clip's, the weights are OpenAI's, computed
in float32. Pictures come to the network as OpenAI's code brings them, bit by bit: Pillow's bicubic filter until the shorter
side fits, then the middle. Features are as the projections give them, not of unit length: metrics normalise.

Variants: `b32` is ViT-B/32, which Hessel's CLIPScore and clean-fid's CLIP-FID use; `l14` is ViT-L/14, torchmetrics' default;
`l14-336` is ViT-L/14 on 336 pixels. `l14-336-square` is the same network with the preparation of CMMD's code: the middle square
is cut out first and then resized, so on pictures that are not square its pixels differ by rounding and at the edges.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from genbench.assets import Asset, Fetched, fetch
from genbench.errors import SetupError, UsageError
from genbench.features._pillow import resize, shorter_side
from genbench.features._precision import computing
from genbench.features._weights import put_weights, read_weights
from genbench.features.base import FeatureExtractor, Precision

if TYPE_CHECKING:
    from open_clip import CLIP

CPU_CHUNK = 16  # images at a time on a CPU, however large the batch
TEXTS = 256  # at a time
CONTEXT = 77  # tokens of a text with its start and its end; longer texts are cut
VOCABULARY = 49_408
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of red, green and blue in [0, 1], and their spread, as published
STD = (0.26862954, 0.26130258, 0.27577711)
ATTRIBUTES = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's files hold beside the weights


def _published(name: str, sha256: str, megabytes: int) -> Asset:
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{name}"
    return Asset(name=f"clip-{name}", urls=(url,), sha256=sha256, megabytes=megabytes)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A network of the paper's Table 20: a vision transformer (depth, channels, patches) beside one for text.

    width: features of a picture or a text. size: pixels of each side that the network sees. Heads have 64 channels.
    square_first: whether a picture is cut to its middle square before it is resized.
    """

    width: int
    size: int
    patch: int
    depth: int
    channels: int
    text_depth: int
    text_channels: int
    weights: Asset
    square_first: bool = False

    def network(self) -> CLIP:
        """With random weights."""
        from open_clip import CLIP, CLIPTextCfg, CLIPVisionCfg

        return CLIP(
            self.width,
            CLIPVisionCfg(layers=self.depth, width=self.channels, patch_size=self.patch, image_size=self.size),
            CLIPTextCfg(
                context_length=CONTEXT,
                vocab_size=VOCABULARY,
                layers=self.text_depth,
                width=self.text_channels,
                heads=self.text_channels // 64,
            ),
            quick_gelu=True,  # x * sigmoid(1.702 x), with which OpenAI trained
        )


VARIANTS = {
    "b32": Variant(
        width=512,
        size=224,
        patch=32,
        depth=12,
        channels=768,
        text_depth=12,
        text_channels=512,
        weights=_published("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 354),
    ),
    "l14": Variant(
        width=768,
        size=224,
        patch=14,
        depth=24,
        channels=1024,
        text_depth=12,
        text_channels=768,
        weights=_published("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 933),
    ),
    "l14-336": Variant(
        width=768,
        size=336,
        patch=14,
        depth=24,
        channels=1024,
        text_depth=12,
        text_channels=768,
        weights=_published("ViT-L-14-336px.pt", "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02", 934),
    ),
}
VARIANTS["l14-336-square"] = replace(VARIANTS["l14-336"], square_first=True)


def preprocess(images: Tensor, size: int, *, square_first: bool = False) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, size, size): the middle of the resized picture, normalised channel by channel."""
    if square_first:
        images = _middle_square(images)
    x = resize(images, shorter_side(images, size), (size, size)).float().div_(255)
    mean, std = (torch.tensor(numbers, device=x.device).view(3, 1, 1) for numbers in (MEAN, STD))
    return x.sub_(mean).div_(std)


def _middle_square(images: Tensor) -> Tensor:
    """(N, C, S, S) of (N, C, H, W); an odd pixel too many is left out at the end."""
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side]


class Clip(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool", the picture's place in the space that it shares with texts."""

    layers: ClassVar = {"pool": 512}
    inputs: ClassVar = tuple(VARIANTS)
    download: ClassVar = True

    def __init__(self, network: CLIP, *, input: str, precision: Precision, weights_sha256: str) -> None:
        from open_clip import SimpleTokenizer

        _refuse_bf16(precision)
        self.variant = VARIANTS[input]
        size = self.variant.size
        shape = (
            f"centre-square,pil-bicubic-uint8-{size}"
            if self.variant.square_first
            else f"pil-bicubic-uint8-{size}-shorter-side,centre-crop"
        )
        super().__init__(
            input=input,
            precision=precision,
            weights_sha256=weights_sha256,
            preprocess=f"{input},{shape},x/255,clip-mean-std",
        )
        self.network = network
        self.tokenizer = SimpleTokenizer(context_length=CONTEXT)  # its table of words travels with open_clip

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> Clip:
        """`weights`: a file of OpenAI's, or a state dict of open_clip's network as .safetensors or as torch.save writes it."""
        _refuse_bf16(precision)  # before a long download
        variant = VARIANTS[input]
        found, hint = fetch(variant.weights, weights=weights), f"needed is {variant.weights.urls[0]}"
        state = _state(found, variant.weights, hint)
        network = variant.network()
        put_weights(network, {name: value for name, value in state.items() if name not in ATTRIBUTES}, found.path, hint=hint)
        return cls(network, input=input, precision=precision, weights_sha256=found.sha256).eval()

    def width(self, layer: str) -> int:
        return {"pool": self.variant.width}[layer]

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        with computing(self.identity.precision, images.device):
            parts = images.split(CPU_CHUNK if images.is_cpu else len(images))
            pictures = (preprocess(part, self.variant.size, square_first=self.variant.square_first) for part in parts)
            pool = torch.cat([self.network.encode_image(some) for some in pictures])
        return {layer: {"pool": pool}[layer] for layer in layers}

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """(T, D) float32 on the device of the network: where texts lie in the space of the pictures.

        Each is in lower case and cut after 77 tokens, of which the first and the last mark its start and its end.
        """
        device = self.network.token_embedding.weight.device
        texts = list(texts)
        with computing(self.identity.precision, device):
            parts = [
                self.network.encode_text(self.tokenizer(texts[start : start + TEXTS]).to(device))
                for start in range(0, len(texts), TEXTS)
            ]
            return torch.cat(parts) if parts else torch.empty(0, self.variant.width, device=device)


def _refuse_bf16(precision: Precision) -> None:
    if precision == "bf16":
        raise UsageError("E-PRECISION", "clip computes in fp32 or tf32 only", hint="leave --precision out, or use fp32")


def _state(found: Fetched, asset: Asset, hint: str) -> Mapping[str, Tensor]:
    """The weights in a file. OpenAI's are programs of TorchScript with weights inside, and only those are opened as such."""
    if not _is_torchscript(found.path):
        return read_weights(found.path, hint=hint)
    if found.sha256 != asset.sha256:
        raise SetupError(
            "E-WEIGHTS",
            f"{found.path} is a TorchScript program but not the published one: its sha256 is {found.sha256}",
            hint=f"{hint}; or give the weights alone, as a state dict",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # deprecated, and the only reader of such files
        return torch.jit.load(str(found.path), map_location="cpu").state_dict()


def _is_torchscript(path: Path) -> bool:
    """Whether a file is an archive with code in it, as torch.jit.save writes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())
