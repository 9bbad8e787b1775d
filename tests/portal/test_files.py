"""Files come whole and in ranges, and nothing comes that is not the record's."""

import hashlib
import json
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from app_client import TestClient
from tomarium.catalogue import read_record
from tomarium.portal.files import find_file
from tomarium.viewers.volume import open_volume

BASE = "/records/tooth/files/"


def test_every_listed_file_comes_with_its_checksum(client: TestClient, folder: Path) -> None:
    files = [entry for entry in read_record(folder).files if not entry.path.endswith("/")]
    assert len(files) >= 6
    for entry in files:
        answer = client.get(BASE + entry.path)
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == entry.sha256
        assert answer.headers["etag"] == f'"{entry.sha256}"'
        assert answer.headers["content-length"] == str(entry.bytes)
        assert answer.headers["accept-ranges"] == "bytes"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, 1000), max_size=5))
def test_any_split_into_ranges_gives_the_file(client: TestClient, folder: Path, cuts: set[int]) -> None:
    whole = (folder / "previews" / "thumbnail.png").read_bytes()
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    parts = []
    for start, end in pairwise(edges):
        answer = client.get(BASE + "previews/thumbnail.png", headers={"Range": f"bytes={start}-{end - 1}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
        parts.append(answer.content)
    assert b"".join(parts) == whole


def test_conditions_are_kept(client: TestClient, folder: Path) -> None:
    address = BASE + "protocol.yaml"
    tag = client.get(address).headers["etag"]
    again = client.get(address, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    ranged = {"Range": "bytes=2-4"}
    assert client.get(address, headers={**ranged, "If-Range": tag}).content == b"eps"
    assert client.get(address, headers={**ranged, "If-Range": '"other"'}).status_code == 200
    assert client.get(address, headers={"Range": "bytes=-3"}).content == b"[]\n"
    beyond = client.get(address, headers={"Range": "bytes=900-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    head = client.head(address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")


def test_changed_file_has_another_tag(client: TestClient, folder: Path) -> None:
    path = folder / "page.html"
    before, content = client.get(BASE + "page.html").headers["etag"], path.read_bytes()
    try:
        path.write_bytes(content + b"!")
        assert client.get(BASE + "page.html").headers["etag"] != before
    finally:
        path.write_bytes(content)


def test_volume_can_be_read_where_it_lies(client: TestClient, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.zarr"
    for path in (path for path in (folder / "volume.ome.zarr").rglob("*") if path.is_file()):
        part = path.relative_to(folder / "volume.ome.zarr")
        answer = client.get(f"{BASE}volume.ome.zarr/{part.as_posix()}")
        assert answer.status_code == 200
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        (copy / part).write_bytes(answer.content)
    assert np.array_equal(
        zarr.open_array(copy / "0")[...], open_volume(folder / "volume.ome.zarr").levels[0][...]
    )


def test_foreign_content_cannot_act(client: TestClient) -> None:
    answer = client.get(BASE + "page.html")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    protocol = client.get(BASE + "protocol.yaml")
    assert protocol.headers["content-type"] == "text/plain; charset=utf-8"
    assert protocol.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize(
    "path",
    [
        "../secret", "..%2fsecret", "%2e%2e/secret", "volume.ome.zarr/../../secret", "/etc/passwd",
        "volume.ome.zarr/%2e%2e/%2e%2e/secret", "%2fetc%2fpasswd", "..\\secret", "previews/..%5c..%5csecret",
        "protocol.yaml%00.png", "protocol.yaml/", "unlisted.txt", "previews", "", ".", "volume.ome.zarr",
        "volume.ome.zarr//zarr.json", "volume.ome.zarr/link", "volume.ome.zarr/linked/secret", "x" * 5000,
        "volume.ome.zarr/" + "y" * 300,
    ],
)  # fmt: skip
def test_nothing_else_comes(client: TestClient, folder: Path, path: str) -> None:
    (folder.parent / "secret").write_text("classified")
    (folder / "unlisted.txt").write_text("classified")
    links = [folder / "volume.ome.zarr" / "link", folder / "volume.ome.zarr" / "linked"]
    links[0].symlink_to(folder.parent / "secret")
    links[1].symlink_to(folder.parent)
    try:
        answer = client.get(BASE + path)
        assert answer.status_code == 404
        assert b"classified" not in answer.content
    finally:
        for link in links:
            link.unlink()
        (folder / "unlisted.txt").unlink()


@given(
    path=st.text()
    | st.lists(st.sampled_from(["..", ".", "", "volume.ome.zarr", "0", "/", "\\"])).map("/".join)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_found_lies_below_the_folder(folder: Path, path: str) -> None:
    found = find_file(read_record(folder), folder, path)
    assert found is None or found.resolve().is_relative_to(folder.resolve())


def test_pictures_are_the_slices(client: TestClient, folder: Path) -> None:
    volume = open_volume(folder / "volume.ome.zarr").levels[0]
    for plane, image in (("z", volume[3]), ("y", volume[:, 3]), ("x", volume[:, :, 3])):
        answer = client.get(f"/records/tooth/pictures/slices/{plane}-3.png?low=0&high=2.55")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "private, no-cache"
        drawn = np.asarray(Pillow.open(BytesIO(answer.content))).astype(float)
        expected = np.clip(np.asarray(image, np.float64) * 100 + 0.5, 0, 255).astype(np.uint8)
        assert np.array_equal(drawn, expected)


def test_picture_of_the_page_may_be_kept_for_ever(client: TestClient) -> None:
    address = client.get("/records/tooth.json").json()["viewers"]["slices"]["data"]["planes"]["z"]["picture"]
    assert "immutable" in client.get(address).headers["cache-control"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("slices/z-24.png", 400), ("slices/z--1.png", 400), ("slices/q-1.png", 400), ("slices/z-1.jpg", 400),
        ("slices/z-1.png?low=a", 400), ("slices/z-1.png?low=2&high=1", 400), ("slices/z-1.png?high=nan", 400),
        ("slices/z-99999999999999999999.png", 400), ("histogram/z-1.png", 404), ("nothing/z-1.png", 404),
    ],
)  # fmt: skip
def test_pictures_that_do_not_exist(client: TestClient, name: str, status: int) -> None:
    assert client.get(f"/records/tooth/pictures/{name}").status_code == status


def test_a_part_of_a_slice_comes_as_picture_numbers_and_line(client: TestClient) -> None:
    base = "/records/tooth/pictures/slices/z-3"
    whole = tifffile.imread(BytesIO(client.get(f"{base}.tif").content))
    answer = client.get(f"{base}.tif?region=4,6,20,16")
    assert answer.headers["content-type"] == "image/tiff"
    assert "tooth-z-3.tif" in answer.headers["content-disposition"]
    np.testing.assert_array_equal(tifffile.imread(BytesIO(answer.content)), whole[6:16, 4:20])
    with tifffile.TiffFile(BytesIO(answer.content)) as file:
        told = file.imagej_metadata or {}
        assert "tooth" in told["Info"]
        assert "values in 1/cm" in told["Info"]
        assert file.pages[0].tags["XResolution"].value[0] / file.pages[0].tags["XResolution"].value[
            1
        ] == pytest.approx(1 / 0.65)
    picture = Pillow.open(BytesIO(client.get(f"{base}.png?region=4,6,20,16").content))
    assert picture.size == (16, 10)
    cited = Pillow.open(BytesIO(client.get(f"{base}.png?region=4,6,20,16&cite=1").content))
    assert cited.width >= 640
    assert cited.height > 400
    line = client.get(f"{base}.json?line=0.5,8.5,31.5,8.5").json()
    np.testing.assert_allclose(line["value"], whole[8], rtol=1e-5)
    assert line["distance"][-1] == pytest.approx(31 * 0.65e-6)
    for wrong in (
        "png?region=1,2,3",
        "png?region=99,99,120,120",
        "json?line=0,0,99,0",
        "json",
        "tif?region=a",
    ):
        assert client.get(f"{base}.{wrong}").status_code == 400, wrong


def test_pictures_are_asked_for_again_by_their_tag(client: TestClient) -> None:
    for name in ("slices/z-3.png", "look/volume.u8"):
        answer = client.get(f"/records/tooth/pictures/{name}", headers={"Accept-Encoding": "identity"})
        again = client.get(
            f"/records/tooth/pictures/{name}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
        assert again.content == b""
    assert len(answer.content) == 32 * 32 * 24  # the volume as it is, for it is small


def test_metadata_come_in_standards(client: TestClient, folder: Path) -> None:
    answer = client.get("/records/tooth/metadata/ro-crate")
    assert answer.headers["content-type"].startswith("application/ld+json")
    assert answer.text == (folder / "ro-crate-metadata.json").read_text()
    assert json.loads(client.get(BASE + "ro-crate-metadata.json").text) == answer.json()
    assert client.get("/records/tooth/metadata/nothing").status_code == 404


def test_scripts_of_viewers_come_and_no_other_file(client: TestClient) -> None:
    answer = client.get("/assets/copy.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    for name in ("app.py", quote("../viewer.py", safe=""), "slices.html"):
        assert client.get(f"/assets/{name}").status_code == 404
