"""Records found by the other images of their specimens: as a plain evaluation does, by what the reader may see."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Reader,
    companions,
    find,
    open_catalogue,
    queries,
    search,
)
from tomarium.catalogue.companions import read_companions
from tomarium.catalogue.entities import reach, row_of
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.catalogue.tables import entities, origins, record_entities, stale_records
from tomarium.errors import ParameterError
from tomarium.model import Record, Value
from tomarium.model.entity import Entity
from tomarium.model.publication import Publication

START = datetime(2020, 1, 1, tzinfo=UTC)
PUBLIC = Publication(START, "", START)
EMBARGOED = Publication(START, "", datetime(2999, 1, 1, tzinfo=UTC))
READERS = (Reader(), Reader("ann", "member"), Reader("bob", "member"), OPEN_ONLY, LOCAL_OWNER)
MADE_FROM = {"core": "block", "section": "block", "lamella": "core", "chip": "section", "stone": ""}
VALUES = ("PaNET01207", "PaNET01208", "SEM-EDS", "EBSD", "photograph")
MEANT = {
    "ct": {"PaNET01207", "PaNET01208"}, "eds": {"SEM-EDS"}, "sem": {"SEM-EDS"}, "ebsd": {"EBSD"}, "fib": set(),
    "PaNET01207": {"PaNET01207", "PaNET01208"}, **{value: {value} for value in VALUES[1:]},
}  # fmt: skip
"""What is asked for → which of the values it means."""


@dataclass(frozen=True)
class Filed:
    record: Record
    owner: str
    specimen: str

    @property
    def values(self) -> set[str]:
        """What it is an image of."""
        return {*self.record.techniques, *(str(one.value) for one in self.record.parameters.values())}

    def seen_by(self, reader: Reader) -> bool:
        told = self.record.publication
        if reader.open_only:
            return told is PUBLIC
        return told is not None or reader.sees_all or self.owner == reader.name


def made(number: int, draw: random.Random) -> Filed:
    technique = draw.choice((*VALUES, ""))
    is_term = technique.startswith("PaNET")
    told = {"technique": Value(technique, "read", "")} if technique and not is_term else {}
    record = Record(
        id=f"r{number}",
        title=draw.choice(("layered intrusion", "sulphide of a layered intrusion", "meteorite")),
        created=START + timedelta(days=number),
        parameters=told,
        techniques=(technique,) if is_term else (),
        publication=draw.choice((PUBLIC, PUBLIC, EMBARGOED, None)),
    )
    return Filed(record, draw.choice(("ann", "bob")), draw.choice((*MADE_FROM, "block", "")))


def put(catalogue: Catalogue, filed: Sequence[Filed], made_from: dict[str, str]) -> None:
    with catalogue.writing() as connection:
        save_records(
            connection,
            [
                entry_of(connection, one.record, Path("/at") / one.record.id, Reader(one.owner, "member"))
                for one in filed
            ],
        )
        for id in dict.fromkeys((*made_from.values(), *made_from)):
            if id:
                connection.execute(
                    insert(entities).values(**row_of(Entity("specimen", id, id), "ann"), doi="")
                )
        chain = [
            {"child": child, "parent": parent, "how": "aliquot"}
            for child, parent in made_from.items()
            if parent
        ]
        connection.execute(insert(origins), chain)
        chosen = [
            {"record": one.record.id, "entity": one.specimen, "chosen": 1} for one in filed if one.specimen
        ]
        connection.execute(insert(record_entities), chosen)
        reach(connection, [one.record.id for one in filed])


FILED = [made(number, random.Random(number)) for number in range(60)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path_factory.mktemp("companions") / "c.sqlite")) as catalogue:
        put(catalogue, FILED, MADE_FROM)
        yield catalogue


def line(specimen: str) -> set[str]:
    """A specimen with what it was made from, however far back."""
    found = set()
    while specimen:
        found.add(specimen)
        specimen = MADE_FROM.get(specimen, "")
    return found


def beside(one: Filed, reader: Reader) -> set[str]:
    """List the techniques of the other images of a record's specimen that a reader may see."""
    return set().union(
        *(
            other.values
            for other in FILED
            if other is not one
            and one.specimen
            and other.specimen
            and other.seen_by(reader)
            and (one.specimen in line(other.specimen) or other.specimen in line(one.specimen))
        )
    )


def is_found(one: Filed, asked: Sequence[str], reader: Reader) -> bool:
    """Say it in plain words: all are among the images of the specimen, and another record has one of them."""
    others = beside(one, reader)
    all_of_it = others | (one.values if one.specimen else set())
    some = any(MEANT[word] & others for word in asked)
    return some and all(MEANT[word] & (others if len(asked) == 1 else all_of_it) for word in asked)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reader=st.sampled_from(READERS),
    words=st.sampled_from(["", "layered", "sulphide layered", "unicorn"]),
    asked=st.lists(
        st.sampled_from(["ct", "eds", "ebsd", "sem", "photograph", "fib"]), unique=True, max_size=3
    ),
    sort=st.sampled_from(["relevance", "newest"]),
    most=st.sampled_from([3, 20_000]),
    state=st.sampled_from(["", "published", "draft"]),
)
def test_the_answers_are_those_of_a_plain_evaluation(
    filled: Catalogue, monkeypatch: pytest.MonkeyPatch, reader: Reader, words: str, asked: list[str], sort: str,
    most: int, state: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(queries, "RANKED_AT_MOST", most)
    monkeypatch.setattr(find, "_FEW", most // 2)
    apart = [
        one
        for one in FILED
        if one.seen_by(reader)
        and all(word in one.record.title for word in words.split())
        and state in ("", "published" if one.record.publication else "draft")
    ]
    wanted = [one.record.id for one in apart if not asked or is_found(one, asked, reader)]
    how = {"filters": {"state": state}, "companions": asked, "sort": sort}
    first = search(filled, reader, words, limit=100, facets=True, **how)  # type: ignore[arg-type]
    assert sorted(hit.id for hit in first.hits) == sorted(wanted)
    capped = bool(words) and len(wanted) > most
    assert (first.total, first.more) == ((most, True) if capped else (len(wanted), False))
    told = next((facet for facet in first.facets if facet.name == companions.NAME), None)
    counted = {one.value: one.count for one in told.choices if not one.chosen} if told else {}
    free = [value for value in VALUES if MEANT[value] not in [MEANT[word] for word in asked]]
    plain = {value: sum(is_found(one, [*asked, value], reader) for one in apart) for value in free}
    assert counted == {value: n for value, n in plain.items() if n}
    assert [one.value for one in told.choices if one.chosen] == asked if told else not asked
    if after := search(filled, reader, words, limit=2, **how).next:  # type: ignore[arg-type]
        on = search(filled, reader, words, limit=100, after=after, **how)  # type: ignore[arg-type]
        assert [hit.id for hit in on.hits] == [hit.id for hit in first.hits[2:]]


def test_what_a_reader_may_not_see_makes_nothing_found(tmp_path: Path, place: Files) -> None:
    map_, ct = (
        Filed(Record(id=id, title=id, created=START, parameters={"technique": Value(word, "read", "")},
                     publication=told), "ann", "block")
        for id, word, told in (("map", "EDS", PUBLIC), ("ct", "CT", None))
    )  # fmt: skip
    with open_catalogue(place(tmp_path / "c.sqlite")) as opened:
        put(opened, [map_, ct], {"block": "quarry"})
        for reader, ids in (
            (Reader(), []),
            (Reader("bob", "member"), []),
            (Reader("ann", "member"), ["map"]),
        ):
            found = search(opened, reader, companions=["ct"], facets=True)
            assert [hit.id for hit in found.hits] == ids
            told = [choice.value for facet in search(opened, reader, facets=True).facets if facet.name == "with"
                    for choice in facet.choices]  # fmt: skip
            assert told == (["CT", "EDS"] if ids else [])
        invited = Reader(invited=("ct",))
        assert [hit.id for hit in search(opened, invited, companions=["computed tomography"]).hits] == ["map"]
        with (
            opened.writing() as connection
        ):  # what was taken back of its specimen is hidden until it is written anew
            connection.execute(insert(stale_records).values(record="ct"))
        assert search(opened, LOCAL_OWNER, companions=["ct"]).total == 0


def test_specimens_drive_it_and_their_index_answers(tmp_path: Path) -> None:
    """No pair of records is compared: a specimen of very many images is read once."""
    many = [
        Filed(Record(id=f"m{n}", title="map", created=START, parameters={"technique": Value("EDS", "read", "")},
                     publication=PUBLIC), "ann", "block")
        for n in range(3)
    ]  # fmt: skip
    with open_catalogue(tmp_path / "c.sqlite") as opened:
        put(opened, many, {"block": "quarry"})
        with opened.reading() as connection:
            asked = find.make_question(
                connection, Reader(), (), {}, (), read_companions(["eds", "map"], ["EDS"])
            )
            assert find.count(connection, asked) == 0  # nothing is called a map
            asked = find.make_question(connection, Reader(), (), {}, (), read_companions(["eds"], ["EDS"]))
            assert find.count(connection, asked) == 3
            wanted = find.records.select().with_only_columns(find.func.count()).where(asked.seen())
            sql = str(wanted.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[3] for row in connection.execute(text(f"explain query plan {sql}"))]
    assert any(
        "SEARCH record USING INDEX sqlite_autoindex_record" in one or "record_facets" in one for one in plan
    )
    assert not [one for one in plan if (one.startswith("SCAN") and "there" in one) or "SCAN here" in one], (
        plan
    )
    assert any("record_entity_entity" in one for one in plan), plan


def test_a_technique_without_a_letter_is_refused(filled: Catalogue) -> None:
    with pytest.raises(ParameterError, match="is no technique; give one such as ct"):
        search(filled, LOCAL_OWNER, companions=["?"])
    assert search(filled, LOCAL_OWNER, companions=["", " "]).total == len(FILED)
