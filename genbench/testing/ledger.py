"""What the checks of a session tell at its end: kept where all reports arrive, with pytest-xdist the controller alone."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from genbench.testing.place import baseline_path, module_of, shown

DESELECTED = "genbench_deselected"  # what a worker of pytest-xdist tells at its end


class Ledger:
    """The lines of all checks (JSON texts of `Genbench.check`), and which tests might have been checked and were not."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.lines: list[dict[str, Any]] = []
        self.modules: set[str] = set()
        self.unsure: set[str] = set()  # modules with a test that failed or was skipped before it came to a check
        self.whole = config.args_source is not pytest.Config.ArgsSource.ARGS and not config.getoption("collectonly")

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.whole = self.whole and not items

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.whole = self.whole and hasattr(node, "workeroutput") and not node.workeroutput.get(DESELECTED)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        module = report.nodeid.partition("::")[0]
        found = getattr(report, "genbench", [])
        self.modules.add(module)
        if not (report.passed or found):
            self.unsure.add(module)
        self.lines += [{**json.loads(line), "test": report.nodeid} for line in found]

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self.whole = self.whole and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        path = self.config.getoption("--genbench-json")
        if path:
            from genbench import files

            documents = [{"test": line["test"], **line["document"]} for line in self.lines]
            content = {"schema": "genbench.checks/1", "checks": documents}
            files.write_atomic(Path(path), json.dumps(content, indent=2, allow_nan=False) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.lines:
            return
        terminalreporter.section("genbench")
        for line in self.lines:
            terminalreporter.write_line(f"{line['test']}: {line['conclusion']}")
        for sentence in self.stale():
            terminalreporter.write_line(sentence)
        self._tell_github(terminalreporter)

    def _tell_github(self, terminalreporter: pytest.TerminalReporter) -> None:
        from genbench.gate.formats.github import at_most, in_actions, summarise

        if not in_actions():
            return
        for annotation in at_most([text for line in self.lines for text in line["annotations"]]):
            terminalreporter.write_line(annotation)
        summarise("\n\n".join(line["markdown"] for line in self.lines))

    def stale(self) -> list[str]:
        """Lines on baseline files that are not as they should be; nothing unless the whole suite was collected."""
        if not self.whole:
            return []
        from genbench.pages.escape import one_line

        root = self.config.rootpath
        paths = {baseline_path(self.config, root / module) for module in self.modules - self.unsure}
        used = {(line["baseline"], line["entry"]) for line in self.lines}
        gone = {path for folder in {path.parent for path in paths} for path in folder.glob("*.json")} - paths
        kept = sorted(path for path in paths | gone if path.is_file() and (path in paths or not self._has_module(path)))
        return [one_line(f"{shown(self.config, path)}: {text}") for path in kept for text in _told(path, used)]

    def _has_module(self, path: Path) -> bool:
        return module_of(self.config, path).exists()


def _told(path: Path, used: Collection[tuple[str, str]]) -> list[str]:
    """What is to be said of a baseline file: its entries that no test used and what it lacks, or why it cannot be read."""
    from genbench.errors import GenbenchError
    from genbench.gate.baseline import Baseline

    try:
        baseline = Baseline.load(path)
    except GenbenchError as error:
        return [f"cannot be read: {error.message}"]
    unused = [name for name in sorted(baseline.entries) if (str(path), name) not in used]
    stale = [f"no test is checked against {', '.join(unused)}; remove it from the file"] if unused else []
    return [*baseline.notes, *stale]
