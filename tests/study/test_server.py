"""The application, from inside: whole sessions, repeated and wrong requests, and what it never tells."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from studies import HOSTILE, pairwise, pictures, systems

from genbench.errors import DataError, SetupError
from genbench.study.design import new_study
from genbench.study.document import Study
from genbench.study.serve import _hosts, _listen, serve
from genbench.study.store import FILE, Store

pytest.importorskip("fastapi", reason="the extra `study` is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

from fastapi.testclient import TestClient

from genbench.study.server import create_app


@contextmanager
def running(study: Study, folder: Path, hosts: set[str] | None = None) -> Iterator[tuple[TestClient, Store]]:
    with closing(Store(folder / FILE, study.id)) as store, TestClient(create_app(study, folder, store, hosts)) as client:
        yield client, store


def answer(study: Study, question: str, **changed: Any) -> dict[str, Any]:
    plain = {"id": uuid4().hex, "study": study.id, "rater": "r1", "question": question, "choice": "left", "seconds": 1.25}
    return {**plain, **changed}


def session(client: TestClient, rater: str = "r1") -> dict[str, Any]:
    return client.get("/api/session", params={"rater": rater}).json()


def test_a_whole_session(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path, ties=True)
    with running(study, folder) as (client, store):
        assert "Which of these images looks better?" in client.get("/").text
        turns = session(client)["turns"]
        assert {turn["id"] for turn in turns} == {one.id for one in study.questions}
        sides = {}
        for turn, choice in zip(turns, ["left", "right", "tie", "left"] * 2, strict=True):
            for side in ("left", "right"):
                picture = client.get(f"/images/{turn[side]}")
                assert picture.content == (folder / "images" / turn[side]).read_bytes()
                assert picture.headers["content-type"] == "image/png"
            sent = answer(study, turn["id"], choice=choice)
            assert client.post("/api/votes", json=sent).json() == {"kept": True}
            sides[turn["id"]] = turn, choice
        assert set(session(client)["answered"]) == set(sides)
        by_file = {shown.file: shown for one in study.questions for shown in (one.a, one.b)}
        for vote in store.votes():
            turn, choice = sides[vote.question]
            assert vote.choice == choice
            assert vote.seconds == 1.25
            assert (vote.left, vote.right) == (by_file[turn["left"]].system, by_file[turn["right"]].system)
            assert (vote.left_image, vote.right_image) == (by_file[turn["left"]].name, by_file[turn["right"]].name)
            if vote.catch:
                noise = {"left": vote.left_image, "right": vote.right_image}
                assert "noise" not in noise.pop(str(vote.correct))
                assert "noise" in noise.popitem()[1]


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, _):
        before = session(client)
        sent = answer(study, before["turns"][0]["id"])
        client.post("/api/votes", json=sent)
    with running(study, folder) as (client, store):
        after = session(client)
        assert after["turns"] == before["turns"]
        assert after["answered"] == [sent["question"]]
        assert client.post("/api/votes", json=sent).json() == {"kept": True}, "sent again, as the answer was lost on the way"
        assert not client.post("/api/votes", json=answer(study, sent["question"], choice="right")).json()["kept"]
        assert [vote.choice for vote in store.votes()] == ["left"]


def test_raters_see_their_own_order_and_share_nothing(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path, questions=12)
    with running(study, folder) as (client, _):
        one, other = session(client, "anna"), session(client, "ben@home.example")
        assert one["turns"] != other["turns"]
        client.post("/api/votes", json=answer(study, one["turns"][0]["id"], rater="anna"))
        assert session(client, "ben@home.example")["answered"] == []


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"question": "nope"}, 404, "no such question"),
        ({"question": "../../etc/passwd"}, 404, "no such question"),
        ({"study": "another"}, 409, "another study"),
        ({"choice": "up"}, 422, "choice"),
        ({"choice": "tie"}, 422, "no ties"),
        ({"rater": ""}, 422, "rater"),
        ({"rater": "a b"}, 422, "rater"),
        ({"rater": "x" * 65}, 422, "rater"),
        ({"rater": 7}, 422, "rater"),
        ({"id": "short"}, 422, "id"),
        ({"id": "Z" * 32}, 422, "id"),
        ({"seconds": -1}, 422, "seconds"),
        ({"seconds": 1e300}, 422, "seconds"),
        ({"seconds": "NaN"}, 422, "seconds"),
        ({"seconds": None}, 422, "seconds"),
        ({"correct": "left"}, 422, "correct"),
        ({"left": "gan"}, 422, "left"),
        ({"rater": "x" * 5000}, 413, "bytes"),
    ],
)
def test_wrong_answers_are_refused_and_not_kept(tmp_path: Path, changed: dict[str, Any], status: int, reason: str) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, store):
        response = client.post("/api/votes", json={**answer(study, study.questions[0].id), **changed})
        assert (response.status_code, list(response.json())) == (status, ["error"])
        assert reason in response.json()["error"]
        assert store.count().votes == 0


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"id": NaN}', b"[" * 4000])
def test_what_is_no_answer_is_refused(tmp_path: Path, content: bytes) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, _):
        response = client.post("/api/votes", content=content, headers={"content-type": "application/json"})
        assert response.status_code == 422
        assert response.json()["error"]


def test_other_sites_cannot_vote_through_a_visitors_browser(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    sent = answer(study, study.questions[0].id)
    with running(study, folder) as (client, store):
        assert client.post("/api/votes", json=sent, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.post("/api/votes", json=sent, headers={"origin": "null"}).status_code == 403
        plain = client.post("/api/votes", content=str(sent).encode(), headers={"content-type": "text/plain"})
        assert plain.status_code == 415
        assert store.count().votes == 0
        assert client.post("/api/votes", json=sent, headers={"origin": "http://testserver"}).json() == {"kept": True}


@pytest.mark.parametrize("origin", ["http://[", "http://", "", "testserver", "ftp://testserver", "http://testserver.evil"])
def test_a_malformed_origin_is_refused(tmp_path: Path, origin: str) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, _):
        response = client.post("/api/votes", json=answer(study, study.questions[0].id), headers={"origin": origin})
        assert response.status_code == 403


def served_names(host: str, allow: tuple[str, ...] = ()) -> set[str] | None:
    with closing(_listen(host, 0)) as listener:
        return _hosts(listener, allow)


def test_a_name_that_another_site_points_here_is_refused(tmp_path: Path) -> None:
    """Its page would be of the same origin, and could read the study and vote."""
    study, folder = pairwise(tmp_path)
    sent = answer(study, study.questions[0].id)
    hosts = served_names("127.0.0.1", ("Study.example",))
    with running(study, folder, hosts) as (client, store):
        for host in (
            "evil.example",
            "evil.example:8765",
            "localhost.evil.example",
            "[",
            "[::1",
            "",
            "127.0.0.1@evil.example:1",
        ):
            headers = {"host": host, "origin": f"http://{host}"}
            for response in (client.post("/api/votes", json=sent, headers=headers), client.get("/", headers=headers)):
                assert (response.status_code, list(response.json())) == (403, ["error"])
        assert store.count().votes == 0
        for host in ("localhost", "LOCALHOST:8765", "127.0.0.1:8765", "[::1]:8765", "study.example", "study.example:443"):
            headers = {"host": host, "origin": f"http://{host}"}
            assert client.post("/api/votes", json=sent, headers=headers).json() == {"kept": True}


def test_a_server_for_the_network_answers_to_any_name_unless_told_one() -> None:
    assert served_names("0.0.0.0") is None
    assert "evil.example" not in (served_names("localhost") or ())
    assert served_names("0.0.0.0", ("study.example",)) == {"study.example", "localhost", "127.0.0.1", "::1", "0.0.0.0"}


@pytest.mark.parametrize(
    "path",
    [
        "/images/../study.json",
        "/images/..%2fstudy.json",
        "/images/%2e%2e%2fstudy.json",
        "/images/..%5cstudy.json",
        "/images//etc/passwd",
        "/images/study.json",
        "/images/",
        "/images/00.png",
        "/study.json",
        "/votes.sqlite",
        "/docs",
        "/openapi.json",
        "/api/votes/1",
    ],
)
def test_only_the_studys_images_are_handed_out(tmp_path: Path, path: str) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, _):
        response = client.get(path)
        assert response.status_code == 404
        assert "error" in response.json()


def test_the_page_learns_neither_systems_nor_answers(tmp_path: Path) -> None:
    real = pictures(tmp_path / "photos", 12, seed=5)
    sets = dict(zip(["ddpm", HOSTILE], systems(tmp_path, "a b").values(), strict=True))
    study = new_study("two_alternative", sets, tmp_path / "study", real=real, questions=6, question='Real? "<b>" & </script>')
    with running(study, tmp_path / "study") as (client, _):
        page = client.get("/")
        for text in (page.text, client.get("/api/session", params={"rater": "r1"}).text):
            for secret in ("ddpm", "onerror", "noise", "photos", "0003", '"real"', '"catch"'):
                assert secret not in text.lower()
        assert "Real? &#34;&lt;b&gt;&#34; &amp; &lt;/script&gt;" in page.text
        assert page.text.count("</script>") == 3
        voted = client.post("/api/votes", json=answer(study, study.questions[0].id))
        assert voted.json() == {"kept": True}, "not even whether it was right"


def test_every_response_is_guarded(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    with running(study, folder) as (client, _):
        for path in ("/", "/api/session?rater=r1", f"/images/{study.questions[0].a.file}", "/nowhere"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "frame-ancestors 'none'"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "set-cookie" not in headers
            assert "access-control-allow-origin" not in headers
        first, second = client.get("/").text, client.get("/").text
        assert "connect-src 'self'" in first
        assert "default-src 'none'" in first
        assert first != second, "each has a nonce of its own"
        assert client.get("/").headers["cache-control"] == "no-store"


def test_a_full_disk_is_told_so_that_the_page_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, folder = pairwise(tmp_path)

    def full(self: Store, vote: object) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    with running(study, folder) as (client, _):
        sent = answer(study, study.questions[0].id)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "add", full)
            response = client.post("/api/votes", json=sent)
        assert (response.status_code, response.json()["error"]) == (
            503,
            "the answer could not be kept: database or disk is full",
        )
        assert client.post("/api/votes", json=sent).json() == {"kept": True}


def test_what_cannot_be_served_is_said_before_anybody_connects(tmp_path: Path) -> None:
    _, folder = pairwise(tmp_path)
    with pytest.raises(DataError, match="no study in"):
        serve(tmp_path)
    with pytest.raises(SetupError, match="cannot listen at"):
        serve(folder, host="203.0.113.1", port=0)
