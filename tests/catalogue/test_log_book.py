"""The log book: versions, removal, who reads what, words and filters, files, and its export."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from PIL import Image
from sqlalchemy import text

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    tables,
)
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.backup import backup, restore
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import change_entity, make_entity, publish_entity
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.log_book import (
    change_entry,
    entries_of,
    entry_numbered,
    note_event,
    remove_entry,
    write_entry,
)
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.log_find import EntryFilter, find_entries
from tomarium.catalogue.log_tables import log_entries
from tomarium.catalogue.tokens import make_token
from tomarium.catalogue.work import Kind, do_jobs
from tomarium.errors import InputError
from tomarium.model import Person
from tomarium.portal import logbook
from tomarium.portal.app import create_app

ADA, EVE = Reader("ada", "member"), Reader("eve", "member")
TIM = Reader("tim", "member", teams=("bones",))
SAM = Reader("sam", "instrument scientist", instruments=("BM05",))
HERE = "proposals/hg-1"


def png() -> bytes:
    made = io.BytesIO()
    Image.new("L", (8, 6), 90).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("log")
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        make_entity(opened, ADA, "proposal", "Teeth", {}, "hg-1")
        change_entity(opened, ADA, "hg-1", {}, team="bones")
        make_entity(opened, ADA, "specimen", "A tooth", {}, "tooth")
        make_entity(opened, LOCAL_OWNER, "instrument", "BM05", {}, "bm05")
        yield opened


def texts(catalogue: Catalogue, reader: Reader, **wanted: object) -> list[str]:
    with catalogue.reading() as connection:
        return [one.text for one in find_entries(connection, reader, EntryFilter(**wanted))[0]]  # type: ignore[arg-type]


def test_an_entry_keeps_all_its_versions(catalogue: Catalogue) -> None:
    said = EntryContent("Beam lost at 14:20", ("Beam", "#lost"), ("specimens/tooth",), (("a/b.PNG", png()),))
    number = write_entry(catalogue, ADA, HERE, said)
    with catalogue.reading() as connection:
        first = entry_numbered(connection, ADA, number)
    assert first is not None
    assert (first.tags, first.links, [one.name for one in first.files]) == (
        ("beam", "lost"),
        ("specimens/tooth",),
        ["b.PNG"],
    )
    change_entry(catalogue, ADA, HERE, number, EntryContent("Beam lost at 14:21"), keep=())
    with catalogue.reading() as connection:
        now = entry_numbered(connection, ADA, number)
    assert now is not None
    assert (now.text, now.tags, now.files, now.written) == ("Beam lost at 14:21", (), (), first.written)
    (before,) = now.before
    assert (before.text, before.tags, before.files) == (first.text, first.tags, first.files)


def test_a_removed_entry_leaves_a_line(catalogue: Catalogue) -> None:
    number = write_entry(
        catalogue, ADA, HERE, EntryContent("The password is xyzzy", files=(("a.png", png()),))
    )
    with pytest.raises(InputError, match="is ada's"):
        remove_entry(catalogue, TIM, HERE, number, "no")
    with pytest.raises(InputError, match="why the entry is removed"):
        remove_entry(catalogue, ADA, HERE, number, " ")
    remove_entry(catalogue, ADA, HERE, number, "a secret")
    with catalogue.reading() as connection:
        seen = {
            reader.name: entry_numbered(connection, reader, number) for reader in (ADA, TIM, EVE, LOCAL_OWNER)
        }
    assert seen["eve"] is None
    for name in ("ada", "owner"):
        entry = seen[name]
        assert entry is not None
        assert [one.text for one in entry.before] == ["The password is xyzzy"]
    line = seen["tim"]
    assert line is not None
    assert (line.removed, line.text, line.before, line.files) == ("by ada: a secret", "", (), ())
    assert texts(catalogue, ADA, words="xyzzy") == []
    with pytest.raises(InputError, match="was removed"):
        change_entry(catalogue, ADA, HERE, number, "again")


def test_entries_are_found_by_words_as_records_are(catalogue: Catalogue) -> None:
    write_entry(catalogue, ADA, HERE, EntryContent("Énamel_No. 3 of the *molar*", ("sample",)))
    write_entry(catalogue, TIM, HERE, EntryContent("Motor sx at 12.3 mm", machine=True))
    assert texts(catalogue, ADA, words="enamel no") == ["Énamel_No. 3 of the *molar*"]
    assert texts(catalogue, ADA, words="ename") == ["Énamel_No. 3 of the *molar*"]
    assert texts(catalogue, ADA, words="ename ") == []
    assert texts(catalogue, ADA, words='"no molar"') == []
    assert texts(catalogue, ADA, words='"12 3"') == ["Motor sx at 12.3 mm"]
    assert texts(catalogue, ADA, words="100% _ %") == []
    assert texts(catalogue, ADA, words="%") == []
    assert texts(catalogue, ADA, tag="sample") == ["Énamel_No. 3 of the *molar*"]
    assert texts(catalogue, ADA, tag="samp") == []
    assert texts(catalogue, ADA, by="machine") == ["Motor sx at 12.3 mm"]
    assert texts(catalogue, ADA, who="tim", by="people") == []
    assert texts(catalogue, ADA, until_utc=0.0) == []
    assert texts(catalogue, ANYBODY) == []


def test_pages_of_entries_overlap_nowhere(catalogue: Catalogue) -> None:
    make_entity(catalogue, ADA, "proposal", "Many", {}, "many")
    with catalogue.writing() as connection:
        for number in range(11):
            note_event(connection, "ada", "proposals/many", f"event {number % 10}", f"event {number % 10}")
    found: list[str] = []
    after = ""
    with catalogue.reading() as connection:
        for _ in range(4):
            some, after = find_entries(
                connection, ADA, EntryFilter(about="proposals/many"), after=after, limit=3
            )
            found += [one.text for one in some]
    assert found == [f"event {number}" for number in reversed(range(10))]  # the eleventh was told before
    assert not after


def test_who_reads_and_writes_what(catalogue: Catalogue) -> None:
    for subject, writer, others in (
        ("specimens/tooth", ADA, (TIM, EVE, SAM, ANYBODY)),
        ("instruments/bm05", SAM, (ADA, EVE, TIM, ANYBODY)),
    ):
        number = write_entry(catalogue, writer, subject, f"of {subject}")
        for reader in others:
            with pytest.raises(InputError):
                write_entry(catalogue, reader, subject, "no")
            with catalogue.reading() as connection:
                assert entry_numbered(connection, reader, number) is None
                assert entries_of(connection, reader, subject) == ()
    publish_entity(catalogue, LOCAL_OWNER, "tooth", doi=False)
    with catalogue.reading() as connection:  # the specimen is public, its log book is not
        assert entries_of(connection, ANYBODY, "specimens/tooth") == ()
        about = entries_of(connection, TIM, "specimens/tooth")
    assert about == ()  # the entry of the proposal leads there no more since it was changed
    for reader, told, problem in (
        (ADA, EntryContent("x", links=("records/nothing",)), "there is no 'records/nothing'"),
        (ADA, EntryContent("x", links=("nothing",)), "names nothing"),
        (ADA, EntryContent("x", tags=("a b",)), "is no tag"),
        (ADA, EntryContent(" "), "is empty"),
        (ADA, EntryContent("x", files=(("a.bin", b""),)), "1 byte to 20 MiB"),
    ):
        with pytest.raises(InputError, match=problem):
            write_entry(catalogue, reader, HERE, told)


def test_a_program_writes_with_its_token(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "root", "administrator")
        make_account(connection, LOCAL_OWNER, "ada", "member")
        secrets = {
            scope: make_token(connection, LOCAL_OWNER, "ada", scope, (scope,), 9) for scope in ("log", "read")
        }
    client = TestClient(create_app(catalogue), headers={"authorization": f"Bearer {secrets['log']}"})
    sent = {"about": HERE, "text": "scan 0007 started", "event": "scan 0007", "tags": "scan"}
    answer = client.post("/logbook.json", json=sent)
    assert answer.status_code == 201
    number = answer.json()["number"]
    assert client.post("/logbook.json", json=sent).json()["number"] == number
    files = {"files": ("slit <b>.png", png(), "image/svg+xml")}
    second = client.post("/logbook.json", data={**sent, "event": ""}, files=files).json()["number"]
    assert client.get(f"/logbook/{number}.json").status_code == 404  # it may write and not read
    assert client.post("/entities/hg-1/edit", json={"number": "1"}).status_code == 403
    assert client.post("/logbook.json", json={**sent, "about": "proposals/none"}).status_code == 404
    assert client.post("/logbook.json", json={**sent, "abuot": ""}).status_code == 400
    client.headers["authorization"] = f"Bearer {secrets['read']}"
    assert client.post("/logbook.json", json=sent).status_code == 403
    told = client.get(f"/logbook/{second}.json").json()["entry"]
    assert (told["machine"], told["who"], told["tags"]) == (True, "ada", ["scan"])
    (file,) = told["files"]
    assert (file["name"], file["picture"]) == ("slit <b>.png", True)
    picture = client.get(file["address"])
    assert (picture.content, picture.headers["content-type"]) == (png(), "image/png")
    assert TestClient(create_app(catalogue)).get(file["address"]).status_code == 404


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", ""),
        (b"<html><script>alert(1)</script>", ""),
        (b"%PDF-1.7", ""),
        (b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00", "image/webp"),
        (b"\xff\xd8\xff\xd9", "image/jpeg"),
        (b"\xff\xd8\xff\xe0", ""),
    ],
)
def test_only_pictures_are_shown_by_a_browser(catalogue: Catalogue, content: bytes, kind: str) -> None:
    number = write_entry(catalogue, ADA, HERE, EntryContent("", files=(("x.png", content),)))
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: ADA
    client = TestClient(app)
    (file,) = client.get(f"/logbook/{number}.json").json()["entry"]["files"]
    answer = client.get(file["address"])
    assert answer.content == content
    assert answer.headers["content-type"] == (kind or "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("inline" if kind else "attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_form_writes_previews_changes_and_removes(catalogue: Catalogue) -> None:
    client = TestClient(create_app(catalogue, local=True), follow_redirects=False)
    app = client.app
    app.state.reader_of = lambda _request: LOCAL_OWNER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tomarium.portal.identity.any_account", lambda _connection: False)
        told = {"about": "specimens/tooth", "text": "**polished** <script>", "back": "/specimens/tooth"}
        preview = client.post(
            "/logbook/write", data={**told, "preview": "yes"}, files={"files": ("a.png", png())}
        )
        assert "<strong>polished</strong> &lt;script&gt;" in preview.text
        assert "Choose the pictures and files again" in preview.text
        with catalogue.reading() as connection:
            count = len(entries_of(connection, LOCAL_OWNER, "specimens/tooth"))
        done = client.post("/logbook/write", data=told, files={"files": ("a.png", png())})
        assert done.status_code == 303
        assert done.headers["location"].startswith("/specimens/tooth#entry-")
        number = done.headers["location"].rpartition("-")[2]
        with catalogue.reading() as connection:
            assert len(entries_of(connection, LOCAL_OWNER, "specimens/tooth")) == count + 1
        changed = client.post(f"/logbook/{number}/change", data={"text": "cut", "keeping": "yes"})
        assert changed.status_code == 303
        page = client.get(f"/logbook/{number}").text
        assert "What it said before" in page
        assert page.count('src="/logbook/') == 1  # the picture belongs to the version before
        assert client.post(f"/logbook/{number}/remove", data={"reason": "wrong tooth"}).status_code == 303
        assert "Removed by owner: wrong tooth" in client.get(f"/logbook/{number}").text
        leads_away = {**told, "back": "https://example.org/"}
        assert client.post("/logbook/write", data=leads_away).headers["location"].startswith("/#")


def test_it_is_exported_whole(catalogue: Catalogue, tmp_path: Path) -> None:
    write_entry(catalogue, ADA, HERE, EntryContent("with a picture", ("kept",), files=(("p.png", png()),)))
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: ADA
    client = TestClient(app)
    text = client.get("/logbook.md", params={"about": HERE}).text
    assert text.startswith("# Log book\n")
    assert "with a picture" in text
    assert "![p.png](http://testserver/logbook/" in text
    answer = client.get("/logbook.zip", params={"about": HERE, "tag": "kept"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
        crate = json.loads(archive.read("logbook/ro-crate-metadata.json"))
    root = next(one for one in crate["@graph"] if one["@id"] == "./")
    named = [one["@id"] for one in root["hasPart"]]
    assert all((tmp_path / "logbook" / one).is_file() for one in named)
    (picture,) = [one for one in named if one.startswith("files/")]
    assert (tmp_path / "logbook" / picture).read_bytes() == png()
    told = json.loads((tmp_path / "logbook" / "logbook.json").read_text())
    assert [one["text"] for one in told] == ["with a picture"]
    app.state.reader_of = lambda _request: EVE
    assert "picture" not in client.get("/logbook.md", params={"about": HERE}).text


def test_a_backup_holds_the_files(catalogue: Catalogue, tmp_path: Path) -> None:
    number = write_entry(catalogue, ADA, HERE, EntryContent("kept for ever", files=(("p.txt", b"backup"),)))
    backup(catalogue, tmp_path / "backup.zip")
    with open_catalogue(tmp_path / "new.sqlite") as again:
        restore(again, tmp_path / "backup.zip")
        app = create_app(again)
        app.state.reader_of = lambda _request: ADA
        client = TestClient(app)
        (file,) = client.get(f"/logbook/{number}.json").json()["entry"]["files"]
        assert client.get(file["address"]).content == b"backup"


def test_jobs_are_noted_where_their_records_are(
    catalogue: Catalogue, tmp_path: Path, make_record_folder: Callable[..., Path]
) -> None:
    for id in ("raw", "made"):
        folder = make_record_folder(tmp_path / id, size=16)
        file_record(folder, title=id, id=id)
        ingest(catalogue, folder, reader=ADA)
        edit(
            catalogue,
            ADA,
            id,
            Changes(proposal="hg-1", licence="CC0-1.0", creators=(Person("Lovelace, Ada"),)),
        )
    with catalogue.writing() as connection:
        add_job(connection, ADA, "reconstruct", {"scan": "record:raw"})
        add_job(connection, ADA, "other", {"record": "raw"})
    kinds = {
        "reconstruct": Kind(lambda *_given: ("done", "filed: made", ("made",)), noted="made", long=True),
        "other": Kind(lambda *_given: ("failed", "no memory", ()), noted="aligned"),
    }
    for _ in range(2):
        do_jobs(catalogue, lambda _line: None, kinds)
    publish(catalogue, LOCAL_OWNER, "made", Request(embargo="1 year"))
    with catalogue.reading() as connection:
        told = {
            subject: [(one.subject, one.text, one.machine) for one in entries_of(connection, ADA, subject)]
            for subject in ("records/raw", "records/made", HERE)
        }
        hidden = entries_of(connection, EVE, "records/made")
    year = datetime.now(UTC).year + 1
    texts = [
        "raw: to be made: started",
        "made: made: filed: made",
        "raw: not aligned: no memory",
        f"made: published; files open {year}-",
    ]
    events = [one for one in told[HERE] if one[2] and one[1].startswith(("raw:", "made:"))]
    assert [one[1][: len(text)] for one, text in zip(events, texts, strict=True)] == texts
    assert {one[0] for one in events} == {HERE}
    assert [one[1] for one in told["records/made"]] == [events[1][1], events[3][1]]  # it leads there
    assert [one[1] for one in told["records/raw"]] == [one[1] for one in events[:3]]
    assert hidden == ()  # it is the proposal's


def test_a_page_hears_of_what_is_new(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "ASKED_S", 0.01)
    monkeypatch.setattr(logbook, "LONGEST_S", 3600.0)
    app = create_app(catalogue)
    looks, look = [], logbook._state

    def counted(*asked: Any) -> str:
        looks.append(written)
        if looks.count(True) == 3:
            app.state.ending.set()
        return look(*asked)

    monkeypatch.setattr(logbook, "_state", counted)
    told = {}
    for reader in (ADA, EVE):
        app.state.reader_of = lambda _request, reader=reader: reader
        app.state.ending, written = threading.Event(), False
        looks.clear()
        with TestClient(app).stream("GET", "/logbook/events", params={"about": HERE}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            parts = answer.iter_text()
            told[reader.name] = next(parts)
            while "event: changed" not in told[reader.name]:
                told[reader.name] += next(parts)
            write_entry(catalogue, ADA, HERE, f"new to {reader.name}")
            written = True
            told[reader.name] += "".join(parts)
    assert told["ada"].count("event: changed") == 2  # as it was, and the new one
    assert told["eve"].count("event: changed") == 1  # nothing new that she may read


def test_entries_of_before_are_found_and_keep_their_place(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.sqlite"
    with open_catalogue(file) as opened:
        config = Config()
        config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
        with opened.engine.connect().execution_options(write=True) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.downgrade(config, "0015")
            old = {"subject": "proposals/a", "who": "ada", "machine": 0, "text": "Shutter exchanged"}
            before = [[1000.5, "ada", "Shutter stuck", False]]
            table = log_entries.name
            columns = ("subject", "who", "machine", "text", "moment_utc", "before")
            row = {**old, "moment_utc": 2000.5, "before": json.dumps(before)}
            marks = ", ".join(f":{name}" for name in columns)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"), row)
    with open_catalogue(file) as opened, opened.reading() as connection:
        (found,), _ = find_entries(connection, LOCAL_OWNER, EntryFilter("shutter exchanged"))
    assert (found.written[-14:], found.when[-14:]) == ("00:16:40+00:00", "00:33:20+00:00")
    assert [(one.text, one.tags, one.files) for one in found.before] == [("Shutter stuck", (), ())]
