"""What is known about one finished run: `result.json` of its folder, `genbench.run/1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from genbench.errors import DataError, first_mistake
from genbench.estimate import Better
from genbench.evaluation.result import Count, Document, Finite, Result, document_at, schema_of
from genbench.files import write_atomic


class Value(NamedTuple):
    """A metric's value, its standard error over samples, and which direction is better."""

    value: float | None
    se: float | None
    better: Better


class Measurement(Document):
    """A value with its standard error over samples, for what has no extractor: likelihoods, modes found."""

    value: Finite
    se: Annotated[Finite, Field(ge=0)] | None = None
    n: Count
    better: Better


class Quality(Document):
    """How good a set of samples is: `evaluation` of images by features, `points` of points by their known density."""

    evaluation: Result | None = None
    points: dict[str, Measurement] = Field(default_factory=dict)

    def values(self) -> dict[str, Value]:
        """By name, with the extractor: "fd@tiny"; where that is not enough to tell two apart, with the protocol."""
        found = {name: Value(m.value, m.se, m.better) for name, m in self.points.items()}
        metrics = self.evaluation.metrics if self.evaluation else []
        names = [metric.short_name for metric in metrics]
        for metric, name in zip(metrics, names, strict=True):
            key = name if names.count(name) == 1 else f"{metric.name} ({metric.protocol})"
            found[key] = Value(metric.value, metric.se, metric.better)
        return found


class Likelihood(Document):
    """Of test images. kind as `genbench.models.base.Likelihood`; bits per dimension (nats for continuous data)."""

    kind: str
    unit: Literal["bits/dim", "nats"]
    measured: Measurement


class Cost(Document):
    """What a run took.

    parameters: trainable ones (of a closed form: the numbers it fits); train_*: of training alone; peak_memory: bytes above
    what the process held before; sample_seconds: wall time per image; evaluations: network passes per image.
    """

    parameters: Count
    steps: Count
    images: Count
    train_seconds: Finite
    train_cpu_seconds: Finite
    peak_memory: Count
    sample_seconds: Finite
    evaluations: Count


class Best(Document):
    """The checkpoint that did best on the validation split: after `steps`, with `validation` of the first metric."""

    steps: Count
    validation: Finite
    quality: Quality


class Record(Document):
    """One run. `error` where it failed; then nothing else is known."""

    schema_: Literal["genbench.run/1"] = Field(default="genbench.run/1", alias="schema")
    label: str
    family: str
    task: str
    config: dict[str, Any]
    error: str | None = None
    final: Quality | None = None
    best: Best | None = None
    untrained: Quality | None = None
    likelihood: Likelihood | None = None
    cost: Cost | None = None
    diagnostics: dict[str, float | None] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    made: str = ""

    model_config = ConfigDict(populate_by_name=True)

    def save(self, folder: Path) -> None:
        """Write result.json, and before it the influence of every image on the final quality."""
        if self.final is not None and self.final.evaluation is not None:
            self.final.evaluation.save_influence(folder)
        write_atomic(folder / "result.json", self.model_dump_json(by_alias=True, indent=1))

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a document of any name, or the one in a folder. Raises DataError that says what is wrong in it."""
        path = document_at(path)
        try:
            record = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = first_mistake(error) if isinstance(error, ValidationError) else str(error)
            hint = "run the suite again into a new folder"
            raise DataError("E-RECORD", f"{path} is no genbench.run/1: {reason}", hint=hint) from error
        if record.final is not None and record.final.evaluation is not None:
            record.final.evaluation.read_from(path, record.label)
        return record


def opened(path: Path) -> Record | Result | None:
    """The run or the result that a document says, or the one in a folder; None where there is neither.

    Raises DataError for a document that is not what its schema says.
    """
    document = document_at(path)
    schema = schema_of(document)
    if schema.startswith("genbench.run/"):
        return Record.load(document)
    return Result.load(document) if schema.startswith("genbench.result/") else None


def records_below(folder: Path) -> list[Record]:
    """All finished runs in a folder, in the order of their paths. Raises DataError where there are none."""
    paths = sorted(folder.rglob("result.json")) if folder.is_dir() else []
    records = [Record.load(path) for path in paths if schema_of(path).startswith("genbench.run/")]
    if not records:
        raise DataError("E-NO-RUNS", f"no finished runs in {folder}", hint="`genbench run SUITE -o FOLDER` makes them")
    return records
