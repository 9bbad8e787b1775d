"""Records of other catalogues: found beside ours by one search, and behind none of the doors of our own records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    search,
)
from tomarium.catalogue import rebuild as rebuild_index
from tomarium.catalogue.backup import backup, restore
from tomarium.catalogue.harvest_sources import add_source, all_sources, begin_listing, end_listing, note
from tomarium.catalogue.harvested import (
    LARGEST,
    Item,
    forget_all,
    forget_unlisted,
    harvested_item,
    keep,
    read_moment,
)
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.publications import newest_published
from tomarium.catalogue.queries import all_folders, count_records, place_of
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.catalogue.search import named
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.model import Part

READERS = (ANYBODY, Reader("eve", "member"), Reader("cora", "curator"), LOCAL_OWNER)
BONE = Item(
    identifier="oai:elsewhere:1",
    title="Bone of a cave bear",
    description="A femur at 20 keV.",
    created="2019-05-04",
    creators=("Curie, Marie",),
    techniques=("PaNET01207",),
    facility="ESRF",
    licence="CC-BY-4.0",
    address="https://elsewhere.org/1",
    parameters={"energy_kev": 20.0, "sample": "femur"},
)
TOOTH = Item(identifier="oai:elsewhere:2", title="Tooth of a cave bear", created="2020")
MADE = datetime(2026, 11, 20, tzinfo=UTC)
MOMENT = 1_800_000_000.0


@pytest.fixture
def catalogue(tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        for id in ("ours", "draft"):
            folder = tmp_path / "records" / id
            folder.mkdir(parents=True)
            (folder / "scan.dat").write_bytes(id.encode())
            file_record(folder, title=f"Bear {id}", id=id, licence="CC0-1.0", creators=["Lovelace, Ada"],
                        created=MADE, parts=(Part("projections", "scan.dat"),))  # fmt: skip
            ingest(opened, folder, reader=Reader("ada", "member"))
        publish(opened, LOCAL_OWNER, "ours", Request(embargo="0"))
        yield opened


@pytest.fixture
def source(catalogue: Catalogue) -> int:
    with catalogue.writing() as connection:
        number = add_source(connection, "oai", "https://elsewhere.org/oai", "Elsewhere").number
        begin_listing(connection, number)
        keep(connection, number, [BONE, TOOTH], MOMENT)
    return number


def found(catalogue: Catalogue, reader: Reader = ANYBODY, words: str = "", **asked: Any) -> list[str]:
    return [
        hit.title for hit in search(catalogue, reader, words, sort="newest", elsewhere=True, **asked).hits
    ]


def test_one_search_finds_both(catalogue: Catalogue, source: int) -> None:
    assert found(catalogue) == ["Bear ours", "Tooth of a cave bear", "Bone of a cave bear"]
    assert found(catalogue, words="bear femur") == ["Bone of a cave bear"]
    assert found(catalogue, words="curie") == ["Bone of a cave bear"]
    assert found(catalogue, ranges={"energy": "19..21 keV"}) == ["Bone of a cave bear"]
    assert found(catalogue, filters={"technique": "PaNET01207"}) == ["Bone of a cave bear"]
    assert found(catalogue, filters={"catalogue": "Elsewhere", "year": "2020"}) == ["Tooth of a cave bear"]
    assert found(catalogue, filters={"catalogue": "here"}) == ["Bear ours"]
    assert len(found(catalogue, filters={"catalogue": ("here", "Elsewhere")})) == 3
    hit = search(catalogue, ANYBODY, "femur", elsewhere=True).hits[0]
    assert (hit.source, hit.fetched, hit.state, hit.open, hit.licence) == (
        "Elsewhere",
        MOMENT,
        "harvested",
        False,
        "CC-BY-4.0",
    )


@pytest.mark.parametrize("words", ["", "bear"])
def test_facets_count_both(catalogue: Catalogue, source: int, words: str) -> None:
    for asked in ({}, {"catalogue": "here"}, {"catalogue": "Elsewhere"}):
        page = search(catalogue, ANYBODY, words, filters=asked, facets=True, elsewhere=True)
        told = {facet.name: {one.value: one.count for one in facet.choices} for facet in page.facets}
        assert told["catalogue"] == {"Elsewhere": 2, "here": 1}
        assert page.total == sum({"": (3,), "here": (1,), "Elsewhere": (2,)}[asked.get("catalogue", "")])
    own = search(catalogue, ANYBODY, words, facets=True)
    assert "catalogue" not in {facet.name for facet in own.facets}
    assert own.total == 1


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.role)
def test_it_is_behind_no_door_of_our_records(catalogue: Catalogue, source: int, reader: Reader) -> None:
    hit = next(hit for hit in search(catalogue, reader, "femur", elsewhere=True).hits)
    with catalogue.reading() as connection:
        assert place_of(connection, reader, hit.id) is None
        assert named(connection, reader, [hit.id]) == ()
        assert hit.id not in all_folders(connection)
        assert hit.id not in {one.id for one in newest_published(connection, 10)}
        assert count_records(connection, reader) == (2 if reader.sees_all else 1)
        kept = harvested_item(connection, hit.id)
    assert kept is not None
    assert (kept.item, kept.source, kept.fetched_utc) == (BONE, "Elsewhere", MOMENT)
    assert "femur" not in str(search(catalogue, reader).hits)
    assert "Bone of a cave bear" in found(catalogue, reader)
    assert "Bone of a cave bear" not in found(catalogue, OPEN_ONLY)


def test_keeping_again_changes_nothing_but_the_day(catalogue: Catalogue, source: int) -> None:
    before = search(catalogue, ANYBODY, elsewhere=True)
    with catalogue.writing() as connection:
        told = keep(connection, source, [BONE, TOOTH, TOOTH], MOMENT + 86400)
    assert (told.added, told.changed, told.same, told.deleted) == (0, 0, 2, 0)
    after = search(catalogue, ANYBODY, elsewhere=True)
    same = [replace(hit, fetched=hit.fetched and hit.fetched - 86400) for hit in after.hits]
    assert same == list(before.hits)


def test_what_the_source_changes_and_deletes_follows(catalogue: Catalogue, source: int) -> None:
    other = replace(BONE, title="Bone of a lion", parameters={})
    with catalogue.writing() as connection:
        gone = Item(identifier=TOOTH.identifier, deleted=True)
        told = keep(connection, source, [other, gone, Item("unknown", deleted=True)], MOMENT)
    assert (told.added, told.changed, told.same, told.deleted) == (0, 1, 0, 1)
    assert found(catalogue) == ["Bear ours", "Bone of a lion"]
    assert found(catalogue, words="cave") == []
    assert found(catalogue, ranges={"energy": "19..21 keV"}) == []
    assert search(catalogue, ANYBODY, elsewhere=True).total == 2


def test_what_a_whole_listing_does_not_have_goes(catalogue: Catalogue, source: int) -> None:
    with catalogue.writing() as connection:
        end_listing(connection, source)
        begin_listing(connection, source)
        keep(connection, source, [BONE])
        assert forget_unlisted(connection, source) == 1
        assert [one.count for one in all_sources(connection)] == [1]
    assert found(catalogue) == ["Bear ours", "Bone of a cave bear"]
    with catalogue.writing() as connection:
        assert forget_all(connection, source) == 1
    assert found(catalogue) == ["Bear ours"]


def test_a_listing_that_was_interrupted_goes_on(catalogue: Catalogue, source: int) -> None:
    with catalogue.writing() as connection:
        first = begin_listing(connection, source)
        note(connection, source, token="page 2")
        assert begin_listing(connection, source).listing == first.listing
        end_listing(connection, source, "2026-11-20T00:00:00Z")
        again = begin_listing(connection, source)
    assert (again.listing, again.token, again.response_date) == (
        first.listing + 1,
        "",
        "2026-11-20T00:00:00Z",
    )


def test_a_rebuild_and_a_restore_keep_it(
    catalogue: Catalogue, source: int, tmp_path: Path, place: Files
) -> None:
    before = search(catalogue, ANYBODY, elsewhere=True, facets=True)
    rebuild_index(catalogue, [tmp_path / "records"])
    assert search(catalogue, ANYBODY, elsewhere=True, facets=True) == before
    assert found(catalogue, words="femur") == ["Bone of a cave bear"]
    backup(catalogue, tmp_path / "backup.zip")
    with open_catalogue(place(tmp_path / "second.sqlite")) as second:
        restore(second, tmp_path / "backup.zip")
        assert sorted(found(second)) == sorted(found(catalogue))
        assert found(second, words="femur") == ["Bone of a cave bear"]


def test_a_record_of_two_sources_is_found_once(
    catalogue: Catalogue, source: int, tmp_path: Path, place: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    more = replace(BONE, identifier="10.1/B", doi="10.1234/B", address="https://doi.org/10.1234/B")
    less = Item(identifier="other:b", title="Bone", doi="10.1234/b", address="https://other.org/b")
    by_page = replace(TOOTH, identifier="t", address="http://Elsewhere.org/2/")
    twins = [Item(f"twin {n}", title=f"Twin {n}", address="https://elsewhere.org/all") for n in (1, 2)]
    with catalogue.writing() as connection:
        other = add_source(connection, "panosc", "https://elsewhere.org/api", "Twice").number
        begin_listing(connection, other)
        keep(
            connection, source, [replace(TOOTH, address="https://elsewhere.org/2#top"), *twins, less], MOMENT
        )
        keep(connection, source, [Item(BONE.identifier, deleted=True)], MOMENT)
        keep(connection, other, [more, by_page, replace(twins[0], identifier="one")], MOMENT)
        keep(connection, other, [replace(more, title="Bone of a bear")], MOMENT)
    whole = ["Bear ours", "Tooth of a cave bear", "Bone of a bear", "Twin 1", "Twin 2", "Twin 1"]
    assert sorted(found(catalogue)) == sorted(whole)  # of twins nobody knows which is which
    bone = search(catalogue, ANYBODY, "femur", elsewhere=True).hits[0]
    assert (bone.source, bone.also, bone.doi) == ("Twice", ("Elsewhere",), "10.1234/B")
    tooth = search(catalogue, ANYBODY, "tooth", elsewhere=True).hits[0]
    assert (tooth.source, tooth.also) == ("Elsewhere", ("Twice",))  # as much: the one that was known first
    for title in ("Elsewhere", "Twice"):
        assert found(catalogue, words="femur", filters={"catalogue": title}) == ["Bone of a bear"]
    rebuild_index(catalogue, [tmp_path / "records"])
    assert sorted(found(catalogue)) == sorted(whole)
    assert execute(["search", "femur", "--catalogue", str(place(tmp_path / "catalogue.sqlite"))]) == 0
    told = capsys.readouterr().out
    assert "from Twice, as of 2027-01-15; also in Elsewhere\n  https://doi.org/10.1234/B\n" in told
    with catalogue.writing() as connection:
        keep(connection, other, [Item("10.1/B", deleted=True)], MOMENT)
        assert harvested_item(connection, bone.id) is None
    (left,) = search(catalogue, ANYBODY, "bone", elsewhere=True).hits
    assert (left.title, left.source, left.also, left.address) == ("Bone", "Elsewhere", (), less.address)
    with catalogue.writing() as connection:
        forget_all(connection, source)
    assert sorted(found(catalogue)) == ["Bear ours", "Tooth of a cave bear", "Twin 1"]
    assert search(catalogue, ANYBODY, "tooth", elsewhere=True).hits[0].source == "Twice"


def test_another_title_of_the_source_is_found(catalogue: Catalogue, source: int) -> None:
    with catalogue.writing() as connection:
        assert add_source(connection, "oai", "https://elsewhere.org/oai", "Another name").number == source
        for title, other in (("here", "x"), ("", "x"), ("Another name", "https://other.org")):
            with pytest.raises(InputError, match="title"):
                add_source(connection, "oai", other, title)
    assert len(found(catalogue, filters={"catalogue": "Another name"})) == 2
    assert found(catalogue, filters={"catalogue": "Elsewhere"}) == []


def test_hostile_items_are_kept_plainly_or_left_out(catalogue: Catalogue, source: int) -> None:
    wild = Item(
        "nul \x00 and \ud800",
        title="A\x00B \ud800",
        created="soon",
        parameters={"x": float("nan"), "n": 10**400},
    )
    large = Item("large", description="x" * LARGEST)
    with catalogue.writing() as connection:
        told = keep(connection, source, [wild, large])
    assert told.added == 1
    assert told.problems[0].startswith("large: tells ")
    assert "AB ?" in found(catalogue)


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("2020", ("2020", 1577836800.0)),
        ("2020-03", ("2020-03", 1583020800.0)),
        ("2020-05-05", ("2020-05-05", 1588636800.0)),
        ("2020-05-05T15:01:02.341Z", ("2020-05-05T15:01:02.341000+00:00", 1588690862.341)),
        ("soon", None),
        ("", None),
        ("20x0", None),
        ("2020-13-01", None),
    ],
)
def test_moments_are_told_no_more_exactly_than_they_were(told: str, moment: tuple[str, float] | None) -> None:
    assert read_moment(told) == moment
