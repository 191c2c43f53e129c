"""The study as one file: everything is in it, and the answer key cannot be read by accident."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from studies import HOSTILE, pairwise, systems

from genbench.errors import DataError
from genbench.study.design import new_study
from genbench.study.static import static_page


def settings(path: Path) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="settings">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_one_file_holds_all_of_the_study(tmp_path: Path) -> None:
    study, folder = pairwise(tmp_path)
    static_page(folder, tmp_path / "study.html")
    page = settings(tmp_path / "study.html")
    images, questions, key = page["images"], page["questions"], json.loads(base64.b64decode(page["key"]))
    assert len(images) == len(study.image_files)
    for row, asked, one in zip(key, questions, study.questions, strict=True):
        assert row == [one.a.system, one.a.name, one.b.system, one.b.name, one.correct, one.catch]
        assert asked["id"] == one.id
        for side, shown in (("a", one.a), ("b", one.b)):
            encoded = images[asked[side]].removeprefix("data:image/png;base64,")
            assert base64.b64decode(encoded) == (folder / "images" / shown.file).read_bytes()


def test_no_name_is_readable_and_none_can_break_out(tmp_path: Path) -> None:
    sets = dict(zip(["secretmodel", HOSTILE + "</script>"], systems(tmp_path, "a b").values(), strict=True))
    new_study("pairwise", sets, tmp_path / "study", questions=4)
    static_page(tmp_path / "study", tmp_path / "study.html")
    text = (tmp_path / "study.html").read_text()
    for secret in ("secretmodel", "onerror=alert", "0001.png", str(tmp_path)):
        assert secret not in text
    assert text.count("</script>") == 3
    assert "connect-src" not in text
    assert "img-src data:;" in text


def test_too_much_for_one_page_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = pairwise(tmp_path)
    monkeypatch.setattr("genbench.study.static.LARGEST", 1000)
    with pytest.raises(DataError, match="fewer --questions"):
        static_page(folder, tmp_path / "study.html")
    assert not (tmp_path / "study.html").exists()
