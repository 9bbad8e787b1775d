"""Converting loses nothing: there and back gives the same bytes, whatever stops it on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from conversion.scan_makers import FRAMES, RNG, data_exchange, nxtomo, open_scan, sinograms, tree
from tomarium.cli import execute
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import as_data, convert
from tomarium.errors import FormatError, InputError, ParameterError, StorageFull
from tomarium.formats import formats
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.hdf5 import two_phase_writer
from tomarium.model import Axis, Geometry, Scan, Value, Volume

ALL = slice(None)


@pytest.mark.parametrize(
    ("make", "name", "between"),
    [(data_exchange, "a.h5", "b.nx"), (nxtomo, "a.nx", "b.h5"), (sinograms, "a.h5", "b.nx")],
)
def test_there_and_back_is_the_same_file(
    tmp_path: Path, make: Callable[[Path], Path], name: str, between: str
) -> None:
    first = make(tmp_path / name)
    scan = open_scan(first)
    convert(scan, tmp_path / between)
    middle = open_scan(tmp_path / between)
    np.testing.assert_allclose(middle.angles_deg.value, scan.angles_deg.value, rtol=0, atol=0)
    found = compare(scan, middle)
    pixels = {one.what: one.same for one in found.findings}
    assert pixels["projections"]
    assert pixels.get("flats", True)
    assert pixels["angles_deg"]
    back = convert(middle, tmp_path / f"again{first.suffix}")
    assert {one.fate for one in back.changes} == {"restored"}
    assert tree(first) == tree(tmp_path / f"again{first.suffix}")
    # The frames lie once in the file between: it is not larger than the sum of frames and what is small.
    assert (tmp_path / between).stat().st_size < 64 * FRAMES.nbytes + 200_000


def test_frames_are_stored_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = RNG.integers(0, 60000, (50, 100, 100), np.uint16)
        file["exchange/theta"] = np.arange(50.0)
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    assert (tmp_path / "b.nx").stat().st_size < 1.05 * (tmp_path / "a.h5").stat().st_size
    with h5py.File(tmp_path / "b.nx") as b, h5py.File(tmp_path / "a.h5") as a:
        np.testing.assert_array_equal(b["tomarium/source/exchange/data"], a["exchange/data"])


def test_types_that_would_round_are_kept_whole(tmp_path: Path) -> None:
    """Integers of 64 bits beside floats become floats that cannot hold them: then they are stored as they were."""
    big = np.full((3, 4, 5), 2**62 + 1, np.int64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = big
        file["exchange/theta"] = np.arange(3.0)
        file["exchange/data_white"] = np.ones((1, 4, 5), np.float32)
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    convert(open_scan(tmp_path / "b.nx"), tmp_path / "c.h5")
    assert tree(tmp_path / "a.h5") == tree(tmp_path / "c.h5")


def test_frames_of_other_files_come_along(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["data"] = FRAMES[:6]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/theta"] = np.arange(6.0)
        file["exchange/data"] = h5py.ExternalLink("raw.h5", "/data")
        layout = h5py.VirtualLayout((2, 4, 5), np.uint16)
        layout[:] = h5py.VirtualSource("raw.h5", "data", (6, 4, 5), np.uint16)[1:3]
        file.create_virtual_dataset("exchange/data_white", layout)
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    convert(open_scan(tmp_path / "b.nx"), tmp_path / "elsewhere" / "c.h5")
    with h5py.File(tmp_path / "elsewhere" / "c.h5") as file:
        np.testing.assert_array_equal(file["exchange/data"], FRAMES[:6])
        np.testing.assert_array_equal(file["exchange/data_white"], FRAMES[1:3])
        assert not file["exchange/data"].is_virtual


def test_frames_under_two_links_stay_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["data"] = FRAMES[:6]
        file["data"].attrs["units"] = "counts"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/theta"] = np.arange(6.0)
        file["exchange/data"] = file["camera/data"] = h5py.ExternalLink("raw.h5", "/data")
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    convert(open_scan(tmp_path / "b.nx"), tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["camera/data"] == file["exchange/data"]
        assert file["camera/data"].attrs["units"] == "counts"
        np.testing.assert_array_equal(file["camera/data"], FRAMES[:6])


def _master(folder: Path) -> Path:
    """A scan whose frames and angles lie in a neighbouring folder, as Diamond writes them."""
    (folder / "scan").mkdir(parents=True)
    with h5py.File(folder / "scan" / "panda.h5", "w") as file:
        file["angles"] = np.linspace(0, 150, 6)
        file["angles"].attrs["units"] = "degree"
        file["log/pressure"] = 5.0
    with h5py.File(folder / "a.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        file["entry/instrument/detector/data"] = FRAMES[:6]
        file["entry/instrument/detector/image_key"] = np.zeros(6, int)
        file["entry/sample/rotation_angle"] = h5py.ExternalLink("scan/panda.h5", "/angles")
        file["entry/log"] = h5py.ExternalLink("scan/panda.h5", "/log")
    return folder / "a.nx"


@pytest.mark.parametrize("between", ["b.h5", "b.tif"])
def test_angles_behind_a_link_come_home_to_another_folder(tmp_path: Path, between: str) -> None:
    scan = open_scan(_master(tmp_path / "one"))
    convert(scan, tmp_path / "two" / between)
    back = convert(open_scan(tmp_path / "two" / between), tmp_path / "two" / "c.nx")
    again = open_scan(tmp_path / "two" / "c.nx")
    np.testing.assert_array_equal(again.angles_deg.value, scan.angles_deg.value)
    fates = {one.what: one.fate for one in back.changes}
    assert fates["/entry/sample/rotation_angle"] == "restored"
    assert fates["/entry/log"] == "left out"  # a link to a group, which leads nowhere from there
    assert "1 links of the source lead nowhere from c.nx, such as /entry/log" in back.warnings[0]
    with h5py.File(tmp_path / "two" / "c.nx") as file:
        assert file["entry/sample/rotation_angle"].attrs["units"] == "degree"


def test_links_come_home_as_links_where_they_lead_somewhere(tmp_path: Path) -> None:
    first = _master(tmp_path / "one")
    convert(open_scan(first), tmp_path / "b.h5")
    back = convert(open_scan(tmp_path / "b.h5"), tmp_path / "one" / "c.nx")
    assert {one.fate for one in back.changes} == {"restored"}
    assert tree(tmp_path / "one" / "c.nx") == tree(first)


def test_a_file_that_would_come_home_without_its_angles_is_written_anew(tmp_path: Path) -> None:
    """As from a side-car of before, which held the link and not what it led to."""
    scan = open_scan(_master(tmp_path / "one"))
    convert(scan, tmp_path / "two" / "b.h5")
    with h5py.File(tmp_path / "two" / "b.h5", "a") as file:
        sample = file["tomarium/source/entry/sample"]
        del sample["rotation_angle"], file["tomarium/links"]
        sample["rotation_angle"] = h5py.ExternalLink("scan/panda.h5", "/angles")
    back = convert(open_scan(tmp_path / "two" / "b.h5"), tmp_path / "two" / "c.nx")
    assert "is not put back, because it does not read" in back.warnings[0]
    again = open_scan(tmp_path / "two" / "c.nx")
    np.testing.assert_array_equal(again.angles_deg.value, scan.angles_deg.value)


@pytest.mark.parametrize("between", ["nxtomo", "tiff"])
def test_a_group_that_bears_our_name_but_is_not_ours_comes_home(tmp_path: Path, between: str) -> None:
    source = data_exchange(tmp_path / "a.h5")
    with h5py.File(source, "a") as file:
        file["tomarium/mine"] = 5
    went = convert(open_scan(source), tmp_path / "b", to=between)
    assert "/tomarium/mine" in [one.what for one in went.changes]
    convert(open_scan(tmp_path / "b"), tmp_path / "c.h5", to="data-exchange")
    assert tree(tmp_path / "c.h5") == tree(source)


def test_frames_that_are_absent_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        file["entry/instrument/detector/data"] = h5py.ExternalLink("gone.h5", "/data")
        file["entry/instrument/detector/image_key"] = np.zeros(6, int)
        file["entry/sample/rotation_angle"] = np.arange(6.0)
    with pytest.raises(FormatError, match=r"6 frames lie in gone\.h5, which is absent; copy that file"):
        convert(open_scan(tmp_path / "a.nx"), tmp_path / "b.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nx"]


def test_the_pixel_of_the_detector_and_at_the_sample_both_survive(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = FRAMES[:6]
        file["exchange/theta"] = np.arange(6.0)
        file["measurement/instrument/detector/x_pixel_size"] = 6.7e-6
        file["measurement/instrument/detector/objective/magnification"] = 20
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    scan = open_scan(tmp_path / "b.nx")
    again = tmp_path / "c.h5"
    formats()["data-exchange"].write(again, scan)  # type: ignore[misc]
    for one in (scan, open_scan(again)):
        assert one.pixel_m is not None
        assert one.pixel_m.value == pytest.approx(6.7e-6 / 20, rel=1e-12)
        assert one.metadata["detector_pixel_x_m"].value == pytest.approx(6.7e-6, rel=1e-12)


def test_a_file_that_was_changed_is_not_put_back(tmp_path: Path) -> None:
    convert(open_scan(data_exchange(tmp_path / "a.h5")), tmp_path / "b.nx")
    with h5py.File(tmp_path / "b.nx", "a") as file:
        file["entry/sample/name"][()] = "mended"
    done = convert(open_scan(tmp_path / "b.nx"), tmp_path / "c.h5")
    assert "it was changed since" in done.warnings[0]
    assert open_scan(tmp_path / "c.h5").metadata["sample_name"].value == "mended"


def test_what_the_user_gives_is_not_put_back_over(tmp_path: Path) -> None:
    convert(open_scan(data_exchange(tmp_path / "a.h5")), tmp_path / "b.nx")
    done = convert(open_scan(tmp_path / "b.nx", pixel_m=2e-6), tmp_path / "c.h5")
    assert "pixel_m were given" in done.warnings[0]
    assert [one.fate for one in done.changes if one.what == "pixel_m"] == ["given"]
    pixel = open_scan(tmp_path / "c.h5").pixel_m
    assert pixel is not None
    assert pixel.value == 2e-6


def test_the_report_names_what_became_of_each_part(tmp_path: Path) -> None:
    done = convert(open_scan(data_exchange(tmp_path / "a.h5")), tmp_path / "b.nx")
    fates = {one.what: one for one in done.changes}
    assert fates["projections"].fate == "renamed"
    assert fates["angles_deg"].fate == "unit-converted"
    assert fates["angles_deg"].detail == "rad → degree"
    assert fates["pixel_m"].detail == "um → m"
    assert fates["/exchange_2/data"].fate == "side-car"
    assert fates["/measurement/sample/raw"].detail == "a link to absent.h5"
    json.dumps(as_data(done), allow_nan=False)
    with h5py.File(tmp_path / "a.h5") as file:
        names: list[str] = []
        file.visit(names.append)
        datasets = {f"/{name}" for name in names if isinstance(file.get(name), h5py.Dataset)}
    accounted = {one.source for one in done.changes}
    # Scales, texts and numbers: each dataset is named, by its meaning or by its place.
    assert datasets - accounted == set()


def test_assumed_angles_are_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = FRAMES[:6]
    done = convert(open_scan(tmp_path / "a.h5"), tmp_path / "b.nx")
    assert [one.fate for one in done.changes if one.what == "angles_deg"] == ["defaulted"]


def test_a_scan_from_memory_has_a_side_car_of_meaning(tmp_path: Path) -> None:
    scan = Scan(Path("m"), "m", "memory", "", "", ArrayFrames(FRAMES), Geometry(Value(np.arange(12.0), "read", "here")),
                metadata={"odd": Value({"x": [1, float("nan")]}, "read", "here")})  # fmt: skip
    formats()["nxtomo"].write(tmp_path / "b.nx", scan, side_car=True)  # type: ignore[misc]
    found = open_scan(tmp_path / "b.nx").metadata["odd"].value
    assert found["x"][0] == 1
    assert np.isnan(found["x"][1])


def volume() -> Volume:
    data = np.random.default_rng(8).normal(size=(10, 12, 14)).astype(np.float32)
    axes = tuple(Axis(name, 0.65e-6, 3e-6, "m") for name in "zyx")
    return Volume(data, axes, "1/cm", "tooth", None, {"note": "kept", "nested": {"a": [1, 2]}})


@pytest.mark.parametrize(("one", "other"), [("v.ome.zarr", "v.nxs"), ("v.nxs", "v.ome.zarr")])
def test_volumes_convert_with_their_metadata(tmp_path: Path, one: str, other: str) -> None:
    form = formats()["nxtomoproc" if one.endswith("nxs") else "ome-zarr"]
    assert form.write is not None
    form.write(tmp_path / one, volume())
    first = tm.open(tmp_path / one)
    done = convert(first, tmp_path / other)
    again = tm.open(tmp_path / other)
    assert isinstance(again, Volume)
    np.testing.assert_array_equal(again[:], volume()[:])
    assert (again.unit, again.voxel_m, again.axes[0].offset) == ("1/cm", (0.65e-6,) * 3, pytest.approx(3e-6))
    assert again.metadata["note"] == "kept"
    assert again.metadata["nested"] == {"a": [1, 2]}
    assert not [change for change in done.changes if change.fate == "left out"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    scan = open_scan(sinograms(tmp_path / "a.h5"))
    with pytest.raises(
        ParameterError,
        match=r"no format that writes a scan has its ending; a scan becomes a volume by reconstruction.* --to",
    ):
        convert(scan, tmp_path / "b.zarr")
    with pytest.raises(ParameterError, match="no format 'ome-zarr' that writes a scan"):
        convert(scan, tmp_path / "b.zarr", to="ome-zarr")
    with pytest.raises(InputError, match="is the source itself"):
        convert(scan, tmp_path / "a.h5")
    (tmp_path / "b.nx").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        convert(scan, tmp_path / "b.nx")
    assert (tmp_path / "b.nx").read_text() == "mine"
    convert(scan, tmp_path / "b.nx", overwrite=True)
    open_scan(tmp_path / "b.nx")


def big(path: Path) -> Path:
    """40 MB: two blocks of 20 frames, if a block is 20 MB."""
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.random.default_rng(1).integers(0, 60000, (40, 700, 700), np.uint16)
        file["exchange/theta"] = np.arange(40) * 4.0
    return path


SLOW = """
import signal, sys
from pathlib import Path
import tomarium as tm
import tomarium.formats.hdf5.two_phase_writer as two_phase_writer
import tomarium.formats.hdf5.writer as hdf5_writer
from tomarium.conversion.convert import convert
hdf5_writer._BLOCK_BYTES = 1 << 20
told = 0
def tell(done, total):
    global told
    told += 1
    print(done, flush=True)
    if sys.argv[3:] == [str(told)]:  # to be killed here
        signal.pause()
convert(tm.open(sys.argv[1]), Path(sys.argv[2]), on_progress=tell)
"""


def test_a_killed_conversion_goes_on(tmp_path: Path) -> None:
    source, target = big(tmp_path / "a.h5"), tmp_path / "b.nx"
    command = [sys.executable, "-c", SLOW, str(source), str(target)]
    counts = []
    for lines in (4, 10):  # blocks that are there already are told of too
        with subprocess.Popen([*command, str(lines)], stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            for _ in range(lines):
                running.stdout.readline()
            os.kill(running.pid, signal.SIGKILL)
        assert not target.exists()
        counts.append(len((tmp_path / ".b.nx.partial.done").read_text().splitlines()))
    assert 4 <= counts[0] < counts[1]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    assert compare(open_scan(source), open_scan(target)).findings[-1].detail == "every pixel equal"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.nx"]


def test_going_on_writes_only_what_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the next run begins in another second, which HDF5 stamps into copies of what most detectors write."""
    source, target = big(tmp_path / "a.h5"), tmp_path / "b.nx"
    with h5py.File(source, "a") as file:
        stamped = file.create_dataset("measurement/ring_current", data=[1.0, 2.0], track_times=True)
        stamped.attrs["units"] = "mA"
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", 1 << 22)
    put, written = two_phase_writer._put_block, []

    def full_after_five(file: int, one: two_phase_writer.Fill, start: int, stop: int) -> None:
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        put(file, one, start, stop)
        written.append(start)

    monkeypatch.setattr(two_phase_writer, "_put_block", full_after_five)
    with pytest.raises(StorageFull, match="what is written is kept; free some space and repeat the command"):
        convert(open_scan(source), target)
    assert not target.exists()
    time.sleep(1.1)
    first = list(written)
    monkeypatch.setattr(two_phase_writer, "_put_block", lambda *a: (written.append(a[2]), put(*a))[1])
    convert(open_scan(source), target)
    assert len(first) == 5
    assert not set(first) & set(written[5:])
    assert compare(open_scan(source), open_scan(target)).findings[-1].same


def test_a_source_that_changed_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = big(tmp_path / "a.h5"), tmp_path / "b.nx"
    put = two_phase_writer._put_block
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", 1 << 22)

    def stop_after_first(file: int, one: two_phase_writer.Fill, start: int, stop: int) -> None:
        if start:
            raise KeyboardInterrupt
        put(file, one, start, stop)

    monkeypatch.setattr(two_phase_writer, "_put_block", stop_after_first)
    with pytest.raises(KeyboardInterrupt):
        convert(open_scan(source), target)
    time.sleep(0.01)
    with h5py.File(source, "a") as file:
        file["exchange/data"][0] = 7
    monkeypatch.setattr(two_phase_writer, "_put_block", put)
    convert(open_scan(source), target)
    assert compare(open_scan(source), open_scan(target)).findings[-1].same


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    with (
        two_phase_writer.two_phase_file(tmp_path / "x.h5", resume=True),
        pytest.raises(InputError, match="another process is writing this file"),
        two_phase_writer.two_phase_file(tmp_path / "x.h5", resume=True),
    ):
        pass


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are asked for in blocks, never all at once."""
    monkeypatch.setattr("tomarium.formats.hdf5.writer._BLOCK_BYTES", 1 << 22)
    most = []
    put = two_phase_writer._put_block
    monkeypatch.setattr(
        two_phase_writer, "_put_block", lambda *a: (most.append((a[3] - a[2]) * a[1].frame_bytes), put(*a))[1]
    )
    convert(open_scan(big(tmp_path / "a.h5")), tmp_path / "b.nx")
    assert max(most) <= 1 << 22


def test_compare_sees_one_pixel_and_one_angle(tmp_path: Path) -> None:
    a = Scan(
        Path("a"), "a", "memory", "", "", ArrayFrames(FRAMES), Geometry(Value(np.arange(12.0), "read", ""))
    )
    pixels = FRAMES.copy()
    pixels[7, 2, 3] += 5
    b = Scan(Path("b"), "b", "memory", "", "", ArrayFrames(pixels),
             Geometry(Value(np.arange(12.0) + 1e-6, "read", ""), pixel_m=Value(1e-6, "read", "")))  # fmt: skip
    found = {one.what: one for one in compare(a, b).findings}
    assert not compare(a, b).same
    assert "1 pixels differ, by up to 5, first in number 7" in found["projections"].detail
    assert not found["angles_deg"].same
    assert found["pixel_m"].detail == "only the second says it"
    assert compare(a, a).same
    floats = np.where(FRAMES > 30000, np.nan, FRAMES.astype(np.float32))
    c = Scan(
        Path("c"), "c", "memory", "", "", ArrayFrames(floats), Geometry(Value(np.arange(12.0), "read", ""))
    )
    assert compare(c, c).same
    with pytest.raises(InputError, match="compare two scans or two images"):
        compare(a, volume())


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = str(data_exchange(tmp_path / "a.h5"))
    b, c = str(tmp_path / "b.nx"), str(tmp_path / "c.h5")
    assert execute(["convert", a, b, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "nxtomo"
    assert told["counts"]["side-car"] > 5
    assert execute(["convert", b, c]) == 0
    assert "put back as it was" in capsys.readouterr().out
    assert execute(["diff", a, c]) == 0
    assert capsys.readouterr().out.endswith("the same\n")
    with h5py.File(c, "a") as file:
        file["exchange/data"][3, 1, 1] += 1
    assert execute(["diff", a, c, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "differs"
    assert execute(["diff", a, c, "--headers"]) == 0
    assert execute(["diff", a, str(tmp_path / "absent")]) == 2
    assert execute(["convert", a, b]) == 2
    capsys.readouterr()


def test_values_are_rounded_only_where_that_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["implements"] = "exchange"
        file["exchange/data"] = np.random.default_rng(0).uniform(0, 1, (6, 4, 5))
        file["exchange/theta"] = np.linspace(0, 150, 6)
        file["exchange/theta"].attrs["units"] = "degree"
    words = ["convert", str(tmp_path / "a.h5"), str(tmp_path / "a.par")]
    assert execute(words) != 0
    assert "--lossy" in capsys.readouterr().err
    assert execute([*words, "--lossy"]) == 0
    assert "float64 stored as float32, rounded" in capsys.readouterr().out
    back = open_scan(tmp_path / "a.par")
    assert back.projections.dtype == np.float32
