"""A rebuild fills tables beside those that are asked: others go on, and a killed one leaves all as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    file_record,
    ingest,
    open_catalogue,
    read_record,
    search,
)
from tomarium.catalogue import rebuild as rebuild_index
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.move import add_store
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.tables import LIVE, SHADOW, IndexTables, rebuild_changes, rebuilds, records
from tomarium.errors import InputError
from tomarium.model import Part, Value

module = sys.modules[rebuild_index.__module__]
MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNT = 9


def _record(folder: Path, id: str, title: str, created: datetime = MOMENT) -> Path:
    folder.mkdir(parents=True)
    (folder / "scan.dat").write_bytes(id.encode())
    number = int("".join(sign for sign in id if sign.isdigit()) or 0)
    file_record(folder, title=title, id=id, created=created, description="A small record.", licence="CC0-1.0",
                parameters={"energy_kev": Value(20.0 + number, "read", "scan.dat")},
                parts=(Part("projections", "scan.dat"),))  # fmt: skip
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number in range(COUNT):
        _record(tmp_path / "records" / f"r{number}", f"r{number}", f"Bone number {number}", MOMENT)
    return tmp_path


@pytest.fixture
def catalogue(home: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        for number in reversed(range(COUNT)):  # another order than that of a walk
            ingest(opened, home / "records" / f"r{number}")
        yield opened


def found(catalogue: Catalogue, words: str = "", **asked: object) -> list[str]:
    return [hit.id for hit in search(catalogue, LOCAL_OWNER, words, sort="newest", **asked).hits]  # type: ignore[arg-type]


def names_of(tables: IndexTables, catalogue: Catalogue) -> set[str]:
    """Name the tables that the index has in this database."""
    alone = {tables.wordings.name} if catalogue.engine.dialect.name == "postgresql" else set()
    return {table.name for table in tables.all} - alone


def tables_of(catalogue: Catalogue) -> set[str]:
    with catalogue.reading() as connection:
        return set(inspect(connection).get_table_names())


def test_the_order_of_records_of_one_second_stays(catalogue: Catalogue, home: Path) -> None:
    before = found(catalogue)
    assert before != sorted(before)
    with catalogue.reading() as connection:
        numbers = {row.id: row.number for row in connection.execute(select(records.c.id, records.c.number))}
        indexes = [len(inspect(connection).get_indexes(name)) for name in sorted(names_of(LIVE, catalogue))]
    for _ in range(3):  # names of tables and indexes take turns
        told = rebuild_index(catalogue, [home / "records"])
        assert (len(told.ids), told.problems) == (COUNT, ())
        assert found(catalogue) == before
        with catalogue.reading() as connection:
            assert {
                row.id: row.number for row in connection.execute(select(records.c.id, records.c.number))
            } == numbers
            after = [len(inspect(connection).get_indexes(name)) for name in sorted(names_of(LIVE, catalogue))]
        assert after == indexes
        assert not tables_of(catalogue) & names_of(SHADOW, catalogue)
    assert found(catalogue, "bone") == before
    assert found(catalogue, ranges={"energy": "<21.5 keV"}) == [id for id in before if id in ("r0", "r1")]
    edit(catalogue, LOCAL_OWNER, "r4", Changes(title="Femur"))
    assert found(catalogue, "femur") == ["r4"]
    if catalogue.engine.dialect.name == "sqlite":
        with catalogue.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_others_read_and_write_meanwhile(
    catalogue: Catalogue, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is filed, changed, moved or taken away between two steps is so afterwards, as it was at once."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    steps: list[int] = []
    real = module._write

    def write(*given: object, **named: object) -> None:
        real(*given, **named)
        steps.append(1)

    monkeypatch.setattr(module, "_write", write)
    real_batches = module._batches

    def batches(*given: object) -> Iterator[object]:
        for number, some in enumerate(real_batches(*given)):
            assert len(found(catalogue)) >= COUNT - 1  # the old index answers
            yield some
            if number == 1:  # r0 to r3 are in the new tables, the others are not
                edit(catalogue, LOCAL_OWNER, "r1", Changes(title="Changed after it was read"))
                edit(catalogue, LOCAL_OWNER, "r8", Changes(title="Changed before it is read"))
                ingest(catalogue, _record(home / "elsewhere" / "new", "new1", "Filed meanwhile"))
                assert found(catalogue, "meanwhile") == ["new1"]
                (home / "records" / "r2").rename(home / "elsewhere" / "r2")
                ingest(catalogue, home / "elsewhere" / "r2")
                other = Part("projections", "scan.dat")
                file_record(
                    home / "records" / "r3", title="Another name", id="other3", created=MOMENT, parts=(other,)
                )
                ingest(catalogue, home / "records" / "r3")

    monkeypatch.setattr(module, "_batches", batches)
    told = rebuild_index(catalogue, [home / "records"])
    assert told.problems == ()
    assert len(steps) >= 4
    assert found(catalogue, "after it was read") == ["r1"]
    assert found(catalogue, "before it is read") == ["r8"]
    assert found(catalogue, "meanwhile") == ["new1"]
    assert found(catalogue, '"another name"') == ["other3"]
    assert sorted(found(catalogue)) == [
        "new1",
        "other3",
        *(f"r{number}" for number in range(COUNT) if number != 3),
    ]
    with catalogue.reading() as connection:
        assert folder_of(connection, "r2") == home / "elsewhere" / "r2"
        assert connection.execute(select(rebuild_changes)).all() == []
        assert connection.execute(select(rebuilds)).all() == []


def test_a_killed_rebuild_leaves_the_old_index(catalogue: Catalogue, home: Path) -> None:
    before = found(catalogue)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tomarium.catalogue import open_catalogue\n"
        "from tomarium.catalogue.rebuild import rebuild\n"
        "module = sys.modules['tomarium.catalogue.rebuild']\n"
        "module.AT_ONCE = 3\n"
        "real = module._write\n"
        "def write(*given, **named):\n"
        "    real(*given, **named)\n"
        "    write.times = getattr(write, 'times', 0) + 1\n"
        "    if write.times == 3:\n"
        "        os._exit(9)\n"
        "module._write = write\n"
        "rebuild(open_catalogue(sys.argv[1]), [Path(sys.argv[2])])\n"
    )
    address = (
        catalogue.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        if catalogue.engine.dialect.name == "postgresql"
        else catalogue.name
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address, str(home / "records")], capture_output=True, text=True
    )
    assert done.returncode == 9, done.stderr
    assert tables_of(catalogue) >= names_of(SHADOW, catalogue)
    assert found(catalogue) == before
    edit(catalogue, LOCAL_OWNER, "r5", Changes(title="Changed after the kill"))
    assert found(catalogue, "kill") == ["r5"]
    before = found(catalogue)  # other words have another number
    assert len(rebuild_index(catalogue, [home / "records"]).ids) == COUNT
    assert found(catalogue) == before
    assert found(catalogue, "kill") == ["r5"]
    assert not tables_of(catalogue) & names_of(SHADOW, catalogue)


def test_two_rebuilds_at_once(catalogue: Catalogue, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = f"another.host.example {os.getpid()} 12ab"
    with catalogue.writing() as connection:
        connection.execute(insert(rebuilds).values(token=token, beat_utc=time.time()))
    with pytest.raises(InputError, match=f"by process {os.getpid()} on another.host.example"):
        rebuild_index(catalogue, [home / "records"])
    with catalogue.writing() as connection:  # not heard of for long
        connection.execute(rebuilds.update().values(beat_utc=time.time() - 2 * module.SILENT_S))
    assert len(rebuild_index(catalogue, [home / "records"]).ids) == COUNT

    def overtaken(*given: object) -> Iterator[object]:
        with catalogue.writing() as connection:
            connection.execute(rebuilds.update().values(token=token))
        yield []

    monkeypatch.setattr(module, "_batches", overtaken)
    with pytest.raises(InputError, match="another rebuild of this index has begun"):
        rebuild_index(catalogue, [home / "records"])
    assert len(found(catalogue)) == COUNT
    assert tables_of(catalogue) >= names_of(SHADOW, catalogue)  # the other one's


def test_a_rebuild_that_fails_takes_its_tables_away(
    catalogue: Catalogue, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> Iterator[object]:
        yield [(read_record(home / "records" / "r0"), home / "records" / "r0")]
        raise OSError("the disk is gone")

    monkeypatch.setattr(module, "_batches", fail)
    with pytest.raises(OSError, match="gone"):
        rebuild_index(catalogue, [home / "records"])
    assert not tables_of(catalogue) & names_of(SHADOW, catalogue)
    assert len(found(catalogue)) == COUNT


def test_a_record_that_changes_moment_gets_its_place(catalogue: Catalogue, home: Path) -> None:
    add_store(catalogue, LOCAL_OWNER, home / "store")
    record = read_record(home / "records" / "r4")
    later = MOMENT + timedelta(days=1)
    file_record(home / "records" / "r4", title=record.title, created=later, parts=record.parts)
    assert found(catalogue)[0] != "r4" or found(catalogue)[-1] != "r4"
    rebuild_index(catalogue, [home / "records"])
    assert found(catalogue)[0] == "r4"


def test_a_reader_that_began_before_sees_one_state(catalogue: Catalogue, home: Path) -> None:
    """One that holds the old tables is waited for, and one that began before never sees the new ones half."""
    import threading

    done = threading.Event()

    def work() -> None:
        rebuild_index(catalogue, [home / "records"])
        done.set()

    thread = threading.Thread(target=work)
    with catalogue.reading() as connection:
        connection.execute(select(rebuilds)).all()  # nothing of the index was read yet
        edit(catalogue, LOCAL_OWNER, "r0", Changes(title="Changed since"))
        thread.start()
        done.wait(1.0)  # on SQLite it ends; on PostgreSQL it waits for this reader
        rows = connection.execute(select(records.c.id, records.c.title)).all()
        assert len(rows) == COUNT
        assert not any(row.title == "Changed since" for row in rows)
    thread.join(600)
    assert done.is_set()
    assert found(catalogue, '"changed since"') == ["r0"]


def test_a_rebuilt_index_has_the_indexes_of_a_new_catalogue(catalogue: Catalogue, home: Path) -> None:
    """On PostgreSQL some of them hold columns that are only read; a rebuild keeps those too."""

    def told() -> list[str]:
        with catalogue.reading() as connection:
            if connection.dialect.name == "sqlite":
                wanted = "SELECT tbl_name || sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            else:
                wanted = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()"
            lines = connection.exec_driver_sql(wanted).scalars().all()
        # Names take turns, columns do not.
        return sorted(line.partition(" ON ")[2].replace("new_", "").replace('"', "") for line in lines)

    before = told()
    rebuild_index(catalogue, [home / "records"])
    assert told() == before
    if catalogue.engine.dialect.name == "postgresql":
        for columns in (
            "gin (parameter_codes(keys, numbers))",
            "gin (record_text_words(number))",
            "(number) INCLUDE (public_from,",
        ):
            assert any(columns in line for line in before), columns
