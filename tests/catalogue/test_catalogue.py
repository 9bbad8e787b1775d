"""The index: opened, filled, searched, rebuilt; it never knows more than the folders."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    catalogue_file,
    file_record,
    home,
    ingest,
    open_catalogue,
    queries,
    read_record,
    rebuild,
    records_folder,
    search,
    sqlite,
)
from tomarium.catalogue.all_tables import EVERY, FILES
from tomarium.catalogue.tables import records
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.model import Record, Value

TEETH = [
    ("molar", "Human molar, ÉNAMEL and dentine", ("tooth", "phase contrast"), 20.0),
    ("premolar", "Premolar of a bear", ("tooth", "bear"), 35.5),
    ("shell", "Foraminifera in sediment", ("CT-12",), None),
]

PEOPLE = ("Lovelace, Ada", "Grace Hopper")


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("roots")
    for day, (id, title, keywords, energy) in enumerate(TEETH, 1):
        folder = root / "2026" / id
        make_volume(folder / "volume.ome.zarr", size=16)
        file_record(
            folder,
            id=id,
            title=title,
            keywords=keywords,
            created=datetime(2026, 11, day, tzinfo=UTC),
            creators=PEOPLE[day - 1 :],
            parameters={
                "energy_kev": Value(energy, "read", "x"),
                "sample_name": Value(f"S-{day}", "user", "y"),
            },
        )
    return root


@pytest.fixture
def catalogue(tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "new" / "catalogue.sqlite")) as catalogue:
        yield catalogue


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, place: Files, roots: Path) -> Iterator[Catalogue]:
    """For tests that only ask."""
    with open_catalogue(place(tmp_path_factory.mktemp("filled") / "catalogue.sqlite")) as catalogue:
        assert rebuild(catalogue, [roots]).problems == ()
        yield catalogue


@pytest.fixture
def changing(catalogue: Catalogue, roots: Path) -> Catalogue:
    """For tests that write."""
    assert rebuild(catalogue, [roots]).problems == ()
    return catalogue


def found(catalogue: Catalogue, words: str) -> list[str]:
    return [hit.id for hit in search(catalogue, LOCAL_OWNER, words).hits]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("", ["shell", "premolar", "molar"]),
        ("  ", ["shell", "premolar", "molar"]),
        ("enamel", ["molar"]),
        ("ÉNAM", ["molar"]),
        ("enam ", []),
        ("molar", ["molar"]),
        ("tooth bear", ["premolar"]),
        ("BEAR Tooth", ["premolar"]),
        ('"phase contrast"', ["molar"]),
        ('"contrast phase"', []),
        ("contrast phase", ["molar"]),
        ("ct-12", ["shell"]),
        ("12-ct", []),
        ('"20 keV"', ["molar"]),
        ("35.5 kev", ["premolar"]),
        ("s-2", ["premolar"]),
        ("tooth unicorn", []),
        ("***", []),
        ('"', []),
    ],
)
def test_search_finds(filled: Catalogue, words: str, ids: list[str]) -> None:
    assert found(filled, words) == ids
    assert search(filled, LOCAL_OWNER, words).total == len(ids)


def test_title_counts_more_than_the_rest(filled: Catalogue) -> None:
    hits = search(filled, LOCAL_OWNER, "t").hits
    assert {hit.id for hit in hits} == {"molar", "premolar"}
    scores = [hit.score for hit in search(filled, LOCAL_OWNER, "bear").hits]
    assert all(score is not None and score > 0 for score in scores)


def test_pages_cover_all_without_overlap(filled: Catalogue) -> None:
    pages = [search(filled, LOCAL_OWNER, "", limit=1, offset=offset) for offset in range(4)]
    assert [hit.id for page in pages for hit in page.hits] == ["shell", "premolar", "molar"]
    assert {page.total for page in pages} == {3}


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (1, -1), (1, 2**63)])
def test_page_out_of_range_is_refused(filled: Catalogue, limit: int, offset: int) -> None:
    with pytest.raises(ParameterError, match="limit"):
        search(filled, LOCAL_OWNER, "", limit=limit, offset=offset)


SIGNS = [
    '"',
    "'",
    "*",
    "(",
    ")",
    "^",
    ":",
    "-",
    "+",
    "NEAR",
    "AND",
    "OR",
    "NOT",
    "title:",
    "{a b}",
    ";--",
    "%",
    "\0",
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from([*SIGNS, "tooth"]) | st.text(max_size=6), max_size=8).map(" ".join))
def test_no_question_is_an_error(filled: Catalogue, words: str) -> None:
    page = search(filled, LOCAL_OWNER, words)
    assert page.total >= len(page.hits)
    assert page.total <= 3


def test_very_long_question_is_answered(filled: Catalogue) -> None:
    assert found(filled, " ".join(f"w{number}" for number in range(5000))) == []
    assert found(filled, "tooth " * 5000) != []
    assert found(filled, "x" * 100_000) == []


def test_beyond_what_is_ranked_the_newest_come_first(
    filled: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "RANKED_AT_MOST", 1)
    page = search(filled, LOCAL_OWNER, "tooth")
    assert [hit.id for hit in page.hits] == ["premolar", "molar"]
    assert (page.total, page.more) == (1, True)


def test_hit_tells_what_a_card_needs(filled: Catalogue) -> None:
    hit = search(filled, LOCAL_OWNER, "enamel").hits[0]
    assert (hit.title, hit.created) == ("Human molar, ÉNAMEL and dentine", "2026-11-01T00:00:00+00:00")
    assert (hit.shape, hit.voxel_m, hit.thumbnail) == ((12, 16, 16), 0.65e-6, "previews/thumbnail.png")
    assert (hit.energy_kev, hit.creators) == (TEETH[0][3], PEOPLE)
    shell = search(filled, LOCAL_OWNER, "shell").hits[0]
    assert (shell.energy_kev, shell.creators) == (None, ())
    assert hit.snippet == "Reconstructed volume of 16 × 16 × 12 voxels of 0.65 µm."
    assert search(filled, LOCAL_OWNER, "phase").hits[0].snippet == "tooth, phase contrast"


def test_ingesting_twice_changes_nothing(changing: Catalogue, roots: Path) -> None:
    before = [search(changing, LOCAL_OWNER, words) for words in ("", "tooth", "35.5")]
    record = ingest(changing, roots / "2026" / "molar")
    assert record == read_record(roots / "2026" / "molar")
    assert [search(changing, LOCAL_OWNER, words) for words in ("", "tooth", "35.5")] == before


def test_rebuilding_gives_the_same_answers(changing: Catalogue, roots: Path) -> None:
    questions = ("", "tooth", "t", "molar", "20 kev", "bear")
    before = [search(changing, LOCAL_OWNER, words) for words in questions]
    rebuilt = rebuild(changing, [roots])
    assert set(rebuilt.ids) == {"molar", "premolar", "shell"}
    assert [search(changing, LOCAL_OWNER, words) for words in questions] == before
    assert rows(changing) == 5  # two energies, and the voxel sizes of three volumes


def rows(catalogue: Catalogue) -> int:
    with catalogue.reading() as connection:
        of_all = {"sqlite": "count(number)", "postgresql": "coalesce(sum(cardinality(numbers)), 0)"}
        counted = f"SELECT {of_all[connection.dialect.name]} FROM parameter"
        return int(connection.exec_driver_sql(counted).scalar_one())


def test_rebuilding_into_a_new_file_gives_the_same_answers(
    filled: Catalogue, roots: Path, tmp_path: Path, place: Files
) -> None:
    with open_catalogue(place(tmp_path / "other.sqlite")) as other:
        for folder in sorted((roots / "2026").iterdir(), reverse=True):  # in another order than before
            ingest(other, folder)
        for words in ("", "tooth", "t", "20 kev"):
            assert search(other, LOCAL_OWNER, words) == search(filled, LOCAL_OWNER, words)


def test_edited_record_is_found_by_its_new_words_only(
    catalogue: Catalogue, tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    folder = tmp_path / "a"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="Old", id="a", parameters={"energy_kev": Value(1.0, "read", "")})
    ingest(catalogue, folder)
    file_record(folder, title="New", parameters={})
    ingest(catalogue, folder)
    assert (found(catalogue, "old"), found(catalogue, "new")) == ([], ["a"])
    assert rows(catalogue) == 1  # the voxel size of its volume


def test_moved_record_is_followed_and_a_copy_is_refused(
    catalogue: Catalogue, roots: Path, tmp_path: Path
) -> None:
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    shutil.copytree(roots / "2026" / "molar", first)
    ingest(catalogue, first)
    first.rename(second)
    ingest(catalogue, second)
    with catalogue.reading() as connection:
        assert queries.folder_of(connection, "molar") == second
    shutil.copytree(second, third)
    with pytest.raises(InputError, match="already holds a record molar"):
        ingest(catalogue, third)
    rebuilt = rebuild(catalogue, [tmp_path])
    assert rebuilt.ids == ("molar",)
    assert len(rebuilt.problems) == 1


def test_record_filed_under_another_identifier_leaves_no_trace(
    catalogue: Catalogue, roots: Path, tmp_path: Path
) -> None:
    shutil.copytree(roots / "2026" / "molar", tmp_path / "a")
    ingest(catalogue, tmp_path / "a")
    file_record(tmp_path / "a", title="Renamed", id="renamed")
    ingest(catalogue, tmp_path / "a")
    assert found(catalogue, "") == ["renamed"]
    assert found(catalogue, "enamel") == []
    assert rows(catalogue) == 1  # the voxel size of its volume


def test_rebuild_tells_what_it_could_not_take(catalogue: Catalogue, roots: Path, tmp_path: Path) -> None:
    shutil.copytree(roots / "2026" / "molar", tmp_path / "r" / "good")
    (tmp_path / "r" / "bad").mkdir()
    (tmp_path / "r" / "bad" / "ro-crate-metadata.json").write_text("{")
    rebuilt = rebuild(catalogue, [tmp_path / "r"])
    assert rebuilt.ids == ("molar",)
    assert "bad" in rebuilt.problems[0]
    with pytest.raises(InputError, match="nothing was changed"):
        rebuild(catalogue, [tmp_path / "absent"])
    assert found(catalogue, "") == ["molar"]


def test_readers_see_the_old_state_until_all_is_written(changing: Catalogue) -> None:
    with changing.writing() as connection:
        connection.execute(delete(records))
        assert queries.count_records(connection, LOCAL_OWNER) == 0
        assert len(found(changing, "")) == 3
    assert found(changing, "") == []


def test_failed_write_leaves_everything(changing: Catalogue) -> None:
    def fail() -> None:
        with changing.writing() as connection:
            connection.execute(delete(records))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(found(changing, "")) == 3


def test_two_programs_may_make_it_at_once(tmp_path: Path, place: Files) -> None:
    code = "import sys; from tomarium.catalogue import open_catalogue; open_catalogue(sys.argv[1]).close()"
    command = [sys.executable, "-W", "error", "-c", code, str(place(tmp_path / "c.sqlite"))]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(program.communicate()[1], program.returncode) for program in programs] == [("", 0)] * 3


def test_who_waits_for_a_migration_waits_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=50", *sqlite.PRAGMAS[1:]))
    engine = sqlite.connect(tmp_path / "c.sqlite")
    engine.connect().close()
    busy = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None, check_same_thread=False)
    busy.execute("BEGIN IMMEDIATE")
    with (
        engine.connect().execution_options(write=True) as refused,
        pytest.raises(OperationalError, match="locked"),
    ):
        refused.begin()
    done = threading.Timer(0.3, busy.execute, ["COMMIT"])
    done.start()
    with engine.connect().execution_options(write=True, patience_s=120) as waited, waited.begin():
        assert waited.exec_driver_sql("PRAGMA busy_timeout").scalar() == 50
    done.join()
    busy.close()
    engine.dispose()


def test_migrations_make_the_tables_of_today(catalogue: Catalogue) -> None:
    with catalogue.reading() as connection:
        here = connection.dialect.name
        options = {
            "include_name": lambda name, _kind, _parents: not str(name).startswith("record_text"),
            "include_object": lambda thing, *_told: thing.info.get("only", here) == here,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, EVERY) == []


def test_every_file_of_tables_is_among_all() -> None:
    there = {path.name for path in Path(queries.__file__).parent.glob("*tables.py")}
    assert {Path(str(file.__file__)).name for file in FILES} | {"all_tables.py"} == there


def test_file_is_set_up_as_designed(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "c.sqlite") as catalogue, catalogue.reading() as connection:
        for pragma, value in {
            "journal_mode": "wal",
            "synchronous": 1,
            "busy_timeout": 5000,
            "foreign_keys": 1,
        }.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_what_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(FormatError, match="is no catalogue"):
        open_catalogue(tmp_path / "text")
    with pytest.raises(InputError, match="cannot be opened"):
        open_catalogue(tmp_path)
    with pytest.raises(InputError, match="cannot be made"):
        open_catalogue(tmp_path / "text" / "below" / "c.sqlite")
    with pytest.raises(InputError, match="can be kept in SQLite or PostgreSQL"):
        open_catalogue("mysql://host/base")


def test_catalogue_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_catalogue(tmp_path / "c.sqlite").close()
    connection = sqlite3.connect(tmp_path / "c.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(FormatError, match="needs a newer tomarium"):
        open_catalogue(tmp_path / "c.sqlite")


def test_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    assert (home(), records_folder(), catalogue_file()) == (
        tmp_path,
        tmp_path / "records",
        tmp_path / "catalogue.sqlite",
    )
    with open_catalogue() as catalogue:
        assert search(catalogue, LOCAL_OWNER).total == 0
    assert (tmp_path / "catalogue.sqlite").exists()
    monkeypatch.delenv("TOMARIUM_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert home() == tmp_path / "data" / "tomarium"


def test_address_of_a_file_is_taken(tmp_path: Path) -> None:
    with open_catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}"):
        assert (tmp_path / "c.sqlite").exists()


def test_record_is_a_record(roots: Path, changing: Catalogue) -> None:
    assert isinstance(ingest(changing, roots / "2026" / "shell"), Record)


@pytest.fixture
def copied(tmp_path: Path, roots: Path) -> Path:
    return Path(shutil.copytree(roots / "2026" / "molar", tmp_path / "copied"))


def a_chunk(folder: Path) -> Path:
    return next(file for file in sorted(folder.glob("volume.ome.zarr/**/c/**/*")) if file.is_file())


def altered(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


class TestWhatIsNotAsItWasFiled:
    def test_a_changed_file_is_named_and_refused(self, catalogue: Catalogue, copied: Path) -> None:
        altered(a_chunk(copied))
        name = a_chunk(copied).relative_to(copied).as_posix()
        with pytest.raises(FormatError, match=f"{name} was changed.*nothing was put"):
            ingest(catalogue, copied)
        assert found(catalogue, "") == []
        ingest(catalogue, copied, checksums=False)
        assert found(catalogue, "") == ["molar"]

    @pytest.mark.parametrize("checksums", [True, False])
    def test_a_missing_file_is_named_and_refused(
        self, catalogue: Catalogue, copied: Path, checksums: bool
    ) -> None:
        a_chunk(copied).unlink()
        with pytest.raises(FormatError, match="is missing"):
            ingest(catalogue, copied, checksums=checksums)

    def test_a_file_and_its_line_in_the_manifest_changed_together(
        self, catalogue: Catalogue, copied: Path
    ) -> None:
        import hashlib

        before = hashlib.sha256(a_chunk(copied).read_bytes()).hexdigest()
        altered(a_chunk(copied))
        manifest = copied / "manifest-sha256.txt"
        after = hashlib.sha256(a_chunk(copied).read_bytes()).hexdigest()
        manifest.write_text(manifest.read_text().replace(before, after))
        with pytest.raises(FormatError, match=r"manifest-sha256.txt was changed"):
            ingest(catalogue, copied, checksums=False)

    def test_a_file_that_was_added_is_none_of_the_record(self, catalogue: Catalogue, copied: Path) -> None:
        (copied / "notes.txt").write_text("mine")
        assert ingest(catalogue, copied).id == "molar"


class TestLinks:
    @pytest.mark.parametrize(
        "name", ["notes.txt", "previews/more.png", "volume.ome.zarr/extra", ".source.json"]
    )
    def test_a_link_that_leads_out_is_named_and_refused(
        self, catalogue: Catalogue, copied: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "secret").write_text("{}")
        (copied / name).unlink(missing_ok=True)
        (copied / name).symlink_to(tmp_path / "secret")
        with pytest.raises(
            FormatError, match=rf"{name}' is a link that leads out of the record, to .*secret.*put the"
        ):
            ingest(catalogue, copied)
        assert f"'{name}' is a link" in rebuild(catalogue, [copied]).problems[0]
        assert found(catalogue, "") == []

    @pytest.mark.parametrize("name", ["ro-crate-metadata.json", "manifest-sha256.txt", "volume.ome.zarr"])
    def test_a_part_of_the_record_that_lies_elsewhere(
        self, catalogue: Catalogue, copied: Path, tmp_path: Path, name: str
    ) -> None:
        (copied / name).rename(tmp_path / name)
        (copied / name).symlink_to(f"../{name}")
        with pytest.raises(FormatError, match=rf"{name}' is a link that leads out of the record"):
            ingest(catalogue, copied)

    def test_a_record_reached_through_a_link_is_filed(
        self, catalogue: Catalogue, copied: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "beside").symlink_to(copied)
        assert ingest(catalogue, tmp_path / "beside").id == "molar"

    @pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../b", "a\\b"])
    def test_names_that_lead_out_are_refused(self, catalogue: Catalogue, copied: Path, name: str) -> None:
        manifest = copied / "manifest-sha256.txt"
        manifest.write_text(f"{manifest.read_text()}{'0' * 64}  {name}\n")
        with pytest.raises(FormatError, match="no name of a file of this folder"):
            ingest(catalogue, copied)
