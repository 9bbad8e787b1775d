"""What released versions wrote is read by this one, on both databases; what a later one wrote is refused by name."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text, update

import tomarium.catalogue
from postgresql_server import Files
from tomarium import __version__
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    open_catalogue,
    postgresql,
    search,
    sqlite,
    verify,
)
from tomarium.catalogue.audit import verify as verify_log
from tomarium.catalogue.backup import restore
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.fsck import fsck
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.rebuild import rebuild
from tomarium.catalogue.written_by import written_by
from tomarium.errors import FormatError

HERE = Path(__file__).parent
RELEASES = sorted(one.name for one in HERE.iterdir() if (one / "backup.zip").is_file())
MIGRATIONS = Path(tomarium.catalogue.__file__).parent / "migrations"
ADA = Reader("ada", "member")


def test_this_release_is_among_them() -> None:
    assert __version__ in RELEASES, "write it once, when it is released: python tests/upgrades/make.py"


@pytest.mark.parametrize("release", RELEASES)
def test_a_backup_and_records_of_a_release_are_read(release: str, tmp_path: Path, place: Files) -> None:
    shutil.copytree(HERE / release / "records", tmp_path / "records")
    assert verify(tmp_path / "records" / "tooth") == ()
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        moved = {_home_of(release): str(tmp_path / "records")}
        restored = restore(opened, HERE / release / "backup.zip", moved, checksums=True)
        assert (set(restored.records), restored.problems) == ({"draft", "tooth"}, ())
        assert [hit.id for hit in search(opened, ANYBODY, "tooth").hits] == ["tooth"]
        assert search(opened, ADA).total == 2
        with opened.reading() as connection:
            assert [one.text for one in entries_of(connection, ADA, "records/draft")] == ["The beam was lost"]
        assert not verify_log(opened).problem
        assert edit(opened, ADA, "draft", Changes(title="Another")).title == "Another"
        assert {one.finding.severity for one in fsck(opened)} <= {"info"}


@pytest.mark.parametrize("release", RELEASES)
def test_a_database_of_a_release_is_brought_up_to_date(release: str, tmp_path: Path) -> None:
    """The file itself, as somebody has it who installs this version over that one."""
    shutil.copytree(HERE / release / "records", tmp_path / "records")
    at = tmp_path / "catalogue.sqlite"
    at.write_bytes(gzip.decompress((HERE / release / "catalogue.sqlite.gz").read_bytes()))
    engine = sqlite.connect(at)
    with engine.connect().execution_options(write=True) as connection, connection.begin():  # it lay elsewhere
        was = connection.execute(text("SELECT address FROM store")).scalar_one()
        connection.execute(text("UPDATE store SET address = :here"), {"here": str(tmp_path / "records")})
        assert was != str(tmp_path / "records")
    engine.dispose()
    with open_catalogue(at) as opened:
        assert [hit.id for hit in search(opened, ANYBODY, "tooth").hits] == ["tooth"]
        assert search(opened, ADA).total == 2
        assert not verify_log(opened).problem
        assert edit(opened, ADA, "draft", Changes(title="Another")).title == "Another"
        assert {one.finding.severity for one in fsck(opened)} <= {"info"}


def _home_of(release: str) -> str:
    import zipfile

    with zipfile.ZipFile(HERE / release / "backup.zip") as archive:
        row = json.loads(archive.read("store.jsonl").splitlines()[0])
    return str(row["address"])


@pytest.fixture
def first(tmp_path: Path, place: Files) -> tuple[Path | str, list[str]]:
    """A database in the state of the first migration, with a record in it; and all revisions that follow."""
    at = place(tmp_path / "catalogue.sqlite")
    engine = postgresql.connect(make_url(at)) if isinstance(at, str) else sqlite.connect(at)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        if (
            connection.dialect.name == "postgresql"
        ):  # the tests' databases are copies of one that is up to date
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        command.upgrade(config, "0001")
        values = {
            "folder": str(tmp_path / "records" / "tooth"),
            "made": "2026-11-29T00:00:00+00:00",
            "shape": "[8, 8, 8]",
        }
        connection.execute(
            text(
                "INSERT INTO record (number, id, title, description, created, created_utc, folder, bytes, thumbnail, "
                "shape, voxel_m, words) VALUES (1, 'tooth', 'A tooth', '', :made, 1795910400, :folder, 9, '', :shape, "
                "1e-6, '')"
            ),
            values,
        )
    engine.dispose()
    script = ScriptDirectory.from_config(config)
    return at, [one.revision for one in script.walk_revisions()][::-1]


def test_a_database_of_the_first_state_is_brought_up_to_date(
    first: tuple[Path | str, list[str]], tmp_path: Path
) -> None:
    at, revisions = first
    shutil.copytree(HERE / RELEASES[0] / "records", tmp_path / "records")
    with open_catalogue(at) as opened:
        with opened.reading() as connection:
            state = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        assert state == revisions[-1]
        assert rebuild(opened, [tmp_path / "records"]).problems == ()
        assert search(opened, LOCAL_OWNER).total == 2
        assert search(opened, ANYBODY, "tooth").total == 1


def test_a_database_of_a_later_version_is_refused_by_name(tmp_path: Path, place: Files) -> None:
    at = place(tmp_path / "catalogue.sqlite")
    with open_catalogue(at) as opened, opened.writing() as connection:
        connection.execute(update(written_by).values(version="7.2.0"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FormatError, match=r"needs tomarium 7\.2\.0 \(this is .*nothing was changed") as told:
        open_catalogue(at)
    assert "9999" not in str(told.value)
    assert _state(at) == "9999"


def _state(at: Path | str) -> str:
    engine = postgresql.connect(make_url(at)) if isinstance(at, str) else sqlite.connect(at)
    with Catalogue(engine, "look").reading() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return str(found)
