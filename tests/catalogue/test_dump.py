"""The Parquet file of a catalogue: opened by DuckDB and polars, right for all states, made once for all readers."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest

from app_client import TestClient
from portal.test_visibility import ADA
from postgresql_server import Files
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue import dump as dump_module
from tomarium.catalogue import kept_dump as kept_module
from tomarium.catalogue.dump import dump
from tomarium.catalogue.dump_columns import COLUMNS
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.kept_dump import kept_dump
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.catalogue.work import do_jobs
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.model import Person, Value
from tomarium.portal.app import create_app

PEOPLE = (Person("Lovelace, Ada", "0000-0002-1825-0097", "ESRF", "02550n020"), Person("Röntgen, W. C."))
HOST = "https://tomo.example.org"


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], place: Files
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("dump")
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        for id in ("draft", "embargoed", "open", "withdrawn"):
            make_volume(home / "records" / id / "volume.ome.zarr", size=16)
            told = {"energy_kev": Value(20.0, "read", ""), "pixel_m": Value(0.65e-6, "read", "")}
            file_record(home / "records" / id, title=f"Secret {id}", id=id, parameters=told)
            ingest(opened, home / "records" / id, reader=ADA)
            edit(opened, ADA, id, Changes(licence="CC-BY-4.0", creators=PEOPLE, techniques=("PaNET01207",)))
        for id in ("embargoed", "open", "withdrawn"):
            publish(opened, LOCAL_OWNER, id, Request(embargo="2 years" if id == "embargoed" else "0"))
        withdraw(opened, LOCAL_OWNER, "withdrawn", "the wrong bear")
        yield opened


@pytest.fixture
def file(catalogue: Catalogue, tmp_path: Path) -> Path:
    told = dump(catalogue, tmp_path / "out.parquet", address=f"{HOST}/")
    assert (told.records, told.problems) == (3, ())
    assert told.bytes == (tmp_path / "out.parquet").stat().st_size
    return tmp_path / "out.parquet"


def test_duckdb_and_polars_read_the_same(file: Path) -> None:
    frame = polars.read_parquet(file)
    assert frame.columns == [one.name for one in COLUMNS]
    with duckdb.connect() as connection:
        rows = connection.sql(
            f"select id, access, creators[1].orcid, len(creators), voxel_m[3], shape, licence, techniques[1] "
            f"from '{file}' where energy_kev between 19 and 21 order by id"
        ).fetchall()
        kinds = dict(
            connection.sql(
                f"select column_name, column_type from (describe select * from '{file}')"
            ).fetchall()
        )
    assert [row[:2] for row in rows] == [
        ("embargoed", "embargoed"),
        ("open", "open"),
        ("withdrawn", "withdrawn"),
    ]
    assert rows[1][2:] == (
        "0000-0002-1825-0097",
        2,
        pytest.approx(0.65e-6),
        [12, 16, 16],
        "CC-BY-4.0",
        "PaNET01207",
    )
    assert kinds["bytes"] == "BIGINT"
    assert kinds["published"] == "TIMESTAMP WITH TIME ZONE"
    one = frame.filter(polars.col("id") == "open").row(0, named=True)
    assert one["address"] == f"{HOST}/records/open"
    assert one["creators"][1] == {"name": "Röntgen, W. C.", "orcid": None, "affiliation": None, "ror": None}
    assert one["citation"].startswith("Lovelace, A.")
    assert one["title"] == "Secret open"
    assert one["doi"] is None
    assert one["open_from"] <= one["published"]


def test_units_stand_in_the_file(file: Path) -> None:
    from arro3.io import read_parquet

    fields = read_parquet(file).schema
    told = {name: fields.field(name).metadata_str for name in ("voxel_m", "energy_kev", "bytes", "title")}
    assert [told[name].get("unit") for name in told] == ["m", "keV", "B", None]
    assert all(one["description"] for one in told.values())


def test_only_what_is_open(catalogue: Catalogue, tmp_path: Path) -> None:
    told = dump(catalogue, tmp_path / "open.parquet", reader=OPEN_ONLY)
    assert polars.read_parquet(tmp_path / "open.parquet")["id"].to_list() == ["open"]
    assert told.records == 1


def test_few_rows_are_in_memory_at_once(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_module, "ROWS", 1)
    steps: list[tuple[str, int, int]] = []
    dump(catalogue, tmp_path / "out.parquet", tell=lambda *one: steps.append(one))
    assert [one[1:] for one in steps] == [(1, 3), (2, 3), (3, 3)]
    assert len(polars.read_parquet(tmp_path / "out.parquet")) == 3


def test_it_is_written_whole_or_not_at_all(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.parquet"
    target.write_text("old")

    def fail(_found: Any) -> Any:
        raise RuntimeError("stopped")

    monkeypatch.setattr(dump_module, "batch", fail)
    with pytest.raises(BaseException, match="stopped"):
        dump(catalogue, target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(InputError, match="cannot be written"):
        dump(catalogue, tmp_path / "absent" / "out.parquet")


def test_the_command(catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(catalogue.engine.url.render_as_string(hide_password=False))
    place = place.replace("+psycopg", "") if place.startswith("postgresql") else catalogue.name
    assert execute(["dump", str(tmp_path / "a.csv"), "--catalogue", place]) == 2
    assert not (tmp_path / "a.csv").exists()
    assert execute(["dump", str(tmp_path / "a.parquet"), "--catalogue", place, "--open-only"]) == 0
    assert "1 published records" in capsys.readouterr().out


def test_one_file_serves_all_readers_of_a_state(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(*given: Any, **named: Any) -> Any:
        made.append(named["address"])
        time.sleep(0.2)
        return dump(*given, **named)

    monkeypatch.setattr(kept_module, "dump", counted)
    found: list[Any] = []
    asking = [
        threading.Thread(target=lambda: found.append(kept_dump(catalogue, "https://a.org"))) for _ in range(4)
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert made == ["https://a.org"]
    assert len({one.path for one in found}) == 1
    edit(catalogue, LOCAL_OWNER, "open", Changes(title="Secret open, renamed"))
    again = kept_dump(catalogue, "https://a.org")
    assert again is not None
    assert len(made) == 2
    assert "Secret open, renamed" in polars.read_parquet(again.path)["title"].to_list()
    edit(catalogue, LOCAL_OWNER, "open", Changes(title="Secret open"))


def test_of_a_large_catalogue_a_worker_makes_it(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "AT_ONCE", 1)
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: ANYBODY
    with TestClient(app, base_url="https://large.org") as client:
        asked = client.get("/catalogue.parquet")
        assert (asked.status_code, asked.headers["retry-after"]) == (503, "60")
        assert "being made by a worker" in asked.text
        assert client.get("/catalogue.parquet").status_code == 503
        told: list[str] = []
        assert do_jobs(catalogue, told.append)
        assert len(told) == 1
        first = client.get("/catalogue.parquet")
        assert first.status_code == 200
        edit(catalogue, LOCAL_OWNER, "open", Changes(keywords=("tusk",)))
        assert (
            client.get("/catalogue.parquet").content == first.content
        )  # the last one, while a worker makes the next
        assert do_jobs(catalogue, told.append)
        assert client.get("/catalogue.parquet").content != first.content


def test_at_its_address_ranges_can_be_asked_for(catalogue: Catalogue, tmp_path: Path) -> None:
    for reader in (ANYBODY, ADA, LOCAL_OWNER):
        app = create_app(catalogue)
        app.state.reader_of = lambda _request, reader=reader: reader
        with TestClient(app) as client:
            whole = client.get("/catalogue.parquet")
            part = client.get("/catalogue.parquet", headers={"Range": "bytes=-8"})
            same = client.get("/catalogue.parquet", headers={"If-None-Match": whole.headers["etag"]})
            head = client.head("/catalogue.parquet")
        assert (part.status_code, part.content) == (206, whole.content[-8:])
        assert (same.status_code, head.headers["content-length"]) == (304, str(len(whole.content)))
        frame = polars.read_parquet(whole.content)
        assert sorted(frame["id"]) == [
            "embargoed",
            "open",
            "withdrawn",
        ]  # no drafts
        assert set(frame["address"]) == {f"http://testserver/records/{id}" for id in frame["id"]}


def test_an_embargo_that_ends_is_told(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept_dump(catalogue, HOST)
    later = time.time() + 86400 * 731
    monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda: later)
    after = kept_dump(catalogue, HOST)
    assert before is not None
    assert after is not None
    assert replace(before, path=after.path).state != after.state
    access = dict(polars.read_parquet(after.path)[["id", "access"]].rows())
    assert access == {"embargoed": "open", "open": "open", "withdrawn": "withdrawn"}
