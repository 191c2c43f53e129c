"""What the fixture `genbench` gives to a test."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from genbench import catalog
from genbench.errors import DataError, GenbenchError, UsageError
from genbench.evaluation.result import Result
from genbench.gate.baseline import Baseline, Entry, is_baseline, locked
from genbench.gate.formats.document import document
from genbench.gate.formats.github import as_annotations
from genbench.gate.formats.markdown import as_markdown
from genbench.gate.formats.rows import conclusion
from genbench.gate.formats.text import as_text
from genbench.gate.judge import judge
from genbench.gate.verdict import Check
from genbench.pages.escape import one_line
from genbench.testing.place import baseline_path, shown
from genbench.testing.settings import OF_METRICS, OF_TESTS, Settings

UPDATE = "pytest --genbench-update"


class Genbench:
    """Measures samples, and compares them with the baseline of the test."""

    def __init__(
        self, node: pytest.Item, *, used: dict[str, str], lines: list[str], record_property: Callable[[str, object], None]
    ) -> None:
        self._node, self._used, self._lines, self._record = node, used, lines, record_property
        self._config = node.config
        self._path = baseline_path(node.config, node.path)
        self._entries: set[str] = set()

    def evaluate(self, samples: Any, **options: Any) -> Result:
        """`genbench.evaluate`, on the device of --genbench-device; every value is recorded as a property of the test."""
        return self._measured(samples, "genbench", options)

    def check(self, samples: Any, *, name: str | None = None, **options: Any) -> Check:
        """Fail the test if `samples` are worse than its baseline beyond chance.

        Without a baseline one is written, and the test fails until somebody has looked at it and committed it; where CI is
        set nothing is written. With --genbench-update the baseline becomes what was measured.

        Args:
            samples: images in any form that `genbench.evaluate` takes: tensor, array, folder, list of PIL images, iterator.
            name: of the entry in the baseline file; by default the name of the test. A test that checks twice gives names.
            options: those of `genbench.evaluate` (ref, metrics, extractor, ...), and what is allowed, which wins over the
                marker: max_increase, max_increase_rel ("3%"), max_decrease, max_decrease_rel, max, min, test, severity, each
                one value or {metric: value}; alpha, the chance of a false alarm; min_n, the fewest images; on_inconclusive,
                "pass", "fail" or "xfail".

        Raises GenbenchError for images and settings that cannot be used.
        """
        __tracebackhide__ = True
        try:
            settings, options = self._settings(options)
            entry = self._entry(name)
            result = self._measured(samples, f"genbench {name}" if name else "genbench", options)
            found, written, against = self._compared(entry, result, settings)
        except GenbenchError as error:  # without the frames between the line of the test and the cause
            raise error.with_traceback(None) from None
        if written and not self._updating:
            self._fail(found, against, f"baseline written to {self._shown}: review it and commit it", *_values(found))
        if any(outcome.verdict == "missing" and outcome.base is None for outcome in found.outcomes):
            hint = f"run the test where CI is not set, review {self._shown} and commit it"
            self._fail(found, against, f"no baseline for {entry!r} in {self._shown}", hint)
        return self._conclude(found, settings, against, written)

    def assert_not_worse(self, result: Result, than: Result | str | Path, **options: Any) -> Check:
        """Fail the test if a result is worse than another, beyond chance.

        Args:
            than: a result, its result.json or folder, or a baseline file, of which the entry is named like the test or alone.
            options: what is allowed, as for `check`.
        """
        __tracebackhide__ = True
        try:
            settings, rest = self._settings(options)
            if rest:
                raise UsageError("E-USAGE", f"assert_not_worse takes no {', '.join(rest)}", hint="it measures nothing")
            other = than if isinstance(than, Result) else _read(Path(than), self._default_entry)
            found = judge(other, result, settings.policy(result), name=self._default_entry)
        except GenbenchError as error:
            raise error.with_traceback(None) from None
        return self._conclude(found, settings, "" if isinstance(than, Result) else Path(than).name)

    # -- steps -------------------------------------------------------------------------------------------------------------

    @property
    def _updating(self) -> bool:
        return bool(self._config.getoption("--genbench-update"))

    @property
    def _strict(self) -> bool:
        return bool(self._config.getoption("--genbench-strict") or self._config.getini("genbench_strict"))

    @property
    def _shown(self) -> str:
        return shown(self._config, self._path)

    @property
    def _default_entry(self) -> str:
        return self._node.nodeid.partition("::")[2]

    def _settings(self, options: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
        """What the call allows, over what the marker nearest to the test does; and the options that are no settings."""
        given: dict[str, Any] = {}
        for mark in reversed(list(self._node.iter_markers("genbench"))):
            given |= mark.kwargs
        known = OF_METRICS + OF_TESTS
        given |= {name: value for name, value in options.items() if name in known}
        return Settings.of(given), {name: value for name, value in options.items() if name not in known}

    def _entry(self, name: str | None) -> str:
        """The name in the baseline file, which no other check of this process may have."""
        entry = name or self._default_entry
        owner = self._used.setdefault(f"{self._path} {entry}", self._node.nodeid)
        if entry in self._entries or owner != self._node.nodeid:
            hint = 'give each a name: genbench.check(samples, name="large")'
            raise UsageError("E-NAME", f"two checks share the baseline entry {entry!r}", hint=hint)
        self._entries.add(entry)
        return entry

    def _measured(self, samples: Any, prefix: str, options: Mapping[str, Any]) -> Result:
        from genbench.evaluation.evaluate import evaluate

        device = self._config.getoption("--genbench-device") or self._config.getini("genbench_device")
        known = inspect.signature(evaluate).parameters
        for name in options:
            if name not in known:
                raise catalog.unknown("options", name, [*known, *OF_METRICS, *OF_TESTS])
        result = evaluate(samples, **{"device": device, **options})
        for key, metric in result.by_protocol.items():
            self._record(one_line(f"{prefix} {key}"), metric.value)
            self._record(one_line(f"{prefix} {key} se"), metric.se)
        return result

    def _compared(self, entry: str, result: Result, settings: Settings) -> tuple[Check, bool, str]:
        """The check, whether the baseline was written for it, and what it was compared with."""
        if result.subject.n is not None and result.subject.n < settings.min_n:
            hint = "draw more samples, or lower min_n"
            raise DataError("E-TOO-FEW", f"{result.subject.n} images, and the test asks for {settings.min_n}", hint=hint)
        policy = settings.policy(result)
        if not policy.needs_baseline:
            return judge(None, result, policy, name=entry), False, ""
        old, written, notes = self._baseline(entry, result)
        base = result if self._updating else old.result if old else None
        found = judge(base, result, policy, name=entry, lacking=f"{self._shown} has no entry {entry!r}", notes=notes)
        return found, written, f"{self._shown}{_commit(old)}"

    def _baseline(self, entry: str, result: Result) -> tuple[Entry | None, bool, tuple[str, ...]]:
        """The entry as it was, whether a new one was written, and what is wrong with the file."""
        with locked(self._path) as baseline:  # workers of pytest-xdist share the file
            old = baseline.entries.get(entry)
            write = (self._updating and not (old and _same(old.result, result))) or (old is None and not in_ci())
            if write:
                baseline.update(entry, result)
                baseline.save(self._path)
        return old, write, baseline.notes

    def _conclude(self, found: Check, settings: Settings, against: str, written: bool = False) -> Check:
        """Tell the session, and fail the test if it must. The check where it passes."""
        __tracebackhide__ = True
        strict = self._strict or settings.on_inconclusive == "fail"
        last = conclusion(found, strict)
        self._tell(found, against, f"baseline written, {last}" if written else last, strict)
        text = as_text(found, strict=strict, against=against, update=UPDATE)
        if found.exit_code(strict=strict):
            pytest.fail(text)
        if settings.on_inconclusive == "xfail" and any(outcome.verdict == "inconclusive" for outcome in found.outcomes):
            pytest.xfail(text)
        return found

    def _fail(self, found: Check, against: str, *sentences: str) -> NoReturn:
        __tracebackhide__ = True
        self._tell(found, against, sentences[0], strict=False)
        pytest.fail("\n".join(map(one_line, sentences)))

    def _tell(self, found: Check, against: str, sentence: str, strict: bool) -> None:
        """One JSON text for the report of the test: plain ASCII, which every way to the controller carries."""
        line = {
            "baseline": str(self._path),
            "entry": found.name,
            "conclusion": one_line(sentence),
            "document": document(found, strict=strict),
            "markdown": as_markdown(found, strict=strict, against=against),
            "annotations": as_annotations(found, strict=strict).splitlines(),
        }
        self._lines.append(json.dumps(line))


def in_ci() -> bool:
    """Whether CI is set, as every service of continuous integration does."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _same(one: Result, other: Result) -> bool:
    """Whether nothing would change in the file but the time."""
    return one.metrics == other.metrics and one.subject == other.subject and one.reference == other.reference


def _commit(entry: Entry | None) -> str:
    return f", {entry.commit[:7]}" if entry and entry.commit else ""


def _values(found: Check) -> list[str]:
    return [f"  {metric.short_name} {metric}" for metric in found.current.metrics]


def _read(path: Path, name: str) -> Result:
    """Of a baseline file the entry that is called so or is alone, else the result that lies there."""
    if is_baseline(path):
        baseline = Baseline.load(path)
        chosen = name if name in baseline.entries else baseline.choose(None)
        if chosen not in baseline.entries:
            raise DataError("E-NO-BASELINE", f"{path.name}: {baseline.missing(chosen)}", hint="give it an entry of that name")
        return baseline.entries[chosen].result
    return Result.load(path)
