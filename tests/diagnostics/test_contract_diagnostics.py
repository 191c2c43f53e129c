"""What every diagnostic of the catalogue must do, on every model that it applies to."""

from __future__ import annotations

import math

import pytest
import torch
from known_subjects import random_images, subject_of

from genbench import catalog
from genbench.batch import DataSpec
from genbench.diagnostics.base import Diagnostic, Reading
from genbench.models.base import GenerativeModel
from genbench.training.saved import build_model

DIAGNOSTICS = catalog.names("diagnostics")
MODELS = catalog.names("models")
N = 12
every_diagnostic = pytest.mark.parametrize("name", DIAGNOSTICS)


def built(name: str) -> GenerativeModel:
    kind = catalog.find("models", name)
    torch.manual_seed(0)
    classes, sources = 3 * (kind.task == "class"), int(kind.task in ("paired", "unpaired"))
    return build_model(
        name, DataSpec(channels=1, height=8, width=8, levels=17, classes=classes, source_channels=sources), kind.tiny
    )


def found(name: str) -> Diagnostic:
    diagnostic: Diagnostic = catalog.find("diagnostics", name)
    return diagnostic


@every_diagnostic
def test_says_how_to_read_it(name: str) -> None:
    diagnostic = found(name)
    assert diagnostic.reports
    assert "http" in diagnostic.source
    for reading in diagnostic.reports.values():
        assert isinstance(reading, Reading)
        assert reading.meaning
        assert "|" not in reading.meaning + reading.advice
        low, high = reading.usual
        assert (low if low is not None else -math.inf) <= (high if high is not None else math.inf)
        if reading.usual != (None, None):
            assert reading.advice, "who is told that a number is unusual asks what to do"


def test_no_two_report_the_same_name() -> None:
    reported = [report for name in DIAGNOSTICS for report in found(name).reports]
    assert len(reported) == len(set(reported))


def applicable() -> list[tuple[str, str]]:
    """Every diagnostic with every model that it applies to."""
    models = {name: built(name) for name in MODELS}
    return [(name, model) for name in DIAGNOSTICS for model in MODELS if found(name).applies(models[model])]


@pytest.mark.parametrize(("name", "model_name"), applicable())
def test_applies_and_computes_and_leaves_no_trace(name: str, model_name: str) -> None:
    """The model is given in training mode, as after a training: dropout must not reach a diagnostic."""
    diagnostic, model = found(name), built(model_name)
    model.train()
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    examples = {"test": random_images(model.spec, N), "train": random_images(model.spec, 2 * N, seed=1)}
    state = torch.get_rng_state()

    estimates = dict(diagnostic.compute(subject_of(model, **examples)))

    assert set(estimates) == set(diagnostic.reports)
    for estimate in estimates.values():
        assert estimate.value is not None or estimate.reason
        assert estimate.influence is None or not estimate.influence.fake.requires_grad
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert dict(diagnostic.compute(subject_of(model, **examples))) == estimates
    torch.set_rng_state(state)
