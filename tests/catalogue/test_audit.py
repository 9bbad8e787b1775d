"""The log is only ever added to, and a change that was forced on it is found."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.audit import lines, note, verify

pytestmark = pytest.mark.fast


@pytest.fixture
def catalogue(tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as catalogue:
        with catalogue.writing() as connection:
            for number in range(5):
                note(connection, LOCAL_OWNER, "edit", f"record-{number}", field="title", size=0.1 * number)
        yield catalogue


def force(catalogue: Catalogue, statement: str) -> None:
    """Change the database as somebody could who has its file, or its tables."""
    with catalogue.writing() as connection:
        of = " ON audit" if connection.dialect.name == "postgresql" else ""
        for event in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_no_{event}{of}")
        connection.exec_driver_sql(statement)


def test_log_tells_what_was_done(catalogue: Catalogue) -> None:
    with catalogue.reading() as connection:
        told = list(lines(connection, record="record-3"))
        assert not list(lines(connection, who="ada"))
        assert len(list(lines(connection, who="owner"))) == 5
    assert [(line.number, line.who, line.action, line.told["field"]) for line in told] == [
        (4, "owner", "edit", "title")
    ]


def test_untouched_log_is_whole(catalogue: Catalogue) -> None:
    first = verify(catalogue)
    assert (first.lines, first.problem) == (5, "")
    with catalogue.writing() as connection:
        note(connection, LOCAL_OWNER, "publish", "record-1", moment=None, names=["é", "Ω"])
    later = verify(catalogue, first.newest)
    assert (later.lines, later.problem) == (6, "")
    assert later.newest != first.newest


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'eve'", "DELETE FROM audit WHERE number = 5"])
def test_database_keeps_the_log(catalogue: Catalogue, statement: str) -> None:
    with pytest.raises(IntegrityError, match="only ever added to"), catalogue.writing() as connection:
        connection.exec_driver_sql(statement)
    assert verify(catalogue).lines == 5


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("UPDATE audit SET who = 'eve' WHERE number = 3", "line 3 "),
        ("UPDATE audit SET told = '{}' WHERE number = 1", "line 1 "),
        ("UPDATE audit SET moment_utc = moment_utc + 1 WHERE number = 5", "line 5 "),
        ("UPDATE audit SET record = 'x' WHERE number IN (2, 4)", "line 2 "),
        ("DELETE FROM audit WHERE number = 2", "line 3 "),
        (
            "INSERT INTO audit (number, moment_utc, who, action, record, told, chain) "
            "SELECT 6, moment_utc, who, action, record, told, chain FROM audit WHERE number = 5",
            "line 6 ",
        ),
    ],
)
def test_first_broken_line_is_named(catalogue: Catalogue, statement: str, line: str) -> None:
    force(catalogue, statement)
    assert verify(catalogue).problem.startswith(line)


def test_shortened_log_is_found_by_a_checksum_kept_elsewhere(catalogue: Catalogue) -> None:
    newest = verify(catalogue).newest
    force(catalogue, "DELETE FROM audit WHERE number >= 4")
    assert verify(catalogue).problem == ""
    assert "taken from the end" in verify(catalogue, newest).problem


def test_who_writes_at_the_same_time_makes_one_chain(catalogue: Catalogue) -> None:
    def write(who: int) -> None:
        for number in range(10):
            with catalogue.writing() as connection:
                note(connection, Reader(f"writer-{who}"), "edit", f"record-{number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    verdict = verify(catalogue)
    assert (verdict.lines, verdict.problem) == (65, "")
