"""One random Inception state dict and the same images, given to us and to torch-fidelity 0.4.0, pytorch-fid 0.3.0,
torchmetrics 1.9.0 and clean-fid 0.1.35: the same features, and from image files the same FID, KID and Inception Score.

Required: 1e-4 relative, 1e-5 of the range for clean-fid's resize. torchmetrics' FID is compared on 64 features, which is as
telling as 2048 and spares the 2048-d eigenvalues that torch-fidelity and pytorch-fid already take here.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from genbench.features.inception import Inception, resize_clean
from genbench.gaussian import moments
from genbench.metrics import inception_score, kid
from genbench.metrics.fid import frechet_distance

pytestmark = pytest.mark.parity

random = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/speed/random_inception.py"))
LAYERS = {"64": "64", "192": "192", "768": "768", "pool": "2048", "logits": "logits_unbiased"}  # ours -> torch-fidelity's
N = 32


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return random["random_state"](0)


@pytest.fixture(scope="module")
def weights(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def real() -> Tensor:
    return random["random_images"](N, 40, seed=1)


@pytest.fixture(scope="module")
def fake() -> Tensor:
    return random["random_images"](N, 40, seed=2) // 2 + 60


@pytest.fixture(scope="module")
def folders(real: Tensor, fake: Tensor, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(real, fake) as PNG files in the order of the tensors."""
    root = tmp_path_factory.mktemp("images")
    for name, images in (("real", real), ("fake", fake)):
        (root / name).mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(root / name / f"{index:02d}.png")
    return str(root / "real"), str(root / "fake")


@pytest.fixture(scope="module")
def ours(weights: Path, real: Tensor, fake: Tensor) -> Callable[[str], dict[str, tuple[Tensor, Tensor]]]:
    """input -> {layer: (features of real, features of fake)}."""
    known: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}

    def features(input: str) -> dict[str, tuple[Tensor, Tensor]]:
        if input not in known:
            inception = Inception.load(input=input, precision="fp32", weights=weights)
            of_real, of_fake = inception(real, LAYERS), inception(fake, LAYERS)
            known[input] = {layer: (of_real[layer], of_fake[layer]) for layer in LAYERS}
        return known[input]

    return features


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    """1e-4 of the layer's largest value, and of how much images differ, which is what metrics see."""
    error = (ours - theirs).abs().max()
    assert error < 1e-4 * theirs.abs().max()
    assert error < 1e-3 * theirs.std(0).mean()


def fid(features: tuple[Tensor, Tensor]) -> float:
    return frechet_distance(real=moments(features[0]), fake=moments(features[1]))


def test_torch_fidelitys_network(weights: Path, real: Tensor, ours: Any) -> None:
    peer = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = peer.FeatureExtractorInceptionV3("peer", list(LAYERS.values()), feature_extractor_weights_path=str(weights))
    for layer, theirs in zip(LAYERS, network(real), strict=True):
        assert_same(ours("tf")[layer][0], theirs)


@pytest.fixture
def pytorch_fid(monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]) -> Any:
    """Their package, with our file in place of the download."""
    peer = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(peer, "load_state_dict_from_url", lambda *_, **__: state)
    return pytest.importorskip("pytorch_fid.fid_score")


def test_pytorch_fids_network(pytorch_fid: Any, real: Tensor, ours: Any) -> None:
    network = pytorch_fid.InceptionV3(output_blocks=[0, 1, 2, 3]).eval()
    maps = network(real.float() / 255)
    for layer, theirs in zip(("64", "192", "768", "pool"), maps, strict=True):
        assert_same(ours("pytorch")[layer][0], theirs.mean((2, 3)))


def test_torchmetrics_network(weights: Path, real: Tensor, ours: Any) -> None:
    peer = pytest.importorskip("torchmetrics.image.fid")
    network = peer.NoTrainInceptionV3("peer", ["2048"], str(weights), antialias=False)
    with torch.no_grad():
        assert_same(ours("tf")["pool"][0], network(real))


@pytest.mark.parametrize("size", [(32, 32), (28, 31), (299, 299), (300, 298), (256, 256), (700, 512)])
def test_clean_fids_resize(size: tuple[int, int]) -> None:
    peer = pytest.importorskip("cleanfid.resize")
    images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    resize = peer.make_resizer("PIL", False, "bicubic", (299, 299))
    theirs = np.stack([resize(image.permute(1, 2, 0).numpy()) for image in images])
    ours = resize_clean(images).mul(128).add(128).permute(0, 2, 3, 1).numpy()
    assert np.abs(ours - theirs).max() < 1e-5 * 255


def test_clean_fids_features(weights: Path, real: Tensor, state: dict[str, Tensor], ours: Any) -> None:
    """clean-fid's own network is a compiled file to download; its input here goes through torch-fidelity's layers."""
    resizing = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    peer = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = peer.FeatureExtractorInceptionV3("peer", ["2048"], feature_extractor_weights_path=str(weights))
    x = torch.from_numpy(np.stack([resizing(image.permute(1, 2, 0).numpy()) for image in real])).permute(0, 3, 1, 2)
    x = (x - 128) / 128
    for name, module in network.named_children():
        if name != "fc":
            x = module(x)
    assert_same(ours("clean")["pool"][0], x.flatten(1))


def test_torch_fidelity_from_files(weights: Path, folders: tuple[str, str], ours: Any) -> None:
    peer = pytest.importorskip("torch_fidelity")
    real, fake = folders
    theirs = peer.calculate_metrics(
        input1=fake,
        input2=real,
        cuda=False,
        fid=True,
        kid=True,
        isc=True,
        kid_subset_size=20,
        feature_extractor_weights_path=str(weights),
        cache=False,
        verbose=False,
    )
    features = ours("tf")
    assert fid(features["pool"]) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    kd = kid.compute(real=features["pool"][0], fake=features["pool"][1], subsets=100, subset_size=20)["kd"]
    assert float(kd) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert kd.details["subset_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-4)
    score = inception_score.compute(fake=features["logits"][1])["inception_score"]
    assert float(score) == pytest.approx(theirs["inception_score_mean"], rel=1e-4)
    assert score.details["split_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-4)


def test_pytorch_fid_from_files(pytorch_fid: Any, folders: tuple[str, str], ours: Any) -> None:
    theirs = pytorch_fid.calculate_fid_given_paths(list(folders), 16, "cpu", 2048, num_workers=0)
    assert fid(ours("pytorch")["pool"]) == pytest.approx(theirs, rel=1e-4)


def test_torchmetrics_from_tensors(weights: Path, real: Tensor, fake: Tensor, ours: Any) -> None:
    peer = pytest.importorskip("torchmetrics.image.fid")
    metric = peer.FrechetInceptionDistance(64, feature_extractor_weights_path=str(weights), antialias=False)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert fid(ours("tf")["64"]) == pytest.approx(float(metric.compute()), rel=1e-4)
