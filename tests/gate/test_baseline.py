"""What is saved is what is read, nothing half-written counts, and a diff of the file is short."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from results_for_checks import fixed, result_of, values

from genbench.errors import DataError, UsageError
from genbench.evaluation.result import Result
from genbench.gate.baseline import Baseline, beside, locked, revision

HOSTILE = ['</script>"|.png', "\x1b[31m\n::error::.png", "\u202egnp.png"]


def sample(seed: int = 0, names: tuple[str, ...] = ()) -> Result:
    return result_of({"ssim": values(0.5, seed=seed), "fd": fixed(5.0)}, names=names or [f"{i}.png" for i in range(400)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "genbench-baseline.json"


def accept(path: str, number: int) -> None:
    """What an update of one entry does, in a process of its own."""
    with locked(Path(path)) as baseline:
        baseline.update(f"n{number}", sample(number))
        baseline.save(path)


def test_updates_at_the_same_time_lose_nothing(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(accept, [str(path)] * 8, range(8)))
    again = Baseline.load(path)
    assert list(again.entries) == [f"n{number}" for number in range(8)]
    assert again.notes == ()


def test_weights_of_the_same_stem_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    baseline = Baseline()
    baseline.update("default", sample())
    baseline.save(tmp_path / "model.json")
    assert (tmp_path / "model.safetensors").read_bytes() == b"weights"


def test_a_result_that_contradicts_itself_is_no_baseline() -> None:
    result = sample()
    result.with_influence({"ssim/1 ssim": sample(1).influence["ssim/1 ssim"]})
    lie = result.metrics[0].model_copy(update={"se": 3.0, "ci": (-9.0, 9.0)})
    with pytest.raises(DataError, match="cannot be a baseline: its influence makes a standard error"):
        Baseline().update("default", result.model_copy(update={"metrics": [lie]}))


def test_what_is_saved_is_what_is_read(path: Path) -> None:
    baseline = Baseline()
    entries = {"default": sample(0), "test_a.py::test[tab\tslash/ x]": sample(1), "ünder": sample(2)}
    for name, result in entries.items():
        baseline.update(name, result, reason="better\nthan before")
    baseline.save(path)
    again = Baseline.load(path)
    assert list(again.entries) == sorted(entries)
    assert again.notes == ()
    for name, result in entries.items():
        found = again.entries[name]
        assert found.reason == "better\nthan before"
        assert found.result.metrics == result.metrics
        assert (found.result.subject, found.result.reference) == (result.subject, result.reference)
        assert found.result.image_names == result.image_names
        assert list(found.result.influence) == ["ssim/1 ssim"]
        stored, own = found.result.influence["ssim/1 ssim"].fake, result.influence["ssim/1 ssim"].fake
        np.testing.assert_allclose(np.asarray(stored), np.asarray(own), rtol=1e-6)


def test_saving_again_changes_no_byte_and_a_new_entry_only_adds_lines(path: Path) -> None:
    baseline = Baseline()
    baseline.update("b", sample(0))
    baseline.save(path)
    first = path.read_bytes(), beside(path).read_bytes()
    Baseline.load(path).save(path)
    assert (path.read_bytes(), beside(path).read_bytes()) == first
    baseline.update("a", sample(1))
    baseline.save(path)
    lines = path.read_text().splitlines()
    assert set(first[0].decode().splitlines()) - set(lines) <= {
        line for line in first[0].decode().splitlines() if "sha256" in line
    }


def test_it_is_small_and_names_neither_seconds_nor_places(path: Path, tmp_path: Path) -> None:
    baseline = Baseline()
    baseline.update("default", sample())
    baseline.save(path)
    text = path.read_text()
    assert len(text) < 3000
    assert "timing" not in text
    assert str(tmp_path) not in text
    assert text.isascii()


def test_names_from_outside_survive_and_stay_on_their_line(path: Path) -> None:
    baseline = Baseline()
    names = tuple(HOSTILE * 133 + ["last"])
    baseline.update(HOSTILE[1], sample(names=names))
    baseline.save(path)
    assert list(Baseline.load(path).entries[HOSTILE[1]].result.image_names) == list(names)
    assert "\x1b" not in path.read_text()


def paired(path: Path) -> list[str]:
    return [name for name, entry in Baseline.load(path).entries.items() if entry.result.influence]


def test_influence_that_is_lost_or_changed_is_left_out_and_told(path: Path) -> None:
    for number in range(2):
        accept(str(path), number)
    content = beside(path).read_bytes()
    beside(path).write_bytes(content[:-4] + b"\0\0\0\0")
    assert paired(path) == ["n0"]
    assert "influence of the images of n1 is missing" in Baseline.load(path).notes[0]
    beside(path).unlink()
    assert "n0, n1" in Baseline.load(path).notes[0]
    accept(str(path), 1)  # of the others it stays known that they had influence
    assert paired(path) == ["n1"]
    assert "of n0 is missing" in Baseline.load(path).notes[0]
    accept(str(path), 0)
    assert (paired(path), Baseline.load(path).notes) == (["n0", "n1"], ())


def test_an_interruption_between_the_two_files_costs_the_other_entries_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        accept(str(path), number)
    before = path.read_bytes()
    baseline = Baseline.load(path)
    baseline.update("n1", sample(7))
    with monkeypatch.context() as patch:
        patch.setattr("genbench.gate.baseline._slim", lambda entry: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            baseline.save(path)
    assert path.read_bytes() == before
    assert paired(path) == ["n0", "n2"]
    accept(str(path), 1)
    assert paired(path) == ["n0", "n1", "n2"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"schema": "genbench.baseline/2", "entries": {}}',
        b'{"schema": "genbench.baseline/1", "entries": {"a": {}}}',
        b'{"schema": "genbench.baseline/1", "entries": {"a": {"created": "", "result": 5}}}',
        b'{"schema": "genbench.baseline/1", "entries": {"a": 5}}',
    ],
)
def test_what_is_no_baseline_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is no genbench.baseline/1"):
        Baseline.load(path)


def test_a_number_that_is_none_is_no_baseline(path: Path) -> None:
    baseline = Baseline()
    baseline.update("default", sample())
    baseline.save(path)
    text = path.read_text().replace('"value": 5.0', '"value": NaN')
    assert "NaN" in text
    path.write_text(text)
    with pytest.raises(DataError, match="metrics"):
        Baseline.load(path)
    with pytest.raises(DataError, match="fd@tiny cannot be a baseline: because"):
        baseline.update("default", result_of({"fd": fixed(None)}))
    small = sample()
    marked = small.metrics[0].model_copy(update={"comparable": False, "notes": ["9 images, but it needs 30"]})
    with pytest.raises(DataError, match="9 images"):
        baseline.update("default", small.model_copy(update={"metrics": [marked]}))
    with pytest.raises(DataError, match="without metrics"):
        baseline.update("default", result_of({}))
    assert baseline.entries["default"].result["fd"].value == 5.0


def test_which_entry_is_meant() -> None:
    baseline = Baseline()
    assert baseline.choose(None) == "default"
    baseline.update("tiny-ddpm", sample())
    assert (baseline.choose(None), baseline.choose("other")) == ("tiny-ddpm", "other")
    assert "did you mean tiny-ddpm?" in baseline.missing("tiny-dpm")
    baseline.update("big", sample())
    with pytest.raises(UsageError, match="several entries"):
        baseline.choose(None)
    baseline.update("default", sample())
    assert baseline.choose(None) == "default"


def test_the_commit_is_noted_and_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision() == (None, None)
    git = ["git", "-c", "user.name=Nobody Known", "-c", "user.email=nobody@example.org"]
    (tmp_path / "file").write_text("one")
    for arguments in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    commit, dirty = revision()
    assert (len(commit or ""), dirty) == (40, False)
    (tmp_path / "file").write_text("two")
    assert revision() == (commit, True)
    baseline = Baseline()
    baseline.update("default", sample())
    baseline.save(tmp_path / "b.json")
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["entries"]["default"]["commit"] == commit
    assert "Nobody" not in (tmp_path / "b.json").read_text()


def test_a_file_that_could_not_be_written_whole_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = Baseline()
    baseline.update("default", sample(0))
    baseline.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("genbench.files.os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(Exception, match="No space left"):
        baseline.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".tmp"] == []
