"""What every model of the catalogue must do. A new file under genbench/models/ is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest
import torch

from genbench import catalog
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.errors import UsageError
from genbench.images import dequantize
from genbench.models.base import (
    Encodes,
    GenerativeModel,
    HasEnergy,
    HasLatents,
    Infers,
    Inverts,
    Judges,
    Quantizes,
    Restores,
    Scores,
    Tightens,
)
from genbench.models.stages import Recipe
from genbench.seeding import Noise
from genbench.training.budget import Budget
from genbench.training.loop import train
from genbench.training.saved import build_model, load_model, save_model

N = 32
MODELS = catalog.names("models")
every_model = pytest.mark.parametrize("name", MODELS)
grey_and_colour = pytest.mark.parametrize(("channels", "levels"), [(1, 17), (3, 256)])


def spec_for(name: str, channels: int, size: int = 8, levels: int = 256) -> DataSpec:
    kind = catalog.find("models", name)
    sources = channels if kind.task in ("paired", "unpaired") else 0
    classes = 5 if kind.task == "class" else 0
    return DataSpec(channels=channels, height=size, width=size, levels=levels, classes=classes, source_channels=sources)


def examples_for(spec: DataSpec, n: int = N) -> Examples:
    """Smooth random images on the grid of levels, so that there is something to learn."""
    generator = torch.Generator().manual_seed(0)
    shape = (n, spec.channels, spec.height // 4, spec.width // 4)
    coarse = torch.nn.functional.interpolate(torch.rand(shape, generator=generator), scale_factor=4, mode="bilinear")
    stored = ((coarse * (spec.levels - 1)).round() * (255 / (spec.levels - 1))).round().to(torch.uint8)
    labels = torch.arange(n) % spec.classes if spec.classes else None
    return Examples(images=stored, labels=labels, sources=255 - stored if spec.source_channels else None)


def built(name: str, spec: DataSpec) -> GenerativeModel:
    torch.manual_seed(0)
    return build_model(name, spec, catalog.find("models", name).tiny)


def small(model: GenerativeModel) -> Recipe:
    """The model's recipe with few examples to a step."""
    return dataclasses.replace(model.recipe, batch_size=8)


def batch_for(model: GenerativeModel, n: int = 8) -> Batch:
    return examples_for(model.spec).batch(slice(0, n))


def generated(model: GenerativeModel, n: int, **settings: int) -> torch.Tensor:
    return model.generate(n, condition=examples_for(model.spec).condition().select(slice(0, n)), **settings)


def checked_images(images: torch.Tensor, spec: DataSpec, n: int) -> None:
    assert images.shape == (n, *spec.shape)
    assert images.dtype == torch.float32
    assert images.isfinite().all()
    assert -1 - 1e-6 <= float(images.min()) <= float(images.max()) <= 1 + 1e-6


@every_model
def test_says_what_it_is(name: str) -> None:
    kind = catalog.find("models", name)
    assert kind.title
    assert "http" in kind.paper
    module = inspect.getmodule(kind)
    assert module is not None
    assert len((module.__doc__ or "").split()) > 20
    parameters = list(inspect.signature(kind).parameters.values())[1:]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters), "hyperparameters have defaults"
    for knob in kind.knobs.values():
        assert len(knob.sweep) > 1
        assert knob.effect


@every_model
@grey_and_colour
def test_untrained_it_builds_and_samples(name: str, channels: int, levels: int) -> None:
    model = built(name, spec_for(name, channels, levels=levels))
    checked_images(generated(model, 3), model.spec, 3)


@every_model
@pytest.mark.parametrize("size", [16, 28, 32])
def test_fits_other_sizes(name: str, size: int) -> None:
    model = built(name, spec_for(name, 1, size=size, levels=2))
    checked_images(generated(model, 1), model.spec, 1)


@every_model
@grey_and_colour
def test_training_changes_every_trainable_parameter(name: str, channels: int, levels: int) -> None:
    model = built(name, spec_for(name, channels, levels=levels))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    budget = Budget(steps=4 * len(model.stages()))
    lines: list[dict[str, float]] = []
    train(model, examples_for(model.spec), budget=budget, recipe=small(model), report=lambda line: lines.append(dict(line)))
    after = model.state_dict()
    parameters = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    same = [key for key in parameters if torch.equal(before[key], after[key])]
    assert not same, f"training left these as they were: {same}"
    assert any(not torch.equal(before[key], after[key]) for key in after), "training changed nothing"
    assert all(tensor.isfinite().all() for tensor in after.values())
    assert lines
    checked_images(generated(model, 3), model.spec, 3)


@every_model
def test_trains_in_bfloat16(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17))
    train(model, examples_for(model.spec), budget=Budget(steps=2 * len(model.stages())), recipe=small(model), precision="bf16")
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    checked_images(generated(model, 3), model.spec, 3)


@every_model
def test_trains_on_points_or_says_why_not(name: str) -> None:
    spec = dataclasses.replace(spec_for(name, 2, levels=0), height=1, width=1)
    try:
        model = built(name, spec)
    except UsageError as error:
        pytest.skip(error.message)
    points = torch.randn(N, *spec.shape, generator=torch.Generator().manual_seed(0))
    examples = Examples(images=points, labels=torch.arange(N) % spec.classes if spec.classes else None)
    train(model, examples, budget=Budget(steps=2 * len(model.stages())), recipe=small(model))
    samples = model.generate(3, condition=examples.condition().select(slice(0, 3)))
    assert samples.shape == (3, 2, 1, 1)
    assert samples.isfinite().all()


@every_model
def test_samples_repeat_under_a_seed_whatever_the_batch(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17))
    whole = generated(model, 5, seed=1, batch_size=5)
    torch.testing.assert_close(generated(model, 5, seed=1, batch_size=2), whole, atol=1e-4, rtol=0)
    if model.spec.source_channels == 0:
        assert not torch.equal(generated(model, 5, seed=2), whole)


@every_model
def test_sampling_changes_nothing(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    generated(model, 3)
    assert torch.equal(torch.get_rng_state(), state), "sampling must take its chance from `noise` alone"
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_sampling_leaves_every_module_in_its_own_mode() -> None:
    model = built("vae", spec_for("vae", 1)).train()
    frozen = next(model.children()).eval()
    modes = {name: module.training for name, module in model.named_modules()}
    generated(model, 2)
    assert not frozen.training
    assert {name: module.training for name, module in model.named_modules()} == modes

    def failing(*_: object, **__: object) -> torch.Tensor:
        raise ValueError("no samples")

    model.sample = failing  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no samples"):
        generated(model, 2)
    assert {name: module.training for name, module in model.named_modules()} == modes


@every_model
def test_a_saved_model_gives_the_same_samples(name: str, tmp_path: Path) -> None:
    model = built(name, spec_for(name, 1, levels=17))
    train(model, examples_for(model.spec), budget=Budget(steps=2 * len(model.stages())))
    save_model(tmp_path, model, name=name, args=dict(type(model).tiny))
    torch.testing.assert_close(generated(load_model(tmp_path), 2), generated(model, 2))


@every_model
def test_evaluations_are_counted(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17))
    assert model.evaluations() >= 0
    for knob, description in model.knobs.items():
        assert model.evaluations(**{knob: description.default}) == model.evaluations()


@every_model
@grey_and_colour
def test_abilities_keep_their_promise(name: str, channels: int, levels: int) -> None:
    model = built(name, spec_for(name, channels, levels=levels)).eval()
    batch = batch_for(model)
    if isinstance(model, Scores):
        log_prob = model.log_prob(batch, Noise(0, range(len(batch))))
        assert log_prob.shape == (len(batch),)
        assert log_prob.isfinite().all()
        assert log_prob.max() <= 0, "the probability of a discrete image is at most 1"
        again = model.log_prob(Batch(x=batch.x[3:4], condition=batch.condition.select(slice(3, 4))), Noise(0, [3]))
        torch.testing.assert_close(again, log_prob[3:4], atol=1e-2, rtol=1e-3)
    if isinstance(model, Tightens):
        tighter = model.importance_bound(batch, Noise(0, range(len(batch))), 4)
        assert tighter.shape == (len(batch),)
        assert tighter.max() <= 0
    if isinstance(model, Encodes):
        assert model.decode(model.encode(batch.x)).shape == batch.x.shape
    if isinstance(model, Restores):
        known = torch.zeros_like(batch.x, dtype=torch.bool)
        known[:, :, :4] = True
        restored = model.restore(batch.x, known, Noise(0, range(len(batch))))
        torch.testing.assert_close(restored[known], batch.x[known])
        checked_images(restored, model.spec, len(batch))


@every_model
@grey_and_colour
def test_a_sample_is_made_from_its_latent(name: str, channels: int, levels: int) -> None:
    model = built(name, spec_for(name, channels, levels=levels)).eval()
    if not isinstance(model, HasLatents):
        pytest.skip("no latents")
    condition = examples_for(model.spec).condition().select(slice(0, 3))
    z = model.draw_latents(Noise(5, range(3))).requires_grad_()
    images = model.from_latents(z, condition)
    step = 2 / levels + 1e-5  # a snapped value lies within a bin of what it was
    torch.testing.assert_close(images.detach().clamp(-1, 1), generated(model, 3, seed=5), atol=step, rtol=0)
    (gradient,) = torch.autograd.grad(images.square().sum(), z)
    clipped = (images.abs() >= 1).flatten(1).all(1)  # where an untrained model is all black and white, nothing gets through
    assert (clipped | (gradient.flatten(1).abs().amax(1) > 0)).all()


@every_model
def test_an_inverse_inverts_and_knows_its_determinant(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17)).eval()
    if not isinstance(model, Inverts):
        pytest.skip("no inverse")
    list(model.stages()[0].fit(examples_for(model.spec)) if model.stages()[0].fit else ())
    x = dequantize(batch_for(model, 2).x, 17, torch.rand(2, *model.spec.shape, generator=torch.Generator().manual_seed(0)))
    z, log_det = model.to_latents(x)
    torch.testing.assert_close(model.from_latents(z, Condition()), x, atol=1e-4, rtol=0)
    jacobian = torch.autograd.functional.jacobian(lambda row: model.to_latents(row[None])[0][0], x[0])
    expected = torch.linalg.slogdet(jacobian.reshape(len(z[0]), -1).double()).logabsdet
    assert log_det[0].item() == pytest.approx(float(expected), abs=1e-2)


@every_model
def test_what_shows_the_mechanism_has_the_promised_shape(name: str) -> None:
    model = built(name, spec_for(name, 1, levels=17)).eval()
    batch = batch_for(model)
    if isinstance(model, Infers):
        mean, std = model.posterior(batch.x)
        assert mean.shape == std.shape == (len(batch), mean.shape[1])
        assert bool((std > 0).all())
        assert model.decode(mean).shape == batch.x.shape
    if isinstance(model, Quantizes):
        indices = model.encode(batch.x)
        assert indices.dtype == torch.int64
        assert 0 <= int(indices.min()) <= int(indices.max()) < model.codes
    if isinstance(model, Judges):
        assert model.judgement in ("logit", "potential")
        assert model.judge(batch.x, batch.condition).shape == (len(batch),)
    if isinstance(model, HasEnergy):
        assert model.energy(batch.x).shape == (len(batch),)


def test_the_catalogue_knows_each_model_by_family() -> None:
    assert MODELS
    for name in MODELS:
        assert catalog.family(name) in catalog.find("models", name).__module__.split(".")
