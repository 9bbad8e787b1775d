"""What fsck finds: each half state that a stopped program can leave is made by hand, found, and repaired."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.audit import lines
from tomarium.catalogue.checksums import MANIFEST
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.fsck import FindingAndRepair, fsck
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.log_book import write_entry
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.queries import life_of
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import dois, jobs, life, rebuilds, upload_rooms
from tomarium.catalogue.upload_filing import begin_filing
from tomarium.catalogue.uploads import Uploads
from tomarium.cli import execute
from tomarium.model import Person
from tomarium.standards.ro_crate import FILENAME

ADA = Reader("ada", "member")


@dataclass(frozen=True)
class House:
    """A catalogue with a published record and a draft, and their folder."""

    catalogue: Catalogue
    records: Path

    def found(self, *, repair: bool = False) -> dict[str, FindingAndRepair]:
        later = time.time() + 3600  # so that nothing is too young to be looked at
        found = fsck(self.catalogue, repair=repair, now=later)
        return {one.finding.code: one for one in found if one.finding.code != "no-worker"}


@pytest.fixture(scope="module")
def made(make_volume: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filed")
    for id in ("tooth", "draft"):
        make_volume(home / id / "volume.ome.zarr", size=16)
        file_record(home / id, title=f"A {id}", id=id, licence="CC0-1.0", creators=(Person("Ada"),))
    return home


@pytest.fixture
def house(made: Path, tmp_path: Path, place: Files) -> Iterator[House]:
    shutil.copytree(made, tmp_path / "records")
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        for id in ("tooth", "draft"):
            ingest(opened, tmp_path / "records" / id, reader=ADA)
        with opened.writing() as connection:
            change_setting(connection, "doi_prefix", "10.5072")
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))
        yield House(opened, tmp_path / "records")


def test_a_sound_catalogue_has_no_findings(house: House) -> None:
    assert house.found() == {}


def row_lost(house: House) -> None:
    with house.catalogue.writing() as connection:
        connection.execute(delete(life).where(life.c.record == "draft"))


def crate_ahead_of_rows(house: House) -> None:
    """As when a program is killed between the crate and the rows."""
    before = (house.records / "draft" / FILENAME).read_bytes()
    edit(house.catalogue, ADA, "draft", Changes(title="Another title"))
    after = (house.records / "draft" / FILENAME).read_bytes()
    (house.records / "draft" / FILENAME).write_bytes(before)
    ingest(house.catalogue, house.records / "draft", reader=ADA)
    (house.records / "draft" / FILENAME).write_bytes(after)


def doi_lost(house: House) -> None:
    with house.catalogue.writing() as connection:
        connection.execute(delete(dois))


def folder_not_filed(house: House) -> None:
    shutil.copytree(house.records / "draft", house.records / "other")
    crate = house.records / "other" / FILENAME
    crate.write_text(crate.read_text().replace('"draft"', '"other"').replace("A draft", "Another"))


def draft_left(house: House) -> None:
    (house.records / "draft" / f".{FILENAME}.999999.part").write_text("half")


def repair_left(house: House) -> None:
    (house.records / ".draft.repair").mkdir()


def upload_half_filed(house: House) -> None:
    uploads = Uploads(house.catalogue.home / "uploads")
    batch = uploads.begin(ADA)
    begin_filing(uploads.root / batch, "draft")
    with house.catalogue.writing() as connection:
        connection.execute(insert(upload_rooms).values(batch=batch, owner="ada", team="", bytes=0))


def upload_without_notes(house: House) -> None:
    (house.catalogue.home / "uploads" / ("x" * 22)).mkdir(parents=True)


def rooms_of_nobody(house: House) -> None:
    with house.catalogue.writing() as connection:
        connection.execute(insert(upload_rooms).values(batch="y" * 22, owner="ada", team="", bytes=7))


def rebuild_left(house: House) -> None:
    with house.catalogue.writing() as connection:
        connection.execute(insert(rebuilds).values(token="elsewhere 1 x", beat_utc=0.0))


REPAIRED = {
    row_lost: "rows-differ",
    crate_ahead_of_rows: "rows-differ",
    doi_lost: "doi-not-listed",
    folder_not_filed: "folder-not-filed",
    draft_left: "draft-left",
    repair_left: "repair-left",
    upload_half_filed: "upload-half-filed",
    upload_without_notes: "upload-without-notes",
    rooms_of_nobody: "room-of-uploads",
    rebuild_left: "rebuild-left",
}


@pytest.mark.parametrize("break_it", REPAIRED, ids=lambda one: one.__name__)
def test_what_can_be_repaired_is(house: House, break_it: Callable[[House], None]) -> None:
    break_it(house)
    code = REPAIRED[break_it]
    assert set(house.found()) == {code}, "found, and nothing was changed by looking"
    assert house.found(repair=True)[code].repaired
    assert house.found() == {}
    with house.catalogue.reading() as connection:
        lived = life_of(connection, "draft")
    assert lived is not None
    assert lived.owner == (LOCAL_OWNER.name if break_it is row_lost else "ada")


def test_an_upload_that_was_stopped_belongs_to_its_sender(house: House) -> None:
    folder_not_filed(house)
    uploads = Uploads(house.catalogue.home / "uploads")
    begin_filing(uploads.root / uploads.begin(ADA), "other")
    assert {"folder-not-filed", "upload-half-filed"} <= set(house.found())
    house.found(repair=True)
    assert house.found() == {}
    with house.catalogue.reading() as connection:
        lived = life_of(connection, "other")
    assert lived is not None
    assert lived.owner == "ada"


def folder_gone(house: House) -> None:
    shutil.rmtree(house.records / "draft")


def crate_cut(house: House) -> None:
    os.truncate(house.records / "draft" / FILENAME, 100)


def manifest_gone(house: House) -> None:
    (house.records / "draft" / MANIFEST).unlink()


def manifest_of_another_filing(house: House) -> None:
    path = house.records / "draft" / MANIFEST
    path.write_text(path.read_text().replace("a", "b", 1))


def file_gone(house: House) -> None:
    next(one for one in (house.records / "tooth").rglob("*/c/**/*") if one.is_file()).unlink()


def doi_of_nobody(house: House) -> None:
    with house.catalogue.writing() as connection:
        connection.execute(update(dois).values(record="gone"))


def job_of_the_dead(house: House) -> None:
    with house.catalogue.writing() as connection:
        number = add_job(connection, ADA, "file upload", {"batch": "z"}, held=True)
        connection.execute(update(jobs).where(jobs.c.number == number).values(lease_until_utc=0.0))


def record_out_of_the_index(house: House) -> None:
    with house.catalogue.writing() as connection:
        values = {"record": "lost", "state": "draft", "owner": "ada", "team": "", "changed_utc": 0.0}
        connection.execute(insert(life).values(values))


def log_file_gone(house: House) -> None:
    write_entry(
        house.catalogue, ADA, "records/draft", EntryContent("see the note", files=(("a.txt", b"hello"),))
    )
    shutil.rmtree(house.catalogue.home / "logbook")


TOLD = {
    folder_gone: "folder-missing",
    crate_cut: "crate-unreadable",
    manifest_gone: "manifest-unreadable",
    manifest_of_another_filing: "file-missing",
    file_gone: "file-missing",
    doi_of_nobody: "doi-without-record",
    job_of_the_dead: "job-of-the-dead",
    record_out_of_the_index: "record-without-rows",
    log_file_gone: "log-file-missing",
}


@pytest.mark.parametrize("break_it", TOLD, ids=lambda one: one.__name__)
def test_what_is_lost_is_told_with_what_to_do(house: House, break_it: Callable[[House], None]) -> None:
    break_it(house)
    found = house.found(repair=True)
    one = found[TOLD[break_it]]
    assert not one.repaired
    assert one.finding.severity in ("error", "warning")
    assert one.finding.mend
    assert set(house.found()) >= {TOLD[break_it]}, "it is told until somebody mends it"


def test_what_is_young_is_left_alone(house: House) -> None:
    draft_left(house)
    upload_without_notes(house)
    assert [one.finding.code for one in fsck(house.catalogue)] == []


def test_the_command_tells_repairs_and_leaves_with_its_code(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time() + 3600
    monkeypatch.setattr("tomarium.catalogue.fsck.time.time", lambda: later)
    place = str(house.catalogue.name)
    assert execute(["fsck", "--catalogue", place]) == 0
    assert "nothing is half done" in capsys.readouterr().out
    row_lost(house)
    assert execute(["fsck", "--catalogue", place]) == 2
    assert "tomarium fsck --repair" in capsys.readouterr().out
    assert execute(["fsck", "--quick", "--catalogue", place]) == 0
    capsys.readouterr()
    assert execute(["fsck", "--repair", "--json", "--catalogue", place]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], told["repaired"], told["counts"]) == (0, 1, {"rows-differ": 1})
    with house.catalogue.reading() as connection:
        assert [line.action for line in lines(connection)][-1] == "repair"
    folder_gone(house)
    assert execute(["fsck", "--repair", "--catalogue", place]) == 2
