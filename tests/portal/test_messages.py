"""Feedback and questions about records: who sees them, what is refused, what stays unknown, mail, the table."""

import csv
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.accounts import change_teams, make_account
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.messages import PER_NETWORK
from tomarium.catalogue.reader_tables import mail_addresses, mails
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import life, records
from tomarium.catalogue.text_tables import messages
from tomarium.catalogue.tokens import make_token
from tomarium.model import Person
from tomarium.portal.app import create_app

JSON = {"Accept": "application/json"}
QUESTION = {"text": "How was it =fixed?", "email": "pupil@example.org", "name": "Pia"}
PEOPLE = {"root": "administrator", "cora": "curator", "ada": "member", "tim": "member", "eve": "member"}


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], place: Files
) -> Iterator[Catalogue]:
    """A catalogue with two records of ada's, one of them a draft, and accounts."""
    home, ada = tmp_path_factory.mktemp("messages"), Reader("ada", "member", ("bones",))
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        for id in ("tooth", "draft"):
            make_volume(home / "records" / id / "volume.ome.zarr", size=8)
            file_record(home / "records" / id, title=id.capitalize(), id=id)
            ingest(opened, home / "records" / id, reader=ada)
            edit(opened, ada, id, Changes(licence="CC0-1.0", creators=(Person("Lovelace, Ada"),)))
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0"))
        with opened.writing() as connection:
            for table in (life, records):
                connection.execute(update(table).values(team="bones"))
            for name, role in PEOPLE.items():
                make_account(connection, LOCAL_OWNER, name, role)
            change_teams(connection, LOCAL_OWNER, "tim", join=("bones",))
        yield opened


@pytest.fixture(autouse=True)
def _empty(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        connection.execute(messages.delete())
        connection.execute(mails.delete())


@pytest.fixture(scope="module")
def clients(catalogue: Catalogue) -> dict[str, TestClient]:
    app = create_app(catalogue)
    found = {"nobody": TestClient(app)}
    with catalogue.writing() as connection:
        for name in PEOPLE:
            secret = make_token(connection, LOCAL_OWNER, name, "test", ("read", "write", "admin"), 1)
            found[name] = TestClient(app, headers={"Authorization": f"Bearer {secret}"})
    return found


def texts(client: TestClient) -> list[str]:
    return [one["text"] for one in client.get("/messages.json").json()["messages"]]


def test_a_question_reaches_whom_the_record_belongs_to(clients: dict[str, TestClient]) -> None:
    page = clients["nobody"].get("/records/tooth/ask")
    assert page.status_code == 200
    assert 'name="website"' in page.text
    sent = clients["nobody"].post("/records/tooth/ask", data=QUESTION, follow_redirects=False)
    assert sent.headers["location"] == "/records/tooth/ask?sent=true"
    assert "Thank you" in clients["nobody"].get(sent.headers["location"]).text
    clients["nobody"].post("/feedback", data={"text": "Well done."})
    assert texts(clients["ada"]) == texts(clients["tim"]) == ["How was it =fixed?"]
    assert texts(clients["eve"]) == []
    assert texts(clients["cora"]) == texts(clients["root"]) == ["Well done.", "How was it =fixed?"]
    assert clients["nobody"].get("/messages").status_code == 401
    for door in ("/records/tooth", "/records/tooth.json", "/feedback", "/feed.atom"):
        assert "pupil@example.org" not in clients["nobody"].get(door).text


def test_what_nobody_may_see_cannot_be_asked_about(clients: dict[str, TestClient]) -> None:
    for method in ("get", "post"):
        assert getattr(clients["nobody"], method)("/records/draft/ask").status_code == 404
    assert clients["ada"].get("/records/draft/ask").status_code == 200


def test_a_message_is_dealt_with_and_removed(clients: dict[str, TestClient], catalogue: Catalogue) -> None:
    clients["nobody"].post("/records/tooth/ask", data=QUESTION)
    number = clients["ada"].get("/messages.json").json()["messages"][0]["number"]
    assert clients["eve"].post(f"/messages/{number}/answered", headers=JSON).status_code == 422
    assert clients["nobody"].post(f"/messages/{number}/remove").status_code == 401
    assert clients["tim"].post(f"/messages/{number}/answered", headers=JSON).status_code == 200
    assert clients["ada"].get("/messages.json").json()["messages"][0]["answered"] == "tim"
    assert clients["ada"].post(f"/messages/{number}/remove", headers=JSON).status_code == 200
    with catalogue.reading() as connection:
        assert connection.execute(select(messages)).all() == []


def test_what_is_refused(clients: dict[str, TestClient]) -> None:
    nobody = clients["nobody"]
    for fields, words in (
        ({"text": " "}, "write what you want to say"),
        ({"text": "x" * 5001}, "at most 5000"),
        ({"text": "x", "email": "no address"}, "no e-mail address"),
        ({"text": "x", "email": "a@example.org\nBcc: b@example.org"}, "no e-mail address"),
        ({"text": "x", "colour": "red"}, "there is no field"),
    ):
        told = nobody.post("/feedback", json=fields, headers=JSON)
        assert told.status_code in (400, 422)
        assert words in told.json()["detail"].casefold()
    assert (
        "An answer needs an e-mail address"
        in nobody.post("/records/tooth/ask", json={"text": "x"}, headers=JSON).json()["detail"]
    )
    for language, words in (
        ("fr", "Écrivez ce que vous voulez dire"),
        ("de", "Schreiben Sie, was Sie sagen möchten"),
    ):
        assert words in nobody.post(f"/{language}/feedback", data={"text": " "}).text
    page = nobody.post("/feedback", data={"text": "Keep this", "email": "none"})
    assert page.status_code == 422
    assert "Keep this</textarea>" in page.text
    assert (
        nobody.post("/feedback", data={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code
        == 403
    )


def test_programs_are_kept_out(clients: dict[str, TestClient], catalogue: Catalogue) -> None:
    nobody = clients["nobody"]
    filled = {"text": "Buy this", "website": "https://spam.example"}
    assert nobody.post("/feedback", data=filled, follow_redirects=False).status_code == 303  # it is not told
    assert texts(clients["root"]) == []
    for _ in range(PER_NETWORK):
        assert nobody.post("/feedback", json={"text": "x"}, headers=JSON).status_code == 201
    many = nobody.post("/feedback", json={"text": "x"}, headers=JSON)
    assert many.status_code == 429
    assert 3500 < int(many.headers["retry-after"]) <= 3600
    with catalogue.writing() as connection:
        connection.execute(update(messages).values(moment_utc=time.time() - 3601))
    assert nobody.post("/feedback", json={"text": "y"}, headers=JSON).status_code == 201
    with catalogue.reading() as connection:
        kept = connection.execute(select(messages.c.text, messages.c.network)).all()
    assert {bool(network) for text, network in kept if text == "x"} == {False}  # networks are forgotten


def test_the_table_is_for_administrators(clients: dict[str, TestClient]) -> None:
    clients["nobody"].post("/feedback", data={"text": "=1+1", "name": "@x", "page": "/records/tooth"})
    assert clients["cora"].get("/messages.csv").status_code == 403
    rows = list(csv.DictReader(io.StringIO(clients["root"].get("/messages.csv").text)))
    assert [(row["text"], row["name"], row["page"]) for row in rows] == [("'=1+1", "'@x", "/records/tooth")]


def test_mail_goes_to_confirmed_addresses_alone(clients: dict[str, TestClient], catalogue: Catalogue) -> None:
    def receivers() -> set[str]:
        with catalogue.reading() as connection:
            return set(connection.execute(select(mails.c.receiver)).scalars())

    clients["nobody"].post("/records/tooth/ask", data=QUESTION)
    assert receivers() == set()  # no mail server is set
    with catalogue.writing() as connection:
        change_setting(connection, "smtp_host", "smtp.example.org")
        change_setting(connection, "contact", "data@example.org")
    clients["nobody"].post("/records/tooth/ask", data=QUESTION)
    assert receivers() == {"data@example.org"}
    with catalogue.writing() as connection:
        connection.execute(mails.delete())
        for name, confirmed in (("ada", 1.0), ("tim", None)):
            row = {"account": name, "address": f"{name}@example.org", "confirmed_utc": confirmed}
            columns = {column.name: row.get(column.name, "" if column.type.python_type is str else 0.0)
                       for column in mail_addresses.c}  # fmt: skip
            connection.execute(mail_addresses.insert().values(**columns))
    clients["nobody"].post("/records/tooth/ask", data=QUESTION)
    assert receivers() == {"ada@example.org"}
