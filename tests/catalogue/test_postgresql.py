"""PostgreSQL beside SQLite: the same answers, one writer at a time, and nothing lost that was confirmed."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app_client import TestClient
from postgresql_server import Server
from tomarium import optional_packages
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Page,
    Reader,
    file_record,
    find,
    ingest,
    open_catalogue,
    postgresql,
    queries,
    search,
)
from tomarium.catalogue.audit import note, verify
from tomarium.catalogue.backup import backup, durable_tables, restore
from tomarium.catalogue.comments import comment
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.index_rows import Entry, save_records
from tomarium.catalogue.jobs import add_job, take_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.postgresql_numbers import codes_of, in_ranges, save_numbers
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.settings import all_settings, change_setting
from tomarium.catalogue.words import read_terms
from tomarium.cli import execute
from tomarium.errors import DatabaseUnavailable, EngineUnavailable, InputError
from tomarium.model import Person, Value
from tomarium.portal.app import create_app

ANN = Reader("ann", "member", teams=("bones",))
READERS = (Reader(), ANN, Reader(invited=("r3", "r5")), LOCAL_OWNER)
WORDS = [
    "bone",
    "tooth",
    "shell",
    "enamel",
    "ct12",
    "0",
    "65",
    "um",
    "1e5",
    "3d",
    "énamel",
    "straße",
    "ﬁne",
    "骨",
    "λ",
    "no3",
    "x",
]
LONG = "a" * 700
MANY = [f"{number:06x}" for number in range(90_000)]  # more different words than a tsvector takes


@pytest.fixture
def catalogue(server: Server) -> Iterator[Catalogue]:
    address = server.fresh()
    with open_catalogue(address) as opened:
        yield opened
    server.remove(address)


def made(number: int) -> Entry:
    """Draw a record; several share a moment, a set of facets, a text."""
    draw = random.Random(number)
    created_utc = 1.6e9 + 86400 * draw.randrange(40)
    public = draw.random() < 0.6
    row = {
        "id": f"r{number}", "title": " ".join(draw.choices(WORDS, k=4)),
        "created": f"{draw.randrange(2019, 2023)}-01-01T00:00:00+00:00", "created_utc": created_utc, "store": 1,
        "path": f"r{number}", "bytes": 5_900_000_000, "thumbnail": "", "shape": [1, 2, 3], "voxel_m": 1e-6,
        "state": "published" if public else "draft", "owner": draw.choice(("ann", "bob")),
        "team": draw.choice(("bones", "")), "public_from": created_utc if public else None,
        "open_from": created_utc if public else None, "doi": "", "licence": "CC0-1.0",
    }  # fmt: skip
    facets = {("instrument", draw.choice(("ID16", "ID19", "Éiger"))), ("year", row["created"][:4])}
    numbers = {
        "pixel_m": draw.choice((0.5e-6, 0.65e-6, 1e-6, 3e-6)),
        "energy_kev": float(draw.randrange(9, 60)),
    }
    texts = [" ".join(draw.choices(WORDS, k=8)) for _ in range(2)]
    return Entry(row, texts[0], texts[1].replace(" ", "\n", 2), tuple(sorted(facets)), numbers)


def odd(number: int, description: str) -> Entry:
    entry = made(number)
    return replace(entry, row=entry.row | {"title": "odd"}, description=description)


@pytest.fixture(scope="module")
def both(server: Server) -> Iterator[tuple[Catalogue, Catalogue]]:
    with open_catalogue("sqlite:///") as one, open_catalogue(server.fresh()) as other:
        for catalogue in (one, other):
            with catalogue.writing() as connection:
                connection.execute(text("INSERT INTO store (number, address) VALUES (1, '/nowhere')"))
        yield one, other


@pytest.fixture(scope="module")
def twins(both: tuple[Catalogue, Catalogue]) -> tuple[Catalogue, Catalogue]:
    """The same records in both databases, some of them written twice."""
    entries = [made(number) for number in range(120)]
    changed = [replace(entry, description="now other words") for entry in entries[:20]]
    for catalogue in both:
        with catalogue.writing() as connection:
            save_records(connection, entries)
            save_records(connection, [made(number + 1000) for number in range(20)])
            save_records(connection, changed)
    return both


@pytest.fixture(scope="module")
def strange(twins: tuple[Catalogue, Catalogue]) -> tuple[Catalogue, Catalogue]:
    """What few texts hold, besides; used last, for it is slow to show."""
    entries = [
        odd(300, f"{LONG} end"),
        odd(301, f"{LONG}b end"),
        odd(302, f"{'filler ' * 20_000}needle in hay"),
        odd(303, " ".join([*MANY, "last words"])),
        odd(304, "a\0b _ % \\ ' \" : & | ! ( ) thing"),
    ]
    for catalogue in twins:
        with catalogue.writing() as connection:
            save_records(connection, entries)
    return twins


NUMBERS = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1.7e308,
    -1.7e308,
    1e-6,
    math.nextafter(1e-6, 0),
    1.0,
    math.nextafter(1.0, 2),
]


def test_any_range_of_numbers_is_found_by_their_first_bits(catalogue: Catalogue) -> None:
    draw = random.Random(3)
    numbers = NUMBERS + [draw.uniform(-1, 1) * 10 ** draw.uniform(-9, 9) for _ in range(200)]
    bounds = [*numbers, -math.inf, math.inf]
    with catalogue.writing() as connection:
        save_numbers(connection, [(key, place, each) for key in (7, 8) for place, each in enumerate(numbers)])
        for _ in range(60):
            low, high = sorted(draw.choices(bounds, k=2))
            asked = Range("load_n", low, high, draw.random() < 0.5, draw.random() < 0.5)
            assert len(codes_of(7, asked)) <= 204
            held, record, conditions = in_ranges([(7, asked), (8, asked)], by_size=True, name="held")
            found = connection.execute(select(record).select_from(held).where(*conditions)).scalars()
            assert sorted(found) == [place for place, each in enumerate(numbers) if each in asked]


def plain(page: Page) -> Page:
    """Leave out how relevant each is, which each database computes in its own way."""
    hits = (replace(hit, score=None, snippet=hit.snippet.replace("\0", "\ufffd")) for hit in page.hits)
    return replace(page, hits=tuple(hits))


def question(draw: random.Random) -> tuple[Reader, str, dict[str, object]]:
    words = draw.choices(
        [*WORDS, "sh", "unicorn", "now", '"other words"', "ct-12", "0.65"], k=draw.randrange(3)
    )
    if draw.random() < 0.3:
        words.append(f'"{draw.choice(WORDS)} {draw.choice(WORDS)}"')
    filters = {
        "instrument": draw.sample(("ID16", "ID19", "Éiger", "none"), 2),
        "year": ("2020",),
        "state": ("draft",),
    }
    ranges = {
        "pixel": draw.choice(("<1um", "0.6..1 um", ">2um")),
        "energy": draw.choice((">=20 keV", "20..40 keV")),
    }
    return (
        draw.choice(READERS),
        " ".join(words) + draw.choice(("", " ")),
        {
            "filters": {name: filters[name] for name in filters if draw.random() < 0.25},
            "ranges": {name: ranges[name] for name in ranges if draw.random() < 0.3},
        },
    )


@pytest.mark.parametrize("most", [20_000, 30])
def test_answers_are_the_same(
    twins: tuple[Catalogue, Catalogue], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "RANKED_AT_MOST", most)
    monkeypatch.setattr("tomarium.catalogue.find._FEW", most // 2)
    draw, found = random.Random(most), 0
    for _ in range(60):
        reader, words, asked = question(draw)
        limit = draw.randrange(3, 25)
        one, other = (
            search(catalogue, reader, words, sort="newest", limit=limit, facets=True, **asked)  # type: ignore[arg-type]
            for catalogue in twins
        )
        assert plain(other) == plain(one), (reader, words, asked)
        found += one.total > 0
        if words.strip():
            ranked = [search(catalogue, reader, words, limit=200, **asked) for catalogue in twins]  # type: ignore[arg-type]
            assert {hit.id for hit in ranked[0].hits} == {hit.id for hit in ranked[1].hits}
            # Counted by facets, all is found in one look, and its relevance looked up apart.
            both = search(twins[1], reader, words, limit=200, facets=True, **asked)  # type: ignore[arg-type]
            assert replace(both, facets=(), facets_of_newest=False) == ranked[1]
        if one.next and draw.random() < 0.3:
            after = [
                search(c, reader, words, sort="newest", limit=limit, after=one.next, **asked) for c in twins
            ]  # type: ignore[arg-type]
            assert plain(after[0]) == plain(after[1])
    assert found > 20


def test_relevance_is_the_same_of_what_is_known_to_be_found(twins: tuple[Catalogue, Catalogue]) -> None:
    for catalogue in twins:
        with catalogue.reading() as connection:
            for words in ("tooth shell", "tooth"):
                asked = find.make_question(connection, LOCAL_OWNER, read_terms(words), {}, ())
                total = find.count(connection, asked)
                listed = find.places(connection, asked, total=total, ranked=True, limit=1000)
                numbers = sorted(place.number for place in listed)
                assert len({place.score for place in listed}) > 1
                # Of few, the newest are perhaps as relevant as any, and the others are not looked up.
                for limit, offset in ((5, 2), (1, 0), (2, 0), (1, 1)):
                    shown = find.most_relevant(connection, asked, numbers, limit=limit, offset=offset)
                    assert shown == listed[offset : offset + limit]


def test_pages_by_relevance_lead_on_and_back(twins: tuple[Catalogue, Catalogue]) -> None:
    _, catalogue = twins
    whole = search(catalogue, LOCAL_OWNER, "tooth", limit=1000)
    pages = [search(catalogue, LOCAL_OWNER, "tooth", limit=20)]
    while (cursor := pages[-1].next) is not None:
        pages.append(search(catalogue, LOCAL_OWNER, "tooth", limit=20, after=cursor))
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    back = [pages[-1]]
    while (cursor := back[-1].previous) is not None:
        back.append(search(catalogue, LOCAL_OWNER, "tooth", limit=20, after=cursor))
    assert [page.hits for page in reversed(back)] == [page.hits for page in pages]
    best = next(hit for hit in whole.hits)
    assert "tooth" in best.title  # a word of the title counts more than one of the rest


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (LONG, {"r300", "r301"}),
        (f"{LONG} ", {"r300"}),
        (f"{LONG}b ", {"r301"}),
        (LONG[:500], {"r300", "r301"}),
        (f"{LONG[:500]} ", set()),
        (f"{LONG[:499]} ", set()),
        (f'"{LONG} end"', {"r300"}),
        ('"needle in hay"', {"r302"}),
        ('"hay needle"', set()),
        ("needle fill", {"r302"}),
        ('"last words"', {"r303"}),
        (f"{MANY[-1]} ", {"r303"}),
        (f"{MANY[-1]} unicorn ", set()),
        ('"a b thing"', {"r304"}),
    ],
)
def test_what_few_texts_hold_is_found(
    strange: tuple[Catalogue, Catalogue], words: str, ids: set[str]
) -> None:
    for catalogue in strange:
        assert {hit.id for hit in search(catalogue, LOCAL_OWNER, words).hits} == ids


def test_order_is_that_of_letters(catalogue: Catalogue) -> None:
    names = ["Zoe", "ada", "Ärzte", "b-2", "b1", "B"]
    with catalogue.writing() as connection:
        connection.execute(text("CREATE TABLE named (name text)"))
        postgresql.end_migration(connection)
        connection.execute(text("INSERT INTO named VALUES (:name)"), [{"name": name} for name in names])
        assert connection.execute(text("SELECT name FROM named ORDER BY name")).scalars().all() == sorted(
            names
        )
        assert connection.execute(text("SELECT name FROM named WHERE name < 'a'")).scalars().all() == [
            "Zoe",
            "B",
        ]


def test_one_writes_after_the_other(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        for number in range(12):
            add_job(connection, LOCAL_OWNER, "wait", {"number": number})

    def work(_worker: int) -> list[int]:
        taken = []
        while (job := take_job(catalogue)) is not None:
            taken.append(job.number)
            with catalogue.writing() as connection:
                note(connection, LOCAL_OWNER, "work", number=job.number)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [number for found in pool.map(work, range(4)) for number in found]
    assert sorted(taken) == list(range(1, 13))  # each by one worker only
    verdict = verify(catalogue)
    assert (verdict.lines, verdict.problem) == (12, "")


def test_who_waits_too_long_is_told(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "WRITING", postgresql.WRITING.replace("'{}s'", "'50ms'"))
    with catalogue.writing() as connection:
        change_setting(connection, "name", "first")
        with pytest.raises(DatabaseUnavailable, match="held by another program"), catalogue.writing():
            pass
        with catalogue.reading() as reading:  # readers do not wait
            assert all_settings(reading)["name"] != "first"
    with catalogue.reading() as reading:
        assert all_settings(reading)["name"] == "first"


def test_readers_see_one_state_and_write_nothing(catalogue: Catalogue) -> None:
    with catalogue.reading() as reading:
        before = all_settings(reading)["name"]
        with catalogue.writing() as connection:
            change_setting(connection, "name", "changed")
        assert all_settings(reading)["name"] == before
    with pytest.raises(Exception, match="read-only transaction"), catalogue.reading() as reading:
        change_setting(reading, "name", "never")


def test_programs_may_make_it_at_once(server: Server) -> None:
    server.run("CREATE DATABASE empty_one")
    code = "import sys; from tomarium.catalogue import open_catalogue; open_catalogue(sys.argv[1]).close()"
    command = [sys.executable, "-W", "error", "-c", code, server.address("empty_one")]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(program.communicate()[1], program.returncode) for program in programs] == [("", 0)] * 2


def test_connection_that_breaks_confirms_nothing(catalogue: Catalogue, server: Server) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "name", "kept")

    def broken() -> None:
        with catalogue.writing() as connection:
            change_setting(connection, "name", "lost")
            number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            server.run(f"SELECT pg_terminate_backend({number}, 5000)")
            connection.execute(select(1))

    with pytest.raises(DatabaseUnavailable, match="not confirmed"):
        broken()
    with catalogue.reading() as connection:  # on another connection, without a word
        assert all_settings(connection)["name"] == "kept"


def test_portal_lives_through_a_fall_of_the_server(server: Server) -> None:
    with (
        open_catalogue(server.fresh()) as catalogue,
        TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client,
    ):
        with catalogue.writing() as connection:
            change_setting(connection, "name", "A house that stays")
        assert "A house that stays" in client.get("/").text
        server.stop()
        try:
            answer = client.get("/records.json?q=bone")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
            assert answer.headers["content-type"] == "application/problem+json"
            assert "ask again in a moment" in answer.json()["detail"]
            assert str(server.folder) not in answer.text
            page = client.get("/records?q=bone", headers={"accept": "text/html"})
            assert page.status_code == 503
            assert "was not confirmed" in page.text
        finally:
            server.resume()
        assert "A house that stays" in client.get("/").text


@pytest.mark.parametrize("to_server", [True, False])
def test_a_backup_moves_from_one_database_to_the_other(
    server: Server, tmp_path: Path, make_volume: Callable[..., Path], to_server: bool
) -> None:
    places: list[Path | str] = [tmp_path / "c.sqlite", server.fresh()]
    old, new = places if to_server else places[::-1]
    folder = tmp_path / "records" / "tooth"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="A tooth", id="tooth", parameters={"age_years": Value(69, "user", "typed")})
    with open_catalogue(old) as before, open_catalogue(new) as after:
        ingest(before, folder, reader=ANN)
        edit(
            before,
            ANN,
            "tooth",
            Changes(licence="CC0-1.0", creators=(Person("Ada"),), withhold=("age_years",)),
        )
        for words in ("one", "two", "three"):
            comment(before, ANN, "tooth", words)
        with before.writing() as connection:
            change_setting(connection, "doi_prefix", "10.5072")
            add_job(connection, ANN, "wait", {"batch": "é", "numbers": [1, 0.1, None]})
        publish(before, LOCAL_OWNER, "tooth", Request(embargo="1 year"))
        found = replace(search(before, ANN, "tooth").hits[0], score=None)
        backup(before, tmp_path / "b.zip")
        assert restore(after, tmp_path / "b.zip").problems == ()
        assert replace(search(after, ANN, "tooth").hits[0], score=None) == found
        for table in durable_tables():
            rows = []
            for catalogue in (before, after):
                with catalogue.reading() as connection:
                    listed = connection.execute(select(table).order_by(*table.primary_key))
                    rows.append([row._asdict() for row in listed])
            if table.name == "record_change":  # harvesters are told all of a restored catalogue anew
                assert all(
                    new.pop("changed_utc") >= old.pop("changed_utc") for old, new in zip(*rows, strict=True)
                )
            added = 1 if table.name == "audit" else 0  # the line that tells of the restore
            assert rows[1][: len(rows[1]) - added] == rows[0], table.name
        assert verify(after).problem == ""
        comment(after, ANN, "tooth", "four")  # numbers go on where they were
        with after.writing() as connection:
            assert add_job(connection, ANN, "wait", {}) == 2


def test_addresses_are_read(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for address, said in {
        "mysql://host/base": "SQLite or PostgreSQL",
        "postgresql://host:port/base": "is no address of a database",
        "postgresql://ann:secret@127.0.0.1:1/base": "check that the server runs",
        server.address("absent"): "createdb",
    }.items():
        with pytest.raises(InputError, match=said) as problem:
            open_catalogue(address)
        assert "secret" not in str(problem.value)
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(InputError, match="encoding is LATIN1"):
        open_catalogue(server.address("latin"))
    server.run("CREATE DATABASE bare TEMPLATE template0")
    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "OLDEST", 99)
        with pytest.raises(InputError, match=r"its server is PostgreSQL \d+, and 99 or newer is needed"):
            open_catalogue(server.address("bare"))
    with pytest.raises(InputError, match="there is no catalogue of this name"):
        open_catalogue(server.address("bare"), make=False)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    with open_catalogue(server.address("bare")) as catalogue:
        assert catalogue.home == tmp_path
        assert "secret" not in Catalogue(catalogue.engine, catalogue.name).name


def test_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional_packages, "import_module", absent)
    with pytest.raises(EngineUnavailable, match=r"pip install 'tomarium\[postgresql\]'"):
        open_catalogue("postgresql://ann@host/base")


def test_commands_take_an_address(
    server: Server, tmp_path: Path, make_volume: Callable[..., Path], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    address = server.fresh()
    folder = tmp_path / "tooth"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="A tooth", id="tooth")
    assert execute(["ingest", str(folder), "--catalogue", address]) == 0
    assert execute(["search", "tooth", "--catalogue", address]) == 0
    assert "A tooth" in capsys.readouterr().out
    assert not (tmp_path / "home").exists()
