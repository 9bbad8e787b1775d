"""The file manifest of a published record: what it holds, how small it is, and that every door reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app_client import TestClient
from processor_time import demand_within
from tomarium.catalogue import Catalogue, file_record, ingest, life, open_catalogue, read_record, verify
from tomarium.catalogue.backup import backup
from tomarium.catalogue.checksums import MANIFEST, Sum, read_manifest, sum_file
from tomarium.catalogue.file_table import read_table, table_of, write_table
from tomarium.catalogue.folder_listing import list_folder
from tomarium.catalogue.freeze_published import freeze_published
from tomarium.catalogue.move import add_store, move
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError
from tomarium.model import Part
from tomarium.portal.app import create_app
from tomarium.standards.ro_crate import FILENAME

MANY = 200_002  # files of the largest dataset of the ESRF


@dataclass(frozen=True)
class Published:
    catalogue: Catalogue
    folder: Path


def _scan(folder: Path, count: int) -> Path:
    """A scan of many small files, of which one folder has more than a crate lists one by one."""
    for place, files in (("raw/dark", 3), ("raw/projections", count)):
        (folder / place).mkdir(parents=True)
        for number in range(files):
            (folder / place / f"proj_{number:06d}.tif").write_bytes(
                f"{place} {number}".encode() * (number % 3)
            )
    (folder / "notes").mkdir()
    (folder / "notes" / "größe #1 100%.txt").write_text("grün", encoding="utf-8")
    (folder / "scan.log").write_text("went well")
    part = Part("projections", "raw", axes=({"name": "angle", "length": count},))
    file_record(folder, title="Scan of many files", id="many", licence="CC0-1.0", creators=("Ada Lovelace",),
                description="A scan of many files, for a test of their list.", parts=(part,))  # fmt: skip
    return folder


def _publish(catalogue: Catalogue, folder: Path) -> None:
    ingest(catalogue, folder)
    life.publish(catalogue, LOCAL_OWNER, read_record(folder).id, life.Request("0", doi=False, files=False))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    home = tmp_path_factory.mktemp("published")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        folder = _scan(home / "records" / "many", 1200)
        _publish(catalogue, folder)
        yield Published(catalogue, folder)


@pytest.fixture(scope="module")
def client(published: Published) -> Iterator[TestClient]:
    with TestClient(create_app(published.catalogue, local=True)) as client:
        yield client


def test_a_table_holds_what_was_put_in() -> None:
    files = {
        f"{place}/{number}.tif": Sum(number**7, hashlib.sha256(f"{place}{number}".encode()).hexdigest())
        for place in ("b", "a", "a/b", "a-b", "ä")
        for number in range(30)
    } | {"top.txt": Sum(2**62, "f" * 64)}
    content = write_table(files)
    table = read_table(content, "a table")
    assert dict(table.items()) == files
    assert list(table.paths) == sorted(files)
    assert write_table(dict(reversed(files.items()))) == content
    assert table.find("a/b/3.tif") == files["a/b/3.tif"]
    assert table.find("a/b") is table.find("zzz") is table.find("") is None
    folders, rows = table.children("a/")
    assert [(name, count) for name, count, _ in folders] == [("a/b/", 30)]
    assert folders[0][2] == sum(files[f"a/b/{number}.tif"].bytes for number in range(30))
    assert [table.paths[row] for row in rows] == sorted(f"a/{number}.tif" for number in range(30))
    assert [name for name, _, _ in table.children("")[0]] == ["a-b/", "a/", "b/", "ä/"]
    assert len(read_table(write_table({}), "empty")) == 0


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table" * 100])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match="is no table of files"):
        read_table(content, "manifest.parquet")


def test_the_largest_dataset_is_small_and_quick() -> None:
    files = {
        f"scan_{number // 20_000:02d}/proj_{number:06d}.tif":
            Sum(8_000_000 + number * 7919 % 400_000, f"{number * 2**230 // 7:064x}")
        for number in range(MANY)
    }  # fmt: skip
    content = write_table(files)
    assert len(content) <= 40 * MANY

    def look() -> tuple[Any, Any, list[tuple[str, int]]]:
        table = read_table(content, "a table")
        folders, _ = table.children("")
        _, rows = table.children("scan_07/")
        return folders, rows, [(table.paths[row], int(table.sizes[row])) for row in rows[5000:6000]]

    # The aim is 0.1 s; a test only tells what has become ten times slower.
    folders, rows, page = demand_within(1.0, look)
    assert (len(folders), len(rows), len(page)) == (11, 20_000, 1000)
    assert page[0] == ("scan_07/proj_145000.tif", files["scan_07/proj_145000.tif"].bytes)


@pytest.mark.parametrize("count", [387, 5000])
def test_tables_of_many_datasets_take_40_bytes_a_file(count: int) -> None:
    """484 million files of 1.25 million datasets are 387 of each; what a table takes besides its rows counts there."""
    names = [f"scan_{number // 20_000:02d}/proj_{number:06d}.tif" for number in range(count)]
    content = write_table({name: Sum(8_000_000, hashlib.sha256(name.encode()).hexdigest()) for name in names})
    assert len(content) <= min(1400 + 33 * count, 40 * count)


def test_publishing_writes_the_table(published: Published) -> None:
    record = read_record(published.folder)
    entry = next(one for one in record.files if one.role == "file table")
    assert entry.path == f"manifest-{entry.sha256[:16]}.parquet"
    assert sum_file(published.folder / entry.path) == Sum(entry.bytes, entry.sha256)
    table = table_of(published.folder, record)
    assert table is not None
    listed = read_manifest(published.folder / MANIFEST)
    assert {path: known.sha256 for path, known in table.items() if path != MANIFEST} == listed
    assert all((published.folder / path).stat().st_size == known.bytes for path, known in table.items())
    assert verify(published.folder) == ()
    # 1203 files of the scan are one folder, so that the crate stays small.
    assert [one.path for one in record.files if one.role == "data"] == ["raw/"]
    assert len(record.files) == 5
    assert (published.folder / FILENAME).stat().st_size < 10_000


def test_pages_of_a_folder(client: TestClient, published: Published) -> None:
    whole = client.get("/records/many/folders/raw.json").json()
    sizes = [path.stat().st_size for path in (published.folder / "raw/projections").iterdir()]
    assert [(one["name"], one["bytes"], one["files"]) for one in whole["entries"]] == [
        ("dark/", 3 * len("raw/dark 1"), 3),
        ("projections/", sum(sizes), 1200),
    ]
    first = client.get("/records/many/folders/raw/projections.json").json()
    assert (len(first["entries"]), first["total"], first["left_out"]) == (1000, 1200, 200)
    assert first["previous"] == ""
    second = client.get(first["next"].replace("?", ".json?")).json()
    names = [one["name"] for one in (*first["entries"], *second["entries"])]
    assert names == [f"proj_{number:06d}.tif" for number in range(1200)]
    assert (second["next"], second["left_out"]) == ("", 0)
    assert second["previous"].endswith("/folders/raw/projections")
    page = client.get("/records/many/folders/raw/projections", params={"first": 1000}).text
    assert "1\u202f001 to 1\u202f200 of 1\u202f200" in page
    assert client.get("/records/many/folders/raw", params={"first": 5}).status_code == 200
    assert client.get("/records/many/folders/raw", params={"first": -1}).status_code in (400, 422)


def test_a_draft_is_listed_as_the_published_record(published: Published) -> None:
    record = read_record(published.folder)
    draft = type(record)(
        **{**vars(record), "files": tuple(one for one in record.files if one.role != "file table")}
    )
    for path, first in (("raw", 0), ("raw/projections", 0), ("raw/projections", 1000), ("notes", 0)):
        items, total = list_folder(record, published.folder, path, first)
        plain, also = list_folder(draft, published.folder, path, first)
        assert total == also
        assert [one.name for one in items] == [one.name for one in plain]
        assert [one.bytes for one in items if not one.is_folder] == [
            one.bytes for one in plain if not one.is_folder
        ]


def test_lists_are_those_of_the_files(client: TestClient, published: Published) -> None:
    files = {one["path"]: one for one in client.get("/records/many/manifest.json").json()["files"]}
    there = {
        path.relative_to(published.folder).as_posix()
        for path in published.folder.rglob("*")
        if path.is_file()
    }
    assert files.keys() == there
    for path, one in files.items():
        assert sum_file(published.folder / path) == Sum(one["bytes"], one["sha256"])
    sums = client.get("/records/many/manifest.sha256").text.splitlines()
    assert sums == [f"{files[path]['sha256']}  {path}" for path in sorted(files)]
    answer = client.get("/records/many/files/raw/projections/proj_000007.tif")
    assert answer.headers["repr-digest"].startswith("sha-256=:")


def test_a_lost_or_changed_table_is_no_loss(published: Published, client: TestClient, tmp_path: Path) -> None:
    path = next(published.folder.glob("manifest-*.parquet"))
    kept = path.read_bytes()
    before = client.get("/records/many/folders/raw/projections.json").json()["entries"]
    record = read_record(published.folder)
    try:
        path.write_bytes(kept[:-1] + b"?")
        assert [one.problem for one in verify(published.folder)] == ["changed"]
        table_of.__globals__["_read"].cache_clear()
        assert table_of(published.folder, record) is None
        assert client.get("/records/many/folders/raw/projections.json").json()["entries"] == before
        path.unlink()
        assert [(one.path, one.problem) for one in verify(published.folder)] == [(path.name, "missing")]
        assert execute(["index", "manifests", "--catalogue", published.catalogue.name]) == 0
        assert path.read_bytes() == kept
    finally:
        path.write_bytes(kept)
    assert freeze_published(published.catalogue, LOCAL_OWNER) == (0, ())
    with pytest.raises(InputError, match="may not write the tables of files"):
        freeze_published(published.catalogue, Reader("ann", "member"))


def test_filing_again_replaces_the_table(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        folder = _scan(tmp_path / "records" / "many", 5)
        _publish(catalogue, folder)
        before = next(folder.glob("manifest-*.parquet")).name
        (folder / "notes" / "more.txt").write_text("a note more")
        record = read_record(folder)
        file_record(folder, title=record.title, parts=record.parts)
        after = [path.name for path in folder.glob("manifest-*.parquet")]
        assert len(after) == 1
        assert after != [before]
        assert verify(folder) == ()
        table = table_of(folder, read_record(folder))
        assert table is not None
        assert table.find("notes/more.txt") == sum_file(folder / "notes" / "more.txt")
        (folder / "raw" / "dark" / "proj_000001.tif").write_bytes(b"other data")
        with pytest.raises(InputError, match="was published with other data"):
            file_record(folder, title=record.title, parts=record.parts)


def test_a_large_folder_published_file_by_file_can_be_filed_again(tmp_path: Path) -> None:
    """As an earlier version listed it: the data are the same, though the crate tells them in another way now."""
    from tomarium.catalogue import filing

    with pytest.MonkeyPatch.context() as patch, open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        patch.setattr(filing, "MOST_LISTED", 10_000)
        folder = _scan(tmp_path / "records" / "many", 1200)
        _publish(catalogue, folder)
        patch.undo()
        record = file_record(folder, title="Scan of many files", parts=read_record(folder).parts)
        assert [one.path for one in record.files if one.role == "data"] == ["raw/"]
        assert verify(folder) == ()


def test_move_and_backup_take_the_table(published: Published, tmp_path: Path) -> None:
    import zipfile

    name = next(published.folder.glob("manifest-*.parquet")).name
    backup(published.catalogue, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        held = {one for one in archive.namelist() if one.startswith("records/")}
        assert held == {f"records/many/{FILENAME}", f"records/many/{name}"}
        kept = read_table(archive.read(f"records/many/{name}"), name)
        assert kept.find("scan.log") == sum_file(published.folder / "scan.log")
    with open_catalogue(tmp_path / "other.sqlite") as other:
        folder = _scan(tmp_path / "here" / "many", 4)
        _publish(other, folder)
        add_store(other, LOCAL_OWNER, tmp_path / "there")
        done = move(other, LOCAL_OWNER, "many", tmp_path / "there", remove=True)
        assert done.removed
        assert not folder.exists()
        assert verify(tmp_path / "there" / "many") == ()
        assert table_of(tmp_path / "there" / "many", read_record(tmp_path / "there" / "many")) is not None
        assert json.loads((tmp_path / "there" / "many" / FILENAME).read_text())
        assert not list((tmp_path / "here").iterdir())
