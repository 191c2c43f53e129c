"""CLIPScore against torchmetrics 1.9.0, which is given a small open_clip 3.3 network of random weights; no download."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genbench.features import clip
from genbench.features.clip import VARIANTS, Clip, Variant
from genbench.metrics import clip_score

pytestmark = pytest.mark.parity

SMALL = Variant(
    width=32, size=64, patch=16, depth=2, channels=64, text_depth=2, text_channels=64, weights=VARIANTS["b32"].weights
)
TEXTS = [f"a picture of {number} dogs and a cat" for number in range(40)]


class Given(nn.Module):
    """A network as torchmetrics asks for it: transformers' names."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.config = SimpleNamespace()

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        return self.network.encode_image(pixel_values)

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.network.encode_text(input_ids)


class Processor:
    """Pictures and texts -> what the network takes, by the same preparation as ours."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, *, images: Any = None, text: Any = None, **_: Any) -> dict[str, Tensor]:
        if images is not None:
            return {"pixel_values": clip.preprocess(torch.stack(images), SMALL.size)}
        tokens = self.tokenizer(text)
        return {"input_ids": tokens, "attention_mask": (tokens > 0).long()}


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Clip:
    monkeypatch.setitem(VARIANTS, "small", SMALL)
    torch.manual_seed(0)
    return Clip(SMALL.network().eval(), input="small", precision="fp32", weights_sha256="none").eval()


@pytest.mark.parametrize("sign", [1, -1])
def test_clip_score(extractor: Clip, sign: int) -> None:
    """Both where the mean is positive and where it is negative and becomes 0."""
    functional = pytest.importorskip("torchmetrics.functional.multimodal.clip_score")
    images = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        extractor.network.text_projection.mul_(sign)
        theirs = functional.clip_score(list(images), TEXTS, lambda: (Given(extractor.network), Processor(extractor.tokenizer)))
    ours = clip_score.compute(
        images=extractor(images, ["pool"])["pool"],
        captions=TEXTS,
        embed=extractor.embed_text,
        **clip_score.metric.protocols["x100"],
    )["clip_score"]
    assert float(ours) == pytest.approx(float(theirs), abs=1e-3)


def test_the_two_signs_are_a_test(extractor: Clip) -> None:
    images = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = extractor(images, ["pool"])["pool"]
    raw = clip_score.compute(images=features, captions=TEXTS, embed=extractor.embed_text, **clip_score.metric.protocols["raw"])
    assert abs(float(raw["clip_score"])) > 0.01
