"""Accounts, tokens, reviewers' links and the log at the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import profiles

from tomarium.catalogue import file_record, open_catalogue, passwords
from tomarium.catalogue.accounts import check_password
from tomarium.catalogue.invitations import invited_to
from tomarium.catalogue.tokens import grant_of
from tomarium.cli import execute

WORDS = "seven grey stones"
Tell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run a command on one catalogue and return its exit code, output and errors."""
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = execute(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_from_the_first_account_to_a_closed_one(tell: Tell, tmp_path: Path) -> None:
    assert "first account must be an administrator's" in tell("user", "add", "ben", "--no-password")[2]
    made = tell("user", "add", "ada", "--role", "administrator", "--password-stdin", stdin=f"{WORDS}\n")
    assert made == (0, "ada may sign in as administrator\n", "")
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        assert check_password(catalogue, "ada", WORDS)
    assert (
        tell("user", "add", "ben", "--no-password", "--team", "bones", "--orcid", "0000-0002-1825-0097")[0]
        == 0
    )
    assert tell("user", "role", "ben", "curator")[1] == "ben is curator now\n"
    assert tell("user", "team", "ben", "--join", "hip-ct")[1] == "ben is in bones, hip-ct\n"
    listed = json.loads(tell("user", "list", "--json")[1])
    assert [(one["name"], one["role"], one["teams"]) for one in listed] == [
        ("ada", "administrator", []), ("ben", "curator", ["bones", "hip-ct"]),
    ]  # fmt: skip
    assert "$argon2" not in json.dumps(listed)
    assert tell("user", "password", "ben", "--password-stdin", stdin="nine blue feathers")[0] == 0
    assert tell("user", "close", "ben")[1] == "ben is closed\n"
    assert "closed" in tell("user", "list")[1]
    code, _, said = tell("user", "close", "ada")
    assert (code, "last administrator" in said) == (2, True)
    code, out, _ = tell("audit")
    assert code == 0
    assert "change role" in out
    assert WORDS not in out
    assert "lines, unchanged; newest checksum: " in out


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["user", "add", "x1", "--role", "king", "--no-password"], "", "there is no role 'king'"),
        (["user", "add", "x1", "--password-stdin"], "short\n", "5 characters"),
        (["user", "add", "x1", "--password-stdin", "--no-password"], "", "give one"),
        (["user", "add", "x1", "--password-stdin"], "", "0 characters"),
        (["user", "role", "eve", "member"], "", "there is no account 'eve' (accounts: ada)"),
        (["user", "password", "eve", "--password-stdin"], WORDS, "there is no account 'eve'"),
        (["token", "make", "eve", "x"], "", "there is no account 'eve'"),
        (["token", "make", "ada", "x", "--scope", "fly"], "", "there is no scope 'fly'"),
        (["token", "revoke", "ada", "x"], "", "tokens: none"),
        (["token", "list", "eve"], "", "there is no account 'eve'"),
        (["invite", "nothing"], "", "is no record of this catalogue"),
        (["invite", "x", "--list", "--revoke-all"], "", "give one of"),
    ],
)
def test_what_cannot_be_is_said(tell: Tell, words: list[str], stdin: str, said: str) -> None:
    tell("user", "add", "ada", "--role", "administrator", "--no-password")
    code, out, problem = tell(*words, stdin=stdin)
    assert code == 2
    assert said in problem
    assert not out


def test_token_is_shown_once(tell: Tell, tmp_path: Path) -> None:
    tell("user", "add", "ada", "--role", "administrator", "--no-password")
    code, out, said = tell("token", "make", "ada", "beamline", "--scope", "upload", "--days", "30")
    secret = out.strip()
    assert (code, secret[:4], "cannot be shown again" in said) == (0, "tom_", True)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue, catalogue.reading() as connection:
        grant = grant_of(connection, secret, "token")
        assert grant
        assert (grant.reader.name, grant.scopes) == ("ada", {"upload"})
    for words in (["token", "list"], ["token", "list", "ada", "--json"], ["audit", "--json"]):
        listed = tell(*words)[1]
        assert "beamline" in listed
        assert secret not in listed
    assert tell("token", "revoke", "ada", "beamline")[0] == 0
    assert "no tokens" in tell("token", "list")[1]


def test_link_is_made_listed_and_revoked(
    tell: Tell, tmp_path: Path, make_record_folder: Callable[..., Path]
) -> None:
    folder = make_record_folder(tmp_path / "records" / "tooth", size=8)
    file_record(folder, title="Tooth", id="tooth")
    assert tell("ingest", str(folder))[0] == 0
    assert "address is not set" in tell("invite", "tooth")[2]
    tell("settings", "address", "https://data.example.org")
    _, out, _ = tell("invite", str(folder), "--days", "3")
    assert out.startswith("https://data.example.org/review/")
    secret = out.strip().rpartition("/")[2]
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue, catalogue.reading() as connection:
        found = invited_to(connection, secret)
        assert found
        assert found.record == "tooth"
    listed = tell("invite", "tooth", "--list")[1]
    assert found.digest[:12] in listed
    assert secret not in listed
    assert tell("invite", "tooth", "--revoke", found.digest[:8])[1] == "1 link of tooth revoked\n"
    assert tell("invite", "tooth", "--revoke-all")[1] == "1 link of tooth revoked\n"
    assert tell("invite", "tooth", "--revoke-all")[0] == 2
    assert tell("audit", "--record", "tooth", "--last", "1")[1].count("revoke invitation") == 1


def test_changed_log_is_said(tell: Tell, tmp_path: Path) -> None:
    tell("user", "add", "ada", "--role", "administrator", "--no-password")
    tell("user", "add", "ben", "--no-password")
    newest = tell("audit")[1].split()[-1]
    assert tell("audit", "--known", newest)[0] == 0
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue, catalogue.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 2")
    assert tell("audit")[0] == 0
    code, _, said = tell("audit", "--known", newest)
    assert code == 1
    assert "taken from the end" in said
