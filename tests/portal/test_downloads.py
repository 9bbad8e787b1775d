"""Records come as one archive that can be resumed, as lists for other programs, and in parts of their volume."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
import uvicorn
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_client import TestClient
from processor_time import demand_within
from tomarium import formats
from tomarium.catalogue import Catalogue, file_record, ingest, open_catalogue, volume_part
from tomarium.catalogue.archive import archive_held, held, make_archive
from tomarium.catalogue.contents import Content
from tomarium.catalogue.crc_store import CrcStore
from tomarium.model.part import Part
from tomarium.portal.app import create_app
from tomarium.viewers.volume import open_volume

CREATED = datetime(2026, 11, 20, 12, 30, 11, tzinfo=UTC)
SETTINGS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder.parent).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def server(catalogue: Catalogue) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = uvicorn.Server(
            uvicorn.Config(create_app(catalogue, local=True), log_level="critical", access_log=False)
        )
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/records/tooth"
        running.should_exit = True
        thread.join()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_whole_record_comes_as_one_archive(
    client: TestClient, folder: Path, kind: str, tmp_path: Path
) -> None:
    address = f"/records/tooth/download.{kind}"
    answer = client.get(address)
    assert answer.status_code == 200
    head = client.head(address)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    assert head.headers["etag"] == answer.headers["etag"]
    assert answer.headers["content-disposition"].endswith(f"tooth.{kind}")
    held_files = io.BytesIO(answer.content)
    if kind == "zip":
        with zipfile.ZipFile(held_files) as archive:
            assert archive.testzip() is None
            found = {name: archive.read(name) for name in archive.namelist()}
    else:
        with tarfile.open(fileobj=held_files) as archive:
            found = {info.name: archive.extractfile(info).read() for info in archive}
    assert found == files_of(folder)
    same = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@SETTINGS
@given(kind=st.sampled_from(["zip", "tar"]), cuts=st.sets(st.integers(1, 10**6), max_size=4))
def test_any_split_into_ranges_gives_the_archive(client: TestClient, kind: str, cuts: set[int]) -> None:
    address = f"/records/tooth/download.{kind}?path=previews/&path=protocol.yaml"
    whole = client.get(address)
    size, tag = len(whole.content), whole.headers["etag"]
    client.app.state.crc_store = CrcStore(None)  # as after a start of the server
    parts = []
    for first, stop in pairwise(sorted({0, size, *(cut % size for cut in cuts)})):
        answer = client.get(address, headers={"Range": f"bytes={first}-{stop - 1}", "If-Range": tag})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
        parts.append(answer.content)
    assert b"".join(parts) == whole.content


def test_parts_of_a_record(client: TestClient, folder: Path) -> None:
    for path in ("volume.ome.zarr/1/", "volume.ome.zarr/1"):
        answer = client.get("/records/tooth/download.zip", params={"path": [path, "protocol.yaml"]})
        names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        inside = {name for name in files_of(folder) if name.startswith("tooth/volume.ome.zarr/1/")}
        assert set(names) == inside | {"tooth/protocol.yaml"}


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "/etc/passwd",
        "volume",
        "protocol.yaml/",
        "volume.ome.zarr/../protocol.yaml",
        "",
        "/",
        ".",
    ],
)
def test_what_is_not_of_the_record_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(
        "/records/tooth/download.zip", params={"path": path}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 404
    assert "no file or folder" in answer.json()["error"]["message"]


def test_refusals_say_what_to_do(client: TestClient) -> None:
    size = int(client.head("/records/tooth/download.zip").headers["content-length"])
    asks = {"Accept": "application/json"}
    for wanted, words in ((f"bytes={size}-", f"has {size} bytes"), ("bytes=0-1,5-6", "one in each request")):
        answer = client.get("/records/tooth/download.zip", headers={**asks, "Range": wanted})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")
        assert words in answer.json()["error"]["message"]
    several = client.get("/records/tooth/files/protocol.yaml", headers={**asks, "Range": "bytes=0-1,5-6"})
    assert several.status_code == 416
    stale = client.get("/records/tooth/download.zip", headers={"Range": "bytes=5-9", "If-Range": 'W/"x"'})
    assert stale.status_code == 200
    many = client.get("/records/tooth/download.zip", params={"path": ["previews"] * 101}, headers=asks)
    assert (many.status_code, "at most 100" in many.json()["error"]["message"]) == (400, True)
    assert client.get("/records/other/download.zip").status_code == 404
    assert client.get("/records/tooth/manifest.xml").status_code == 404


def test_files_come_with_their_digest(client: TestClient, folder: Path) -> None:
    inside = next(
        path for path in sorted((folder / "volume.ome.zarr" / "0" / "c").rglob("*")) if path.is_file()
    )
    for path in ("protocol.yaml", inside.relative_to(folder).as_posix()):
        digest = hashlib.sha256((folder / path).read_bytes()).digest()
        answer = client.get(f"/records/tooth/files/{path}", headers={"Range": "bytes=1-3"})
        assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
        assert (answer.status_code, len(answer.content)) == (206, 3)


def test_changed_file_cuts_the_connection(client: TestClient, folder: Path) -> None:
    path = folder / "page.html"
    content, times = path.read_bytes(), path.stat()
    address = "/records/tooth/download.{}?path=page.html&path=protocol.yaml"
    tag = client.get(address.format("tar")).headers["etag"]
    try:
        path.write_bytes(content.swapcase())  # of the same size
        client.app.state.crc_store = CrcStore(None)
        for kind in ("zip", "tar"):
            for _ in range(2):  # the first finds out, the second was laid out anew
                with pytest.raises(Exception, match=r"response already started|is not what the record lists"):
                    TestClient(client.app).get(address.format(kind))
        assert client.head(address.format("tar")).headers["etag"] != tag
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_lost_file_is_named(client: TestClient, folder: Path) -> None:
    path = folder / "page.html"
    content = path.read_bytes()
    from tomarium.portal import downloads

    try:
        path.unlink()
        downloads._list_folder.cache_clear()
        answer = client.get("/records/tooth/download.zip", headers={"Accept": "application/json"})
        assert answer.status_code == 503
        assert "page.html" in answer.json()["error"]["message"]
    finally:
        path.write_bytes(content)
        downloads._list_folder.cache_clear()


@SETTINGS
@given(
    kind=st.sampled_from(["zip", "tar"]),
    files=st.lists(
        st.tuples(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=120), st.binary(max_size=2000)),
        max_size=6, unique_by=lambda one: one[0],
    ),
    data=st.data(),
)  # fmt: skip
def test_offset_table_agrees_with_what_is_made(
    kind: str, files: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    table = archive_held([held(f"r/{name}", content) for name, content in files], CREATED, kind).table
    whole = b"".join(table.read())
    assert len(whole) == table.size
    first = data.draw(st.integers(0, table.size))
    stop = data.draw(st.integers(first, table.size))
    assert b"".join(table.read(first, stop)) == whole[first:stop]
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            assert archive.testzip() is None
            assert {one.filename: archive.read(one) for one in archive.infolist()} == {
                f"r/{n}": c for n, c in files
            }
            assert all(one.date_time == (2026, 11, 20, 12, 30, 10) for one in archive.infolist())
    else:
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            assert {one.name: archive.extractfile(one).read() for one in archive} == {
                f"r/{n}": c for n, c in files
            }


def sparse(path: Path, table: object) -> None:
    """Write an archive of gigabytes of zeros to disk without the zeros."""
    with path.open("wb") as file:
        file.truncate(table.size)
        begin = 0
        for end in map(int, table.ends):
            if end - begin < 1 << 24:
                file.seek(begin)
                file.write(b"".join(table.read(begin, end)))
            begin = end


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_files_beyond_4_and_8_gigabytes(kind: str, tmp_path: Path) -> None:
    sizes = [5 << 30, 3, 9 << 30, 70]
    members = [Content(f"{k}.bin", size, "0" * 64) for k, size in enumerate(sizes)]

    def read(number: int, first: int, stop: int) -> Iterator[bytes]:
        yield bytes(stop - first)

    table = make_archive(kind, [one.path for one in members], members, CREATED, read, lambda number: 0).table
    path = tmp_path / f"large.{kind}"
    sparse(path, table)
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            assert [one.file_size for one in infos] == sizes
            assert infos[3].header_offset > 14 << 30
            with archive.open(infos[3]) as file:
                assert file._expected_crc == 0
        listed = subprocess.run([need("unzip"), "-Zl", str(path)], capture_output=True, text=True, check=True)
        assert "9663676416" in listed.stdout
    else:
        with tarfile.open(path) as archive:
            assert [one.size for one in archive] == sizes


def test_many_files_need_the_long_form(tmp_path: Path) -> None:
    members = [Content(f"{k}", 0, "0" * 64) for k in range(66_000)]

    def begun() -> Any:
        table = make_archive(
            "zip", [one.path for one in members], members, CREATED, lambda *_: iter(()), lambda _: 0
        ).table
        next(table.read())
        return table

    table = demand_within(2.0, begun)
    with zipfile.ZipFile(io.BytesIO(b"".join(table.read()))) as archive:
        assert len(archive.infolist()) == 66_000


def test_programs_accept_the_archives(server: str, tmp_path: Path) -> None:
    for kind in ("zip", "tar"):
        subprocess.run(
            [need("curl"), "-sfS", "--noproxy", "*", "-o", f"a.{kind}", f"{server}/download.{kind}"],
            cwd=tmp_path, check=True,
        )  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-t", "a.zip"], cwd=tmp_path, check=True, capture_output=True
    )
    subprocess.run([need("tar"), "-xf", "a.tar"], cwd=tmp_path, check=True)
    subprocess.run(
        [need("sha256sum"), "--quiet", "-c", "manifest-sha256.txt"], cwd=tmp_path / "tooth", check=True
    )
    subprocess.run([need("unzip"), "-tq", "a.zip"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("part", ["download.zip", "files/previews/thumbnail.png"])
def test_curl_goes_on(server: str, client: TestClient, part: str, tmp_path: Path) -> None:
    whole = client.get(f"/records/tooth/{part}").content
    path = tmp_path / "half"
    path.write_bytes(whole[: len(whole) // 2])
    subprocess.run(
        [need("curl"), "-sfS", "--noproxy", "*", "-C", "-", "-o", str(path), f"{server}/{part}"], check=True
    )
    assert path.read_bytes() == whole


def test_aria2_fetches_a_record(server: str, folder: Path, tmp_path: Path) -> None:
    program = need("aria2c")
    text = subprocess.run(
        [need("curl"), "-sfS", "--noproxy", "*", f"{server}/manifest.aria2"], capture_output=True, check=True
    ).stdout
    (tmp_path / "list").write_bytes(text)
    subprocess.run(
        [program, "--no-conf", "--no-proxy=*", "-q", "-j4", "-x4", "-k1M", "-i", "list"],
        cwd=tmp_path,
        check=True,
    )
    assert files_of(tmp_path / "tooth") == files_of(folder)
    whole = subprocess.run(
        [program, "--no-conf", "--no-proxy=*", "-q", "-x4", "-k1M", "-o", "a.zip", f"{server}/download.zip"],
        cwd=tmp_path, check=False,
    )  # fmt: skip
    assert whole.returncode == 0
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None


def test_lists_for_other_programs(client: TestClient, folder: Path, tmp_path: Path) -> None:
    files = {name.removeprefix("tooth/"): content for name, content in files_of(folder).items()}
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    lines = client.get("/records/tooth/manifest.sha256").text.splitlines()
    assert lines == [f"{sums[path]}  {path}" for path in sorted(sums)]
    root = ElementTree.fromstring(client.get("/records/tooth/manifest.metalink").text)
    space = {"m": "urn:ietf:params:xml:ns:metalink"}
    for one in root.findall("m:file", space):
        path = one.attrib["name"].removeprefix("tooth/")
        assert one.findtext("m:hash", None, space) == sums[path]
        assert one.findtext("m:size", None, space) == str(len(files[path]))
        assert client.get(one.findtext("m:url", None, space)).content == files[path]
    told = client.get("/records/tooth/manifest.json").json()
    assert {one["path"]: one["sha256"] for one in told["files"]} == sums


def test_bag_names_what_is_to_be_fetched(client: TestClient, folder: Path, tmp_path: Path) -> None:
    answer = client.get("/records/tooth/manifest.bagit")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    bag = tmp_path / "tooth_bag"
    assert (bag / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    for line in (bag / "tagmanifest-sha256.txt").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((bag / name).read_bytes()).hexdigest() == digest
    for line in (bag / "fetch.txt").read_text().splitlines():
        address, size, path = line.split(" ")
        content = client.get(address).content
        assert len(content) == int(size)
        (bag / path).parent.mkdir(parents=True, exist_ok=True)
        (bag / path).write_bytes(content)
    subprocess.run([need("sha256sum"), "--quiet", "-c", "manifest-sha256.txt"], cwd=bag, check=True)
    assert "Payload-Oxum" in (bag / "bag-info.txt").read_text()


REGION = {"level": "0", "z": "3:17", "y": "5:30", "x": "7"}


def test_part_of_a_volume_as_array(client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_part, "_SLAB_BYTES", 500)
    expected = np.asarray(open_volume(folder / "volume.ome.zarr").levels[0][3:17, 5:30, 7:8])
    answer = client.get("/records/tooth/volume.npy", params=REGION)
    found = np.load(io.BytesIO(answer.content))
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert client.head("/records/tooth/volume.npy", params=REGION).headers["content-length"] == str(
        len(answer.content)
    )
    rest = client.get(
        "/records/tooth/volume.npy", params=REGION,
        headers={"Range": "bytes=333-777", "If-Range": answer.headers["etag"]},
    )  # fmt: skip
    assert (rest.status_code, rest.content) == (206, answer.content[333:778])


def test_part_of_a_volume_as_tiff(client: TestClient, folder: Path, tmp_path: Path) -> None:
    expected = np.asarray(open_volume(folder / "volume.ome.zarr").levels[1][2:9, :, 4:])
    answer = client.get("/records/tooth/volume.tiff", params={"level": 1, "z": "2:9", "x": "4:"})
    path = tmp_path / "part.tiff"
    path.write_bytes(answer.content)
    assert np.array_equal(tifffile.imread(path), expected)
    volume = formats.open(path)
    assert volume.voxel_m == pytest.approx((1.3e-6,) * 3, rel=1e-6)


def test_part_of_a_volume_as_zarr(client: TestClient, folder: Path, tmp_path: Path) -> None:
    expected = np.asarray(open_volume(folder / "volume.ome.zarr").levels[0][3:17, 5:30, :])
    answer = client.get("/records/tooth/volume.zarr.zip", params={"z": "3:17", "y": "5:30"})
    path = tmp_path / "part.zarr.zip"
    path.write_bytes(answer.content)
    with zarr.storage.ZipStore(path, mode="r") as store:
        assert np.array_equal(zarr.open_group(store, mode="r")["0"][...], expected)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "part.zarr")
    volume = open_volume(tmp_path / "part.zarr")
    assert volume.voxel_m == pytest.approx((0.65e-6,) * 3)
    assert [axis.offset for axis in volume.axes] == pytest.approx([3 * 0.65e-6, 5 * 0.65e-6, 0])


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"level": "2"}, 400, "levels 0 to 1"), ({"z": "0:999"}, 400, "within 0:24"), ({"z": "5:5"}, 400, "within"),
        ({"y": "a"}, 400, "y=0:10"), ({"level": "-1"}, 400, "level"),
        ({"x": "9" * 40}, 400, "x=0:10"), ({}, 413, "level=1"),
    ],
)  # fmt: skip
def test_parts_that_are_refused(
    client: TestClient, query: dict[str, str], status: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if status == 413:
        monkeypatch.setattr(volume_part, "MOST_BYTES", 50_000)
    answer = client.get("/records/tooth/volume.npy", params=query, headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_crc_survive_a_start_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "c.crc32"
    first = CrcStore(path)
    first.keep("ab" * 32, 7)
    first.flush()
    assert CrcStore(path).find("ab" * 32) == 7
    assert CrcStore(path).find("cd" * 32) is None
    broken = CrcStore(tmp_path)  # a folder cannot be a database: it goes on in memory
    broken.keep("ab" * 32, 7)
    broken.flush()
    assert broken.find("ab" * 32) == 7


def test_a_file_of_8_TB_is_given_by_ranges_and_in_archives(tmp_path: Path) -> None:  # noqa: N802
    """A sparse file; the 4 GiB of old zips and the 8 GiB of old tapes are far behind."""
    size, folder = 8_000_000_000_000, tmp_path / "records" / "huge"
    folder.mkdir(parents=True)
    (folder / "scan.raw").write_bytes(b"first")
    file_record(folder, title="Huge", id="huge", created=CREATED, parts=[Part("document", "scan.raw")])
    with (folder / "scan.raw").open("r+b") as file:
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("this file system holds no file of 8 TB")
        file.seek(size - 4)
        file.write(b"last")
    with open_catalogue(tmp_path / "c.sqlite") as opened:
        ingest(opened, folder, checksums=False)
        client, address = TestClient(create_app(opened, local=True)), "/records/huge/files/scan.raw"
        assert client.head(address).headers["content-length"] == str(size)
        for span, content in (("0-4", b"first"), ("-4", b"last"), (f"{size - 5}-{size + 9}", b"\0last")):
            answer = client.get(address, headers={"Range": f"bytes={span}"})
            assert (answer.status_code, answer.content) == (206, content)
            assert answer.headers["content-range"].endswith(f"/{size}")
        assert client.get(address, headers={"Range": f"bytes={size}-"}).status_code == 416
        tape = client.head("/records/huge/download.tar").headers["content-length"]
        assert int(tape) > size
        blocks = client.get("/records/huge/download.tar", headers={"Range": "bytes=0-99999"}).content
        found = {}
        for start in range(
            0, len(blocks) - 511, 512
        ):  # heads are looked for, for the file's own bytes are too many
            with suppress(tarfile.TarError):
                told = tarfile.TarInfo.frombuf(blocks[start : start + 512], "utf-8", "strict")
                found[told.name] = told.size
        assert size in found.values() or f"size={size}".encode() in blocks
        packed = client.head("/records/huge/download.zip").headers["content-length"]
        assert int(packed) > size
        begins = client.get("/records/huge/download.zip", headers={"Range": "bytes=0-3"}).content
        assert begins == b"PK\x03\x04"
