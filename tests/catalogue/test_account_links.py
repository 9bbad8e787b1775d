"""Links by which people set their password: once, until they end, and never where the account is closed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import profiles

from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue, passwords
from tomarium.catalogue.account_links import link_of, make_link, open_links, revoke_link, use_link
from tomarium.catalogue.accounts import (
    account_named,
    change_role,
    check_password,
    close_account,
    make_account,
)
from tomarium.catalogue.disk_use import change_quota, disk_use
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.upload_room import demand_room
from tomarium.errors import InputError, StorageFull

GOOD = "a quiet bear in winter"


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        with opened.writing() as connection:
            make_account(connection, LOCAL_OWNER, "root", "administrator", password=GOOD)
            make_account(connection, LOCAL_OWNER, "ben")
        yield opened


def test_a_link_sets_a_password_once(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        first = make_link(connection, LOCAL_OWNER, "ben", 7)
        secret = make_link(connection, LOCAL_OWNER, "ben", 7)
        assert link_of(connection, first) is None  # the newest alone works
        assert link_of(connection, secret, time.time() + 8 * 86400) is None
        assert list(open_links(connection)) == ["ben"]
        with pytest.raises(InputError, match="password"):
            use_link(connection, secret, "short")
        assert use_link(connection, secret, GOOD) == "ben"
        with pytest.raises(InputError, match="opens nothing"):
            use_link(connection, secret, GOOD + "!")
    assert check_password(catalogue, "ben", GOOD) is not None


def test_a_link_ends_with_its_account_or_when_it_is_withdrawn(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        for end in (close_account, revoke_link):
            make_account(connection, LOCAL_OWNER, end.__name__.replace("_", "."))
            name = end.__name__.replace("_", ".")
            secret = make_link(connection, LOCAL_OWNER, name, 1)
            end(connection, LOCAL_OWNER, name)
            assert link_of(connection, secret) is None
        with pytest.raises(InputError, match="is closed"):
            make_link(connection, LOCAL_OWNER, "close.account", 1)
        for days in (0, -1, 31, float("nan")):
            with pytest.raises(InputError, match="cannot be for"):
                make_link(connection, LOCAL_OWNER, "ben", days)
        with pytest.raises(NotAllowed):
            make_link(connection, Reader("ben", "member"), "root", 1)


def test_an_administrator_who_cannot_sign_in_yet_is_none_to_rely_on(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "ada", "administrator")
        secret = make_link(connection, LOCAL_OWNER, "ada", 7)
        with pytest.raises(InputError, match="last administrator who can sign in"):
            close_account(connection, LOCAL_OWNER, "root")
        with pytest.raises(InputError, match="last administrator who can sign in"):
            change_role(connection, LOCAL_OWNER, "root", "member")
        use_link(connection, secret, GOOD)
        close_account(connection, LOCAL_OWNER, "root")
        with pytest.raises(InputError, match="last administrator"):
            close_account(connection, LOCAL_OWNER, "ada")
        assert account_named(connection, "ada").role == "administrator"


def test_a_quota_refuses_what_does_not_fit(catalogue: Catalogue) -> None:
    ben = Reader("ben", "member")
    with catalogue.writing() as connection:
        demand_room(connection, "owner", "ben", 10**15)
        change_quota(connection, LOCAL_OWNER, "owner", "ben", 1000)
        demand_room(connection, "owner", "ben", 1000)
        with pytest.raises(StorageFull, match=r"0 B of 1.* do not fit"):
            demand_room(connection, "owner", "ben", 1001)
        assert [(use.name, use.bytes, use.quota, use.over) for use in disk_use(connection)] == [
            ("ben", 0, 1000, False)
        ]
        change_quota(connection, LOCAL_OWNER, "owner", "ben", None)
        assert disk_use(connection) == []
        with pytest.raises(NotAllowed):
            change_quota(connection, ben, "owner", "ben", 10**12)
        for absurd in (-1, 10**19):
            with pytest.raises(InputError, match="a quota cannot be"):
                change_quota(connection, LOCAL_OWNER, "owner", "ben", absurd)
