"""OME-Zarr images at an address: only what is needed is fetched, and each fault is told in words."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import tomarium as tm
from datasets.web_server import answer, serving
from tomarium.cli import execute
from tomarium.datasets import web_files
from tomarium.datasets.web_files import web_path
from tomarium.errors import FormatError, InputError, ParameterError, StoreUnavailable
from tomarium.formats.zarr import reader
from tomarium.model import Axis, Volume
from tomarium.portal import client

SHAPE = (70, 66, 64)


@pytest.fixture(scope="module")
def bone() -> np.ndarray[Any, Any]:
    return np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def folder(bone: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three kinds: whole files of 0.4 and 0.5, and shards of chunks that another program wrote."""
    place = tmp_path_factory.mktemp("web")
    axes = tuple(Axis(name, 2e-6, 0.0, "m") for name in "zyx")
    for version in ("0.4", "0.5"):
        volume = Volume(bone, axes, "1/cm", "bone")
        reader.write(place / f"v{version}.zarr", volume, version=version)
    write_image(place / "shards.zarr", bone, "zyx", [2.0, 2.0, 2.0], chunks=(16, 16, 16), shards=(32, 32, 32))
    five = np.stack([bone, bone + 10])[None]
    write_image(place / "five.zarr", five, "tczyx", [1.0, 1.0, 2.0, 2.0, 2.0], chunks=(1, 1, 32, 32, 32))
    return place


def write_image(
    place: Path, data: np.ndarray[Any, Any], names: str, scale: list[float], **layout: Any
) -> None:
    """Write an image of one level with zarr-python alone."""
    kinds = {"t": "time", "c": "channel"}
    axes = [
        {"name": name, "type": kinds.get(name, "space"), **({} if name in kinds else {"unit": "micrometer"})}
        for name in names
    ]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    group = zarr.open_group(str(place), mode="w", zarr_format=3)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    array = group.create_array("0", shape=data.shape, dtype=data.dtype, dimension_names=list(names), **layout)
    array[...] = data


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two tries."""
    monkeypatch.setattr(client, "_sleep", lambda seconds: None)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", ["v0.4.zarr", "v0.5.zarr", "shards.zarr"])
def test_every_voxel_is_that_of_the_file(
    name: str, ranges: bool, folder: Path, bone: np.ndarray[Any, Any]
) -> None:
    with serving(folder, ranges=ranges) as server:
        volume = tm.open(f"{server.address}/{name}")
        assert isinstance(volume, Volume)
        assert volume.voxel_m == pytest.approx((2e-6, 2e-6, 2e-6))
        assert server.chunks() == []
        assert np.array_equal(volume[40], bone[40])
        assert np.array_equal(volume[3:60:2, 5, ...], bone[3:60:2, 5])
        assert np.array_equal(volume[::-1, -1], bone[::-1, -1])
        assert np.array_equal(np.asarray(volume), bone)


def test_only_the_chunks_of_a_slice_are_fetched_and_each_once(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/shards.zarr")
        server.asked.clear()
        np.asarray(volume[5, :16, :16])
        assert [path for path, _ in server.asked] == [
            "/shards.zarr/0/c/0/0/0"
        ] * 2  # the index, and one chunk
        assert all(part.startswith("bytes=") for _, part in server.asked)
        np.asarray(volume[6, :16, :16])
        assert len(server.asked) == 2


def test_a_file_that_is_only_given_whole_is_fetched_once(folder: Path) -> None:
    with serving(folder, ranges=False) as server:
        volume = tm.open(f"{server.address}/shards.zarr")
        np.asarray(volume[5, :16, :16])
        server.asked.clear()
        np.asarray(volume[5, :32, :32])
        assert server.asked == []


def test_a_large_file_without_ranges_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_files, "_LARGEST_WHOLE", 1000)
    with serving(folder, ranges=False) as server:
        volume = tm.open(f"{server.address}/shards.zarr")
        with pytest.raises(StoreUnavailable, match=r"gives files only whole.*range requests, or download"):
            np.asarray(volume[5, :16, :16])


def test_a_level_and_a_region_are_chosen(folder: Path) -> None:
    local = reader.read(folder / "v0.5.zarr", reader.detect(folder / "v0.5.zarr"))  # type: ignore[arg-type]
    assert isinstance(local, Volume)
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.5.zarr#level=1&z=10:20&y=5")
        assert isinstance(volume, Volume)
        assert volume.shape == (10, 1, 32)
        assert np.array_equal(np.asarray(volume), local.levels[1][10:20, 5:6])
        assert volume.voxel_m == pytest.approx((4e-6, 4e-6, 4e-6))
        assert volume.axes[0].offset == pytest.approx(1e-6 + 10 * 4e-6)
        assert np.array_equal(volume.to_dask().compute(), local.levels[1][10:20, 5:6])
        whole = tm.open(f"{server.address}/v0.5.zarr#level=1")
        assert isinstance(whole, Volume)
        assert [level.shape for level in whole.levels] == [level.shape for level in local.levels[1:]]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("level=9", "has no level 9; it has the levels 0 to 1"), ("w=1", "has no axis 'w'; it has z, y, x"),
        ("z=70", "z is 0 to 69 at this level"), ("z=60:71", "choose a range within it"),
        ("z=9:9", "choose a range within it"), ("z=a", "'z=a' is not understood"), ("z", "'z' is not understood"),
        ("z=1&z=2", "'z=2' is not understood"), ("level=0:2", "'level=0:2' is not understood"),
        ("z=1:9:2", "'z=1:9:2' is not understood"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(part: str, words: str, folder: Path) -> None:
    with serving(folder) as server, pytest.raises(ParameterError, match=words):
        tm.open(f"{server.address}/v0.5.zarr#{part}")


def test_a_channel_of_five_axes_is_a_volume(folder: Path, bone: np.ndarray[Any, Any], tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    with serving(folder) as server:
        address = f"{server.address}/five.zarr"
        image = tm.open(address)
        assert not isinstance(image, Volume)
        assert [axis.name for axis in image.axes] == ["c", "z", "y", "x"]
        volume = tm.open(f"{address}#c=1")
        assert isinstance(volume, Volume)
        assert np.array_equal(volume[3], bone[3] + 10)
        assert execute(["slice", address, "-o", str(tmp_path / "a.png")]) == 2
        said = capsys.readouterr().err
        assert "is needed; write #c=0 behind the address, for one of c (0 to 1)" in said
        assert execute(["picture", address, "-o", str(tmp_path / "a.png")]) == 2
        assert "write #c=0 behind the address" in capsys.readouterr().err
        with pytest.raises(InputError, match="write #c=0 behind the address"):
            tm.load(address)


def test_levels_without_places_lie_in_the_middle_of_what_they_are_means_of(tmp_path: Path) -> None:
    """As of a volume: many programs write a scale and no translation (IDR)."""
    data = np.random.default_rng(1).integers(0, 4000, (1, 2, 9, 61, 50)).astype(">u2")
    group = zarr.open_group(str(tmp_path / "idr.zarr"), mode="w", zarr_format=2)
    for level, values in enumerate((data, data[..., ::2, ::2])):
        array = group.create_array(
            str(level), shape=values.shape, dtype=values.dtype, chunks=(1, 1, 1, 32, 32),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )  # fmt: skip
        array[...] = values
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    levels = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 0.5, size, size]}]}
        for path, size in (("0", 0.36), ("1", 0.72))
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    with serving(tmp_path) as server:
        fine = tm.open(f"{server.address}/idr.zarr#c=1")
        coarse = tm.open(f"{server.address}/idr.zarr#c=1&level=1")
        assert isinstance(fine, Volume)
        assert isinstance(coarse, Volume)
        assert np.array_equal(fine[3], data[0, 1, 3])
        assert np.array_equal(coarse[3], data[0, 1, 3, ::2, ::2])
        assert coarse.voxel_m == pytest.approx((0.5e-6, 0.72e-6, 0.72e-6))
        assert [axis.offset for axis in coarse.axes] == pytest.approx([0, 0.18e-6, 0.18e-6])
        assert fine.level_axes[1] == coarse.axes


def test_commands_take_an_address(folder: Path, bone: np.ndarray[Any, Any], tmp_path: Path,
                                  capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    with serving(folder) as server:
        address = f"{server.address}/v0.5.zarr"
        assert execute(["info", address, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["format"], told["dialect"], told["path"]) == ("ome-zarr", "0.5", address)
        assert server.chunks() == []
        assert execute(["slice", address, "--row", "7", "-o", str(tmp_path / "s.tif")]) == 0
        assert execute(["picture", address, "-o", str(tmp_path / "p.png")]) == 0
        assert execute(["measure", f"{address}#level=1"]) == 0
        assert execute(["convert", f"{address}#z=20:40&y=3:50", str(tmp_path / "part.ome.zarr")]) == 0
        assert (
            execute(["convert", address, str(tmp_path / "b.tif"), "--dtype", "uint8", "--remove-source"]) == 2
        )
        assert "leave it out for an address" in capsys.readouterr().err
        assert execute(["info", address, "--angles", "0:180:70"]) == 2
        assert "angles_deg was given, but an image on the web" in capsys.readouterr().err
        assert execute(["run", address, "-o", str(tmp_path / "run")]) == 2
        assert "is an address and no file" in capsys.readouterr().err
    part = tm.open(tmp_path / "part.ome.zarr")
    assert np.array_equal(np.asarray(part), bone[20:40, 3:50])  # type: ignore[arg-type]


def test_load_gives_patches_of_an_image(folder: Path) -> None:
    with serving(folder) as server:
        data = tm.load(f"{server.address}/v0.5.zarr")
        assert data.volume.shape == SHAPE
        assert "70 × 66 × 64 voxels" in repr(data)


@pytest.mark.usefixtures("quick")
def test_a_server_that_goes_is_told_after_a_few_tries(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.4.zarr")
        server.fault = cut_off
        with pytest.raises(StoreUnavailable, match=r"no answer after 4 tries .the answer was cut off after"):
            np.asarray(volume[3, :4, :4])
        assert len(server.chunks()) == web_files.TRIES
        server.fault = None
        assert np.asarray(volume[3, :4, :4]).shape == (4, 4)
    with pytest.raises(StoreUnavailable, match="no answer after 4 tries"):
        np.asarray(volume[69, -1:, -1:])
    with pytest.raises(StoreUnavailable, match="check the address and the network"):
        tm.open(f"{server.address}/v0.5.zarr")


def cut_off(to: BaseHTTPRequestHandler) -> bool:
    to.send_response(200)
    to.send_header("Content-Length", "5000")
    to.end_headers()
    to.wfile.write(b"x" * 50)
    to.close_connection = True
    return True


def saying(status: int, content: bytes = b"", **headers: str) -> Any:
    """Return a fault: this answer to whatever is asked."""

    def fault(to: BaseHTTPRequestHandler) -> bool:
        answer(to, status, content, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return fault


PAGE = saying(200, b"<!doctype html>", Content_Type="text/html; charset=utf-8")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (saying(403), r"does not permit it \(403\)"), (saying(401), r"does not permit it \(401\)"),
        (PAGE, "gave a page for people"), (saying(503), "no answer after 4 tries .the server answered 503"),
        (saying(418), "answered 418"), (saying(200, b"{}", Content_Encoding="br"), "came packed as br"),
    ],
    ids=["403", "401", "page", "503", "418", "packed"],
)  # fmt: skip
def test_other_answers_are_told_at_the_beginning_and_within(fault: Any, words: str, folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.4.zarr")
        server.fault = fault
        with pytest.raises(StoreUnavailable, match=words):
            np.asarray(volume[3, :4, :4])
        with pytest.raises(StoreUnavailable, match=words):
            tm.open(f"{server.address}/v0.4.zarr")


def test_metadata_that_may_not_be_asked_for_are_absent_where_others_are_there(folder: Path) -> None:
    """S3 says 403 of what is not there where nobody may list."""

    def fault(to: BaseHTTPRequestHandler) -> bool:
        absent = not (folder / to.path.lstrip("/")).is_file()
        return absent and bool(saying(403)(to))

    with serving(folder, fault=fault) as server:
        assert tm.open(f"{server.address}/v0.4.zarr").shape == SHAPE


def test_a_part_that_is_another_is_refused(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/shards.zarr")
        server.fault = saying(206, b"1234", Content_Range="bytes 0-3/4")
        with pytest.raises(StoreUnavailable, match="gave bytes 0-3/4 and 4 bytes for bytes the last"):
            np.asarray(volume[0])


def test_a_redirect_is_followed_and_one_that_goes_round_is_not(folder: Path) -> None:
    with serving(folder) as target, serving(folder) as server:
        server.fault = lambda to: bool(saying(302, Location=f"{target.address}{to.path}")(to))
        assert tm.open(f"{server.address}/v0.5.zarr").shape == SHAPE
        server.fault = lambda to: bool(saying(302, Location=to.path)(to))
        with pytest.raises(StoreUnavailable, match="more than 5 redirects"):
            tm.open(f"{server.address}/v0.5.zarr")
        server.fault = lambda to: bool(saying(302, Location="file:///etc/passwd")(to))
        with pytest.raises(StoreUnavailable, match="file:///etc/passwd"):
            tm.open(f"{server.address}/v0.5.zarr")


def test_a_damaged_chunk_tells_what_a_reader_can_do(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.4.zarr")

        def fault(to: BaseHTTPRequestHandler) -> bool:
            to.send_response(200)
            to.send_header("Content-Length", "40")
            to.end_headers()
            to.wfile.write(b"x" * 40)
            return True

        server.fault = fault
        with pytest.raises(FormatError, match=r"http.*damaged.*read it again, and where that does not help"):
            np.asarray(volume[0])


def test_a_chunk_longer_than_its_metadata_allow_is_not_read(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.4.zarr")

        def fault(to: BaseHTTPRequestHandler) -> bool:
            to.send_response(200)
            to.send_header("Content-Length", str(1 << 40))
            to.end_headers()
            to.close_connection = True
            return True

        server.fault = fault
        with pytest.raises(StoreUnavailable, match="more than a file of this kind can hold by its metadata"):
            np.asarray(volume[0])


def test_a_file_of_a_level_that_was_written_whole_is_missed(folder: Path) -> None:
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/v0.5.zarr")
        server.fault = saying(404)
        with pytest.raises(StoreUnavailable, match="every file of this level was written"):
            np.asarray(volume[0])
    with serving(folder) as server:
        volume = tm.open(f"{server.address}/five.zarr#c=0")
        server.fault = saying(404)
        assert not np.asarray(volume[0]).any()  # as Zarr tells, and as a note of the image says
    assert any("reads as the fill value" in note for note in volume.metadata["notes"])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("0/zarr.json", {"shape": [10**6] * 3}, "absurd"),
        ("0/zarr.json", {"shape": [-1, 2, 3]}, "cannot be read as a Zarr array"),
        ("zarr.json", {"attributes": {"ome": {"multiscales": [{"axes": [], "datasets": [{"path": "../../x"}]}]}}},
         "outside the volume's own folder"),
        ("zarr.json", {"attributes": {"ome": {"multiscales": [{}]}}}, "OME metadata are incomplete"),
        ("zarr.json", {"attributes": {"ome": {"plate": {}}}}, "plate of many images"),
        ("zarr.json", {"attributes": {}}, "without multiscales"),
    ],
)  # fmt: skip
def test_hostile_metadata_are_refused(
    name: str, change: dict[str, Any], words: str, folder: Path, tmp_path: Path
) -> None:
    for file in (folder / "shards.zarr").rglob("zarr.json"):
        copy = tmp_path / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    changed = tmp_path / "shards.zarr" / name
    changed.write_text(json.dumps(json.loads(changed.read_text()) | change))
    with serving(tmp_path) as server, pytest.raises(FormatError, match=words):
        tm.open(f"{server.address}/shards.zarr")


def test_what_is_no_image_is_told(folder: Path) -> None:
    with serving(folder) as server:
        with pytest.raises(FormatError, match=r"neither zarr.json nor .zattrs"):
            tm.open(f"{server.address}/nothing.zarr")
        with pytest.raises(FormatError, match=r"give the address of the folder above it|without multiscales"):
            tm.open(f"{server.address}/shards.zarr/0")


def test_the_first_image_of_a_file_of_several_is_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "many.zarr").mkdir()
    attributes = {"ome": {"version": "0.5", "bioformats2raw.layout": 3}}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (tmp_path / "many.zarr" / "zarr.json").write_text(json.dumps(group))
    (tmp_path / "many.zarr" / "0").symlink_to(folder / "shards.zarr")
    with serving(tmp_path) as server:
        image = tm.open(f"{server.address}/many.zarr")
        assert image.shape == SHAPE
        assert any("the first" in note for note in image.metadata["notes"])


def test_addresses_of_s3_are_asked_by_https() -> None:
    assert str(web_path("s3://bucket/a/b.zarr", None, {})) == "https://bucket.s3.amazonaws.com/a/b.zarr"
    assert str(web_path("s3://my.bucket/b.zarr/", None, {})) == "https://s3.amazonaws.com/my.bucket/b.zarr"
    other = {"AWS_ENDPOINT_URL": "https://s3.example.org/"}
    assert str(web_path("s3://bucket/b.zarr", None, other)) == "https://s3.example.org/bucket/b.zarr"
    with pytest.raises(InputError, match="no address of an image in S3"):
        web_path("s3://bucket", None, {})


def test_a_question_is_sent_and_never_told(folder: Path) -> None:
    with serving(folder) as server:
        paths: list[str] = []
        server.fault = lambda to: paths.append(to.path) is not None
        volume = tm.open(f"{server.address}/v0.5.zarr?token=secret#level=1")
        assert paths
        assert all(path.endswith("?token=secret") for path in paths)
        assert "secret" not in repr(volume)
        server.fault = saying(403)
        with pytest.raises(StoreUnavailable) as caught:
            np.asarray(volume[0])  # type: ignore[index]
        assert "secret" not in str(caught.value)


def test_only_text_is_an_address() -> None:
    """What a portal opens is a `Path`, and `tomarium.formats.open` takes no address at all."""
    from tomarium import formats

    with pytest.raises(FormatError, match="is an address and no file"):
        formats.open("http://127.0.0.1:1/a.zarr")
    with pytest.raises(FormatError, match="there is no such file"):
        tm.open(Path("http://127.0.0.1:1/a.zarr"))
