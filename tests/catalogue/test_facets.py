"""Facets, ranges and pages of a search: the same as a plain evaluation over the same records."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from postgresql_server import Databases, Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Page, Reader, open_catalogue, queries, search, sqlite
from tomarium.catalogue.cursor import Cursor, read_cursor
from tomarium.catalogue.facets import ACCESS, CATALOGUE, EMBARGO, FACETS, HERE, OPEN, facets_of
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.ranges import Range, key_of, read_range, split_range
from tomarium.errors import ParameterError
from tomarium.model import Record, Value
from tomarium.model.publication import Publication

START = datetime(2020, 1, 1, tzinfo=UTC)
PUBLIC = Publication(START, "", START)
SHUT = replace(PUBLIC, open_from=datetime(2200, 1, 1, tzinfo=UTC))
ANN = Reader("ann", "member")
READERS = (Reader(), ANN, Reader("bob", "member", teams=()), LOCAL_OWNER)


def made(number: int, draw: random.Random) -> tuple[Record, str]:
    created = START + timedelta(days=draw.randrange(0, 2000, 7))  # several share a moment
    words = draw.choice(("bone", "tooth", "bone tooth", "shell"))
    parameters = {
        "pixel_m": Value(draw.choice((0.5e-6, 0.65e-6, 1e-6, 3e-6)), "read", ""),
        "projections": Value(draw.choice((100, 200)), "read", ""),
        "instrument": Value(draw.choice(("ID16", "ID19", "BM05")), "read", ""),
        "technique": Value(draw.choice(("holotomography", "")), "read", ""),
    }
    if draw.random() < 0.7:
        parameters["energy_kev"] = Value(float(draw.randrange(10, 60)), "read", "")
    public = draw.random() < 0.6
    record = Record(
        id=f"r{number}",
        title=f"{words} {draw.choice(('fresh', 'dry'))}",
        created=created,
        licence=draw.choice(("CC0-1.0", "CC-BY-4.0", "")),
        parameters=parameters,
        techniques=tuple(draw.sample(("PaNET01207", "PaNET01152"), draw.randrange(3))),
        publication=draw.choice((PUBLIC, PUBLIC, SHUT)) if public else None,
    )
    return record, draw.choice(("ann", "bob"))


def put(catalogue: Catalogue, records: Sequence[tuple[Record, str]]) -> None:
    with catalogue.writing() as connection:
        entries = [
            entry_of(connection, record, Path("/nowhere") / record.id, Reader(owner, "member"))
            for record, owner in records
        ]
        save_records(connection, entries)


COUNT = itertools.count()
RECORDS = [made(number, random.Random(number)) for number in range(80)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path_factory.mktemp("facets") / "c.sqlite")) as catalogue:
        put(catalogue, RECORDS)
        yield catalogue


@pytest.fixture
def small(tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "c.sqlite")) as catalogue:
        yield catalogue


def values_of(record: Record, name: str) -> set[str]:
    if name == "state":
        return {"published" if record.publication else "draft"}
    if name == CATALOGUE:
        return {HERE}
    if name == ACCESS:
        return {EMBARGO if record.publication == SHUT else OPEN} if record.publication else set()
    return {value for facet, value in facets_of(record) if facet == name}


def is_seen(record: Record, owner: str, reader: Reader) -> bool:
    return record.publication is not None or reader.sees_all or owner == reader.name


def is_within(record: Record, ranges: dict[str, str]) -> bool:
    for name, words in ranges.items():
        key = key_of(name, ())
        value = record.parameters.get(key)
        if value is None or value.value not in read_range(key, words):
            return False
    return True


def test_a_technique_told_twice_is_one_value() -> None:
    record = Record(
        id="r",
        title="r",
        created=START,
        techniques=("PaNET01207",),
        parameters={"technique": Value("X-ray tomography", "read", "")},
    )
    assert values_of(record, "technique") == {"PaNET01207"}


def pages(catalogue: Catalogue, reader: Reader, words: str, limit: int, **asked: object) -> list[Page]:
    found = [search(catalogue, reader, words, limit=limit, **asked)]  # type: ignore[arg-type]
    while (cursor := found[-1].next) is not None:
        found.append(search(catalogue, reader, words, limit=limit, after=cursor, **asked))  # type: ignore[arg-type]
    return found


ANY_FILTERS = st.dictionaries(
    st.sampled_from(sorted(FACETS)),
    st.lists(
        st.sampled_from(
            [
                "ID16",
                "ID19",
                "PaNET01207",
                "holotomography",
                "CC0-1.0",
                "2021",
                "2022",
                "draft",
                "published",
                "none",
                OPEN,
                EMBARGO,
                HERE,
            ]
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    max_size=2,
)
ANY_RANGES = st.fixed_dictionaries(
    {},
    optional={
        "pixel": st.sampled_from(["<1um", "<=1 um", ">650nm", "0.6..1 um", "0.65um", "..1mm", "2um.."]),
        "energy": st.sampled_from([">=20 keV", "<30keV", "20..40keV", "20000eV..", "<1 keV"]),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reader=st.sampled_from(READERS),
    words=st.sampled_from(["", "bone", "tooth fresh", "shel", "unicorn"]),
    filters=ANY_FILTERS,
    ranges=ANY_RANGES,
    sort=st.sampled_from(["relevance", "newest"]),
    limit=st.integers(5, 30),
    most=st.sampled_from([5, 20_000]),
)
def test_answers_are_those_of_a_plain_evaluation(
    filled: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    reader: Reader,
    words: str,
    filters: dict[str, tuple[str, ...]],
    ranges: dict[str, str],
    sort: str,
    limit: int,
    most: int,
) -> None:
    monkeypatch.setattr(queries, "RANKED_AT_MOST", most)
    monkeypatch.setattr("tomarium.catalogue.find._FEW", most // 2)
    before_facets = [
        record
        for record, owner in RECORDS
        if is_seen(record, owner, reader)
        and all(any(part.startswith(word) for part in record.title.split()) for word in words.split())
        and is_within(record, ranges)
    ]
    wanted = [
        record
        for record in before_facets
        if all(values_of(record, name) & set(filters[name]) for name in filters)
    ]
    asked = {"filters": filters, "ranges": ranges, "sort": sort}
    found = pages(filled, reader, words, limit, **asked)
    hits = [hit for page in found for hit in page.hits]
    first = search(filled, reader, words, limit=limit, facets=True, **asked)  # type: ignore[arg-type]
    assert sorted(hit.id for hit in hits) == sorted(record.id for record in wanted)
    capped = bool(words or ranges) and len(wanted) > most
    assert (first.total, first.more) == ((most, True) if capped else (len(wanted), False))
    assert first.sort == ("relevance" if words and sort == "relevance" and not capped else "newest")
    if first.sort == "newest":
        assert [hit.created for hit in hits] == sorted((hit.created for hit in hits), reverse=True)
    else:
        scores = [hit.score or 0.0 for hit in hits]
        assert scores == sorted(scores, reverse=True)
    assert first.facets_of_newest == (bool(words or ranges) and len(before_facets) > most)
    if not first.facets_of_newest:
        for facet in first.facets:
            others = {name: chosen for name, chosen in filters.items() if name != facet.name}
            counted = Counter(
                value
                for record in before_facets
                if all(values_of(record, name) & set(chosen) for name, chosen in others.items())
                for value in values_of(record, facet.name)
            )
            assert {one.value: one.count for one in facet.choices if one.count} == counted
            assert {one.value for one in facet.choices if one.chosen} == set(filters.get(facet.name, ()))


def test_pages_lead_back_as_they_led_on(filled: Catalogue) -> None:
    for words in ("", "bone"):
        on = pages(filled, LOCAL_OWNER, words, 7)
        back = [on[-1]]
        while (cursor := back[-1].previous) is not None:
            back.append(search(filled, LOCAL_OWNER, words, limit=7, after=cursor))
        assert [page.hits for page in reversed(back)] == [page.hits for page in on]
        assert [page.offset for page in on] == list(range(0, 7 * len(on), 7))
        assert search(filled, LOCAL_OWNER, words, limit=7, offset=7).hits == on[1].hits


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), limit=st.integers(3, 9), words=st.sampled_from(["", "bone"]))
def test_nothing_is_passed_over_or_doubled_while_records_are_added(
    seed: int, limit: int, words: str, place: Files
) -> None:
    draw = random.Random(seed)
    with open_catalogue(
        place(Path(f"/nowhere/{next(COUNT)}")) if isinstance(place, Databases) else "sqlite:///"
    ) as catalogue:
        put(catalogue, RECORDS[:30])
        there = {hit.id for hit in search(catalogue, LOCAL_OWNER, words, limit=99).hits}
        seen: list[str] = []
        cursor: str | None = ""
        added = 1000
        while cursor is not None:
            page = search(catalogue, LOCAL_OWNER, words, limit=limit, sort="newest", after=cursor)
            seen += [hit.id for hit in page.hits]
            cursor = page.next
            put(catalogue, [made(added + step, draw) for step in range(draw.randrange(4))])
            added += 4
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def test_drafts_of_others_are_neither_found_nor_counted(small: Catalogue) -> None:
    shown, owner = made(1, random.Random(1))
    secret = Record(
        id="secret",
        title="bone",
        created=START,
        parameters={"instrument": Value("SECRET", "user", ""), "pixel_m": Value(1e-6, "user", "")},
        techniques=("PaNET09999",),
    )
    put(small, [(replace(shown, publication=PUBLIC), owner), (secret, "ann")])
    for words, ranges in (("", {}), ("bone", {}), ("", {"pixel": "1um"})):
        theirs = search(small, Reader("bob", "member"), words, ranges=ranges, facets=True)
        assert "SECRET" not in str(theirs)
        assert "PaNET09999" not in str(theirs)
        assert "draft" not in str(theirs.facets)
        assert "secret" in [hit.id for hit in search(small, ANN, words, ranges=ranges).hits]
    chosen = search(small, Reader(), "", filters={"instrument": "SECRET"}, facets=True)
    assert chosen.total == 0
    assert [one.count for facet in chosen.facets for one in facet.choices if one.value == "SECRET"] == [0]


def test_a_changed_record_is_found_by_its_new_words_and_numbers_only(small: Catalogue) -> None:
    record, _ = made(1, random.Random(1))
    for step in range(40):  # more than there are numbers beside its own
        put(small, [(replace(record, title=f"version{step}"), "ann")])
    assert [hit.title for hit in search(small, ANN, "version").hits] == ["version39"]
    assert search(small, ANN, "version3 ").total == 0
    put(small, [(replace(record, title="version39", parameters={}), "ann")])
    assert search(small, ANN, ranges={"pixel": ">0m"}).total == 0
    assert search(small, ANN, filters={"instrument": "ID19"}).total == 0
    assert search(small, ANN).total == 1


@pytest.mark.parametrize(
    ("key", "words", "wanted"),
    [
        ("pixel_m", "<1um", Range("pixel_m", high=1e-6, with_high=False)),
        ("pixel_m", "≤ 1 µm", Range("pixel_m", high=1e-6)),
        ("energy_kev", ">=20 keV", Range("energy_kev", low=20.0)),
        ("energy_kev", ">20000 eV", Range("energy_kev", low=20.0, with_low=False)),
        ("pixel_m", "0.5..1 um", Range("pixel_m", 0.5e-6, 1e-6)),
        ("pixel_m", "0.5..<1 um", Range("pixel_m", 0.5e-6, 1e-6, with_high=False)),
        ("pixel_m", "..< 1um", Range("pixel_m", high=1e-6, with_high=False)),
        ("pixel_m", "500nm..1um", Range("pixel_m", 0.5e-6, 1e-6)),
        ("pixel_m", "..1um", Range("pixel_m", high=1e-6)),
        ("pixel_m", "1 um..", Range("pixel_m", low=1e-6)),
        ("projections", ">=900", Range("projections", low=900.0)),
        ("axis_column", "1..2e3", Range("axis_column", 1.0, 2000.0)),
        ("angle_step_deg", "<0.5", Range("angle_step_deg", high=0.5, with_high=False)),
        ("temperature_celsius", ">25 °C", Range("temperature_celsius", low=25.0, with_low=False)),
        ("distance_m", "-1..10 cm", Range("distance_m", -0.01, 0.1)),
    ],
)
def test_ranges_are_read(key: str, words: str, wanted: Range) -> None:
    assert read_range(key, words) == wanted


def test_a_number_alone_means_itself() -> None:
    assert 0.65e-6 in read_range("pixel_m", "0.65 um")
    assert 0.65e-6 in read_range("pixel_m", "=650 nm")
    assert 0.6501e-6 not in read_range("pixel_m", "0.65um")


@pytest.mark.parametrize(
    "words",
    [
        "1",
        "<1",
        "<",
        "",
        "..",
        "<1 keV",
        "um",
        "1um..2",
        "2um..1um",
        "<1um..2um",
        "<nan um",
        "<1e999 um",
        "<<1um",
        "1..<um",
        "1um..<",
        "..<",
    ],
)
def test_what_is_no_range_is_refused_with_what_to_write(words: str) -> None:
    with pytest.raises(
        ParameterError, match=r"Pixel size at the sample: .*Write one of <1 um, >=1 um, 1..2 um"
    ):
        read_range("pixel_m", words)


def test_parameters_are_found_by_what_people_call_them() -> None:
    known = ("exposure_s", "source_distance_m", "projections", "load_n")
    for name, key in {
        "pixel": "pixel_m",
        "voxel": "voxel_m",
        "energy": "energy_kev",
        "distance": "distance_m",
        "axis column": "axis_column",
        "axis-column": "axis_column",
        "exposure": "exposure_s",
        "source distance": "source_distance_m",
        "projections": "projections",
        "load_n": "load_n",
    }.items():
        assert key_of(name, known) == key
    with pytest.raises(ParameterError, match="did you mean pixel"):
        key_of("pixle", known)
    with pytest.raises(ParameterError, match=r"a_m or a_s"):
        key_of("a", ("a_m", "a_s"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("pixel<1um", ("pixel", "<1um")),
        ("pixel <= 1 um", ("pixel", "<= 1 um")),
        ("energy=20..60keV", ("energy", "20..60keV")),
        ("exposure_s=>=10ms", ("exposure_s", ">=10ms")),
    ],
)
def test_a_range_on_the_command_line_is_split(words: str, wanted: tuple[str, str]) -> None:
    assert split_range(words) == wanted


@pytest.mark.parametrize("words", ["pixel", "<1um", "pixel=", ""])
def test_a_range_without_name_or_sign_is_refused(words: str) -> None:
    with pytest.raises(ParameterError, match="is no range"):
        split_range(words)


@given(
    number=st.integers(-(2**63) + 1, 2**63 - 1),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    back=st.booleans(),
    position=st.integers(0, 10**9),
)
def test_cursors_are_read_as_they_are_written(
    number: int, score: float | None, back: bool, position: int
) -> None:
    cursor = Cursor(number, score, back, position)
    assert read_cursor(str(cursor)) == cursor


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(words: str) -> None:
    with pytest.raises(ParameterError, match="next page"):
        read_cursor(words)


def test_unknown_facets_and_orders_are_refused(filled: Catalogue) -> None:
    with pytest.raises(ParameterError, match="did you mean technique"):
        search(filled, ANN, filters={"techniqe": "x"})
    with pytest.raises(ParameterError, match="relevance, newest"):
        search(filled, ANN, sort="oldest")
    with pytest.raises(ParameterError, match="no place in an answer"):
        search(filled, ANN, after="x")


def test_catalogue_of_the_version_before_keeps_its_records(tmp_path: Path) -> None:
    place = tmp_path / "old.sqlite"
    migrations = Path(queries.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(migrations))
    engine = sqlite.connect(place)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO record (number, id, title, description, created, created_utc, bytes, thumbnail, shape, "
                "words, public_from, licence) VALUES (1, 'old', 'Old bone', 'Dug out', '2024-03-01T00:00:00+00:00', "
                "1709251200, 7, '', '[]', 'ID19', 0, 'CC0-1.0')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO parameter VALUES ('pixel_m', 1, 1e-6, '1 um', 'm', 'read'), "
                "('instrument', 1, NULL, 'ID19', '', 'read')"
            )
        )
        connection.execute(
            text("INSERT INTO record_text (rowid, title, rest) VALUES (1, 'old bone', 'dug out')")
        )
    engine.dispose()
    with open_catalogue(place) as catalogue:
        page = search(
            catalogue, Reader(), "bone", ranges={"pixel": "1um"}, filters={"instrument": "ID19"}, facets=True
        )
        assert [(hit.id, hit.snippet) for hit in page.hits] == [("old", "Dug out")]
        assert {facet.name: facet.choices[0].value for facet in page.facets} == {
            "instrument": "ID19",
            "licence": "CC0-1.0",
            "year": "2024",
            "state": "draft",
        }
