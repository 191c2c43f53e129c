"""The result of an evaluation: one JSON document, `genbench.result/1`, that says everything needed to compare it.

It holds no absolute path, no user and no host name. The JSON Schema of the document travels with the package as
result.schema.json and is made from these classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import from_json

from genbench import files
from genbench.documents import read_document
from genbench.errors import DataError
from genbench.estimate import ARROWS, LARGEST, Better, Estimate, Influence, format_value
from genbench.evaluation.influence import FILE, load_influence, save_influence

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
DOCUMENT = "result.json"  # what a folder calls its own
MAX_BYTES = 64 * 2**20  # of a result file that is read; ours have a few kilobytes

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Document(BaseModel):
    """Unknown keys are ignored, so that files of later minor versions stay readable."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Caution(Document):
    """A warning with its code."""

    code: str
    text: str


class Skipped(Document):
    name: str
    reason: str


class Images(Document):
    """A set of images. `digest` identifies the encoded content in order; `n` of `listed` images could be used."""

    name: str
    kind: str
    digest: str | None = None
    n: int | None = None
    listed: int | None = None
    sizes: dict[str, int] = {}
    modes: dict[str, int] = {}
    formats: dict[str, int] = {}
    ignored: dict[str, int] = {}
    skipped: list[Skipped] = []
    duplicates: int = 0


class Reference(Images):
    """What the images were compared with; `made` says how: "images" or a "statistics" file with its own SHA-256."""

    made: Literal["images", "statistics"]
    sha256: str | None = None


class Extractor(Document):
    """What makes features comparable; see `genbench.features.base.Identity`."""

    extractor: str
    version: int
    weights_sha256: str
    preprocess: str
    precision: str


class MetricResult(Document):
    """One value with its error bar, direction and protocol; see `genbench.estimate.Estimate` for the fields.

    layer and extractor are None for a metric of the images themselves. `comparable` is False where the value must not stand
    beside others of the same protocol; `notes` say why.
    """

    name: str
    value: Finite | None
    se: Annotated[float, Field(ge=0, le=LARGEST)] | None
    ci: tuple[Finite, Finite] | None
    level: Annotated[float, Field(ge=0.5, le=0.999999)]
    method: str
    n: Count
    n_real: Count | None
    better: Better
    protocol: str
    layer: str | None
    extractor: Extractor | None
    bias_corrected: Finite | None = None
    reason: str | None = None
    details: dict[str, Finite] = {}
    comparable: bool = True
    notes: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> MetricResult:
        if self.value is None and not self.reason:
            raise ValueError(f"{self.name} has no value and no reason")
        if self.ci is not None and not self.ci[0] <= self.ci[1]:
            raise ValueError(f"the interval of {self.name} is the wrong way round")
        if "@" in self.protocol and self.extractor is None:
            raise ValueError(f"{self.name} is of features ({self.protocol}), and nothing says which network made them")
        return self

    @classmethod
    def of(cls, name: str, estimate: Estimate, **rest: Any) -> MetricResult:
        """An estimate under its name. rest: protocol, layer, extractor, and what else the estimate does not know."""
        shared = {key: getattr(estimate, key) for key in Estimate.__dataclass_fields__ if key != "influence"}
        return cls(name=name, **{**shared, "details": dict(estimate.details)}, **rest)

    @property
    def key(self) -> str:
        """Protocol and name, "fd@tiny/1 fd": under one key the values of two results belong together."""
        return f"{self.protocol} {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Whatever it may be asked by, "fd@tiny/1 fd", "fd", "fd@tiny", with settings "fd@tiny:...", and the protocol alone."""
        return self.key, self.name, self.short_name, self.request, self.protocol

    @property
    def short_name(self) -> str:
        """The name with the extractor, "fd@tiny"; without it for Inception, whose names say so, and for metrics of images."""
        if place := re.match(r"[^@:+/]*(@[\w.]+)", self.protocol):
            return self.name + place[1]
        home = self.extractor is None or self.extractor.extractor == "inception"
        return self.name if home or self.extractor is None else f"{self.name}@{self.extractor.extractor}"

    @property
    def request(self) -> str:
        """What asks for this value again, "precision@tiny:k5": its name and the protocol's place and settings."""
        return self.name + re.sub(r"^[^@:+/]*|(\+\w+)?/\d+$", "", self.protocol)

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError(f"{self.name} has no value: {self.reason}")
        return self.value

    def __str__(self) -> str:
        return format_value(self.value, self.se)

    def _repr_html_(self) -> str:
        """A table of one line for a notebook."""
        return _html([self], caption="; ".join(filter(None, [self.reason, *self.notes])))


class Timing(Document):
    """Seconds of wall time per part, CPU seconds of this process, and images decoded and extracted (0 from the cache)."""

    wall_s: float
    cpu_s: float
    extract_s: float
    metrics_s: float
    images_extracted: int


class Result(Document):
    """Metrics of one set of images. `result["fid"]`, `float(result["fid"])`, `result.save("out/")`."""

    schema_: Literal["genbench.result/1"] = Field(default="genbench.result/1", alias="schema")
    status: Literal["success"] = "success"
    created: str
    subject: Images
    reference: Reference | None
    held_out: Reference | None = None
    paired: Images | None = None
    metrics: list[MetricResult]
    env: dict[str, str]
    timing: Timing
    warnings: list[Caution] = []
    command: list[str] = []

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)
    _influence: dict[str, Influence] | None = PrivateAttr(default=None)
    _names: list[str] = PrivateAttr(default_factory=list)
    _folder: Path | None = PrivateAttr(default=None)
    _label: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _each_once(self) -> Result:
        keys = [metric.key for metric in self.metrics]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise ValueError(f"two metrics are called {twice}")
        return self

    def __getitem__(self, name: str) -> MetricResult:
        """The metric of that name, see `MetricResult.names`; of several, the first that was asked for."""
        for metric in self.metrics:
            if name in metric.names:
                return metric
        raise KeyError(f"no metric {name!r}; there are: {', '.join(metric.name for metric in self.metrics)}")

    @property
    def by_protocol(self) -> dict[str, MetricResult]:
        """Every metric by its `MetricResult.key`, "fd@tiny/1 fd"."""
        return {metric.key: metric for metric in self.metrics}

    @property
    def label(self) -> str:
        """What to call it: the label of the run that it was read from, else what its images are called."""
        return self._label or self.subject.name

    @property
    def influence(self) -> Mapping[str, Influence]:
        """Per protocol and name ("fd@tiny/1 fd"), how much each image pulls at the value; kept beside the document."""
        if self._influence is None:
            self._influence, self._names = load_influence(self._folder / FILE) if self._folder else ({}, [])
        return self._influence

    @property
    def image_names(self) -> Sequence[str]:
        """Of the generated images, in the order of their influence; empty where they are not known."""
        return self._names if self.influence else []

    def with_influence(self, influence: Mapping[str, Influence], names: Sequence[str] = ()) -> Result:
        """This very result, which from now on has this influence, of images of these names, and none that lies beside it."""
        self._influence, self._names = dict(influence), list(names)
        return self

    def read_from(self, document: Path, label: str = "") -> Result:
        """Influence lies beside a document of the usual name only: beside any other, it may be that of a neighbour."""
        self._folder = document.parent if document.name == DOCUMENT else None
        self._label = label
        return self

    def save_influence(self, folder: Path) -> None:
        save_influence(folder / FILE, self.influence, self._names)

    def to_json(self) -> str:
        return self.model_dump_json(indent=2, by_alias=True)

    def to_pandas(self) -> Any:
        """One row per metric."""
        import pandas

        return pandas.DataFrame([metric.model_dump(exclude={"extractor", "details"}) for metric in self.metrics])

    def save(self, folder: str | Path) -> Path:
        """Write result.json and influence.safetensors into `folder`, each in one step; returns the path of the document."""
        folder = Path(folder)
        self.save_influence(folder)
        files.write_atomic(folder / DOCUMENT, self.to_json() + "\n")
        return folder / DOCUMENT

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read a document, or the one in a folder; of a run (`genbench.run/1`) its last evaluation.

        Raises DataError for anything else, and for a run that was not measured on images.
        """
        path = document_at(path)
        if not path.is_file():
            raise DataError("E-NO-RESULT", f"no result at {path}", hint="genbench evaluate ... -o FOLDER writes one")
        if not schema_of(path).startswith("genbench.run/"):
            hint = "write it again with `genbench evaluate ... -o FOLDER`"
            parse = cls.model_validate_json
            result = read_document(path, parse, kind="genbench.result/1", most=MAX_BYTES, code="E-RESULT", hint=hint)
            return result.read_from(path)
        hint = "write it again with `genbench run`"
        parsed = _Run.model_validate_json
        run = read_document(path, parsed, kind="genbench.run/1", most=MAX_BYTES, code="E-RESULT", hint=hint)
        if run.final is None or run.final.evaluation is None:
            why = (run.error or "it was measured on points, whose errors are in `genbench table`").partition("\n")[0]
            raise DataError("E-NO-RESULT", f"the run {path} has no evaluation: {why}", hint="only images are evaluated")
        return run.final.evaluation.read_from(path, run.label)

    def __str__(self) -> str:
        return "\n".join(f"{metric.name} {metric} ({metric.protocol}, n={metric.n})" for metric in self.metrics)

    def _repr_html_(self) -> str:
        """A table for a notebook, one line per metric."""
        reference = f" against {self.reference.name}" if self.reference else ""
        return _html(self.metrics, caption=f"{self.subject.name}{reference}")


class _Final(Document):
    evaluation: Result | None = None


class _Run(Document):
    """Of the document of a run, `genbench.bench.record.Record`, what leads to its evaluation."""

    schema_: Literal["genbench.run/1"] = Field(alias="schema")
    label: str = ""
    error: str | None = None
    final: _Final | None = None


def document_at(path: str | Path) -> Path:
    """The document of a folder, or the document itself."""
    path = Path(path).expanduser()
    return path / DOCUMENT if path.is_dir() else path


def schema_of(path: Path) -> str:
    """The value of "schema" of a JSON document, "" for what has none or is none."""
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return ""
    try:
        found = from_json(path.read_bytes())
    except ValueError:
        return ""
    schema = found.get("schema") if isinstance(found, dict) else None
    return schema if isinstance(schema, str) else ""


def _html(metrics: Sequence[MetricResult], caption: str) -> str:
    from genbench.pages import tables

    lines = [["metric", "value ± error", "interval", "n", "n ref", "protocol"]]
    for metric in metrics:
        interval = f"[{metric.ci[0]:.4g}, {metric.ci[1]:.4g}]" if metric.ci else "–"
        counts = [f"{count:,}" if count is not None else "–" for count in (metric.n, metric.n_real)]
        lines.append([f"{metric.name} {ARROWS[metric.better]}", str(metric), interval, *counts, metric.protocol])
    return tables.as_html(lines, 1, caption=caption)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the document; result.schema.json holds the same, and a test keeps them equal."""
    schema = Result.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "genbench.result/1"}


def warnings_of(warned: Iterable[Any]) -> list[Caution]:
    """Each warning once, in order."""
    unique = dict.fromkeys((item.code, item.text) for item in warned)
    return [Caution(code=code, text=text) for code, text in unique]
