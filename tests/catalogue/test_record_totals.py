"""The numbers that are kept of all records: the same as counting them, whatever was written, and for every reader."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Reader,
    find,
    open_catalogue,
    record_totals,
    search,
    tables,
)
from tomarium.catalogue.index_rows import Entry, forget_record, save_records
from tomarium.catalogue.reader import is_counted_by_totals, may_see
from tomarium.catalogue.record_totals import count_anew
from tomarium.catalogue.tables import LIVE, records, totals

DAY = 86_400.0
READERS = (
    Reader(),
    Reader("ann", "member"),
    Reader("bob", "member", teams=("night",)),
    Reader("eve", "instrument scientist", instruments=("ID19",)),
    LOCAL_OWNER,
)


@pytest.fixture
def catalogue(tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "c.sqlite")) as opened:
        yield opened


def entry(id: str, draw: random.Random, now: float) -> Entry:
    public = draw.choice((None, 0.0, now - 3 * DAY, now - 2 * DAY + 1, now - 5, now + 5, now + 1000))
    row = {
        "id": id, "title": id, "created": "2020-01-01T00:00:00+00:00", "created_utc": 1.5e9, "store": 1, "path": id,
        "bytes": 1, "thumbnail": "", "shape": [], "voxel_m": None, "doi": "", "licence": "",
        "state": draw.choice(("draft", "published")), "owner": draw.choice(("ann", "bob", "")),
        "team": draw.choice(("", "night")), "public_from": public, "open_from": public,
    }  # fmt: skip
    facets = (("instrument", draw.choice(("ID16", "ID19"))), ("year", draw.choice(("2020", "2021"))))
    words = f"Énamel of {id.upper()}, 0.65 µm"
    return Entry(row, description=f"A {id}", words=words, facets=facets, numbers={"energy_kev": 1.0})


def assert_counted(catalogue: Catalogue) -> None:
    for reader in READERS:
        assert is_counted_by_totals(reader)
        with catalogue.reading() as connection:
            seen = [
                select(of.c.facets, of.c.state, number)
                .where(may_see(reader, of=of.c))
                .group_by(of.c.facets, of.c.state)
                for of, number in ((records, func.count()), (totals, func.sum(totals.c.total)))
            ]  # fmt: skip
            plain, kept = (
                {tuple(row[:2]): int(row[2]) for row in connection.execute(wanted) if row[2]}
                for wanted in seen
            )
            question = find.make_question(connection, reader, (), {}, ())
            assert question.is_totalled
            assert find.count(connection, question) == sum(plain.values())
            groups, whole = find.groups(connection, question)
        assert kept == plain
        assert (groups.total, whole) == (sum(plain.values()), True)


def test_they_are_what_counting_gives(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, written again, forgotten, in one call and in several; while days pass, and a clock is set back."""
    draw, now = random.Random(2), time.time()
    clock = now - 4 * DAY
    monkeypatch.setattr("time.time", lambda: clock)
    for step in range(7):
        chosen = draw.sample(range(40), 12)
        with catalogue.writing() as connection:
            save_records(connection, [entry(f"r{number}", draw, now) for number in chosen])
            for number in draw.sample(range(40), 3):
                forget_record(connection, f"r{number}", LIVE)
        assert_counted(catalogue)
        clock += DAY * draw.choice((0, 0.5, 1)) - 60 * (step % 3 == 0)
    clock = now + 10 * DAY
    with catalogue.writing() as connection:
        save_records(connection, [entry("last", draw, now)])
    assert_counted(catalogue)
    with catalogue.reading() as connection:
        rows = connection.execute(select(totals)).all()
        assert {row.public_from for row in rows} == {
            0.0,
            record_totals.NEVER,
        }  # what is long public stands together
        assert all(row.total > 0 for row in rows)
    with catalogue.writing() as connection:
        count_anew(connection, LIVE)
    with catalogue.reading() as connection:
        assert Counter(connection.execute(select(totals)).all()) == Counter(rows)


def test_they_are_made_for_a_catalogue_from_before(tmp_path: Path, place: Files) -> None:
    draw, now = random.Random(3), time.time()
    at = place(tmp_path / "c.sqlite")
    with open_catalogue(at) as catalogue, catalogue.writing() as connection:
        save_records(connection, [entry(f"r{number}", draw, now) for number in range(30)])
        config = Config()
        config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0012")
    with open_catalogue(at) as catalogue:
        assert_counted(catalogue)
        for words, snippet in (("enamel", "Énamel of R7, 0.65 µm"), ("r7", "A r7"), ('"enamel a"', None)):
            found = search(catalogue, LOCAL_OWNER, words, ranges={"energy": "0.9..1.1 keV"}, limit=30)
            assert {hit.id: hit.snippet for hit in found.hits}.get("r7") == snippet


def test_who_sees_single_records_or_only_open_ones_is_counted_by_these(catalogue: Catalogue) -> None:
    draw, now = random.Random(4), time.time()
    hidden = entry("hidden", draw, now)
    hidden.row.update(public_from=None, open_from=None, owner="bob", team="")
    embargoed = entry("embargoed", draw, now)
    embargoed.row.update(public_from=now - DAY, open_from=now + DAY, owner="bob", team="")
    with catalogue.writing() as connection:
        save_records(connection, [hidden, embargoed])
    for reader, ids in (
        (Reader(), {"embargoed"}),
        (Reader(invited=("hidden",)), {"hidden", "embargoed"}),
        (Reader(open_only=True), set[str]()),
    ):
        page = search(catalogue, reader, facets=True)
        assert {hit.id for hit in page.hits} == ids
        assert page.total == len(ids)
        years = [choice.count for facet in page.facets if facet.name == "year" for choice in facet.choices]
        assert sum(years) == len(ids)
