"""The log book of a beamtime: programs note each event once, people write beside them, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app_client import TestClient
from tomarium.beamtime.batch_files import Row
from tomarium.beamtime.live_file import LiveState, moment, write_live
from tomarium.beamtime.log_events import of_batch, of_watch
from tomarium.beamtime.log_file import LOG, MachineLog, read_log, write_remark
from tomarium.beamtime.report import LogEntry, gather
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.log_files import place_of_file
from tomarium.cli import execute, interrupts
from tomarium.errors import ParameterError
from tomarium.portal.app import create_app
from tomarium.portal.live_server import create_live_app
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

SMALL = SimulationConfig(
    columns=64, rows=6, views=60, flats=2, darks=2, subrays=1, zingers=0.0, hot_pixels=0, dead_pixels=0
)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a beamtime of a proposal, which is the present folder."""
    (tmp_path / "beamtime.toml").write_text('name = "Teeth"\nproposal = "hg-1"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    interrupts.ASKED.clear()
    return tmp_path


def test_each_key_is_written_once_by_whoever_comes_and_a_torn_line_loses_nothing(tmp_path: Path) -> None:
    one, other = MachineLog(tmp_path, "tomarium watch"), MachineLog(tmp_path, "tomarium copy")
    assert one.note("a started", "a: started")
    assert not one.note("a started", "a: started")
    assert not other.note("a started", "a: started")  # a process that is started again knows the file
    assert other.note("a copied", "a: copied")
    with (tmp_path / LOG).open("ab") as file:
        file.write(b'{"when": "2026-11-')  # a writer that was killed
    assert not MachineLog(tmp_path, "x").note("a copied", "a: copied")
    assert one.note("b started", "b: started")
    write_remark(tmp_path, "  Ada  L. ", "beam lost\n")
    told = read_log(tmp_path)
    assert [one.text for one in told] == ["a: started", "a: copied", "b: started", "beam lost"]
    assert [one.machine for one in told] == [True, True, True, False]
    assert told[-1].who == "Ada L."
    for who, text in (("", "x"), ("Ada", " "), ("Ada", "x" * 5000)):
        with pytest.raises(ParameterError):
            write_remark(tmp_path, who, text)


def test_what_the_system_refuses_is_told_once(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    log, said = MachineLog(tmp_path, "x"), list[str]()
    for _ in range(2):
        log.note_all([("a", "a"), ("b", "b")], said.append)
    [told] = said
    assert "cannot be written" in told


def slice_of(scan: str, **changes: Any) -> dict[str, Any]:
    told = {"scan": scan, "row": 3, "views": 60, "complete": True, "axis_column": 30.123, "confidence": "high",
            "warnings": [], "stamp": [7, 1, 2]}  # fmt: skip
    return {**told, **changes}


def test_events_of_a_watch_and_a_batch() -> None:
    warning = {"title": "Sample moved", "text": "by 2 px"}
    failed = {"scan": "c", "reason": "is empty", "at": moment(100), "arrived_at": moment(100), "stamp": [9]}
    state = LiveState(
        slices=[slice_of("a", warnings=[warning]), slice_of("b", complete=False)], failed=[failed]
    )
    assert [text for _, text in of_watch(state, (), 200)] == [
        "a: reconstructed, row 3, 60 views, axis 30.12 (high)",
        "a: warning: Sample moved: by 2 px",
        "c: failed: is empty",
    ]
    assert "c: failed: is empty" not in [
        text for _, text in of_watch(state, (), 105)
    ]  # it may still be written
    rows = [
        Row("a.h5", "a", "finished", 30.1, seconds=2.5),
        Row("b.h5", "b", "failed", error="no"),
        Row("c.h5", "c"),
    ]
    first, second = (
        dict(of_batch("night", rows)),
        dict(of_batch("night", [Row("a.h5", "a", "finished", seconds=3.5)])),
    )
    assert list(first.values()) == [
        "a: reconstructed in batch night, axis 30.10",
        "b: failed in batch night: no",
    ]
    assert not first.keys() & second.keys()  # made anew


def test_watch_batch_and_copy_note_once_and_people_beside_them(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool, disk = work / "spool", work / "disk"
    for folder in (spool, disk):
        folder.mkdir()
    simulate(spool / "a.h5", SMALL)
    (spool / "bad.h5").write_bytes(b"no scan")
    for _ in range(2):
        execute(["watch", str(spool), "--once", "--every", "20ms"])
        execute(["batch", str(spool), "--on", "serial", "--rows", "2:3"])
        execute(["copy", str(spool / "a.h5"), str(disk)])
    assert execute(["log", "--beamtime", str(work), "beam lost", "--who", "Ada"]) == 0
    told = read_log(work)
    kinds = [(one.who, one.text.split(":")[0], one.text.split(":")[1].split()[0]) for one in told[:-1]]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) == {
        ("tomarium watch", "a.h5", "started"),
        ("tomarium watch", "bad.h5", "started"),
        ("tomarium watch", "a.h5", "reconstructed,"),
        ("tomarium watch", "bad.h5", "failed"),
        ("tomarium batch", "a", "reconstructed"),
        ("tomarium batch", "bad", "failed"),
        ("tomarium copy", "a.h5", "copied"),
    }
    assert (told[-1].who, told[-1].text, told[-1].machine) == ("Ada", "beam lost", False)
    capsys.readouterr()
    assert execute(["log"]) == 0
    shown = capsys.readouterr().out
    assert "Ada\nbeam lost" in shown
    assert "tomarium copy (a program)\na.h5: copied to " in shown
    for words in (
        ["--into-catalogue", "--who", "Ada", "a", "b"],
        ["a", "b", "c"],
        ["--beamtime", ".", "a", "b"],
    ):
        assert execute(["log", *words]) == 2


def test_it_goes_into_the_catalogue_once_and_into_the_report(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MachineLog(work, "tomarium watch").note("a started", "a: started")
    write_remark(work, "Ada", "beam lost")
    file = work / "catalogue.sqlite"
    into = ["log", "--beamtime", str(work), "--into-catalogue", "--catalogue", str(file)]
    with open_catalogue(file) as catalogue:
        make_entity(catalogue, LOCAL_OWNER, "proposal", "Teeth", {}, "hg-1")
    assert execute(into) == 0
    assert "2 of 2 entries" in capsys.readouterr().out
    picture = work / "slit.png"
    Image.new("L", (2, 2)).save(picture)
    told = ["beam back", "--who", "Ben", "--picture", str(picture), "--tag", "beam"]
    assert execute(["log", "--beamtime", str(work), *told]) == 0
    assert read_log(work)[-1].said == "beam back (slit.png)"
    capsys.readouterr()
    assert execute(into) == 0
    assert "1 of 3 entries" in capsys.readouterr().out
    with open_catalogue(file) as catalogue, catalogue.reading() as connection:
        entries = entries_of(connection, LOCAL_OWNER, "proposals/hg-1")
    assert [(one.who, one.text, one.machine) for one in entries] == [
        ("tomarium watch", "a: started", True),
        ("Ada", "beam lost", False),
        ("Ben", "beam back", False),
    ]
    (kept,) = entries[-1].files
    assert (kept.name, kept.type, entries[-1].tags) == ("slit.png", "image/png", ("beam",))
    assert place_of_file(file.parent, kept.digest).read_bytes() == picture.read_bytes()
    # The report tells what stands in both once.
    report = gather(work, [LogEntry(one.when, one.who, one.text, one.machine) for one in entries])
    assert [one.text for one in report.log] == ["a: started", "beam lost", "beam back"]


def test_the_live_page_shows_it_and_takes_remarks(work: Path) -> None:
    live = work / "live"
    live.mkdir()
    write_live(live, LiveState(spool="/nfs/spool", state="running"))
    MachineLog(work, "tomarium watch").note("a", "a.h5: failed: is <empty>")
    client = TestClient(create_live_app(live), base_url="http://localhost", follow_redirects=False)
    page = client.get("/live").text
    assert "a.h5: failed: is &lt;empty&gt;" in page
    assert 'action="/live/log"' in page
    assert client.post("/live/log", data={"who": "Ada", "text": "beam lost"}).status_code == 303
    assert [(one["who"], one["text"]) for one in client.get("/live.json").json()["log"]] == [
        ("Ada", "beam lost"),
        ("tomarium watch", "a.h5: failed: is <empty>"),
    ]
    assert client.post("/live/log", data={"who": "", "text": "x"}).status_code == 422
    assert client.post("/live/log", data={"who": "a", "text": "x", "z": ""}).status_code == 400
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.post("/live/log", data={"who": "a", "text": "x"}, headers=foreign).status_code == 403
    others = TestClient(create_live_app(live, local=False), base_url="http://beamline.example")
    assert "/live/log" not in others.get("/live").text  # who reaches it has no account
    assert others.post("/live/log", data={"who": "a", "text": "x"}).status_code == 403
    assert len(read_log(work)) == 2


def test_in_a_portal_the_account_is_the_name(work: Path) -> None:
    from tomarium.catalogue import Reader

    live = work / "live"
    live.mkdir()
    write_live(live, LiveState(spool="/nfs/spool", state="running"))
    with open_catalogue(work / "catalogue.sqlite") as catalogue:
        readers = {"eve": Reader("eve", "member"), "": Reader()}
        app = create_app(catalogue, live=live)
        app.state.reader_of = lambda request: readers[request.headers.get("x-who", "")]
        client = TestClient(app, follow_redirects=False)
        assert client.post("/live/log", data={"text": "x"}).status_code == 401
        as_eve = {"x-who": "eve"}
        assert 'name="who"' not in client.get("/live", headers=as_eve).text
        answer = client.post("/live/log", data={"text": "beam lost", "who": "Ada"}, headers=as_eve)
        assert answer.status_code == 303
    assert [(one.who, one.text) for one in read_log(work)] == [("eve", "beam lost")]
    assert json.loads((work / LOG).read_text())["who"] == "eve"
