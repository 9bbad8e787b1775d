"""Removing a draft: by whom, what goes and what stays, and what a program that was stopped leaves."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, update

from postgresql_server import Files
from specimen_links import link
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    rebuild,
    search,
)
from tomarium.catalogue.audit import newest_lines, verify
from tomarium.catalogue.comments import comment
from tomarium.catalogue.disk_use import disk_use
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.fsck import fsck
from tomarium.catalogue.invitations import make_invitation
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.kept_counts import facets_of_all
from tomarium.catalogue.life import Request, publish, submit, withdraw
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.log_book import write_entry
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.queries import folder_of, life_of
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.remove_draft import ENDING, remove_draft, what_goes
from tomarium.catalogue.tables import frame_links, jobs, life
from tomarium.catalogue.upload_filing import begin_filing
from tomarium.catalogue.uploads import Uploads
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.model import Person

ADA = Reader("ada", "member")
NOT_THEIRS = {
    "a visitor": ANYBODY,
    "another member": Reader("eve", "member"),
    "its team": Reader("tim", "member", teams=("bones",)),
    "an editor": Reader("ed", "editor"),
    "a scientist of another instrument": Reader("sid", "instrument scientist", instruments=("BM18",)),
    "a referee": Reader(invited=("molar",)),
}
THEIRS = {
    "its owner": ADA,
    "a curator": Reader("cora", "curator"),
    "an administrator": Reader("root", "administrator"),
    "who runs the command line": LOCAL_OWNER,
}
READY = Changes(
    creators=(Person("Lovelace, Ada"),),
    licence="CC0-1.0",
    description="A molar of a bear, in ethanol, at 20 keV.",
)


@pytest.fixture(scope="module")
def filed(make_volume: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filed")
    for id in ("molar", "other"):
        make_volume(home / id / "volume.ome.zarr", size=16)
        file_record(home / id, title=f"Enamel of {id}", id=id, keywords=("bear",))
    return home


@pytest.fixture
def catalogue(filed: Path, tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    shutil.copytree(filed, tmp_path / "records")
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        for id in ("molar", "other"):
            ingest(opened, tmp_path / "records" / id, reader=ADA)
        yield opened


def found(catalogue: Catalogue) -> list[str]:
    later = time.time() + 3600  # so that nothing is too young to be looked at
    return [one.finding.code for one in fsck(catalogue, now=later) if one.finding.code != "no-worker"]


def all_rows(catalogue: Catalogue) -> dict[str, list[Any]]:
    """Read all tables but the log: what still names a record stands in one of them."""
    with catalogue.reading() as connection:
        names = [
            name for name in inspect(connection).get_table_names() if name not in ("audit", "frame_link")
        ]
        return {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in names}


@pytest.mark.parametrize("who", THEIRS)
def test_its_owner_and_curators_remove_it_with_all_that_was_kept_of_it(
    catalogue: Catalogue, tmp_path: Path, who: str
) -> None:
    comment(catalogue, ADA, "molar", "not yet")
    with catalogue.writing() as connection:
        make_invitation(connection, ADA, "molar", 30)
        add_job(connection, ADA, "mesh", {"record": "molar", "role": "mesh"})
    before = facets_of_all(catalogue, ADA)
    told = what_goes(catalogue, THEIRS[who], "molar")
    assert (told.title, told.owner, told.deletes) == ("Enamel of molar", "ada", True)
    assert (told.remarks, told.invitations, told.jobs) == (1, 1, 1)
    in_folder = [path for path in (tmp_path / "records" / "molar").rglob("*") if path.is_file()]
    assert (told.files, told.bytes) == (len(in_folder), sum(path.stat().st_size for path in in_folder))
    assert remove_draft(catalogue, THEIRS[who], "molar") == told
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == ["other"]
    assert [hit.id for hit in search(catalogue, ADA, "enamel").hits] == ["other"]
    assert facets_of_all(catalogue, ADA) != before
    with catalogue.reading() as connection:
        assert [(use.name, use.records) for use in disk_use(connection)] == [("ada", 1)]
        [line] = newest_lines(connection, record="molar", action="remove draft")
    assert (line.who, line.told["title"], line.told["files"]) == (
        THEIRS[who].name,
        "Enamel of molar",
        told.files,
    )
    rows = all_rows(catalogue)
    named = [name for name, values in rows.items() for row in values if "molar" in map(str, row)]
    assert named == [], {name: rows[name] for name in named}
    assert found(catalogue) == []
    assert verify(catalogue).problem == ""
    with pytest.raises(InputError, match="there is no record 'molar'"):
        remove_draft(catalogue, THEIRS[who], "molar")
    rebuild(catalogue, [tmp_path / "records"])
    assert [hit.id for hit in search(catalogue, ADA).hits] == ["other"]


@pytest.mark.parametrize("who", NOT_THEIRS)
def test_nobody_else_removes_it(catalogue: Catalogue, tmp_path: Path, who: str) -> None:
    with catalogue.writing() as connection:
        connection.execute(update(life).values(team="bones"))
    ingest(catalogue, tmp_path / "records" / "molar")
    for act in (what_goes, remove_draft):
        with pytest.raises((NotAllowed, InputError)):
            act(catalogue, NOT_THEIRS[who], "molar")
    assert read_record(tmp_path / "records" / "molar").id == "molar"
    assert found(catalogue) == []


def test_one_in_review_can_be_removed_and_what_was_published_never(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    for id in ("molar", "other"):
        edit(catalogue, ADA, id, READY)
    submit(catalogue, ADA, "molar")
    remove_draft(catalogue, ADA, "molar")
    publish(catalogue, LOCAL_OWNER, "other", Request(embargo="0", doi=False, files=False))
    for _ in range(2):
        for reader in (ADA, LOCAL_OWNER):
            with pytest.raises(InputError, match="was published, and what was published is never removed"):
                remove_draft(catalogue, reader, "other")
        with catalogue.reading() as connection:
            withdrawn = life_of(connection, "other").state == "withdrawn"  # type: ignore[union-attr]
        if not withdrawn:
            withdraw(catalogue, LOCAL_OWNER, "other", "the wrong bear")
    with catalogue.writing() as connection:  # as rows that were written before the crate was
        connection.execute(update(life).where(life.c.record == "other").values(state="draft"))
    with pytest.raises(InputError, match="never removed"):
        remove_draft(catalogue, LOCAL_OWNER, "other")
    assert (tmp_path / "records" / "other").is_dir()


def test_files_in_the_users_own_folder_stay(catalogue: Catalogue, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine" / "tooth"
    shutil.copytree(tmp_path / "records" / "molar", elsewhere)
    file_record(elsewhere, title="My tooth", id="tooth")
    ingest(catalogue, elsewhere, reader=ADA)
    before = sorted(path for path in elsewhere.rglob("*"))
    assert not what_goes(catalogue, ADA, "tooth").deletes
    assert not remove_draft(catalogue, ADA, "tooth").deletes
    assert sorted(path for path in elsewhere.rglob("*")) == before
    assert search(catalogue, ADA, "tooth").total == 0
    assert found(catalogue) == []


def test_what_a_link_among_the_records_leads_to_stays(catalogue: Catalogue, tmp_path: Path) -> None:
    records = tmp_path / "records"
    (records / "molar").rename(tmp_path / "mine")
    (records / "molar").symlink_to(tmp_path / "mine", target_is_directory=True)
    before = sorted((tmp_path / "mine").rglob("*"))
    assert not what_goes(catalogue, ADA, "molar").deletes
    assert not remove_draft(catalogue, ADA, "molar").deletes
    assert sorted((tmp_path / "mine").rglob("*")) == before
    assert (records / "molar").is_symlink()


def test_a_folder_that_holds_another_record_stays(catalogue: Catalogue, tmp_path: Path) -> None:
    inner = tmp_path / "records" / "molar" / "inner"
    shutil.copytree(tmp_path / "records" / "other", inner)
    file_record(inner, title="Within", id="within")
    ingest(catalogue, inner, reader=ADA)
    with pytest.raises(InputError, match="holds the record within, too"):
        remove_draft(catalogue, ADA, "molar")


def test_one_whose_folder_or_row_is_gone_is_removed(catalogue: Catalogue, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "records" / "molar")
    later = time.time() + 3600
    [one] = [one for one in fsck(catalogue, repair=True, now=later) if one.finding.code == "folder-missing"]
    assert "tomarium remove molar" in one.finding.mend
    assert remove_draft(catalogue, ADA, "molar").files == 0
    shutil.rmtree(tmp_path / "records" / "other")
    rebuild(catalogue, [tmp_path / "records"])
    [one] = [one for one in fsck(catalogue, now=later) if one.finding.code == "record-without-rows"]
    assert "tomarium remove other" in one.finding.mend
    with pytest.raises(InputError):
        remove_draft(catalogue, Reader("eve", "member"), "other")
    remove_draft(catalogue, ADA, "other")
    assert found(catalogue) == []


def test_a_job_that_works_on_it_is_waited_for(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        number = add_job(connection, ADA, "patches", {"record": "molar"}, held=True)
        many = add_job(connection, ADA, "pictures", {"records": ["molar", "other"]})
    with pytest.raises(InputError, match=f"job {number} works on it now"):
        remove_draft(catalogue, ADA, "molar")
    with catalogue.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.number == number).values(lease_until_utc=0.0))
    remove_draft(catalogue, ADA, "molar")
    with catalogue.reading() as connection:
        assert list(connection.execute(select(jobs.c.number)).scalars()) == [many]


def test_links_are_withdrawn_and_its_log_book_stays(catalogue: Catalogue) -> None:
    write_entry(catalogue, ADA, "records/molar", EntryContent("see the note", files=(("a.txt", b"hello"),)))
    file_link(catalogue, ADA, link("records/molar", "records/other"))
    told = what_goes(catalogue, ADA, "molar")
    assert (told.links, told.log_entries) == (1, 1)
    remove_draft(catalogue, ADA, "molar")
    with catalogue.reading() as connection:
        assert connection.execute(select(frame_links.c.withdrawn)).scalars().all() == [
            "the draft molar was removed from the catalogue"
        ]
    assert found(catalogue) == []


def test_a_batch_of_uploads_that_became_it_goes_too(catalogue: Catalogue) -> None:
    uploads = Uploads(catalogue.home / "uploads")
    begin_filing(uploads.root / uploads.begin(ADA), "molar")
    remove_draft(catalogue, ADA, "molar")
    assert list(uploads.root.iterdir()) == []
    assert found(catalogue) == []


class Killed(BaseException):
    """The program ends here."""


def killed_before_the_entry_went(catalogue: Catalogue, records: Path, _patch: pytest.MonkeyPatch) -> None:
    (records / "molar").rename(records / f".molar{ENDING}")


def killed_before_the_files_went(catalogue: Catalogue, records: Path, patch: pytest.MonkeyPatch) -> None:
    def end(_folder: object) -> None:
        raise Killed

    with patch.context() as patched:
        patched.setattr("tomarium.catalogue.remove_draft._delete_files", end)
        with pytest.raises(Killed):
            remove_draft(catalogue, ADA, "molar")


def killed_among_the_files(catalogue: Catalogue, records: Path, patch: pytest.MonkeyPatch) -> None:
    killed_before_the_files_went(catalogue, records, patch)
    next((records / f".molar{ENDING}").glob("*.json")).unlink()


KILLED = (killed_before_the_entry_went, killed_before_the_files_went, killed_among_the_files)


@pytest.mark.parametrize("stop", KILLED, ids=lambda one: one.__name__)
def test_what_was_stopped_goes_on(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., None]
) -> None:
    stop(catalogue, tmp_path / "records", monkeypatch)
    with pytest.raises((InputError, NotAllowed)):
        remove_draft(catalogue, Reader("eve", "member"), "molar")
    assert remove_draft(catalogue, ADA, "molar").title in ("Enamel of molar", "")
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == ["other"]
    assert found(catalogue) == []


@pytest.mark.parametrize("stop", KILLED, ids=lambda one: one.__name__)
def test_fsck_brings_what_was_stopped_to_its_end(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., None]
) -> None:
    records = tmp_path / "records"
    stop(catalogue, records, monkeypatch)
    assert "removal-left" in found(catalogue)
    later = time.time() + 3600
    repaired = {one.finding.code: one.repaired for one in fsck(catalogue, repair=True, now=later)}
    assert repaired["removal-left"]
    assert found(catalogue) == []
    kept = stop is killed_before_the_entry_went  # nothing was lost by it, and it is as it was
    assert (records / "molar").is_dir() == kept
    with catalogue.reading() as connection:
        assert (folder_of(connection, "molar") is not None) == kept


def _ending_at_its_commit(writing: Callable[[Catalogue], Any]) -> Callable[[Catalogue], Any]:
    @contextmanager
    def ends(catalogue: Catalogue) -> Iterator[Any]:
        with writing(catalogue) as connection:
            yield connection
            raise Killed

    return ends


def test_a_database_that_ends_leaves_the_files(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "writing", _ending_at_its_commit(Catalogue.writing))
        with pytest.raises(Killed):
            remove_draft(catalogue, ADA, "molar")
    assert (tmp_path / "records" / "molar").is_dir()
    with catalogue.reading() as connection:
        assert folder_of(connection, "molar") == tmp_path / "records" / "molar"


def test_the_command_says_what_goes_and_asks(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ["--catalogue", str(catalogue.name)]
    if "://" in catalogue.name:
        pytest.skip("the name of a database hides its password")
    assert execute(["remove", "molar", "--dry-run", *place]) == 0
    said = capsys.readouterr().out
    assert "Enamel of molar" in said
    assert "are deleted" in said
    monkeypatch.setattr("click.confirm", lambda _text: False)
    assert execute(["remove", "molar", *place]) == 1
    assert "nothing was removed" in capsys.readouterr().out
    assert execute(["remove", "molar", "--json", *place]) == 2
    assert execute(["remove", str(tmp_path / "records" / "molar"), "--yes", *place]) == 0
    assert "molar: is removed" in capsys.readouterr().out
    assert execute(["remove", "molar", "--yes", *place]) == 2
    assert execute(["remove", "other", "--yes", "--json", *place]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["removed"], told["deletes"]) == ("other", True, True)
