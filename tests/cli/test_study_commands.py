"""`genbench study`: from folders of images to votes, in a shell."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from genbench.cli import run
from genbench.study.document import load_study
from genbench.study.ratings import Ratings
from genbench.study.votes import read_votes

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Path]:
    """Ten images each of two systems."""
    chance = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for index in range(10):
            pixels = chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return {name: tmp_path / name for name in ("one", "two")}


def new(sets: dict[str, Path], out: Path, *options: str, kind: str = "pairwise") -> list[str]:
    return ["study", "new", "--kind", kind, *[f"{name}={path}" for name, path in sets.items()], "-o", str(out), *options]


def test_a_study_is_made(sets: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    assert run(new(sets, tmp_path / "study", "--questions", "8", "--static", str(tmp_path / "study.html"))) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'study'}\n"
    assert "8 questions and 1 catch trials; images of the same name beside each other" in printed.err
    assert len(load_study(tmp_path / "study").questions) == 9
    assert (tmp_path / "study.html").read_text().startswith("<!doctype html>")
    assert run(["study", "page", str(tmp_path / "study"), "-o", str(tmp_path / "again.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'again.html'}\n"


def test_json_is_the_study(sets: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    arguments = new(sets, tmp_path / "study", "--real", "digits/test", "--json", "--quiet", kind="two-alternative")
    assert run(arguments) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["schema"], document["kind"]) == ("genbench.study/1", "two_alternative")
    assert printed.err == ""
    assert str(tmp_path) not in printed.out


@pytest.mark.parametrize(
    ("arguments", "status", "code", "sentence"),
    [
        ("new a=x b=y -o out", 2, "E-USAGE", "--kind"),
        ("new --kind threewise a=x b=y -o out", 2, "E-USAGE", "pairwise, two-alternative, text-match"),
        ("new --kind pairwise a=x b=y", 2, "E-USAGE", "--out"),
        ("new --kind pairwise samples b=y -o out", 2, "E-SYSTEMS", "NAME=IMAGES"),
        ("new --kind pairwise a=x a=y -o out", 2, "E-SYSTEMS", "two systems are called 'a'"),
        ("new --kind pairwise a=digits b=digits -o out", 2, "E-SYSTEMS", "given twice"),
        ("new --kind pairwise a=digits -o out", 2, "E-SYSTEMS", "compares 2 or more"),
        ("new --kind pairwise a=digits b=./nowhere -o out", 5, "E-NO-PATH", "nowhere"),
        ("new --kind two-alternative a=digits/test -o out", 2, "E-REAL", "--real"),
        ("new --kind text-match a=digits/test b=digits/train -o out", 2, "E-CAPTIONS", "--captions"),
        ("new --kind pairwise a=digits/test b=digits/train --catch 2 -o out", 2, "E-CATCH", "from 0 to 1"),
        ("serve ./nowhere", 5, "E-NO-STUDY", "genbench study new"),
        ("export ./nowhere", 5, "E-NO-STUDY", "genbench study new"),
        ("page ./nowhere", 5, "E-NO-STUDY", "genbench study new"),
        ("serve ./nowhere --port 70000", 2, "E-USAGE", "65535"),
        ("serve ./nowhere --allow-host https://study.example/", 2, "E-USAGE", "a name alone"),
    ],
)
def test_errors_say_what_is_wrong(
    arguments: str, status: int, code: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["study", *arguments.split()]) == status
    printed = capsys.readouterr()
    assert f"error[{code}]" in printed.err
    assert sentence in printed.err
    assert not (tmp_path / "out").exists()


def test_served_stopped_and_exported(sets: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
    folder = tmp_path / "study"
    assert run(new(sets, folder)) == 0
    command = [sys.executable, "-m", "genbench", "study", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        study = load_study(folder)
        sent = {"id": uuid4().hex, "study": study.id, "rater": "anna", "question": study.questions[0].id}
        body = json.dumps({**sent, "choice": "left", "seconds": 2}).encode()
        request = urllib.request.Request(f"{address}api/votes", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            assert json.load(response) == {"kept": True}
        busy = ["study", "serve", str(folder), "--port", address.rstrip("/").rpartition(":")[2]]
        assert run(busy) == 6
        assert "error[E-PORT]" in capsys.readouterr().err
        assert run(["study", "export", str(folder), "-o", str(tmp_path / "early.jsonl")]) == 0, "while it is served"
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (0, "")
    assert "1 votes of 1 person" in err
    assert f"go on: genbench study serve {folder}" in err
    assert "Traceback" not in err
    capsys.readouterr()
    assert run(["study", "export", str(folder), "-o", str(tmp_path / "votes.jsonl")]) == 0
    assert "1 votes" in capsys.readouterr().err
    (vote,) = read_votes([tmp_path / "votes.jsonl", tmp_path / "early.jsonl"])
    assert (vote.id, vote.rater, vote.choice) == (sent["id"], "anna", "left")
    assert run(["study", "export", str(folder), "-q"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (vote.to_json() + "\n", "")


def test_from_images_to_ratings(sets: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    """Three people always choose the images of one system; what is served, exported and analyzed says so."""
    pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
    folder, lines = tmp_path / "study", tmp_path / "votes.jsonl"
    assert run(new(sets, folder, "--catch", "0.3")) == 0
    by_id = {one.id: one for one in load_study(folder).questions}
    command = [sys.executable, "-m", "genbench", "study", "serve", str(folder), "--port", "0", "--allow-host", "study.example"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        for rater in ("anna", "ben", "cleo"):
            session = json.load(asked(f"{address}api/session?rater={rater}", host="study.example"))
            for turn in session["turns"]:
                one = by_id[turn["id"]]
                liked = one.a if one.catch or one.a.system == "one" else one.b
                choice = "left" if turn["left"] == liked.file else "right"
                sent = {"id": uuid4().hex, "study": session["study"], "rater": rater, "question": one.id, "seconds": 1.5}
                assert json.load(asked(f"{address}api/votes", {**sent, "choice": choice})) == {"kept": True}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            asked(address, host="evil.example")
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)
    assert run(["study", "export", str(folder), "-o", str(lines), "-q"]) == 0
    capsys.readouterr()
    ratings = []
    for votes in (folder, lines):
        assert run(["study", "analyze", str(votes), "-o", str(tmp_path / "ratings"), "--json", "-q"]) == 0
        ratings.append(json.loads(capsys.readouterr().out) | {"created": ""})
    assert ratings[0] == ratings[1]
    found = Ratings.load(tmp_path / "ratings")
    assert (found.votes, found.raters, found.excluded) == (30, 3, 0)
    assert [(one.system, one.wins, one.losses) for one in found.systems] == [("one", 30, 0), ("two", 0, 30)]
    assert {(person.catches, person.passed) for person in found.people} == {(3, 3)}


def asked(address: str, sent: dict[str, object] | None = None, host: str | None = None) -> http.client.HTTPResponse:
    headers = {"content-type": "application/json", **({} if host is None else {"host": host})}
    return urllib.request.urlopen(urllib.request.Request(address, sent and json.dumps(sent).encode(), headers))


def test_votes_of_nobody_are_an_empty_file(sets: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    assert run(new(sets, tmp_path / "study", "-q")) == 0
    assert run(["study", "export", str(tmp_path / "study"), "-o", str(tmp_path / "votes.jsonl")]) == 0
    assert (tmp_path / "votes.jsonl").read_bytes() == b""
    assert not list((tmp_path / "study").glob("*.sqlite")), "looking makes nothing"


def test_without_the_extra_it_says_what_to_install(
    sets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(new(sets, tmp_path / "study", "-q")) == 0
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "genbench.study.server", raising=False)
    assert run(["study", "serve", str(tmp_path / "study")]) == 6
    assert 'pip install "genbench[study]"' in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["new", "serve", "page", "export", "analyze"])
def test_help_loads_nothing_heavy(verb: str) -> None:
    code = f"""
import sys
from genbench.cli import run
status = run(["study", "{verb}", "--help"])
print("heavy:", sorted({{"torch", "numpy", "PIL", "fastapi", "uvicorn", "jinja2"}} & set(sys.modules)), status)
"""
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines()[-1] == "heavy: [] 0"


def test_serving_needs_no_torch(sets: dict[str, Path], tmp_path: Path) -> None:
    assert run(new(sets, tmp_path / "study", "-q")) == 0
    code = f"""
import sys
from pathlib import Path
from genbench.study.document import load_study
from genbench.study.server import create_app
from genbench.study.static import static_page
from genbench.study.store import FILE, Store
folder = Path({str(tmp_path / "study")!r})
study = load_study(folder)
create_app(study, folder, Store(folder / FILE, study.id))
static_page(folder, folder.with_suffix(".html"))
print(sorted({{"torch", "scipy", "pandas", "matplotlib"}} & set(sys.modules)))
"""
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"
