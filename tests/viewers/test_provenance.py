"""What a reader must know before relying on a record stands in the open, not in the folded account."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tomarium.model import Record
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
