"""The rolling audit: whose turn it is, what a flipped byte raises and where it is told, and how an alarm is cleared."""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from sqlalchemy import insert, select
from tests.catalogue.mail_server import mail_server

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.alarms import alarms_of, all_alarms, clear_alarm
from tomarium.catalogue.audit import lines
from tomarium.catalogue.fixity import DAY_S, audit_round, audit_state, check_record, next_record
from tomarium.catalogue.fixity_tables import fixity_checks
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.reader_tables import mail_addresses
from tomarium.catalogue.send_mail import mail_round
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tokens import make_token
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.model import Person
from tomarium.portal.app import create_app
from tomarium.standards.ro_crate import FILENAME

ROOT = Reader("root", "administrator")
IDS = ("bone", "shell", "tooth")


@pytest.fixture(scope="module")
def made(make_volume: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filed")
    for id in IDS:
        make_volume(home / id / "volume.ome.zarr", size=16)
        file_record(home / id, title=f"A {id}", id=id, licence="CC0-1.0", creators=(Person("Ada"),))
    return home


@pytest.fixture
def catalogue(made: Path, tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    shutil.copytree(made, tmp_path / "records")
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        for id in IDS:
            ingest(opened, tmp_path / "records" / id)
        yield opened


def chunk_of(catalogue: Catalogue, id: str) -> Path:
    found = (catalogue.home / "records" / id / "volume.ome.zarr").glob("0/c/**/*")
    return next(one for one in found if one.is_file())


def flip(path: Path) -> None:
    """Flip one bit; length, time and name stay."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def turns(catalogue: Catalogue, days: int, hours: range, told: list[str]) -> list[str]:
    """Which records a worker reads that looks every hour."""
    start, read = 1_700_000_000.0, []
    with catalogue.writing() as connection:
        change_setting(connection, "fixity_days", str(days))
    for hour in hours:
        left = 5
        now = start + hour * 3600

        def goes_on() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        before = _checked(catalogue)
        audit_round(catalogue, told.append, goes_on, now)
        read += [id for id, when in _checked(catalogue).items() if before.get(id) != when]
    return read


def _checked(catalogue: Catalogue) -> dict[str, float]:
    with catalogue.reading() as connection:
        return {row.record: row.checked_utc for row in connection.execute(select(fixity_checks))}


def test_all_are_read_in_so_many_days_each_as_often(catalogue: Catalogue) -> None:
    told: list[str] = []
    assert sorted(turns(catalogue, 3, range(3 * 24), told)) == sorted(IDS)
    again = turns(catalogue, 3, range(3 * 24, 6 * 24), told)
    assert sorted(again) == sorted(IDS)
    assert told == []


def test_what_was_missed_is_caught_up_with(catalogue: Catalogue) -> None:
    """A day after a pause reads at most twice the share, which is one of three records."""
    told: list[str] = []
    turns(catalogue, 3, range(3 * 24), told)
    day = turns(catalogue, 3, range(40 * 24, 41 * 24), told)
    assert len(day) == 2
    assert len(turns(catalogue, 3, range(41 * 24, 42 * 24), told)) >= 1
    assert min(_checked(catalogue).values()) >= 1_700_000_000.0 + 40 * DAY_S


def test_zero_days_reads_nothing(catalogue: Catalogue) -> None:
    assert turns(catalogue, 0, range(48), []) == []
    with catalogue.reading() as connection:
        assert next_record(connection) is None
        assert audit_state(connection).never == len(IDS)


def test_a_flipped_byte_raises_one_alarm_until_it_is_cleared(catalogue: Catalogue) -> None:
    chunk = chunk_of(catalogue, "tooth")
    whole = chunk.read_bytes()
    flip(chunk)
    checked = check_record(catalogue, "tooth")
    assert checked is not None
    assert checked.new_alarms == 1
    again = check_record(catalogue, "tooth")
    assert again is not None
    assert again.new_alarms == 0
    with catalogue.reading() as connection:
        (alarm,) = alarms_of(connection, "tooth")
        assert alarms_of(connection, "bone") == []
    inside = chunk.relative_to(catalogue.home / "records" / "tooth").as_posix()
    assert (alarm.path, alarm.problem) == (inside, "changed")
    chunk.write_bytes(whole)
    assert check_record(catalogue, "tooth") is not None
    with catalogue.reading() as connection:
        assert len(alarms_of(connection, "tooth")) == 1, "a person has to say what was done"
    with catalogue.writing() as connection:
        with pytest.raises(NotAllowed):
            clear_alarm(connection, Reader("cora", "curator"), alarm.number, "x")
        with pytest.raises(ParameterError, match="say what was done"):
            clear_alarm(connection, ROOT, alarm.number, "  ")
        clear_alarm(connection, ROOT, alarm.number, "copied back from tape")
        with pytest.raises(InputError, match="no open alarm"):
            clear_alarm(connection, ROOT, alarm.number, "again")
        (cleared,) = all_alarms(connection)
    assert (cleared.cleared_by, cleared.reason) == ("root", "copied back from tape")
    with catalogue.reading() as connection:
        said = [(line.action, line.who, line.record) for line in lines(connection)]
    assert ("alarm", LOCAL_OWNER.name, "tooth") in said
    assert ("clear alarm", "root", "tooth") in said


def test_other_damage_raises_alarms_too(catalogue: Catalogue) -> None:
    chunk_of(catalogue, "bone").unlink()
    (catalogue.home / "records" / "shell" / FILENAME).write_text("{")
    for id in ("bone", "shell"):
        check_record(catalogue, id)
    with catalogue.reading() as connection:
        found = {(one.record, one.problem) for one in all_alarms(connection)}
    assert found == {("bone", "missing"), ("shell", "unreadable")}
    with pytest.raises(InputError, match="no record"):
        check_record(catalogue, "nobody")


def test_what_is_being_written_is_read_later(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(chunk_of(catalogue, "tooth"))
    drawn = iter((b"before", b"after"))
    monkeypatch.setattr("tomarium.catalogue.fixity._crate", lambda _folder: next(drawn))
    assert check_record(catalogue, "tooth") is None
    with catalogue.reading() as connection:
        assert all_alarms(connection) == []


def test_an_alarm_is_told_on_pages_feed_and_by_mail(catalogue: Catalogue) -> None:
    publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))
    publish(catalogue, LOCAL_OWNER, "bone", Request(embargo="1 year", files=False))
    with mail_server() as server:
        with catalogue.writing() as connection:
            told = {"smtp_host": server.host, "smtp_port": str(server.port), "smtp_security": "none",
                    "mail_sender": "data@example.org", "address": "https://data.example.org"}  # fmt: skip
            for key, value in told.items():
                change_setting(connection, key, value)
            make_account(connection, LOCAL_OWNER, "root", "administrator", password="copper-lantern-7")
            common = {"address": "root@example.org", "digest": "", "asked_utc": 0.0, "confirmed_utc": 1.0}
            connection.execute(insert(mail_addresses).values(account="root", **common))
        for id in ("tooth", "bone"):
            flip(chunk_of(catalogue, id))
            check_record(catalogue, id)
        assert mail_round(catalogue)[1] == ""
        subjects = [str(one["Subject"]) for one in server.taken]
        assert subjects == ["tomarium: alarm for tooth", "tomarium: alarm for bone"]
        assert "volume.ome.zarr" in server.taken[0].get_content()
    with TestClient(create_app(catalogue)) as client:
        assert "Not all files are as they were filed" in client.get("/records/tooth").text
        damage = client.get("/records/tooth.json").json()["not_as_filed"]
        assert [one["problem"] for one in damage] == ["changed"]
        closed = client.get("/records/bone")
        assert "as they were filed" not in closed.text, "who may not have files is not told their names"
        assert client.get("/records/bone.json").json()["not_as_filed"] == []
        assert client.get("/admin/alarms.atom").status_code == 401
        with catalogue.writing() as connection:
            token = make_token(connection, LOCAL_OWNER, "root", "feeds", ("read", "admin", "write"), 1)
        client.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})
        page = client.get("/admin/alarms.json").json()
        assert {one["record"] for one in page["open"]} == {"tooth", "bone"}
        assert "2 files are" in client.get("/admin", headers={"Accept": "text/html"}).text
        feed = Xml.fromstring(client.get("/admin/alarms.atom").content)
        titles = [one.text for one in feed.iter("{http://www.w3.org/2005/Atom}title")]
        assert len(titles) == 3
        number = str(page["open"][0]["number"])
        assert client.post("/admin/alarms", data={"alarm": number}).status_code == 422
        done = client.post("/admin/alarms", data={"alarm": number, "reason": "copied back"})
        assert done.status_code in (200, 303)
        assert len(client.get("/admin/alarms.json").json()["closed"]) == 1


def test_random_damage_is_found_wherever_it_is(catalogue: Catalogue) -> None:
    """Any bit of any file of a record, its manifest and crate among them, drawn by chance."""
    draw = random.Random(18)
    folder = catalogue.home / "records" / "shell"
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    for path in draw.sample(files, 8):
        content = path.read_bytes()
        place, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        checked = check_record(catalogue, "shell", time.time())
        assert checked is not None
        assert checked.wrong or path.name == FILENAME, f"{path.name}, byte {place}"
        path.write_bytes(content)


def test_the_command_tells_reads_and_clears(catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--catalogue", str(catalogue.name)]
    assert execute(["fixity", *place]) == 0
    assert "0 alarms; 0 of 3 records were read" in capsys.readouterr().out
    flip(chunk_of(catalogue, "tooth"))
    assert execute(["fixity", "--check", "tooth", *place]) == 1
    assert "is changed" in capsys.readouterr().out
    assert execute(["fixity", "--clear", "1", *place]) == 2
    assert execute(["fixity", "--clear", "1", "--because", "copied back", *place]) == 0
