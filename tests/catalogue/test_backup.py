"""A drill: backup, another machine, restore; everything that lived in the database only is there again."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    search,
)
from tomarium.catalogue.backup import HEAD, INDEX, backup, drill, durable_tables, restore
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, comment, comments_of, publish
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.settings import all_settings, change_setting
from tomarium.catalogue.tables import metadata
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError
from tomarium.model import Person, Value

ADA = Reader("ada", "member")
WORDS = [(reader, words) for reader in (ADA, ANYBODY, LOCAL_OWNER) for words in ("", "tooth")]


@pytest.fixture
def saved(tmp_path: Path, make_volume: Callable[..., Path], place: Files) -> Path:
    """Make a catalogue with a draft, a published record and all that belongs to them; return its backup."""
    home = tmp_path / "old"
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        for id in ("tooth", "draft"):
            make_volume(home / "records" / id / "volume.ome.zarr", size=16)
            age = {"donor_age_years": Value(69, "user", "typed")}
            made = datetime(2026, 11, 1 + ord(id[0]) % 28, tzinfo=UTC)
            file_record(home / "records" / id, title=f"A {id}", id=id, parameters=age, created=made)
            ingest(opened, home / "records" / id, reader=ADA)
            edit(
                opened,
                ADA,
                id,
                Changes(licence="CC0-1.0", creators=(Person("Ada"),), withhold=("donor_age_years",)),
            )
        comment(opened, ADA, "draft", "not yet")
        with opened.writing() as connection:
            change_setting(connection, "doi_prefix", "10.5072")
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="1 year"))
        assert backup(opened, tmp_path / "backup.zip") > 8
        with pytest.raises(InputError, match="there already"):
            backup(opened, tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


def found(catalogue: Catalogue, reader: Reader, words: str) -> tuple[object, ...]:
    """Search; relevance depends on what was in the index before, and is left out."""
    page = search(catalogue, reader, words)
    return page.total, tuple(replace(hit, score=None) for hit in page.hits)


def test_every_table_is_durable_or_made_from_folders() -> None:
    assert {table.name for table in durable_tables()} | INDEX >= set(metadata.tables)
    assert {"life", "withheld", "comment", "doi", "audit", "setting", "account"} <= {
        t.name for t in durable_tables()
    }


def test_a_new_machine_has_all_of_it(saved: Path, tmp_path: Path, place: Files) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with open_catalogue(place(old / "catalogue.sqlite")) as before:
        told = [found(before, reader, words) for reader, words in WORDS]
    (old / "records").rename(tmp_path / "records of the new machine")
    shutil.rmtree(old)
    with open_catalogue(place(new / "catalogue.sqlite")) as opened:
        moved = {str(old / "records"): str(tmp_path / "records of the new machine")}
        restored = restore(opened, saved, moved, checksums=True)
        assert (restored.records, restored.problems) == (("draft", "tooth"), ())
        assert [found(opened, reader, words) for reader, words in WORDS] == told
        with opened.reading() as connection:
            assert [row.text for row in comments_of(connection, "draft")] == ["not yet"]
            assert all_settings(connection)["doi_prefix"] == "10.5072"
        back = edit(opened, ADA, "tooth", Changes(disclose=("donor_age_years",)))
        assert back.parameters["donor_age_years"].value == 69
        with pytest.raises(InputError, match="is not empty"):
            restore(opened, saved)


def test_what_is_lost_or_changed_is_named(saved: Path, tmp_path: Path, place: Files) -> None:
    shutil.rmtree(tmp_path / "old" / "records" / "draft")
    chunk = next(
        file
        for file in (tmp_path / "old" / "records" / "tooth").glob("volume.ome.zarr/0/c/**/*")
        if file.is_file()
    )
    chunk.write_bytes(b"x" + chunk.read_bytes()[1:])
    with open_catalogue(place(tmp_path / "new.sqlite")) as opened:
        restored = restore(opened, saved, checksums=True)
    assert restored.records == ("tooth",)
    assert len(restored.problems) == 2
    assert "is changed" in restored.problems[0]
    assert "draft: its folder was not found" in restored.problems[1]
    with zipfile.ZipFile(saved) as archive:
        assert b"A draft" in archive.read("records/draft/ro-crate-metadata.json")


def test_a_restore_is_practised_and_leaves_nothing(
    saved: Path, tmp_path: Path, place: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "old" / "records").rename(tmp_path / "elsewhere")
    moved = {str(tmp_path / "old" / "records"): str(tmp_path / "elsewhere")}
    before = sorted(tmp_path.rglob("*"))
    told = drill(saved, moved)
    assert (told.restored.records, told.restored.problems) == (("draft", "tooth"), ())
    assert told.files > 10
    assert told.bytes == sum(
        one.bytes for id in ("draft", "tooth") for one in read_record(tmp_path / "elsewhere" / id).files
    )
    assert sorted(tmp_path.rglob("*")) == before
    chunk = next(one for one in (tmp_path / "elsewhere" / "draft").glob("*/0/c/**/*") if one.is_file())
    chunk.write_bytes(b"x" + chunk.read_bytes()[1:])
    words = ["restore", str(saved), "--check", "--moved", "=".join(*moved.items())]
    assert execute(words) == 1
    assert execute([*words, "--catalogue", "x"]) == 2


def test_what_is_no_backup_changes_nothing(saved: Path, tmp_path: Path, place: Files) -> None:
    content = saved.read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[:-100])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("hello", "x")
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as archive:
        archive.writestr(HEAD, '{"form": 99, "tomarium": "9.0"}')
    with open_catalogue(place(tmp_path / "new.sqlite")) as opened:
        for name, said in (
            ("cut.zip", "no backup"),
            ("other.zip", "no backup"),
            ("newer.zip", "tomarium 9.0"),
        ):
            with pytest.raises(FormatError, match=said):
                restore(opened, tmp_path / name)
        assert restore(opened, saved).problems == ()
