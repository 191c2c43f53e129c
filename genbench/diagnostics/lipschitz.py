"""How steep a critic is: the operator norms of its layers, and its slope between real images and samples.

    critic_norm    the largest singular value of any linear layer or convolution, as a map between whole images
    critic_slope   mean |gradient of judge at x| over points x on segments between a test image and a sample, in Euclidean norm

The product of the norms bounds the slope if the activations do not stretch and nothing normalises; it is what spectral
normalisation controls (Miyato et al. 2018, https://arxiv.org/abs/1802.05957). The slope on those segments is what the penalty
of WGAN-GP pulls to 1 (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028): elsewhere, a potential is no estimate of W1.

A convolution's norm is that of its linear map on images of the size it really sees, borders included, by Lanczos's iteration
with the map and its transpose; reshaping the kernel into a matrix, as spectral normalisation does, gives another number.
Layers are those that an image passes through when it is judged. With batch normalisation without running averages, an image's
slope holds what it does to the judgements of its batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.batch import Condition
from genbench.diagnostics._estimates import finite_mean
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel, Judges

STEPS = 128  # at most; convolutions have many singular values close to the largest
TOLERANCE = 1e-6  # of the largest eigenvalue: how far from an eigenvector the steps may end
CONVOLUTIONS: Mapping[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
}
LAYERS: tuple[type[nn.Module], ...] = (nn.Linear, *CONVOLUTIONS)

Map = Callable[[Tensor], Tensor]


def applies(model: GenerativeModel) -> bool:
    """Whether there is a critic."""
    return isinstance(model, Judges)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Norms of the layers behind `judge`, and slopes between test images and samples under the same conditions."""
    model, real = subject.model, subject.real
    assert isinstance(model, Judges)
    samples = subject.samples
    n = min(len(real), len(samples))
    condition = real.condition.select(slice(n))
    t = subject.noise(n, "lipschitz/places").uniform(*[1] * (real.x.ndim - 1))
    with at_rest(subject.model):
        norms = operator_norms(subject, real.x[:2], condition.select(slice(2)))
        slope = slopes(model, torch.lerp(samples[:n], real.x[:n], t), condition)
    return {"critic_norm": _largest(norms), "critic_slope": _slope(slope)}


def slopes(model: Judges, x: Tensor, condition: Condition) -> Tensor:
    """(N,) float64 on the CPU: Euclidean norm of the gradient of `judge` at each of the images (N, C, H, W)."""
    return torch.cat([_slopes(model, x[block], condition.select(block)) for block in blocks(len(x))]).double().cpu()


def _slopes(model: Judges, x: Tensor, condition: Condition) -> Tensor:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model.judge(leaf, condition).sum(), leaf)
    return gradient.flatten(1).norm(dim=1)


def operator_norms(subject: Subject, x: Tensor, condition: Condition) -> dict[str, float]:
    """Name of each linear layer or convolution that judging `x` (B, C, H, W) passes through -> its largest singular value."""
    assert isinstance(subject.model, Judges)
    layers = {name: module for name, module in subject.model.named_modules() if isinstance(module, LAYERS)}
    shapes: dict[str, torch.Size] = {}

    def noting(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            shapes[name] = inputs[0].shape[1:]

        return note

    hooks = [module.register_forward_pre_hook(noting(name)) for name, module in layers.items()]
    try:
        subject.model.judge(x, condition)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: operator_norm(subject, layers[name], shape) for name, shape in shapes.items()}


def operator_norm(subject: Subject, layer: Any, shape: torch.Size) -> float:
    """The largest singular value of `layer`, without its bias, on inputs of `shape` (without the batch); NaN of weights that
    are not finite."""
    weight: Tensor = layer.weight.detach().double()
    if not weight.isfinite().all():
        return math.nan
    if isinstance(layer, nn.Linear):
        return float(torch.linalg.matrix_norm(weight, ord=2))
    convolve = next(function for kind, function in CONVOLUTIONS.items() if isinstance(layer, kind))
    settings = (layer.stride, layer.padding, layer.dilation, layer.groups)
    start = subject.noise(1, "lipschitz/start").normal(*shape).double()
    return largest_singular_value(lambda v: convolve(v, weight, None, *settings), start)


def largest_singular_value(linear: Map, v: Tensor) -> float:
    """The largest singular value of a linear map, from below; v: where to start, any direction but 0.

    Lanczos's iteration on the map followed by its transpose, every direction made orthogonal to all before: where singular
    values crowd at the top, it takes a few dozen steps, and power iteration hundreds. It stops where what is found is an
    eigenvector within TOLERANCE (Parlett 1998, The symmetric eigenvalue problem, section 13.2).
    """
    most = min(STEPS, v.numel())
    found = v.new_empty(most, v.numel())
    found[0] = (v / v.norm()).flatten()
    projected = torch.zeros(0, 0, dtype=v.dtype)
    for count in range(1, most + 1):
        directions = found[:count]
        image = _there_and_back(linear, directions[-1].view_as(v)).flatten()
        along = directions @ image
        image = image - along @ directions
        image = image - (directions @ image) @ directions  # once more, for what rounding left
        projected = F.pad(projected, (0, 1, 0, 1))
        projected[:, -1] = projected[-1, :] = along.cpu()
        eigenvalues, eigenvectors = torch.linalg.eigh(projected)
        beyond = image.norm()
        if float(beyond * eigenvectors[-1, -1].abs()) <= TOLERANCE * float(eigenvalues[-1]):
            break
        if count < most:
            found[count] = image / beyond
    return math.sqrt(max(0.0, float(eigenvalues[-1])))


def _there_and_back(linear: Map, v: Tensor) -> Tensor:
    """The transpose of a linear map, of its value at `v`."""
    with torch.enable_grad():
        leaf = v.detach().requires_grad_()
        image = linear(leaf)
        (back,) = torch.autograd.grad(image, leaf, grad_outputs=image.detach())
    return back


def _largest(norms: dict[str, float]) -> Estimate:
    if not norms:
        return Estimate(value=None, n=1, better="lower", reason="no linear layer or convolution takes part in judging")
    details = {**norms, "product": float(torch.tensor(list(norms.values()), dtype=torch.float64).prod())}
    if not all(torch.tensor(list(details.values()), dtype=torch.float64).isfinite()):
        return Estimate(value=None, n=1, better="lower", reason="some weights are not finite")
    return Estimate(
        value=max(norms.values()),
        n=1,
        better="lower",
        reason="a property of the weights, in which no image has a part",
        details=details,
    )


def _slope(slope: Tensor) -> Estimate:
    found = finite_mean(slope, better="lower")
    if found.value is None:
        return found
    marks = slope.quantile(torch.tensor([0.05, 0.5, 0.95], dtype=slope.dtype)).tolist()
    return replace(found, details=dict(zip(("p05", "p50", "p95"), marks, strict=True)))


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "critic_norm": Reading(
            meaning="largest singular value of any layer of the critic; details give each layer's and their product, which "
            "bounds the slope of a critic without normalisation",
            usual=(None, 20.0),
            advice="layers that stretch: spectral normalisation, weight decay or a gradient penalty",
        ),
        "critic_slope": Reading(
            meaning="mean norm of the critic's gradient between test images and samples, per unit of distance between images "
            "in [-1, 1]; a potential estimates W1 only where it is about 1",
            usual=(0.05, 5.0),
            advice="above: the critic is a cliff, whose gradient says little about where to go: a gradient penalty, spectral "
            "normalisation; near 0: it is flat there and teaches nothing",
        ),
    },
    quick=True,
    source="Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028",
)
