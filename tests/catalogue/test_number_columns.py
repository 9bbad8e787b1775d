"""Ranges and counts of words, answered from memory as the database answers, whoever asks, at any moment."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import column, delete, func, select

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Page,
    Reader,
    find,
    number_columns,
    open_catalogue,
    postgresql_texts,
    search,
)
from tomarium.catalogue.change_tables import index_changes
from tomarium.catalogue.condition_on_arrays import NotTried, tried
from tomarium.catalogue.index_rows import Entry, forget_record, save_records
from tomarium.catalogue.number_columns import columns_of, keep_columns, read_columns
from tomarium.catalogue.parted_column import column_of
from tomarium.catalogue.postgresql_texts import _Sample
from tomarium.catalogue.queries import parameter_numbers
from tomarium.catalogue.ranges import Range, read_range
from tomarium.catalogue.rebuild import rebuild
from tomarium.catalogue.tables import LIVE, records
from tomarium.catalogue.words import read_terms

DAY = 86_400.0
NOW = time.time()
READERS = (
    Reader(),
    Reader("ann", "member"),
    Reader("bob", "member", teams=("night", "day")),
    Reader("eve", "instrument scientist", instruments=("ID19",)),
    Reader("cat", "curator"),
    Reader(invited=("r3", "r4", "r5")),
    Reader(open_only=True),
    LOCAL_OWNER,
)
RANGES = (
    {"pixel": "<1um"},
    {"pixel": "0.5..0.65 um"},
    {"energy": ">=20 keV"},
    {"energy": "20..30 keV", "pixel": "<=1um"},
    {"energy": "=25 keV"},
    {"energy": ("<40 keV", ">12 keV")},
    {"energy": ">900 keV"},
)
FILTERS = (
    {},
    {"instrument": "ID16"},
    {"state": "draft"},
    {"catalogue": "here"},
    {"access": "embargo"},
    {"access": ("open", "none"), "instrument": "ID19"},
    {"year": ("2020", "2021"), "state": "published"},
)


def entry(id: str, draw: random.Random, energy: float | None = None) -> Entry:
    public = draw.choice((None, 0.0, NOW - 3 * DAY, NOW - 5, NOW + 1000, NOW + 5000))
    opened = public if draw.random() < 0.5 else None
    state = "harvested" if draw.random() < 0.1 else draw.choice(("draft", "review", "published"))
    created_utc = 1.5e9 + 86400 * draw.randrange(30)  # several share a moment
    row = {
        "id": id, "title": id, "created": "2020-01-01T00:00:00+00:00", "created_utc": created_utc, "store": 1,
        "path": id, "bytes": 1, "thumbnail": "", "shape": [], "voxel_m": None, "doi": "", "licence": "",
        "state": state, "owner": draw.choice(("ann", "bob", "")), "team": draw.choice(("", "night")),
        "public_from": public, "open_from": opened,
    }  # fmt: skip
    facets = (("instrument", draw.choice(("ID16", "ID19"))), ("year", draw.choice(("2020", "2021", "2022"))))
    numbers = {"pixel_m": draw.choice((0.5e-6, 0.65e-6, 1e-6, 3e-6))}
    if energy is not None or draw.random() < 0.8:
        numbers["energy_kev"] = float(draw.randrange(10, 60)) if energy is None else energy
    return Entry(row, description=id, words=id, facets=facets, numbers=numbers)


def save(catalogue: Catalogue, *entries: Entry) -> None:
    with catalogue.writing() as connection:
        save_records(connection, entries)


def drawn(first: int, count: int) -> list[Entry]:
    return [entry(f"r{number}", random.Random(number)) for number in range(first, first + count)]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Path | str:
    return place(tmp_path_factory.mktemp("columns") / "c.sqlite")


@pytest.fixture(scope="module")
def filled(at: Path | str) -> Iterator[Catalogue]:
    with open_catalogue(at) as opened:
        save(opened, *drawn(0, 150))
        yield opened


@pytest.fixture
def catalogue(filled: Catalogue) -> Catalogue:
    number_columns._OF_ENGINES.pop(filled.engine, None)
    return filled


@pytest.fixture
def kept(catalogue: Catalogue) -> Catalogue:
    keep(catalogue)
    return catalogue


def keep(catalogue: Catalogue) -> None:
    keep_columns(catalogue, at_least=10**9)  # so that no thread begins to read
    with catalogue.reading() as connection:
        assert columns_of(connection, parameter_numbers(connection).values()) is None
    read_columns(catalogue)


def pages(catalogue: Catalogue, asked: dict[str, object]) -> list[Page]:
    found = [search(catalogue, **asked)]  # type: ignore[arg-type]
    while (cursor := found[-1].next) is not None:
        found.append(search(catalogue, **(asked | {"after": cursor})))  # type: ignore[arg-type]
    if (cursor := found[-1].previous) is not None:
        found.append(search(catalogue, **(asked | {"after": cursor})))  # type: ignore[arg-type]
    return found


def is_held(catalogue: Catalogue, reader: Reader = READERS[0], asked: str = "<1um") -> bool:
    """Tell whether a range is answered from memory."""
    with catalogue.reading() as connection:
        return (
            find.make_question(connection, reader, (), {}, [read_range("pixel_m", asked)]).memory_hits
            is not None
        )


def test_answers_are_those_of_the_database(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.catalogue.reader.present", lambda: NOW)
    draw = random.Random(1)
    asked = [
        {"reader": reader, "ranges": ranges, "filters": filters, "facets": draw.random() < 0.5, "spread": True,
         "limit": draw.choice((20, 1000)), "elsewhere": draw.random() < 0.5}
        for reader, ranges, filters in draw.sample(list(itertools.product(READERS, RANGES, FILTERS)), 14)
    ]  # fmt: skip
    told = [pages(catalogue, one) for one in asked]
    keep(catalogue)
    for one, before in zip(asked, told, strict=True):
        assert pages(catalogue, one) == before, one
    assert {reader: is_held(catalogue, reader) for reader in READERS} == {
        # An instrument, an invitation and an open file are looked up in the database.
        reader: not (reader.instruments or reader.invited or reader.open_only)
        for reader in READERS
    }
    # More than are counted: the newest of them, in the same words.
    monkeypatch.setattr("tomarium.catalogue.queries.RANKED_AT_MOST", 20)
    some = [
        {"reader": LOCAL_OWNER, "ranges": ranges, "filters": filters, "facets": draw.random() < 0.5}
        for ranges, filters in draw.sample(list(itertools.product(RANGES, FILTERS)), 8)
    ]
    held = [search(catalogue, **one) for one in some]  # type: ignore[arg-type]
    number_columns._OF_ENGINES.pop(catalogue.engine)
    assert any(page.more for page in held)
    assert not is_held(catalogue)
    assert held == [search(catalogue, **one) for one in some]  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [20_000, 20])
def test_words_and_facets_are_answered_as_by_the_database(
    catalogue: Catalogue, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.catalogue.reader.present", lambda: NOW)
    monkeypatch.setattr("tomarium.catalogue.queries.RANKED_AT_MOST", most)
    monkeypatch.setattr("tomarium.catalogue.postgresql_texts._PARTS", 2)
    draw, words = random.Random(3), ("r", "r1", "r12 ", "r", "r1 r", "unicorn")
    asked = [
        {"reader": reader, "words": draw.choice(words), "filters": filters, "facets": True, "spread": True,
         "ranges": draw.choice(({}, {}, RANGES[0])), "sort": draw.choice(("relevance", "relevance", "newest")),
         "limit": draw.choice((12, 50)), "elsewhere": draw.random() < 0.5}
        for reader, filters in draw.sample(list(itertools.product(READERS, FILTERS)), 10)
    ]  # fmt: skip
    told = [pages(catalogue, one) for one in asked]
    keep(catalogue)
    with catalogue.reading() as connection:
        numbers = sorted(connection.execute(select(records.c.number)).scalars(), reverse=True)
        # As if each text were of the sample that PostgreSQL tells by whether very many have a word.
        sample = _Sample([(number, " r ") for number in numbers], len(numbers), time.monotonic())
        monkeypatch.setitem(postgresql_texts._SAMPLES, connection.engine, sample)
        in_memory = find.make_question(connection, LOCAL_OWNER, read_terms("r"), {}, (), by_facets=True)
        assert in_memory.memory_hits is not None
        assert in_memory.is_known == (most > 20)
    for one, before in zip(asked, told, strict=True):
        assert pages(catalogue, one) == before, one


def test_an_earlier_state_is_asked_of_the_database(kept: Catalogue) -> None:
    wide = [read_range("energy_kev", ">0 keV")]

    def count(connection: object) -> tuple[bool, int]:
        asked = find.make_question(connection, LOCAL_OWNER, (), {}, wide)  # type: ignore[arg-type]
        return asked.memory_hits is not None, find.count(connection, asked)  # type: ignore[arg-type]

    with kept.reading() as earlier:
        _, before = count(earlier)
        save(kept, entry("new", random.Random(5), energy=50.0))
        with kept.reading() as later:
            assert count(later) == (True, before + 1)
        assert count(earlier) == (False, before)
    with kept.writing() as connection:  # what is written may be taken back
        assert count(connection) == (False, before + 1)


def test_an_embargo_ends_by_itself(kept: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    totals_at = {}
    for moment in (NOW, NOW + 1001, NOW + 5001):
        monkeypatch.setattr("tomarium.catalogue.reader.present", lambda moment=moment: moment)
        assert is_held(kept)
        page = search(kept, Reader(), ranges={"pixel": ">0um"}, facets=True, spread=True)
        opened = number_columns._OF_ENGINES.pop(kept.engine)
        assert page == search(kept, Reader(), ranges={"pixel": ">0um"}, facets=True, spread=True)
        number_columns._OF_ENGINES[kept.engine] = opened
        totals_at[moment] = page.total
    assert len(set(totals_at.values())) == 3


def test_a_column_is_read_beside_the_first_question(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep_columns(catalogue)
    assert not is_held(catalogue)
    assert not is_held(catalogue)
    assert not number_columns._OF_ENGINES[catalogue.engine].reading  # it has too few records
    number_columns._OF_ENGINES.pop(catalogue.engine)
    keep_columns(catalogue, at_least=100)
    assert not is_held(catalogue)
    until = time.monotonic() + 120
    while number_columns._OF_ENGINES[catalogue.engine].reading and time.monotonic() < until:
        time.sleep(0.01)
    assert is_held(catalogue)
    with catalogue.reading() as connection:  # the one that was asked for last stays
        monkeypatch.setattr(number_columns, "MOST_KEYS", 1)
        columns_of(connection, [parameter_numbers(connection)["energy_kev"]])
    read_columns(catalogue)
    assert len(number_columns._OF_ENGINES[catalogue.engine].columns.values) == 1  # type: ignore[union-attr]


def test_what_is_written_is_found_at_once(kept: Catalogue, at: Path | str) -> None:
    other = open_catalogue(at)  # of another program

    def answers() -> list[Page]:
        return [
            search(kept, reader, ranges=ranges, limit=1000, facets=True, spread=True)
            for reader, ranges in zip((READERS[0], READERS[2], LOCAL_OWNER), RANGES, strict=False)
        ]

    def same() -> bool:
        assert is_held(kept)
        told = answers()
        opened = number_columns._OF_ENGINES.pop(kept.engine)
        bare = answers()
        number_columns._OF_ENGINES[kept.engine] = opened
        return told == bare

    draw = random.Random(5)
    with other:
        before = search(kept, LOCAL_OWNER, ranges={"energy": "77..78 keV"}).total
        save(other, entry("new", draw, energy=77.5), entry("newer", draw, energy=88.0))
        assert search(kept, LOCAL_OWNER, ranges={"energy": "77..78 keV"}).total == before + 1
        assert same()
        save(
            other, entry("new", random.Random(8), energy=99.0), *drawn(10, 20)
        )  # other numbers, owners and states
        assert search(kept, LOCAL_OWNER, ranges={"energy": "77..78 keV"}).total == before
        assert same()
        with other.writing() as connection:
            forget_record(connection, "newer", LIVE)
            forget_record(connection, "r7", LIVE)
        assert search(kept, LOCAL_OWNER, ranges={"energy": "=88 keV"}).total == 0
        assert same()
        with other.writing() as connection:
            save_records(connection, [entry("lost", draw, energy=77.5)])
            connection.get_transaction().rollback()  # type: ignore[union-attr]
        assert search(kept, LOCAL_OWNER, ranges={"energy": "77..78 keV"}).total == before
        assert same()
        # Numbers were changed behind the catalogue's back, or all tables are others: they are read anew.
        rebuild(other, [])
        assert search(kept, LOCAL_OWNER, ranges={"pixel": ">0um"}).total == 0
        assert not is_held(kept)
        save(other, *drawn(500, 20))
        read_columns(kept)
        assert same()
        with other.writing() as connection:  # it did not look for more than a day
            connection.execute(delete(index_changes))
            save_records(connection, drawn(600, 3))
        assert not is_held(kept)
        rebuild(other, [])  # the other tests ask for what was there, in whatever order they run
        save(other, *drawn(0, 150))


FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=16) | st.sampled_from((0.0, -0.0, 1.0))
BOUNDS = FLOATS | st.sampled_from((-np.inf, np.inf))


@settings(max_examples=50)
@given(
    st.lists(FLOATS | st.just(np.nan)),
    st.lists(FLOATS | st.just(np.nan)),
    BOUNDS,
    BOUNDS,
    st.booleans(),
    st.booleans(),
)
def test_numbers_in_a_range(
    first: list[float], later: list[float], low: float, high: float, with_low: bool, with_high: bool
) -> None:
    one = Range("energy_kev", low, high, with_low, with_high)
    held = column_of(np.array([0.5, *first], np.float64)).without(np.array([0]))
    held = held.widened(np.full(len(later), len(first)))
    rows = np.arange(len(first), len(first) + len(later))
    held = held.entered(rows, rows[::-1], np.array(later[::-1], np.float64)).entered(
        rows[:1], rows[:0], np.zeros(0)
    )
    later[:1] = [np.nan] * len(later[:1])
    assert held.inside(one).tolist() == [number in one for number in [*first, *later]]


def test_many_numbers_are_cut_into_parts() -> None:
    numbers = np.random.default_rng(1).random(30_000) ** 3
    held = column_of(numbers)
    assert np.bincount(held.parts).max() < 4 * len(numbers) / 255
    one = Range("energy_kev", 0.2, 0.3, with_low=False)
    np.testing.assert_array_equal(held.inside(one), (numbers > 0.2) & (numbers <= 0.3))


def test_a_condition_that_arrays_do_not_tell_is_not_tried() -> None:
    seen = {"public_from": np.array([np.nan, 1.0]), "state": np.array(["draft", "published"], object)}
    assert tried(column("public_from") <= 2.0, seen).tolist() == [False, True]
    for condition in (
        column("id") == "r1",
        column("public_from") != 1.0,
        column("state").like("d%"),
        column("state").in_(select(column("name"))),
        func.lower(column("state")) == "draft",
        ~(column("public_from") <= 2.0) | (column("public_from").is_(None)),
    ):
        with pytest.raises(NotTried):
            tried(condition, seen)
