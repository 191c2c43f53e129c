"""The networks and named references of this version, by what tells them from any other; known without loading any of them.

The classes of `genbench.features` hold the same; a test keeps the two equal. They import torch, and the check of a file of
results, which runs before every commit, does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from genbench import files
from genbench.evaluation.result import Extractor, Images

VERSION = 1  # of every network
OPENAI = {
    "b32": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    "l14": "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    "l14-336": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
}

# Network -> how images come to it (the beginning of the name) -> the hash of its weights, or what is published of it.
KNOWN: Mapping[str, Mapping[str, str]] = {
    "inception": {
        "tf1-bilinear-299,(x-128)/128": "6726825d",
        "torch-bilinear-299,2*(x/255)-1": "6726825d",
        "pil-bicubic-299-float,clip(0,255),(x-128)/128": "6726825d",
    },
    "clip": {
        "b32,pil-bicubic-uint8-224-shorter-side,centre-crop,x/255,clip-mean-std": OPENAI["b32"],
        "l14,pil-bicubic-uint8-224-shorter-side,centre-crop,x/255,clip-mean-std": OPENAI["l14"],
        "l14-336,pil-bicubic-uint8-336-shorter-side,centre-crop,x/255,clip-mean-std": OPENAI["l14-336"],
        "l14-336-square,centre-square,pil-bicubic-uint8-336,x/255,clip-mean-std": OPENAI["l14-336"],
    },
    "dinov2": {  # no hash is published
        "l14,pil-bicubic-uint8-224x224,x/255,imagenet-mean-std": "",
        "b14,pil-bicubic-uint8-224x224,x/255,imagenet-mean-std": "",
    },
    "lpips": {
        "x/127.5-1,(x-shift)/scale,alex,heads-0.1-": "7be5be79",
        "x/127.5-1,(x-shift)/scale,vgg,heads-0.1-": "397923af",
        "x/127.5-1,(x-shift)/scale,squeeze,heads-0.1-": "b8a52dc0",
    },
    "vgg16": {"tf1-bilinear-224,(x/255-mean)/std": "397923af"},
    "pixels": {"bilinear-antialias-8,x/127.5-1": "none"},
    "spectrum": {"luma-bt601,hann,levels": "none"},
    "tiny": {"bilinear-antialias-32,x/127.5-1": "its file travels with the package"},
}

# Names of values that no metric has without a network.
OF_FEATURES = frozenset(
    """
    authenticity c2st c_t class_kl classes_found clip_r_precision clip_score cmmd coverage density fd fd_gap fd_infinity
    feature_cosine feature_l2 fid fid_gap fid_infinity fld inception_score intra_fd intra_fid kd kid lpips mind mmd ndb ndb_js
    near_copies pairwise_lpips precision realism recall ref_clip_score sfid sharpness swd vendi w1
    """.split()
)


def difference(extractor: Extractor) -> str | None:
    """In what a recorded network differs from this version's of the same name; None for nothing."""
    known = KNOWN.get(extractor.extractor)
    if known is None:
        return f"extractor: {extractor.extractor} is none of this version's"
    if extractor.version != VERSION:
        return f"version: {extractor.extractor} has {extractor.version}, this version has {VERSION}"
    beginning = next((name for name in known if _same_preprocess(extractor, name)), None)
    if beginning is None:
        return f"preprocess: {extractor.preprocess} is none of {extractor.extractor}'s ways in this version"
    expected = _tiny() if extractor.extractor == "tiny" else known[beginning]
    if not extractor.weights_sha256.startswith(expected):
        return (
            f"weights_sha256: {extractor.weights_sha256[:12]}, and this version uses {expected[:12]} for {extractor.extractor}"
        )
    return None


def _same_preprocess(extractor: Extractor, name: str) -> bool:
    """LPIPS adds the hash of the heads, which another package brings."""
    return extractor.preprocess.startswith(name) if name.endswith("-") else extractor.preprocess == name


@cache
def _tiny() -> str:
    return files.sha256(Path(__file__).parent.parent / "features" / "tiny.safetensors")


@cache
def references() -> Mapping[str, Images]:
    """The named sets whose statistics travel with the package, by name: "digits/train"."""
    from safetensors import safe_open

    found = {}
    for path in sorted(files.package_data("reference_stats").glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            header = json.loads((file.metadata() or {})["genbench"])
        images = Images.model_validate(header["images"])
        found[images.name] = images
    return found
