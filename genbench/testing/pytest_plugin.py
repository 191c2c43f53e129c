"""The pytest plugin: options, the marker, the fixture `genbench`.

    def test_fd_does_not_regress(genbench):
        genbench.check(model.sample(2000, seed=0), ref="digits/train", metrics="fd", extractor="tiny", max_increase=0.3)

Every run of pytest by everyone who has genbench installed loads this file, so it imports the standard library and pytest
alone; the rest comes when a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from genbench.testing.ledger import DESELECTED, Ledger

if TYPE_CHECKING:
    from genbench.testing.fixture import Genbench

LINES = pytest.StashKey[list[str]]()  # what the checks of one test tell, for its report
USED = pytest.StashKey[dict[str, str]]()  # baseline entry -> the test that is checked against it, in this process
SKIP = "--genbench-skip"
MARKER = (
    "genbench(max_increase, max_increase_rel, max_decrease, max_decrease_rel, max, min, test, severity, alpha, min_n, "
    "on_inconclusive): what the fixture `genbench` allows; each a value for every metric, or {metric: value}"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("genbench", "genbench: generators must not get worse")
    flags = {
        "--genbench-update": "accept the current values as the new baseline",
        SKIP: "skip the tests that use the fixture `genbench`",
        "--genbench-strict": "a change that is neither ruled out nor proven fails",
    }
    for flag, text in flags.items():
        group.addoption(flag, action="store_true", help=text)
    group.addoption("--genbench-baseline-dir", metavar="FOLDER", help="one folder for all baselines, not one beside each test")
    group.addoption("--genbench-json", metavar="PATH", help="write all checks of the session as one JSON document")
    group.addoption("--genbench-device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps")
    parser.addini("genbench_baseline_dir", "as --genbench-baseline-dir, from the root of the tests", default="")
    parser.addini("genbench_strict", "as --genbench-strict", type="bool", default=False)
    parser.addini("genbench_device", "as --genbench-device", default="auto")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.stash[USED] = {}
    if not is_worker(config):
        config.pluginmanager.register(Ledger(config), "genbench-ledger")


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist, whose reports go to a controller."""
    return hasattr(config, "workeroutput")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption(SKIP):
        for item in items:
            if "genbench" in getattr(item, "fixturenames", ()):  # before any fixture that trains or samples
                item.add_marker(pytest.mark.skip(reason=SKIP))


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items and is_worker(items[0].config):
        items[0].config.workeroutput[DESELECTED] = True  # type: ignore[attr-defined]  # of pytest-xdist


@pytest.fixture
def genbench(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Genbench:
    """Evaluates samples and checks them against the baseline of this test; see `genbench.testing.fixture.Genbench`."""
    from genbench.testing.fixture import Genbench

    node, used = request.node, request.config.stash[USED]
    return Genbench(node, used=used, lines=node.stash.setdefault(LINES, []), record_property=record_property)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if lines := item.stash.get(LINES, []):
        report.genbench = list(lines)  # attributes of a report travel from a worker to the controller
        lines.clear()
    return report
