"""`watch --ingest`: each whole scan becomes a draft of the raw scan, once; what fails is told and tried again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from spool_scans import written

from app_client import TestClient
from tomarium.beamtime import file_results
from tomarium.beamtime.arrivals import Arrival
from tomarium.beamtime.live_file import LiveState
from tomarium.beamtime.watch_drafts import lacks_draft, put_filed
from tomarium.beamtime.watch_jobs import Job, Result
from tomarium.catalogue.catalogue import open_catalogue
from tomarium.catalogue.queries import count_records, folder_of
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.errors import DatabaseUnavailable
from tomarium.model import Record
from tomarium.portal.app import create_app

WATCH = ["watch", "spool", "--once", "--every", "20ms", "--ingest"]


@pytest.fixture
def beamtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beamtime.toml").write_text('proposal = "20260001"\n[records]\nlicence = "CC-BY-4.0"\n')
    (tmp_path / "spool").mkdir()
    written(tmp_path / "spool" / "a.h5")
    (tmp_path / "spool" / "broken.h5").write_bytes((tmp_path / "spool" / "a.h5").read_bytes()[:5000])
    return tmp_path


def slices(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        entry["scan"]: entry for entry in json.loads((folder / "live" / "live.json").read_text())["slices"]
    }


def records() -> int:
    with open_catalogue(None, make=False) as opened, opened.reading() as connection:
        return count_records(connection, LOCAL_OWNER)


def in_catalogue(id: str) -> Record:
    with open_catalogue(None, make=False) as opened, opened.reading() as connection:
        folder = folder_of(connection, id)
    assert folder is not None
    return read_record(folder)


def test_each_whole_scan_becomes_a_draft_once(beamtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(WATCH) == 1  # one scan is broken
    id = slices(beamtime)["a.h5"]["draft"]
    assert f"a.h5: raw scan filed as the draft {id}" in capsys.readouterr().out
    record = in_catalogue(id)
    assert (record.licence, record.parameters["proposal"].value) == ("CC-BY-4.0", "20260001")
    assert [part.kind for part in record.parts] == ["projections"]
    [raw] = (beamtime / "home" / "raw_scans").glob("a.h5-*/*/a.h5")
    assert raw.samefile(beamtime / "spool" / "a.h5")  # a second name, no copy
    assert "raw scan filed as the draft" in (beamtime / "log.jsonl").read_text()
    # Where the records lie in the folder of the beamtime, the report tells them with their scan, as no reconstruction.
    capsys.readouterr()
    assert execute(["report"]) == 0
    assert "report.html: 2 scans" in (told := capsys.readouterr().out)
    assert "in the catalogue: 1 draft, 0 published" in told
    with (
        open_catalogue(None, make=False) as opened,
        TestClient(create_app(opened, local=True)) as client,
    ):
        page = client.get(f"/records/{id}").text
    assert "Raw scan</p>" in page
    # The same command does nothing twice, also where its state was lost.
    assert execute(WATCH) == 1
    (beamtime / "live" / "live.json").unlink()
    assert execute(WATCH) == 1
    assert slices(beamtime)["a.h5"]["draft"] == id
    assert records() == 1
    # A volume that is made of it is linked to it.
    assert execute(["run", "spool/a.h5", "-o", "one", "--executor", "serial", "--rows", "4:6"]) in (0, 1)
    assert execute(["ingest", "one"]) in (0, 1)
    [link] = in_catalogue(read_record(beamtime / "one").id).related
    assert (link.relation, link.identifier) == ("IsDerivedFrom", id)
    # Another scan under the same name is another record.
    (beamtime / "spool" / "a.h5").unlink()
    written(beamtime / "spool" / "a.h5", seed=7)
    assert execute(WATCH) == 1
    assert slices(beamtime)["a.h5"]["draft"] != id
    assert records() == 3


def test_what_cannot_be_filed_is_told_and_tried_by_the_next_start(
    beamtime: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: file_results.Drafts, path: Path, name: str) -> str:
        raise DatabaseUnavailable("the catalogue's server does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(file_results.Drafts, "file_scan", fail)
        assert execute(WATCH) == 1
    assert "! a.h5: raw scan not filed: the catalogue's server does not answer" in capsys.readouterr().err
    entry = slices(beamtime)["a.h5"]
    assert (entry["not_filed"], entry["checked"]) == ("the catalogue's server does not answer", True)
    execute(["status", "live"])
    assert "1 not filed" in capsys.readouterr().out
    assert execute(WATCH) == 1
    entry = slices(beamtime)["a.h5"]
    assert entry["draft"]
    assert "not_filed" not in entry


@pytest.mark.parametrize("kept", ["the link alone", "all but the catalogue's rows"])
def test_filing_that_was_killed_goes_on(beamtime: Path, kept: str) -> None:
    assert execute(WATCH) == 1
    id = slices(beamtime)["a.h5"]["draft"]
    [folder] = (beamtime / "home" / "raw_scans").glob("a.h5-*/*/")
    for path in (beamtime / "home").glob("catalogue.sqlite*"):
        path.unlink()
    if kept == "the link alone":
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "a.h5":
                path.unlink()
    (beamtime / "live" / "live.json").unlink()
    assert execute(WATCH) == 1
    assert slices(beamtime)["a.h5"]["draft"] == id
    assert records() == 1
    assert [*(beamtime / "home" / "raw_scans").glob("a.h5-*/*/")] == [folder]


def test_records_among_raw_data_are_refused(beamtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*WATCH, "--records", "spool/records"]) == 2
    assert "where raw data are, and nothing is written there" in capsys.readouterr().err
    assert execute(["watch", "spool", "--once", "--records", "records"]) == 2
    assert sorted(path.name for path in (beamtime / "spool").iterdir()) == ["a.h5", "broken.h5"]


def test_a_scan_is_filed_when_it_is_whole_and_at_rest() -> None:
    arrival = Arrival("a.h5", Path("a.h5"), (1, 2), (1,), changed_at=100.0)
    entry: dict[str, Any] = {
        "scan": "a.h5",
        "complete": True,
        "checked": True,
        "stamp": [1, 2],
        "arrived_at": "",
    }
    assert lacks_draft(entry, arrival, now=111.0, at_rest_s=10.0)
    assert not lacks_draft(entry, arrival, now=109.0, at_rest_s=10.0)
    assert not lacks_draft(None, arrival, now=111.0, at_rest_s=10.0)
    for change in ({"complete": False}, {"checked": False}, {"stamp": [1, 3]}, {"draft": "a-1"}):
        assert not lacks_draft(entry | change, arrival, now=111.0, at_rest_s=10.0)
    # What failed is tried again after a minute, then after ten, and then by the next start.
    state, told = LiveState(slices=[entry]), list[str]()
    for number, waits_s in enumerate((60.0, 600.0, 1e9), 1):
        put_filed(state, Result(Job("file", arrival), problem="the disk is full"), 200.0, told.append)
        assert entry["file_tries"] == number
        assert not lacks_draft(entry, arrival, now=200.0 + min(waits_s, 1e8), at_rest_s=10.0)
        assert lacks_draft(entry, arrival, now=201.0 + waits_s, at_rest_s=10.0) is (number < 3)
    assert told == ["! a.h5: raw scan not filed: the disk is full; it is tried again"]
