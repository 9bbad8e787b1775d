"""`batch --ingest`: each finished volume becomes a draft, once; a catalogue that fails never stops the night."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tomarium.beamtime import batch_drafts, file_results
from tomarium.catalogue.catalogue import open_catalogue
from tomarium.catalogue.queries import count_records, folder_of
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.errors import DatabaseUnavailable
from tomarium.model import Record, Related
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

QUICK = ["--on", "serial", "--rows", "2:4"]


def small(**changes: Any) -> SimulationConfig:
    one = SimulationConfig(columns=64, rows=6, views=60, flats=2, darks=2, subrays=1)
    return replace(one, zingers=0, dead_pixels=0, hot_pixels=0, **changes)


@pytest.fixture
def beamtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a beamtime with two scans, the first of which is in the catalogue, and one that is broken."""
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beamtime.toml").write_text('proposal = "20260001"\n[records]\nlicence = "CC-BY-4.0"\n')
    (tmp_path / "spool").mkdir()
    simulate(tmp_path / "spool" / "a.h5", small(seed=1))
    simulate(tmp_path / "spool" / "b.h5", small(seed=2))
    (tmp_path / "spool" / "broken.h5").write_bytes((tmp_path / "spool" / "a.h5").read_bytes()[:5000])
    execute(["ingest", "spool/a.h5", "--title", "Raw a"])
    return tmp_path


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads((folder / "results.json").read_text())["scans"]}


def records() -> int:
    with open_catalogue(None, make=False) as opened, opened.reading() as connection:
        return count_records(connection, LOCAL_OWNER)


def in_catalogue(id: str) -> Record:
    with open_catalogue(None, make=False) as opened, opened.reading() as connection:
        folder = folder_of(connection, id)
    assert folder is not None
    return read_record(folder)


def test_each_volume_becomes_a_draft_once(beamtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_scans = records()
    words = ["batch", "spool", "-o", "night", "--ingest", *QUICK]
    assert execute(words) == 1  # one scan is broken
    assert (
        "2 of 2 volumes are drafts in the catalogue; what they lack: tomarium completeness"
        in capsys.readouterr().out
    )
    rows = rows_of(beamtime / "night")
    assert rows["broken"]["draft"] == rows["broken"]["not_filed"] == ""
    assert records() == raw_scans + 2
    a, b = (in_catalogue(rows[name]["draft"]) for name in "ab")
    assert (a.licence, a.parameters["proposal"].value) == ("CC-BY-4.0", "20260001")
    # The one whose raw scan is in the catalogue says so; of the other none is.
    [link] = a.related
    assert link.relation == "IsDerivedFrom"
    assert in_catalogue(link.identifier).title == "Raw a"
    assert b.related == ()
    page = (beamtime / "night" / "index.html").read_text()
    assert f"filed as the draft {a.id}" in page
    log = (beamtime / "log.jsonl").read_text()
    assert f"a: filed as the draft {a.id}" in log
    # The report of the morning tells how many drafts there are, and what each lacks.
    capsys.readouterr()
    assert execute(["report"]) == 0
    told = capsys.readouterr().out
    assert "in the catalogue: 3 drafts, 0 published" in told
    assert "of the drafts 0 of 3 complete; 3 lack a creator" in told
    page = (beamtime / "report.html").read_text()
    assert f"<td>{b.id}</td>" in page
    assert "lacks a creator, " in page
    # The same command files nothing twice, and leaves alone what a person has done since.
    assert execute(["edit", a.id, "--title", "Tooth", "--related", "IsCitedBy=10.1038/abc"]) == 0
    assert execute(words) == 1
    assert records() == raw_scans + 2
    edited = in_catalogue(a.id)
    assert (edited.title, edited.related) == ("Tooth", (Related("IsCitedBy", "10.1038/abc"),))
    assert rows_of(beamtime / "night") == rows
    assert (beamtime / "log.jsonl").read_text().count("filed as the draft") == 2
    # The raw scan of the other is filed later: filing the volume again links it.
    assert execute(["ingest", "spool/b.h5", "--title", "Raw b"]) in (0, 1)
    assert execute(["ingest", "night/records/b"]) in (0, 1)
    [link] = in_catalogue(b.id).related
    assert in_catalogue(link.identifier).title == "Raw b"


def test_a_catalogue_that_fails_never_stops_the_night(
    beamtime: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw_scans, file_record, tries = records(), file_results.Drafts.file_record, []

    def fail(self: file_results.Drafts, folder: Path) -> str:
        tries.append(folder.name)
        if folder.name == "a":
            raise DatabaseUnavailable("the catalogue's server does not answer")
        return file_record(self, folder)

    monkeypatch.setattr(file_results.Drafts, "file_record", fail)
    words = ["batch", "spool", "--exclude", "broken*", "-o", "night", "--ingest", *QUICK]
    assert execute(words) == 1
    told = capsys.readouterr()
    assert "1 of 2 volumes is a draft in the catalogue, 1 could not be filed" in told.out
    assert "a is not filed: the catalogue's server does not answer" in told.err
    assert "the same command files them" in told.err
    rows = rows_of(beamtime / "night")
    assert rows["a"]["state"] in ("finished", "warnings")
    assert (rows["a"]["draft"], bool(rows["b"]["draft"])) == ("", True)
    assert tries == ["a", "b", "a"]  # once more at the end of the night
    assert execute(["status", "night"]) == 1
    assert "not filed in the catalogue: the catalogue's server does not answer" in capsys.readouterr().out
    assert "not filed in the catalogue: the catalogue" in (beamtime / "night" / "index.html").read_text()
    # The same command files it, and makes no volume anew.
    monkeypatch.undo()
    monkeypatch.setenv("TOMARIUM_HOME", str(beamtime / "home"))
    monkeypatch.chdir(beamtime)
    before = (beamtime / "night" / "records" / "a" / "provenance.json").stat().st_mtime_ns
    assert execute(words) in (0, 1)
    assert (beamtime / "night" / "records" / "a" / "provenance.json").stat().st_mtime_ns == before
    assert rows_of(beamtime / "night")["a"]["not_filed"] == ""
    assert records() == raw_scans + 2


def test_a_wrong_catalogue_is_told_before_the_night(
    beamtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (beamtime / "no.sqlite").write_text("this is no database")
    assert execute(["batch", "spool", "-o", "night", "--ingest", "--catalogue", "no.sqlite", *QUICK]) == 2
    assert not (beamtime / "night").exists()
    assert execute(["batch", "spool", "-o", "night", "--catalogue", "no.sqlite", *QUICK]) == 2
    assert "--catalogue is that of --ingest" in capsys.readouterr().err


def test_a_result_that_is_made_anew_is_filed_anew() -> None:
    from tomarium.beamtime.batch_files import Row

    old = [Row("a.h5", "a", "finished", seconds=1.0, draft="a-1", filed_in="mine")]
    [kept] = batch_drafts.known([Row("a.h5", "a", "finished", seconds=1.0)], old)
    [made] = batch_drafts.known([Row("a.h5", "a", "finished", seconds=2.0)], old)
    assert (kept.draft, made.draft) == ("a-1", "")
