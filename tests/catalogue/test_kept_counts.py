"""Counts of all records are kept, and never those of another state, another moment or another reader."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, find, kept_counts, open_catalogue, search
from tomarium.catalogue.facet_counts import FacetCounts
from tomarium.catalogue.facets import ACCESS
from tomarium.catalogue.index_rows import Entry, forget_record, save_records
from tomarium.catalogue.kept_counts import facets_of_all
from tomarium.catalogue.tables import LIVE, stale_records

NOW = time.time()
ANN, BOB = Reader("ann", "member"), Reader("bob", "member", teams=("night",))
READERS = (Reader(), ANN, BOB, Reader(invited=("r3",)), Reader(open_only=True), LOCAL_OWNER)


def entry(number: int, public: float | None, instrument: str = "ID16") -> Entry:
    draw = random.Random(number)
    row = {
        "id": f"r{number}", "title": "bone", "created": "2020-01-01T00:00:00+00:00", "created_utc": 1.5e9 + number,
        "store": 1, "path": f"r{number}", "bytes": 1, "thumbnail": "", "shape": [], "voxel_m": None, "doi": "",
        "licence": "", "state": "draft" if public is None else "published", "owner": draw.choice(("ann", "bob")),
        "team": draw.choice(("", "night")), "public_from": public, "open_from": public,
    }  # fmt: skip
    return Entry(row, description="", words="", facets=(("instrument", instrument),), numbers={})


def save(catalogue: Catalogue, *entries: Entry) -> None:
    with catalogue.writing() as connection:
        save_records(connection, entries)


@pytest.fixture
def at(tmp_path: Path, place: Files) -> Path | str:
    return place(tmp_path / "c.sqlite")


@pytest.fixture
def catalogue(at: Path | str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    monkeypatch.setattr("tomarium.catalogue.reader.present", lambda: NOW)
    with open_catalogue(at) as opened:
        save(opened, *(entry(number, (None, NOW - 5, NOW + 1000)[number % 3]) for number in range(12)))
        yield opened


def counted(catalogue: Catalogue, reader: Reader) -> tuple[FacetCounts, ...]:
    facets = search(catalogue, reader, facets=True, elsewhere=True).facets
    return tuple(facet for facet in facets if facet.name != ACCESS)


def test_counts_are_those_of_a_search_and_counted_once(
    catalogue: Catalogue, at: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {reader: counted(catalogue, reader) for reader in READERS}
    assert len({str(facets) for facets in wanted.values()}) > 3
    assert {reader: facets_of_all(catalogue, reader) for reader in READERS} == wanted
    with monkeypatch.context() as nothing_is_counted:
        nothing_is_counted.delattr(find, "groups")
        for reader in READERS:
            if not reader.open_only:
                assert facets_of_all(catalogue, reader) == wanted[reader]
        assert facets_of_all(catalogue, Reader("cat", "curator")) == wanted[LOCAL_OWNER]
    with open_catalogue(at) as other:  # as another program
        save(other, entry(99, NOW - 1, "ID19"))
        assert "ID19" in str(facets_of_all(catalogue, Reader()))
        with other.writing() as connection:
            forget_record(connection, "r99", LIVE)
        assert {reader: facets_of_all(catalogue, reader) for reader in READERS} == wanted


def test_what_becomes_public_is_counted_from_its_moment_on(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for moment in (NOW, NOW + 999, NOW + 1000, NOW + 2000, NOW):  # and a clock that was set back
        monkeypatch.setattr("tomarium.catalogue.reader.present", lambda moment=moment: moment)
        assert facets_of_all(catalogue, Reader()) == counted(catalogue, Reader())
        told.append(facets_of_all(catalogue, Reader())[0].choices[0].count)
    assert told == [4, 4, 8, 8, 4]


def test_what_was_taken_back_is_not_kept(catalogue: Catalogue) -> None:
    before = facets_of_all(catalogue, Reader())
    with catalogue.writing() as connection:
        connection.execute(insert(stale_records).values(record="r1"))
    assert facets_of_all(catalogue, Reader()) == counted(catalogue, Reader()) != before
    with catalogue.writing() as connection:
        connection.execute(delete(stale_records))
    assert facets_of_all(catalogue, Reader()) == before


def test_the_last_readers_are_kept(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_counts, "MOST_READERS", 2)
    for reader in (Reader(), ANN, Reader(), BOB):
        facets_of_all(catalogue, reader)
    assert list(kept_counts._OF_ENGINES[catalogue.engine].kept) == [Reader(), BOB]
