"""The same features give the same numbers as torch-fidelity 0.4.0, pytorch-fid 0.3.0, torchmetrics 1.9.0 and prdc 0.2.

Required: 1e-4 of the value; asserted: what is reached, mostly 1e-9. Peers that compute in the type they are given get float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genbench.gaussian import moments
from genbench.metrics import inception_score, kid, prdc
from genbench.metrics.fid import frechet_distance

pytestmark = pytest.mark.parity

DIM = 96


@pytest.fixture(scope="module")
def real() -> Tensor:
    return skewed(1300, seed=0)


@pytest.fixture(scope="module")
def fake() -> Tensor:
    return skewed(1100, seed=1) * 1.1 + 0.05


def skewed(n: int, seed: int) -> Tensor:
    """Features like a network's after its last activation: correlated, of unequal spread, not negative."""
    mixing = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(99)) * torch.logspace(0, -1.5, DIM)
    return (torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed)) @ mixing).relu() * 0.3


def statistics(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return features.double().mean(0).numpy(), np.cov(features.double().numpy(), rowvar=False)


class Passing(nn.Module):
    """Stands in for torchmetrics' Inception: features come in as if they were images."""

    num_features = DIM

    def forward(self, features: Tensor) -> Tensor:
        return features


class TestTorchFidelity:
    def test_fid(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("torch_fidelity.metric_fid")
        (mu_f, cov_f), (mu_r, cov_r) = statistics(fake), statistics(real)
        theirs = peer.fid_statistics_to_metric({"mu": mu_f, "sigma": cov_f}, {"mu": mu_r, "sigma": cov_r}, False)
        ours = frechet_distance(real=moments(real), fake=moments(fake))
        assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)

    @pytest.mark.parametrize(("subsets", "size"), [(100, 1000), (20, 300)])
    def test_kid_subsets(self, real: Tensor, fake: Tensor, subsets: int, size: int) -> None:
        peer = pytest.importorskip("torch_fidelity.metric_kid")
        theirs = peer.kid_features_to_metric(
            fake.double(), real.double(), kid_subsets=subsets, kid_subset_size=size, rng_seed=2020, verbose=False
        )
        settings = {**kid.metric.protocols["subsets"], "subsets": subsets, "subset_size": size}
        ours = kid.compute(real=real, fake=fake, **settings)["kd"]
        assert float(ours) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)
        assert ours.details["subset_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-8)

    def test_inception_score(self, real: Tensor) -> None:
        peer = pytest.importorskip("torch_fidelity.metric_isc")
        theirs = peer.isc_features_to_metric(real)
        ours = inception_score.compute(fake=real)["inception_score"]
        assert float(ours) == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
        assert ours.details["split_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-9)

    def test_precision_and_recall(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("torch_fidelity.metric_prc")
        settings = {"prc_neighborhood": 3, "prc_batch_size": 10000, "save_cpu_ram": False, "verbose": False}
        theirs = peer.prc_features_to_metric(fake.double(), real.double(), **settings)
        ours = prdc.compute(real=real, fake=fake, **prdc.metric.protocols["k3"])
        assert float(ours["precision"]) == pytest.approx(theirs["precision"], rel=1e-6)
        assert float(ours["recall"]) == pytest.approx(theirs["recall"], rel=1e-6)


class TestPytorchFid:
    def test_fid(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("pytorch_fid.fid_score")
        theirs = peer.calculate_frechet_distance(*statistics(fake), *statistics(real))
        assert frechet_distance(real=moments(real), fake=moments(fake)) == pytest.approx(theirs, rel=1e-9)

    def test_fewer_images_than_dimensions(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("pytorch_fid.fid_score")
        theirs = peer.calculate_frechet_distance(*statistics(fake[:40]), *statistics(real))
        assert frechet_distance(real=moments(real), fake=moments(fake[:40])) == pytest.approx(theirs, rel=1e-5)


class TestTorchmetrics:
    def test_fid(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("torchmetrics.image.fid")
        metric = peer.FrechetInceptionDistance(feature=Passing()).set_dtype(torch.float64)
        metric.update(real.double(), real=True)
        metric.update(fake.double(), real=False)
        ours = frechet_distance(real=moments(real), fake=moments(fake))
        assert ours == pytest.approx(float(metric.compute()), rel=1e-5)  # it answers in float32

    def test_kid(self, real: Tensor, fake: Tensor) -> None:
        peer = pytest.importorskip("torchmetrics.image.kid")
        metric = peer.KernelInceptionDistance(feature=Passing(), subsets=1, subset_size=1000).set_dtype(torch.float64)
        metric.update(real[:1000].double(), real=True)
        metric.update(fake[:1000].double(), real=False)
        ours = kid.compute(real=real[:1000], fake=fake[:1000])["kd"]
        assert float(ours) == pytest.approx(float(metric.compute()[0]), rel=1e-5)

    def test_inception_score(self, real: Tensor) -> None:
        peer = pytest.importorskip("torchmetrics.image.inception")
        metric = peer.InceptionScore(feature=Passing(), splits=1)
        metric.update(real.double())
        ours = inception_score.compute(fake=real, splits=1)["inception_score"]
        assert float(ours) == pytest.approx(float(metric.compute()[0]), rel=1e-6)


class TestPrdc:
    @pytest.mark.parametrize("k", [1, 5, 10])
    def test_all_four(self, real: Tensor, fake: Tensor, k: int) -> None:
        peer = pytest.importorskip("prdc")
        theirs = peer.compute_prdc(real.numpy(), fake.numpy(), k)
        ours = prdc.compute(real=real, fake=fake, k=k)
        for name, value in theirs.items():
            assert float(ours[name]) == pytest.approx(float(value), rel=1e-6), name
