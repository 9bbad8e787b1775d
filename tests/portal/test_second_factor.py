"""A second factor: codes as RFC 6238 counts them, once each; forms, roles that must have one, and its loss."""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from argon2 import profiles
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue, passwords
from tomarium.catalogue import sign_in_limits as limits
from tomarium.catalogue import tables as t
from tomarium.catalogue.account_links import make_link
from tomarium.catalogue.accounts import account_named, make_account
from tomarium.catalogue.audit import lines
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.sealing import KEY_FILE, SEALED, KeyUnusable, is_sealed
from tomarium.catalogue.second_factor import (
    app_address,
    begin_factor,
    code_at,
    confirm_factor,
    end_factor,
    factor_of,
    passes,
)
from tomarium.catalogue.second_factor_tables import second_factors
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tokens import make_token
from tomarium.cli import execute
from tomarium.portal.app import create_app
from tomarium.portal.serve import notices

WORDS = "seven grey stones"
JSON = {"Accept": "application/json"}
NOW = 1_800_000_007.5
"""When all codes are made and looked at; by a clock that runs, one in some thousands is thirty seconds too old."""
SET_UP = "/account/second-factor/set-up"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("second_factor")
    with pytest.MonkeyPatch.context() as patch, open_catalogue(home / "catalogue.sqlite") as catalogue:
        patch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
        with catalogue.writing() as connection:
            for name, role in {"ada": "administrator", "ben": "member", "cas": "curator"}.items():
                make_account(connection, LOCAL_OWNER, name, role, password=WORDS)
        yield catalogue


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.catalogue.second_factor.time", SimpleNamespace(time=lambda: NOW))


@pytest.fixture
def catalogue(opened: Catalogue) -> Catalogue:
    with opened.writing() as connection:
        for table in (t.tokens, t.failed_sign_ins, t.settings):
            connection.execute(table.delete())
        for name in ("ada", "ben", "cas"):
            if factor_of(connection, name).on:
                end_factor(connection, LOCAL_OWNER, name)
    return opened


def client_of(catalogue: Catalogue) -> TestClient:
    return TestClient(create_app(catalogue), base_url="https://data.example.org", follow_redirects=False)


def sign_in(client: TestClient, name: str, code: str = "", password: str = WORDS) -> tuple[int, str]:
    answer = client.post("/sign-in", data={"name": name, "password": password, "code": code}, headers=JSON)
    return answer.status_code, answer.text


def now_code(secret: str, away: int = 0) -> str:
    return code_at(secret, int(NOW // 30) + away)


def switched_on(catalogue: Catalogue, name: str) -> tuple[str, tuple[str, ...]]:
    """The secret and the recovery codes; its code of the step before this one is used."""
    with catalogue.writing() as connection:
        by = Reader(name, "member")
        secret = begin_factor(connection, catalogue.home, by)
        return secret, confirm_factor(connection, catalogue.home, by, now_code(secret, -1))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
        (2000000000, "69279037"), (20000000000, "65353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_rfc_6238(second: int, told: str) -> None:
    """Its appendix B, whose codes have eight digits, of which ours are the last six."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert code_at(secret, second // 30) == told[-6:]


def test_an_app_reads_the_address() -> None:
    told = app_address("ABCD", "Data: ours", "ada")
    assert told == "otpauth://totp/Data%20%20ours%3Aada?secret=ABCD&issuer=Data%20%20ours"


def test_a_code_opens_an_account_once_and_for_a_minute_and_a_half(catalogue: Catalogue) -> None:
    moment = 1_800_000_000.0
    with catalogue.writing() as connection:
        by = Reader("ben", "member")
        secret = begin_factor(connection, catalogue.home, by)
        assert passes(connection, catalogue.home, "ben", "", moment)  # it is not on yet
        assert confirm_factor(connection, catalogue.home, by, "000000x", moment) == ()
        step = int(moment // 30)
        assert (
            len(set(confirm_factor(connection, catalogue.home, by, code_at(secret, step - 1), moment))) == 10
        )
        for code in ("", code_at(secret, step - 1), code_at(secret, step + 2), code_at(secret, step - 2)):
            assert not passes(connection, catalogue.home, "ben", code, moment), code
        spaced = f" {code_at(secret, step)[:3]} {code_at(secret, step)[3:]}"
        assert passes(connection, catalogue.home, "ben", spaced, moment)


def test_from_the_page_to_signing_in_and_off_again(catalogue: Catalogue) -> None:
    client = client_of(catalogue)
    assert client.get("/account/second-factor").status_code == 401
    assert 'name="code"' not in client.get("/sign-in").text
    assert sign_in(client, "ben")[0] == 200
    assert "It is off" in client.get("/account/second-factor").text
    assert client.post(SET_UP, data={"current": "wrong"}).status_code == 403
    page = client.post(SET_UP, data={"current": WORDS}, headers={"Accept": "text/html"}).text
    assert "<svg" in page
    assert "style=" not in page
    found = re.search(r"<code>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})</code>", page)
    assert found is not None
    secret = found[1].replace(" ", "")
    assert sign_in(client_of(catalogue), "ben")[0] == 200  # it counts from its first code on
    assert client.post("/account/second-factor/on", data={"code": "12"}).status_code == 403
    shown = client.post(
        "/account/second-factor/on", data={"code": now_code(secret, -1)}, headers={"Accept": "text/html"}
    )
    codes = re.findall(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}", shown.text)
    assert (len(codes), shown.headers["cache-control"]) == (10, "no-store")
    assert codes[0] not in client.get("/account/second-factor").text
    with catalogue.reading() as connection:
        kept = str([list(row) for row in connection.exec_driver_sql("SELECT * FROM recovery_code")])
    assert not any(one in kept or one.replace("-", "") in kept for one in codes)
    other = client_of(catalogue)
    assert 'name="code"' in other.get("/sign-in").text
    assert sign_in(other, "ben", now_code(secret))[0] == 200
    assert sign_in(other, "ben", codes[3].lower().replace("-", " "))[0] == 200
    assert sign_in(other, "ben", codes[3])[0] == 403
    assert other.get("/account/second-factor.json").json()["codes"] == 9
    anew = other.post("/account/second-factor/codes", data={"code": codes[4]}, headers=JSON).json()["codes"]
    assert sign_in(client_of(catalogue), "ben", codes[5])[0] == 403
    assert other.post("/account/second-factor/off", data={"code": codes[6]}).status_code == 403
    assert other.post("/account/second-factor/off", data={"code": anew[0]}).status_code == 200
    assert sign_in(client_of(catalogue), "ben")[0] == 200
    with catalogue.reading() as connection:
        done = [line.action for line in lines(connection)]
    assert {"switch second factor on", "make recovery codes", "switch second factor off"} <= set(done)


def test_a_wrong_password_and_a_wrong_code_are_told_alike_and_counted(catalogue: Catalogue) -> None:
    secret, _ = switched_on(catalogue, "ben")
    client = client_of(catalogue)
    tries = [
        sign_in(client, "ben", "000000"),
        sign_in(client, "ben", now_code(secret), "wrong password"),
        sign_in(client, "nobody", "000000"),
        sign_in(client, "ben", ""),
        sign_in(client, "ben", "1" * 6),
    ]
    assert {status for status, _ in tries} == {403}
    assert len({text for _, text in tries}) == 1
    assert (
        sign_in(client, "ben", now_code(secret))[0] == 200
    )  # the right code was not used up by a wrong password
    for _ in range(limits.PER_NAME_AND_ADDRESS):
        sign_in(client, "ben", "000000")
    assert sign_in(client, "ben", now_code(secret, 1))[0] == 429


def test_tokens_need_no_code_and_a_link_for_a_password_is_no_second_factor(catalogue: Catalogue) -> None:
    switched_on(catalogue, "ben")
    with catalogue.writing() as connection:
        by = account_named(connection, "ben").reader
        token = make_token(connection, by, "ben", "notebook", ("read",), 3)
        link = make_link(connection, LOCAL_OWNER, "ben", 3)
    program = client_of(catalogue)
    told = program.get("/sign-in.json", headers={"Authorization": f"Bearer {token}"}).json()
    assert (told["name"], told["way"]) == ("ben", "token")
    invited = client_of(catalogue)
    answer = invited.post(f"/welcome/{link}", data={"password": WORDS})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert invited.get("/sign-in.json").json()["way"] == "nobody"


def test_who_must_have_one_counts_as_a_member_without(catalogue: Catalogue) -> None:
    ada, cas = client_of(catalogue), client_of(catalogue)
    assert (sign_in(ada, "ada")[0], sign_in(cas, "cas")[0]) == (200, 200)
    assert ada.get("/admin/users").status_code == 200
    with catalogue.writing() as connection:
        change_setting(connection, "second_factor", "curators")
    assert ada.get("/admin/users").status_code == 403
    assert cas.get("/sign-in.json").json()["role"] == "member"
    assert "demands a second factor" in cas.get("/sign-in").text
    secret = ada.post(SET_UP, data={"current": WORDS}, headers=JSON).json()["secret"]
    assert ada.post("/account/second-factor/on", data={"code": now_code(secret)}).status_code == 200
    assert ada.get("/admin/users").status_code == 200
    switched_on(catalogue, "cas")
    assert cas.get("/sign-in.json").json()["role"] == "curator"
    off = "/admin/users/cas/second-factor-off"
    assert cas.post(off).status_code == 403
    assert "Second factor" in ada.get("/admin/users/cas").text
    assert ada.post(off).status_code == 303
    assert cas.get("/sign-in.json").json()["role"] == "member"
    with catalogue.reading() as connection:
        line = [one for one in lines(connection) if one.action == "switch second factor off"][-1]
    assert (line.who, line.told["account"]) == ("ada", "cas")


def test_the_command_lets_in_who_is_locked_out(catalogue: Catalogue, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from tomarium.cli.user import command

    switched_on(catalogue, "ada")
    asked = ["second-factor", "ada", "--catalogue", str(catalogue.name)]
    said = [CliRunner().invoke(command, [*asked, *more]).output for more in ([], ["--off"], [])]
    assert said == [
        "the second factor of ada is on, with 10 recovery codes left\n",
        "the second factor of ada is off\n",
        "the second factor of ada is off\n",
    ]


def test_secrets_stand_sealed_and_the_key_is_changed(
    catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    key, place = catalogue.home / KEY_FILE, str(catalogue.home / "catalogue.sqlite")
    secret, codes = switched_on(catalogue, "ben")

    def kept() -> str:
        with catalogue.reading() as connection:
            return str(connection.execute(select(second_factors.c.secret)).scalar_one())

    assert is_sealed(kept())
    assert secret not in kept()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before, sealed = key.read_text(), kept()
    assert Fernet(before).decrypt(sealed.removeprefix(SEALED).encode()).decode() == secret
    assert execute(["user", "second-factor", "--new-key", "--catalogue", place]) == 0
    assert "sealed anew: 1 secret" in capsys.readouterr().out
    with pytest.raises(InvalidToken):
        Fernet(before).decrypt(kept().removeprefix(SEALED).encode())
    assert sign_in(client_of(catalogue), "ben", now_code(secret))[0] == 200

    new = key.read_text()
    for content, mode in ((before, 0o600), (None, 0), (new, 0o644), ("nothing", 0o600)):
        key.unlink(missing_ok=True)
        if content is not None:
            key.write_text(content)
            key.chmod(mode)
        status, text = sign_in(client_of(catalogue), "ben", now_code(secret, 1))
        assert (status, "key of this catalogue is missing" in text) == (503, True)
        assert str(key) not in text
        assert execute(["user", "second-factor", "ben", "--catalogue", place]) == 2
        assert str(key) in capsys.readouterr().err
        assert str(key) in notices(catalogue, "127.0.0.1")[0]
        with catalogue.writing() as connection, pytest.raises(KeyUnusable):
            begin_factor(connection, catalogue.home, Reader("cas", "curator"))  # which makes no other key
    assert sign_in(client_of(catalogue), "ben", codes[0])[0] == 200  # a recovery code needs no key
    key.write_text(new)
    key.chmod(0o600)
    with catalogue.writing() as connection:  # as it stood before secrets were sealed
        connection.execute(second_factors.update().values(secret=secret, last_step=0))
    assert sign_in(client_of(catalogue), "ben", now_code(secret))[0] == 200
    assert is_sealed(kept())
