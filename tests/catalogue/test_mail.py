"""Mail of saved searches, sent to a real mail server: once for each record, and never of what is hidden."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from argon2 import profiles
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select, update
from tests.catalogue.mail_server import MailServer, mail_server

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue, passwords
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.datacite_client import Answer
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.mail_addresses import change_mail_address, confirm_mail_address
from tomarium.catalogue.mail_content import MailContent, message_of, read_address, read_sender
from tomarium.catalogue.mail_queue import MOST_TRIES, open_mails, queue_mail, retry_mails
from tomarium.catalogue.new_records import look_for_new
from tomarium.catalogue.reader_tables import mail_addresses, mails, saved_searches
from tomarium.catalogue.saved_searches import change_search, save_search, searches_of, unsubscribe
from tomarium.catalogue.send_mail import LEASE_S, mail_round, send_due
from tomarium.catalogue.settings import all_settings, change_setting
from tomarium.catalogue.smtp import Smtp, smtp_of
from tomarium.catalogue.tables import records
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.model import Record
from tomarium.model.publication import Publication

ADA, EVE = Reader("ada", "member", teams=("bones",)), Reader("eve", "member")
SETTINGS = {
    "smtp_host": "127.0.0.1",
    "smtp_security": "none",
    "mail_sender": "Röntgen’s data <data@example.org>",
    "address": "https://data.example.org",
}


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _quiet(mail: MailServer) -> None:
    for kept in (mail.taken, mail.receivers, mail.bad_days):
        kept.clear()


@pytest.fixture
def smtp(mail: MailServer) -> Smtp:
    return Smtp(mail.host, mail.port, "none", read_sender(SETTINGS["mail_sender"]), timeout_s=120.0)


@pytest.fixture
def catalogue(
    tmp_path: Path, mail: MailServer, place: Files, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalogue]:
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
    with open_catalogue(place(tmp_path / "c.sqlite")) as opened:
        with opened.writing() as connection:
            for key, value in {**SETTINGS, "smtp_port": str(mail.port)}.items():
                change_setting(connection, key, value)
            make_account(connection, LOCAL_OWNER, "boss", "administrator", password="a long password")
            for reader in (ADA, EVE):
                make_account(connection, LOCAL_OWNER, reader.name, "member", password="a long password")
        yield opened


def confirm(catalogue: Catalogue, reader: Reader, address: str) -> None:
    with catalogue.writing() as connection:
        change_mail_address(connection, reader, address)
        secret = connection.execute(
            select(mails.c.content).where(mails.c.receiver == address).order_by(mails.c.number.desc())
        ).scalars().first()["secret"]  # fmt: skip
        assert confirm_mail_address(connection, secret) == address
        connection.execute(update(mails).values(state="sent"))


def search(catalogue: Catalogue, reader: Reader, asked: str, every: str = "at once") -> int:
    with catalogue.writing() as connection:
        return save_search(connection, reader, asked, "", every).number


def put(
    catalogue: Catalogue, id: str, *, published: bool = True, owner: Reader = LOCAL_OWNER, **told: Any
) -> None:
    moment = datetime.now(UTC)
    publication = (
        Publication(published=moment, publisher="X", open_from=moment, **told) if published else None
    )
    record = Record(id=id, title=f"Tooth {id}", created=moment - timedelta(99), publication=publication)
    with catalogue.writing() as connection:
        save_records(connection, [entry_of(connection, record, Path("/nowhere") / id, owner)])


def told(mail: MailServer) -> list[tuple[str, list[str]]]:
    """Tell of each mail that came its receiver, and the records that it names."""
    found = []
    for message, receivers in zip(mail.taken, mail.receivers, strict=True):
        text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        lines = [line for line in text.splitlines() if line.startswith("https://data.example.org/records/")]
        found.append((receivers[0], sorted(line.rpartition("/")[2] for line in lines)))
    return found


def test_what_is_new_is_told_once_to_those_who_may_see_it(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp
) -> None:
    put(catalogue, "before")
    for reader in (ADA, EVE):
        confirm(catalogue, reader, f"{reader.name}@example.org")
        search(catalogue, reader, "q=tooth")
    search(catalogue, ADA, "q=zebra")
    put(catalogue, "open")
    put(catalogue, "mine", published=False, owner=ADA)
    put(catalogue, "others", published=False, owner=Reader("cora", "curator"))
    look_for_new(catalogue)
    assert {one.state for one in send_due(catalogue, smtp)} == {"sent"}
    assert sorted(told(mail)) == [("ada@example.org", ["mine", "open"]), ("eve@example.org", ["open"])]
    look_for_new(catalogue)
    assert send_due(catalogue, smtp) == []  # nothing is new: no mail
    put(catalogue, "mine")  # Ada was told of the draft; to Eve it is new
    put(catalogue, "late")
    look_for_new(catalogue)
    send_due(catalogue, smtp)
    assert sorted(told(mail)[2:]) == [("ada@example.org", ["late"]), ("eve@example.org", ["late", "mine"])]


def test_what_is_hidden_meanwhile_is_not_told(catalogue: Catalogue, mail: MailServer, smtp: Smtp) -> None:
    confirm(catalogue, EVE, "eve@example.org")
    search(catalogue, EVE, "")
    for id in ("kept", "hidden", "withdrawn"):
        put(catalogue, id)
    look_for_new(catalogue)
    with catalogue.writing() as connection:
        hidden = update(records).where(records.c.id == "hidden")
        connection.execute(hidden.values(public_from=None, open_from=None, state="draft"))
        connection.execute(update(records).where(records.c.id == "withdrawn").values(state="withdrawn"))
    send_due(catalogue, smtp)
    assert told(mail) == [("eve@example.org", ["kept"])]
    put(catalogue, "last")
    look_for_new(catalogue)
    with catalogue.writing() as connection:
        connection.execute(update(records).values(public_from=None, open_from=None, state="draft"))
    assert [one.state for one in send_due(catalogue, smtp)] == ["dropped"]
    with catalogue.reading() as connection:
        assert connection.execute(select(mails.c.content)).scalars().all()[-1] == {}


def test_daily_and_weekly_mails_wait_for_their_time(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp
) -> None:
    confirm(catalogue, EVE, "eve@example.org")
    numbers = {
        every: search(catalogue, EVE, f"q=tooth&year={2026 - index}", every)
        for index, every in enumerate(("daily", "weekly"))
    }
    with catalogue.writing() as connection:
        connection.execute(update(saved_searches).values(asked="q=tooth"))
    put(catalogue, "new")
    due = {
        days: {one.number for one in look_for_new(catalogue, time.time() + days * 86400 + 5)}
        for days in (0, 1, 7)
    }
    assert due == {0: set(), 1: {numbers["daily"]}, 7: {numbers["weekly"]}}
    send_due(catalogue, smtp)
    assert told(mail) == [("eve@example.org", ["new"])] * 2


def test_a_bad_server_is_asked_again_until_it_takes_the_mail(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp
) -> None:
    confirm(catalogue, EVE, "eve@example.org")
    search(catalogue, EVE, "q=tooth")
    put(catalogue, "new")
    look_for_new(catalogue)
    moment, states = time.time(), []
    for bad in ("busy", "silent", "drop", ""):
        mail.bad_days[:] = [bad] if bad else []
        # A silent server would answer in an hour: whoever waits for it for a moment waits in vain.
        [one] = send_due(catalogue, replace(smtp, timeout_s=0.5) if bad == "silent" else smtp, moment)
        states.append((bad, one.state))
        assert (one.error == "") is (one.state == "sent"), bad
        assert send_due(catalogue, smtp, moment) == []  # not before its time
        moment += LEASE_S
    assert states == [("busy", "waiting"), ("silent", "waiting"), ("drop", "waiting"), ("", "sent")]
    # The server broke off after it had the mail: the same came once more, and its Message-ID says so.
    assert len({message["Message-ID"] for message in mail.taken}) == 1
    assert [names for _, names in told(mail)] == [["new"]] * 2
    absent = Smtp("127.0.0.1", 1, "none", smtp.sender, timeout_s=0.5)
    with catalogue.writing() as connection:
        queue_mail(connection, "letter", "eve@example.org", {"subject": "x", "text": "y"})
    assert [one.state for one in send_due(catalogue, absent)] == ["waiting"]


@pytest.mark.parametrize("bad", ["refuse", "no receiver"])
def test_what_is_refused_for_good_fails_and_can_be_tried_again(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp, bad: str
) -> None:
    with catalogue.writing() as connection:
        number = queue_mail(connection, "letter", "eve@example.org", {"subject": "Hello", "text": "y"})
    mail.bad_days[:] = [bad]
    [one] = send_due(catalogue, smtp)
    assert (one.state, "55" in one.error) == ("failed", True)
    with catalogue.writing() as connection:
        assert [row.state for row in open_mails(connection)] == ["failed"]
        assert retry_mails(connection, LOCAL_OWNER, number) == 1
        with pytest.raises(InputError, match="nothing was changed"):
            retry_mails(connection, LOCAL_OWNER, 999)
    assert [one.state for one in mail_round(catalogue)[0]] == ["sent"]


def test_a_mail_that_nobody_takes_fails_in_the_end(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp
) -> None:
    with catalogue.writing() as connection:
        queue_mail(connection, "letter", "eve@example.org", {"subject": "Hello", "text": "y"})
        connection.execute(update(mails).values(tries=MOST_TRIES - 1))
    mail.bad_days[:] = ["busy"]
    assert [one.state for one in send_due(catalogue, smtp)] == ["failed"]


def test_mails_can_be_ended_without_signing_in(catalogue: Catalogue, mail: MailServer, smtp: Smtp) -> None:
    confirm(catalogue, EVE, "eve@example.org")
    number = search(catalogue, EVE, "q=tooth")
    put(catalogue, "new")
    look_for_new(catalogue)
    send_due(catalogue, smtp)
    [message] = mail.taken
    link = message["List-Unsubscribe"].strip(" <>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert link in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    with catalogue.writing() as connection:
        assert unsubscribe(connection, "guessed") is None
        ended = unsubscribe(connection, link.rpartition("/")[2])
        assert (ended and ended.paused) is True
    put(catalogue, "later")
    assert look_for_new(catalogue) == []
    with catalogue.writing() as connection:
        change_search(connection, EVE, number, paused=False)
        with pytest.raises(InputError, match="of yours"):
            change_search(connection, ADA, number, paused=True)
    assert look_for_new(catalogue) == []  # what came meanwhile is not told afterwards


def test_no_mail_goes_to_an_address_that_nobody_confirmed(
    catalogue: Catalogue, mail: MailServer, smtp: Smtp
) -> None:
    search(catalogue, EVE, "q=tooth")
    with catalogue.writing() as connection:
        change_mail_address(connection, EVE, "stranger@example.org")
        with pytest.raises(InputError, match="less than five minutes ago"):
            change_mail_address(connection, EVE, "other@example.org")
    put(catalogue, "new")
    assert look_for_new(catalogue) == []
    send_due(catalogue, smtp)
    [message] = mail.taken
    assert "confirm" in message["Subject"]
    secret = message.get_content().split("/account/mail/")[1].split()[0]
    with catalogue.writing() as connection:
        assert confirm_mail_address(connection, secret) == "stranger@example.org"
        assert confirm_mail_address(connection, secret) is None
    assert look_for_new(catalogue) == []  # what came before is no news
    put(catalogue, "newer")
    assert len(look_for_new(catalogue)) == 1
    with catalogue.writing() as connection:
        connection.execute(update(mail_addresses).values(asked_utc=0.0))
        change_mail_address(connection, EVE, "")
    assert [one.state for one in send_due(catalogue, smtp)] == ["dropped"]


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org\r\nBcc: eve@example.org",
        "ada",
        "@b",
        "a b@example.org",
        "a@-b.org",
        "ä@example.org",
        f"a@{'b' * 300}",
        "a@b,c@d",
    ],
)
def test_an_address_is_one_address(text: str) -> None:
    with pytest.raises(ParameterError):
        read_address(text)


def test_nothing_can_be_added_to_the_headers(mail: MailServer, smtp: Smtp) -> None:
    evil = "Hello\r\nBcc: eve@example.org\r\n\r\nbody"
    letter = MailContent(evil, f".\n.\r\n{evil}\u2028x", f"<p>{evil}</p>")
    assert smtp.send(message_of(letter, smtp.sender, "ada@bücher.example", "1")).done
    [message] = mail.taken
    assert message["Subject"] == "Hello Bcc: eve@example.org body"
    assert (message["Bcc"], mail.receivers) == (None, [["ada@xn--bcher-kva.example"]])
    assert str(message["From"]) == "Röntgen’s data <data@example.org>"
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.splitlines()[:4] == [".", ".", "Hello", "Bcc: eve@example.org"]


def test_settings_are_whole_or_nothing_is_sent(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> dict[str, str]:
        with catalogue.reading() as connection:
            return all_settings(connection)

    assert smtp_of({**now(), "smtp_host": ""}) is None
    user = {**now(), "smtp_user": "data", "smtp_host": "smtp.example.org"}
    with pytest.raises(InputError, match="TOMARIUM_SMTP_PASSWORD"):
        smtp_of(user)
    monkeypatch.setenv("TOMARIUM_SMTP_PASSWORD", "secret")
    with pytest.raises(InputError, match="in the clear"):
        smtp_of(user)
    found = smtp_of({**user, "smtp_security": "starttls"})
    assert found is not None
    assert "secret" not in repr(found)
    for key in ("mail_sender", "address"):
        with pytest.raises(InputError, match=r"tell|say"):
            smtp_of({**now(), key: ""})
    with catalogue.writing() as connection:
        for key, value in (
            ("smtp_port", "25a"),
            ("smtp_security", "ssl"),
            ("mail_sender", "nobody"),
            ("smtp_host", "a b"),
        ):
            with pytest.raises(ParameterError):
                change_setting(connection, key, value)


def test_a_search_is_saved_once_and_must_make_sense(catalogue: Catalogue) -> None:
    first, again = search(catalogue, EVE, "q=tooth&limit=5"), search(catalogue, EVE, "sort=newest&q= tooth ")
    assert first == again
    for asked in ("pxel=1", "q=%26", "q=" + "x" * 3000):
        with pytest.raises(InputError):
            search(catalogue, EVE, asked)
    with pytest.raises(InputError, match="no account"):
        search(catalogue, LOCAL_OWNER, "q=tooth")
    with catalogue.reading() as connection:
        assert [one.name for one in searches_of(connection, "eve")] == ["tooth"]


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for localhost that signs itself, and the context of a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    shown, secret = folder / "cert.pem", folder / "key.pem"
    shown.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown, secret)
    return shown, context


def test_a_password_is_told_only_to_a_server_whose_certificate_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, context = certificate(tmp_path)
    asked: list[tuple[str, str]] = []

    def authenticate(_server: Any, _session: Any, _envelope: Any, _way: str, data: Any) -> AuthResult:
        asked.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"secret", handled=False)

    options = {"tls_context": context, "authenticator": authenticate, "auth_required": True}
    with mail_server(require_starttls=True, **options) as strict:
        smtp = Smtp(
            "localhost", strict.port, "starttls", read_sender("data@example.org"), "data", "secret", 2.0
        )
        message = message_of(MailContent("Hello", "x"), smtp.sender, "ada@example.org", "1")
        stranger = smtp.send(message)
        assert (stranger.done, stranger.again, asked) == (False, True, [])
        assert "certificate" in stranger.told.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(shown))
        assert smtp.send(message) == Answer(True)
        assert asked == [("data", "secret")]
        wrong = replace(smtp, password="guess").send(message)
        assert (wrong.again, "user and password" in wrong.told, "guess" in wrong.told) == (True, True, False)
        assert [one["Subject"] for one in strict.taken] == ["Hello"]


def test_without_starttls_nothing_is_sent(mail: MailServer) -> None:
    smtp = Smtp(mail.host, mail.port, "starttls", read_sender("data@example.org"), timeout_s=120.0)
    answer = smtp.send(message_of(MailContent("Hello", "x"), smtp.sender, "ada@example.org", "1"))
    assert (answer.done, answer.again, mail.taken) == (False, True, [])
    assert "smtp_security" in answer.told


def test_commands(catalogue: Catalogue, mail: MailServer, capsys: pytest.CaptureFixture[str]) -> None:
    if catalogue.engine.dialect.name != "sqlite":
        pytest.skip("the commands are the same for every database")
    place = ["--catalogue", catalogue.name]
    assert execute(["mail", "test", "ada@example.org", *place]) == 0
    assert mail.receivers == [["ada@example.org"]]
    mail.bad_days[:] = ["refuse"]
    assert execute(["mail", "test", "ada@example.org", *place]) == 1
    assert execute(["mail", "test", "ada", *place]) == 2
    confirm(catalogue, EVE, "eve@example.org")
    search(catalogue, EVE, "q=tooth")
    put(catalogue, "new")
    with catalogue.writing() as connection:
        change_setting(connection, "fixity_days", "0")  # its files are no matter here, and it has none
    assert execute(["worker", "--once", *place]) == 0
    assert told(mail)[-1] == ("eve@example.org", ["new"])
    capsys.readouterr()
    assert execute(["mail", "list", *place]) == 0
    out = capsys.readouterr().out
    assert ("new records" in out, "sent, 1 tries" in out) == (True, True)
