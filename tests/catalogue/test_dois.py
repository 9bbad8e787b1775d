"""DOIs are told to DataCite by the worker: in whatever order things fail, each ends as it should, and once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.catalogue.datacite_server import FakeDataCite, fake_datacite

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.datacite_client import DataCite, service
from tomarium.catalogue.dois import LEASE_S, due_attributes, states_of, tell_due, try_again
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import dois
from tomarium.errors import InputError
from tomarium.model import Person

V1, CONCEPT = "10.5072/tooth.v1", "10.5072/tooth"


@pytest.fixture
def datacite() -> Iterator[FakeDataCite]:
    with fake_datacite() as fake:
        yield fake


@pytest.fixture
def client(datacite: FakeDataCite) -> DataCite:
    return DataCite(datacite.address, "ACME.LAB", "secret")


@pytest.fixture
def file(make_volume: Callable[..., Path], tmp_path: Path) -> Callable[[Catalogue, str], None]:
    def filed(catalogue: Catalogue, id: str) -> None:
        make_volume(tmp_path / id / "volume.ome.zarr", size=16)
        file_record(tmp_path / id, title="Tooth", id=id)
        ingest(catalogue, tmp_path / id)
        people = (Person("Lovelace, Ada", "0000-0002-1825-0097"),)
        edit(catalogue, LOCAL_OWNER, id, Changes(creators=people, licence="CC-BY-4.0"))

    return filed


@pytest.fixture
def catalogue(tmp_path: Path, file: Callable[[Catalogue, str], None], place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        with opened.writing() as connection:
            for key, value in (
                ("doi_prefix", "10.5072"),
                ("address", "https://data.example.org"),
                ("institution", "ACME"),
            ):
                change_setting(connection, key, value)
        file(opened, "tooth")
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0"))
        yield opened


def states(catalogue: Catalogue) -> dict[str, str]:
    with catalogue.reading() as connection:
        return {row.doi: row.state for row in connection.execute(select(dois))}


@pytest.mark.parametrize("creates_by_put", [True, False])
def test_both_dois_become_findable(
    catalogue: Catalogue, datacite: FakeDataCite, client: DataCite, creates_by_put: bool
) -> None:
    datacite.creates_by_put = creates_by_put
    assert states(catalogue) == {V1: "waiting", CONCEPT: "waiting"}
    assert {one.state for one in tell_due(catalogue, client)} == {"findable"}
    assert {doi: told["state"] for doi, told in datacite.dois.items()} == {
        V1: "findable",
        CONCEPT: "findable",
    }
    told = datacite.dois[V1]
    assert told["url"] == "https://data.example.org/records/tooth"
    assert told["publisher"] == {"name": "ACME"}
    assert {
        "relatedIdentifier": CONCEPT,
        "relatedIdentifierType": "DOI",
        "relationType": "IsVersionOf",
    } in told["relatedIdentifiers"]
    assert [one["relationType"] for one in datacite.dois[CONCEPT]["relatedIdentifiers"]] == ["HasVersion"]
    assert tell_due(catalogue, client) == []  # nothing is told twice


def test_what_fails_is_seen_and_tried_again(
    catalogue: Catalogue, datacite: FakeDataCite, client: DataCite
) -> None:
    now = time.time()
    datacite.bad_days = [503, 429]
    first = tell_due(catalogue, client, now)
    assert [one.state for one in first] == ["waiting", "waiting"]
    assert all("busy or broken" in one.error for one in first)
    assert tell_due(catalogue, client, now + 30) == []
    assert {one.state for one in tell_due(catalogue, client, now + 61)} == {"findable"}
    assert len(datacite.requests) == 4


def test_an_absent_service_is_waited_for_ever_longer(catalogue: Catalogue) -> None:
    nowhere = DataCite("http://127.0.0.1:9", "a", "b")
    now, waits = time.time(), []
    for _ in range(4):
        told = tell_due(catalogue, nowhere, now)
        assert {one.state for one in told} == {"waiting"}
        with catalogue.reading() as connection:
            later = connection.execute(select(dois.c.next_utc)).scalars().first()
        assert later is not None
        waits.append(round(later - now))
        now = later
    assert waits == [60, 120, 240, 480]


def test_refused_metadata_wait_for_a_change(
    catalogue: Catalogue, datacite: FakeDataCite, client: DataCite
) -> None:
    with catalogue.writing() as connection:
        connection.execute(dois.update().values(address=""))  # published before the catalogue had an address
    told = tell_due(catalogue, client)
    assert {one.state for one in told} == {"failed"}
    assert "url: can't be blank" in told[0].error
    assert tell_due(catalogue, client) == []
    with catalogue.writing() as connection:
        connection.execute(dois.update().values(address="https://data.example.org/records/tooth"))
        assert try_again(connection) == 2
    assert {one.state for one in tell_due(catalogue, client)} == {"findable"}
    with catalogue.reading() as connection:
        assert [(one.doi, one.error) for one in states_of(connection, "tooth")] == [(V1, ""), (CONCEPT, "")]


def test_a_killed_worker_leaves_its_doi_to_the_next(catalogue: Catalogue, client: DataCite) -> None:
    class Killed(DataCite):
        def tell(self, *_: object) -> None:  # type: ignore[override]
            raise KeyboardInterrupt

    now = time.time()
    with pytest.raises(KeyboardInterrupt):
        tell_due(catalogue, Killed("", "", ""), now)
    assert len(tell_due(catalogue, client, now + 1)) == 1  # the other one; the first is held
    assert len(tell_due(catalogue, client, now + LEASE_S + 1)) == 1
    assert set(states(catalogue).values()) == {"findable"}


def test_a_change_while_it_is_told_is_told_too(
    catalogue: Catalogue, datacite: FakeDataCite, client: DataCite
) -> None:
    class Slow(DataCite):
        def tell(self, *args: object) -> object:  # type: ignore[override]
            if args[0] == V1 and len(datacite.requests) < 2:
                edit(catalogue, LOCAL_OWNER, "tooth", Changes(title="Tooth of a bear"))
            return super().tell(*args)  # type: ignore[arg-type]

    tell_due(catalogue, Slow(client.address, client.user, client.password))
    tell_due(catalogue, client)
    assert datacite.dois[V1]["titles"] == datacite.dois[CONCEPT]["titles"] == [{"title": "Tooth of a bear"}]


def test_a_withdrawn_record_is_hidden_and_a_new_version_takes_the_concept(
    catalogue: Catalogue, datacite: FakeDataCite, client: DataCite, file: Callable[[Catalogue, str], None]
) -> None:
    file(catalogue, "tooth-2")
    publish(catalogue, LOCAL_OWNER, "tooth-2", Request(new_version_of="tooth"))
    withdraw(catalogue, LOCAL_OWNER, "tooth", "a better scan is there")
    tell_due(catalogue, client)
    tell_due(catalogue, client)
    assert {doi: told["state"] for doi, told in datacite.dois.items()} == {
        V1: "draft",  # it was withdrawn before DataCite heard of it
        "10.5072/tooth.v2": "findable",
        CONCEPT: "findable",
    }
    assert datacite.dois[CONCEPT]["url"].endswith("/records/tooth-2")
    assert (
        len([o for o in datacite.dois[CONCEPT]["relatedIdentifiers"] if o["relationType"] == "HasVersion"])
        == 2
    )


def test_dry_run_tells_all_and_changes_nothing(catalogue: Catalogue) -> None:
    told = due_attributes(catalogue)
    assert told.keys() == {V1, CONCEPT}
    assert told[V1]["event"] == "publish"
    assert set(states(catalogue).values()) == {"waiting"}


def test_no_password_is_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch, datacite: FakeDataCite) -> None:
    monkeypatch.delenv("TOMARIUM_DATACITE_USER", raising=False)
    with pytest.raises(InputError, match="TOMARIUM_DATACITE_USER"):
        service("https://api.datacite.org")
    monkeypatch.setenv("TOMARIUM_DATACITE_USER", "ACME.LAB")
    monkeypatch.setenv("TOMARIUM_DATACITE_PASSWORD", "wrong")
    with pytest.raises(InputError, match="in the clear"):
        service("http://api.datacite.org")
    answer = service(datacite.address).tell(V1, {}, "publish")
    assert (answer.done, answer.again) == (False, True)
    assert "refused the account" in answer.told
