"""What a reader must know before relying on a record stands in the open, not in the folded account."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tomarium.model import FileEntry, Record
from tomarium.viewers.provenance import render
from tomarium.viewers.viewer import View


def page(tmp_path: Path, warnings: Any) -> str:
    record = Record(
        "a", "A", datetime(2026, 1, 1, tzinfo=UTC), provenance={"warnings": warnings, "rows": [0, 4]}
    )
    view = View(tmp_path, {}, lambda _: "", lambda _: "", lambda *_: "")
    return str(render(record, view).html)


def test_cautions_stand_before_the_account(tmp_path: Path) -> None:
    html = page(tmp_path, ["half acquisition", "<b>low</b> confidence"])
    assert html.index("<li>half acquisition</li>") < html.index("<details")
    assert "&lt;b&gt;low&lt;/b&gt; confidence" in html
    assert html.count("half acquisition") == 1


def test_nothing_is_said_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    for none in ([], None, "text", {"a": 1}, [1, 2]):
        assert "rely" not in page(tmp_path, none)


def test_bulk_is_left_to_the_file_where_there_is_one(tmp_path: Path) -> None:
    provenance = {"plan": {"stages": []}, "source": {"path": "a.h5", "metadata": {"deep": 1}}, "seconds": 2.5}
    files = (FileEntry("provenance.json", 9, "0" * 64, role="provenance"),)
    record = Record("a", "A", datetime(2026, 1, 1, tzinfo=UTC), provenance=provenance, files=files)
    view = View(tmp_path, {}, lambda _: "", lambda path: f"/files/{path}", lambda *_: "")
    short = render(record, view)
    assert "deep" not in str(short.html)
    assert 'href="/files/provenance.json"' in str(short.html)
    assert "seconds" in str(short.html)
    assert short.data["provenance"] == provenance
    assert "deep" in str(render(replace(record, files=()), view).html)
