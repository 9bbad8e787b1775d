"""Accounts, tokens, sessions, reviewers' links and the count of failed sign-ins."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import Parameters, profiles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    invitations,
    open_catalogue,
    passwords,
    tables,
    tokens,
)
from tomarium.catalogue import account_subjects as subjects
from tomarium.catalogue import accounts as a
from tomarium.catalogue import sign_in_limits as limits
from tomarium.catalogue.audit import lines
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import ANYBODY, NotAllowed
from tomarium.errors import InputError
from tomarium.model import Part

pytestmark = pytest.mark.fast

WORDS = "seven grey stones"
OTHER = "nine blue feathers"
DAY_S = 86400.0


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Parameters:
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
    return profiles.CHEAPEST


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Path:
    """A catalogue with two accounts, to be copied."""
    path = tmp_path_factory.mktemp("kept") / "catalogue.sqlite"
    with pytest.MonkeyPatch.context() as patch, open_catalogue(place(path)) as catalogue:
        patch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
        with catalogue.writing() as connection:
            a.make_account(connection, LOCAL_OWNER, "ada", "administrator", password=WORDS)
            a.make_account(connection, LOCAL_OWNER, "ben", password=OTHER)
            connection.execute(tables.stores.insert().values(number=1, address="/nowhere"))
    return path


@pytest.fixture
def catalogue(tmp_path: Path, kept: Path, cheap: Parameters, place: Files) -> Iterator[Catalogue]:
    catalogue = place.copy(kept, tmp_path)
    yield catalogue
    catalogue.close()


def file(catalogue: Catalogue, id: str, owner: str = "ben", team: str = "") -> None:
    """Put a draft into the index."""
    with catalogue.writing() as connection:
        connection.execute(
            tables.records.insert().values(
                {column.name: "" for column in tables.records.c if column.name not in ("number", "open_from")}
                | {"id": id, "created_utc": 0, "store": 1, "bytes": 0, "shape": [], "state": "draft"}
                | {"facets": 0, "voxel_m": None, "public_from": None, "owner": owner, "team": team}
            )
        )


def give_folder(catalogue: Catalogue, folder: Path) -> None:
    """Lay the files of the records there."""
    folder.mkdir()
    (folder / "notes.txt").write_text("went well")
    file_record(folder, title="A tooth", id="mine", parts=(Part("document", "notes.txt"),))
    with catalogue.writing() as connection:
        connection.execute(update(tables.stores).values(address=str(folder)))


def test_password_opens_its_account_alone(catalogue: Catalogue) -> None:
    found = a.check_password(catalogue, "ada", WORDS)
    assert found is not None
    assert (found.name, found.role, found.has_password) == ("ada", "administrator", True)
    assert a.check_password(catalogue, "ada", OTHER) is None
    assert a.check_password(catalogue, "ada", "") is None
    assert a.check_password(catalogue, "nobody", WORDS) is None
    assert a.check_password(catalogue, "ada", WORDS + "x" * 5000) is None


def test_hash_is_argon2id_and_of_the_cost_of_rfc_9106(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert passwords.PARAMETERS.type.name == "ID"
    assert passwords.PARAMETERS.memory_cost == 64 * 1024
    assert passwords.PARAMETERS.time_cost == 3
    assert passwords.hashed(WORDS).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_unknown_name_costs_a_hash_as_well(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    class Counting(passwords.PasswordHasher):
        def verify(self, kept: str | bytes, password: str | bytes) -> bool:
            tried.append(kept)
            return super().verify(kept, password)

    monkeypatch.setattr(passwords, "PasswordHasher", Counting)
    with catalogue.writing() as connection:
        a.make_account(connection, LOCAL_OWNER, "cas")  # without a password
        a.close_account(connection, LOCAL_OWNER, "ben")
    for name, password in (("ada", OTHER), ("eve", OTHER), ("cas", ""), ("ben", OTHER), ("ada", "x" * 2000)):
        assert a.check_password(catalogue, name, password) is None
    assert len(tried) == 5
    assert len({str(kept).rsplit("$", 2)[0] for kept in tried}) == 1  # all of the same cost


def test_first_unknown_name_of_a_process_costs_no_more(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Counting(passwords.PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            made.append(password)
            return super().hash(password, salt=salt)

    monkeypatch.setattr(passwords, "PasswordHasher", Counting)
    for name in ("ada", "nobody"):
        passwords._hash_of_nobody.cache_clear()
        a.check_password(catalogue, name, OTHER)
        assert len(made) == 1
        made.clear()


def test_hash_follows_the_parameters(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    dearer = Parameters(**{**vars_of(profiles.CHEAPEST), "time_cost": 2})
    monkeypatch.setattr(passwords, "PARAMETERS", dearer)
    assert a.check_password(catalogue, "ada", WORDS)
    kept = select(tables.accounts.c.password).where(tables.accounts.c.name == "ada")
    with catalogue.reading() as connection:
        assert ",t=2," in connection.execute(kept).scalar_one()
    assert a.check_password(catalogue, "ada", WORDS)


def vars_of(parameters: Parameters) -> dict[str, object]:
    return {name: getattr(parameters, name) for name in parameters.__slots__}


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("elevenchars", "11 characters"),
        ("a" * 1001, "1001 characters"),
        ("abababababababab", "repeats"),
        ("benbenandben", None),
        ("xben12345678", None),
        ("ben.ben", "7 characters"),
    ],
)
def test_weak_passwords_are_refused(password: str, said: str | None) -> None:
    if said is None:
        passwords.demand_good(password, "ben")
        return
    with pytest.raises(InputError, match=said):
        passwords.demand_good(password, "ben")


def test_password_of_the_name_is_refused() -> None:
    with pytest.raises(InputError, match="little more than the name"):
        passwords.demand_good("ada.lovelace1", "ada.lovelace")


@pytest.mark.parametrize(
    "name",
    ["", "Ada", "1ada", "a b", "a/b", "../x", "ada.", "a..b", "-a", "a" * 41, "ä", "owner", "ada", "a\n"],
)
def test_names_are_checked(catalogue: Catalogue, name: str) -> None:
    with pytest.raises(InputError), catalogue.writing() as connection:
        a.make_account(connection, LOCAL_OWNER, name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(wish=st.text(max_size=60))
def test_any_text_becomes_a_name(catalogue: Catalogue, wish: str) -> None:
    with catalogue.reading() as connection:
        name = subjects.free_name(connection, wish)
    assert a.NAME.fullmatch(name)
    assert len(name) <= a.LONGEST_NAME


def test_free_name_is_not_taken(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        assert subjects.free_name(connection, "Ada") == "ada-2"
        assert subjects.free_name(connection, "Owner") == "owner-2"
        assert subjects.free_name(connection, "0000-0002-1825-0097") == "u.0000.0002.1825.0097"
        a.make_account(connection, LOCAL_OWNER, "ada-2")
        assert subjects.free_name(connection, "ADA") == "ada-3"


def test_first_account_is_an_administrator(tmp_path: Path, place: Files) -> None:
    with open_catalogue(place(tmp_path / "c.sqlite")) as catalogue, catalogue.writing() as connection:
        assert not a.any_account(connection)
        with pytest.raises(InputError, match="first account must be an administrator"):
            a.make_account(connection, LOCAL_OWNER, "ben")
        a.make_account(connection, LOCAL_OWNER, "ada", "administrator")
        assert a.any_account(connection)


def test_last_administrator_stays(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        for change in (a.close_account, lambda *who: a.change_role(*who, "member")):
            with pytest.raises(InputError, match="last administrator"):
                change(connection, LOCAL_OWNER, "ada")
        a.change_role(connection, LOCAL_OWNER, "ben", "administrator")
        a.close_account(connection, LOCAL_OWNER, "ada")
        with pytest.raises(InputError, match="last administrator"):
            a.change_role(connection, LOCAL_OWNER, "ben", "curator")


def test_only_administrators_change_accounts(catalogue: Catalogue) -> None:
    ben = Reader("ben", "curator")
    with catalogue.writing() as connection:
        for change in (
            lambda: a.make_account(connection, ben, "eve"),
            lambda: a.change_role(connection, ben, "ben", "administrator"),
            lambda: a.change_password(connection, ben, "ada", "another password"),
            lambda: a.change_teams(connection, ben, "ben", join=("team",)),
            lambda: a.close_account(connection, ben, "ada"),
            lambda: a.reopen_account(connection, ben, "ada"),
            lambda: tokens.make_token(connection, ben, "ada", "x", ("read",), 1),
        ):
            with pytest.raises(NotAllowed):
                change()
        a.change_password(connection, ben, "ben", "another password")
    assert a.check_password(catalogue, "ben", "another password")


def test_teams_open_their_drafts(catalogue: Catalogue) -> None:
    file(catalogue, "draft", owner="ada", team="hip-ct")
    with catalogue.writing() as connection:
        assert a.change_teams(connection, LOCAL_OWNER, "ben", join=("hip-ct", "bones")) == ("bones", "hip-ct")
        assert place_of(connection, a.account_named(connection, "ben").reader, "draft")
        assert a.change_teams(connection, LOCAL_OWNER, "ben", leave=("hip-ct",)) == ("bones",)
        assert not place_of(connection, a.account_named(connection, "ben").reader, "draft")
        with pytest.raises(InputError, match=r"not in the team 'hip-ct' \(teams: bones\)"):
            a.change_teams(connection, LOCAL_OWNER, "ben", leave=("hip-ct",))


def test_what_is_done_is_noted_without_secrets(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        secret = tokens.make_token(connection, LOCAL_OWNER, "ben", "robot", ("read",), 1)
        a.change_password(connection, LOCAL_OWNER, "ben", "another password")
        told = list(lines(connection))
    assert [line.action for line in told] == ["make account", "make account", "make token", "change password"]
    for forbidden in (secret, WORDS, OTHER, "another password", "argon2"):
        assert forbidden not in str(told)


def test_token_opens_what_its_holder_may(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        a.change_teams(connection, LOCAL_OWNER, "ben", join=("bones",))
        secret = tokens.make_token(
            connection, Reader("ben", "member"), "ben", "robot", ("read", "upload"), 30
        )
        assert secret.startswith("tom_")
        assert len(secret) == 4 + 43  # 256 bits
        kept = connection.execute(select(tables.tokens)).one()
        assert secret not in str(kept)
        grant = tokens.grant_of(connection, secret, "token")
        assert grant is not None
        assert grant.reader == Reader("ben", "member", ("bones",))
        assert grant.scopes == {"read", "upload"}
        assert tokens.grant_of(connection, secret, "session") is None
        assert tokens.grant_of(connection, secret + "x", "token") is None
        assert tokens.grant_of(connection, kept.digest, "token") is None
        assert tokens.grant_of(connection, secret, "token", time.time() + 31 * DAY_S) is None
        a.change_role(connection, LOCAL_OWNER, "ben", "curator")
        grant = tokens.grant_of(connection, secret, "token")
        assert grant
        assert grant.reader.role == "curator"
        tokens.revoke_token(connection, Reader("ben"), "ben", "robot")
        assert tokens.grant_of(connection, secret, "token") is None
        with pytest.raises(InputError, match=r"no token named 'robot' \(tokens: none\)"):
            tokens.revoke_token(connection, Reader("ben"), "ben", "robot")


@pytest.mark.parametrize(
    ("name", "scopes", "days", "said"),
    [
        ("x", ("read", "fly"), 1, "no scope 'fly'"),
        ("x", (), 1, "without a scope"),
        ("", ("read",), 1, "what the token is for"),
        ("x", ("read",), 0, "0 days"),
        ("x", ("read",), 1e9, "days"),
        ("x", ("read",), float("nan"), "days"),
        ("twice", ("read",), 1, "has a token named 'twice'"),
    ],
)
def test_impossible_tokens_are_refused(
    catalogue: Catalogue, name: str, scopes: tuple[str, ...], days: float, said: str
) -> None:
    with catalogue.writing() as connection:
        tokens.make_token(connection, LOCAL_OWNER, "ben", "twice", ("read",), 1)
        with pytest.raises(InputError, match=said):
            tokens.make_token(connection, LOCAL_OWNER, "ben", name, scopes, days)


def test_closing_an_account_ends_all_it_had(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        token = tokens.make_token(connection, LOCAL_OWNER, "ben", "robot", ("read",), 30)
        session = tokens.open_session(connection, "ben")
        a.close_account(connection, LOCAL_OWNER, "ben")
        assert tokens.grant_of(connection, token, "token") is None
        assert tokens.grant_of(connection, session, "session") is None
        with pytest.raises(InputError, match="closed"):
            tokens.make_token(connection, LOCAL_OWNER, "ben", "robot", ("read",), 30)
    assert a.check_password(catalogue, "ben", OTHER) is None
    with catalogue.writing() as connection:
        a.reopen_account(connection, LOCAL_OWNER, "ben")
        assert tokens.grant_of(connection, token, "token") is None
    assert a.check_password(catalogue, "ben", OTHER)


def test_session_ends_when_idle_signed_out_or_old(catalogue: Catalogue) -> None:
    start = 1e9
    with catalogue.writing() as connection:
        session = tokens.open_session(connection, "ben", now=start)
        opened = lambda days: tokens.grant_of(connection, session, "session", start + days * DAY_S)  # noqa: E731
        assert opened(13.9)
        assert opened(14.1) is None
        assert not tokens.must_renew(opened(0.5), start + 0.5 * DAY_S)
        for days in (13, 26, 39, 52, 65, 78):
            grant = opened(days)
            assert tokens.must_renew(grant, start + days * DAY_S)
            tokens.renew_session(connection, grant, start + days * DAY_S)
        assert opened(89.9)
        assert opened(90.1) is None
        tokens.close_session(connection, session)
        assert opened(1) is None


def test_password_change_ends_sessions(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        session = tokens.open_session(connection, "ben")
        a.change_password(connection, LOCAL_OWNER, "ben", "another password")
        assert tokens.grant_of(connection, session, "session") is None


def test_link_opens_its_record_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    for id in ("mine", "other"):
        file(catalogue, id)
    give_folder(catalogue, tmp_path / "record")
    ben = Reader("ben", "member")
    with catalogue.writing() as connection:
        secret = invitations.make_invitation(connection, ben, "mine", 30)
        found = invitations.invited_to(connection, secret)
        assert found
        assert found.record == "mine"
        guest = Reader(invited=(found.record,))
        opened = place_of(connection, guest, "mine")
        assert opened
        assert opened.open
        assert place_of(connection, guest, "other") is None
        assert invitations.invited_to(connection, secret, time.time() + 31 * DAY_S) is None
        assert invitations.invited_to(connection, found.digest) is None
        [listed] = invitations.invitations_of(connection, ben, "mine")
        assert secret not in str(listed)
        assert invitations.revoke_invitation(connection, ben, "mine", listed.digest[:12]) == 1
        assert invitations.invited_to(connection, secret) is None
        assert not any(secret in str(line) for line in lines(connection, record="mine"))


def test_who_may_invite(catalogue: Catalogue, tmp_path: Path) -> None:
    file(catalogue, "mine", team="bones")
    give_folder(catalogue, tmp_path / "record")
    with catalogue.writing() as connection:
        for reader in (
            LOCAL_OWNER,
            Reader("cas", "curator"),
            Reader("dan", "member", ("bones",)),
            Reader("ben"),
        ):
            assert invitations.make_invitation(connection, reader, "mine", 1)
        for reader in (ANYBODY, Reader("eve", "member")):
            with pytest.raises(InputError, match="may see"):
                invitations.make_invitation(connection, reader, "mine", 1)
        with pytest.raises(NotAllowed):
            invitations.make_invitation(connection, Reader(invited=("mine",)), "mine", 1)
        connection.execute(update(tables.records).values(public_from=0.0, open_from=0.0))
        for reader in (ANYBODY, Reader("eve", "member")):
            with pytest.raises(NotAllowed):
                invitations.make_invitation(connection, reader, "mine", 1)
        with pytest.raises(InputError, match="days"):
            invitations.make_invitation(connection, LOCAL_OWNER, "mine", 1000)
        assert invitations.revoke_invitation(connection, LOCAL_OWNER, "mine") == 4


def test_failures_are_counted_by_name_and_address(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        for _ in range(limits.PER_NAME_AND_ADDRESS):
            assert limits.begin(connection, "ada", "192.0.2.1", now=1000.0) == 0
        assert limits.begin(connection, "ada", "192.0.2.1", now=1100.0) == pytest.approx(800)
        assert limits.begin(connection, "ada", "192.0.2.2", now=1100.0) == 0
        assert limits.begin(connection, "ben", "192.0.2.1", now=1100.0) == 0
        assert limits.begin(connection, "ada", "192.0.2.1", now=1901.0) == 0


def test_one_address_cannot_try_many_names(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        tried = [limits.begin(connection, f"name{n}", "192.0.2.1", now=1000.0) for n in range(30)]
    assert [wait == 0 for wait in tried] == [True] * limits.PER_ADDRESS + [False] * 10


def test_many_addresses_cannot_try_one_name_for_ever(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        tried = [limits.begin(connection, "ada", f"10.0.0.{n}", now=1000.0) for n in range(110)]
    assert sum(wait == 0 for wait in tried) == limits.PER_NAME


def test_success_forgets_its_own_failures_alone(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        for name in ("ada", "ada", "eve"):
            limits.begin(connection, name, "192.0.2.1")
        limits.succeed(connection, "ada", "192.0.2.1")
        assert connection.execute(select(func.count()).select_from(tables.failed_sign_ins)).scalar_one() == 1


def test_network_of_an_address() -> None:
    assert limits.network("2001:db8:1:2:3::4") == limits.network("2001:db8:1:2::9")
    assert limits.network("2001:db8:1:3::9") != limits.network("2001:db8:1:2::9")
    assert limits.network("::ffff:192.0.2.7") == "192.0.2.7"
    assert limits.network("testclient") == "testclient"


def test_orcid_finds_the_account_it_was_given(catalogue: Catalogue) -> None:
    orcid = "0000-0002-1825-0097"
    with catalogue.writing() as connection:
        with pytest.raises(InputError, match="no ORCID iD"):
            a.make_account(connection, LOCAL_OWNER, "jos", orcid="0000-0002-1825-0098")
        a.make_account(connection, LOCAL_OWNER, "jos", orcid=orcid)
        found = subjects.account_of_orcid(connection, orcid)
        assert found
        assert found.name == "jos"
        subjects.tie_subject(connection, "jos", f"https://orcid.org {orcid}")
        assert subjects.account_of_orcid(connection, orcid) is None
        tied = subjects.account_of_subject(connection, f"https://orcid.org {orcid}")
        assert tied
        assert tied.name == "jos"
