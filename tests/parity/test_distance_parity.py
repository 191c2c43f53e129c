"""The same features give the same distances as torch-fidelity 0.4.0, pytorch-fid 0.3.0, scikit-learn 1.x and POT 0.9.7.

The directions of the sliced distances are handed to the peer: each library draws its own.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.metrics import cmmd, fid, fid_infinity, intra_fid, kid, mind, swd
from genbench.metrics.base import FeatureSet

pytestmark = pytest.mark.parity

DIM = 48


@pytest.fixture(scope="module")
def real() -> Tensor:
    return skewed(1100, seed=0)


@pytest.fixture(scope="module")
def fake() -> Tensor:
    return skewed(900, seed=1) * 1.1 + 0.05


def skewed(n: int, seed: int) -> Tensor:
    """Features like a network's after its last activation: correlated, of unequal spread, not negative."""
    mixing = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(99)) * torch.logspace(0, -1.5, DIM)
    return (torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed)) @ mixing).relu()


def pytorch_fid(real: Tensor, fake: Tensor) -> float:
    peer = pytest.importorskip("pytorch_fid.fid_score")
    (mu_r, cov_r), (mu_f, cov_f) = (
        (side.double().mean(0).numpy(), np.cov(side.double().numpy(), rowvar=False)) for side in (real, fake)
    )
    return float(peer.calculate_frechet_distance(mu_r, cov_r, mu_f, cov_f))


def test_kid_with_a_gaussian_kernel_is_torch_fidelitys(real: Tensor, fake: Tensor) -> None:
    peer = pytest.importorskip("torch_fidelity.metric_kid")
    theirs = peer.kid_features_to_metric(
        fake.double(),
        real.double(),
        kid_kernel="rbf",
        kid_kernel_rbf_sigma=10.0,
        kid_subsets=20,
        kid_subset_size=300,
        rng_seed=2020,
        verbose=False,
    )
    ours = kid.compute(real=real, fake=fake, **kid.metric.protocols["rbf"], subsets=20, subset_size=300, seed=2020)["kd"]
    assert float(ours) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)
    assert ours.details["subset_std"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-8)


def test_cmmd_is_scikit_learns_kernel(real: Tensor, fake: Tensor) -> None:
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x, y = (preprocessing.normalize(side.double().numpy()) for side in (real, fake))
    gamma = 1 / (2 * 10**2)
    k_xx, k_yy, k_xy = (pairwise.rbf_kernel(a, b, gamma=gamma) for a, b in ((x, x), (y, y), (x, y)))
    ours = cmmd.compute(real=real, fake=fake)["mmd"]
    assert float(ours) == pytest.approx(1000 * (k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()), rel=1e-9)


def test_fid_infinity_is_the_line_through_pytorch_fids_distances(real: Tensor, fake: Tensor) -> None:
    design = fid_infinity._Design.of(len(fake), DIM)
    order = fid.shuffled(fake, 0, "fid_infinity/subsets")
    distances = [pytorch_fid(real, fake[order[arc]]) for arc in design.arcs(fake.device)]
    line = np.polyfit(1 / design.sizes.numpy(), distances, 1, w=design.sizes.double().sqrt().numpy())
    ours = fid_infinity.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd_infinity"]
    assert float(ours) == pytest.approx(line[1], rel=1e-6)


def test_intra_fid_is_pytorch_fid_class_by_class(real: Tensor, fake: Tensor) -> None:
    real_classes, fake_classes = torch.arange(len(real)) % 5, torch.arange(len(fake)) // 180
    theirs = [pytorch_fid(real[real_classes == c], fake[fake_classes == c]) for c in range(5)]
    ours = intra_fid.compute(real=real, fake=fake, real_classes=real_classes, fake_classes=fake_classes)["intra_fd"]
    assert float(ours) == pytest.approx(np.mean(theirs), rel=1e-6)
    assert list(ours.details.values()) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("n", [900, 1100])
def test_sliced_distances_are_pots(n: int, real: Tensor, fake: Tensor) -> None:
    """With equal and with unequal numbers of images."""
    peer = pytest.importorskip("ot")
    x, y = real[:n], fake
    ours = swd.compute(real=x, fake=y, directions=200)["swd"]
    frames = swd.orthonormal_frames(DIM, 200, 0).numpy()
    theirs = peer.sliced_wasserstein_distance(x.double().numpy(), y.double().numpy(), projections=frames)
    assert float(ours) == pytest.approx(theirs, rel=1e-9)

    ours = mind.compute(real=x, fake=y, directions=200)["mind"]
    vectors = mind.unit_vectors(DIM, 200, 0).numpy()
    theirs = peer.sliced_wasserstein_distance(x.double().numpy(), y.double().numpy(), projections=vectors)
    assert float(ours) == pytest.approx(3 * DIM * theirs**2, rel=1e-9)
