"""The command line as its users meet it: JSON that others rely on, exit codes, errors without a traceback."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue import verify
from tomarium.catalogue.make_record import make_record, repeat_record
from tomarium.cli import commands, execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol
from warm import Warm


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
    return path


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_info_says_what_others_rely_on(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", str(scan_file), "--json"]) == 0
    info = told(capsys)
    assert info["format"] == "data-exchange"
    assert info["frames"] == {"projection": 90, "flat": 10, "dark": 10}
    assert info["shape"] == [90, 12, 64]
    assert info["dtype"] == "uint16"
    angles = info["angles_deg"]
    assert {k: angles[k] for k in ("first", "last", "count", "origin")} == {
        "first": 0.0,
        "last": 178.0,
        "count": 90,
        "origin": "read",
    }
    assert info["pixel_m"]["value"] == pytest.approx(1e-6)
    assert info["pixel_m"]["origin"] == "read"
    assert info["energy_kev"]["value"] == pytest.approx(20)
    assert info["axis_column"] is None
    assert {"dialect", "why", "distance_m", "missing", "repaired", "warnings"} <= info.keys()


def test_what_the_user_tells_wins(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        execute(
            ["info", str(scan_file), "--json", "--pixel", "0.65 um", "--energy", "30 keV", "--axis", "31"]
        )
        == 0
    )
    info = told(capsys)
    assert info["pixel_m"] == {"value": 6.5e-7, "origin": "user", "source": info["pixel_m"]["source"]}
    assert info["energy_kev"]["value"] == 30
    assert info["axis_column"]["value"] == 31


def test_axis_says_what_others_rely_on(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["axis", str(scan_file), "--json"]) == 0
    axis = told(capsys)
    assert axis["column"] == pytest.approx(30.5, abs=0.3)
    assert axis["confidence"] in {"high", "medium", "low"}
    assert axis["scan_type"] == "180"
    assert all({"method", "column", "score"} <= candidate.keys() for candidate in axis["candidates"])


def test_plan_says_what_others_rely_on(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", str(scan_file), "--json", "--rows", "2:6"]) == 0
    plan = told(capsys)
    keys = {
        "stages",
        "slabs",
        "halo_rows",
        "peak_bytes",
        "read_bytes",
        "decompressed_bytes",
        "write_bytes",
        "fits",
    }
    assert keys <= plan.keys()
    assert plan["shape"] == [4, 64, 64]
    assert execute(["plan", str(scan_file), "--memory", "100MB"]) == 4
    assert "of memory, but 100 MB may be used" in capsys.readouterr().err
    capsys.readouterr()
    assert execute(["plan", str(scan_file), "--set", "fbp.pixel_m=1 um"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "fbp.pixel_m 1e-06 m user: given in the protocol" in printed
    assert "flat_field.log yes default" in printed
    assert "float32 in 1/cm (z, y, x)" in printed
    projections = scan_file.with_name("projections.yaml")
    projections.write_text("steps: [{flat_field: {log: no}}]")
    assert execute(["plan", str(scan_file), "-p", str(projections)]) == 0
    assert "float32 (angle, row, column)" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_slice_writes_what_its_name_says(
    scan_file: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = scan_file.with_name(f"slice.{ending}")
    assert (
        execute(["slice", str(scan_file), "--row", "3", "-o", str(target), "--set", "fbp.window=hann"]) == 0
    )
    assert "row 3, 64 × 64, pixel 1 µm, axis at column 30." in capsys.readouterr().out
    if ending == "npy":
        assert np.load(target).shape == (64, 64)
    elif ending == "tif":
        import tifffile

        with tifffile.TiffFile(target) as file:
            assert file.asarray().dtype == np.float32
            assert file.pages[0].tags["XResolution"].value == (1, 1)  # type: ignore[union-attr]
    else:
        assert target.read_bytes().startswith(b"\x89PNG")
    assert execute(["slice", str(scan_file), "-o", str(scan_file.with_name("slice.bmp"))]) == 2


def test_run_files_a_record_that_can_be_found_and_repeated(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, catalogue = tmp_path / "record", str(tmp_path / "c.sqlite")
    assert (
        execute(["run", str(scan_file), "-o", str(record), "--title", "Disc of discs", "--memory", "2GB"])
        == 0
    )
    assert {"ro-crate-metadata.json", "volume.ome.zarr", "protocol.yaml", "provenance.json"} <= {
        path.name for path in record.iterdir()
    }
    assert verify(record) == ()
    assert f"look at it: tomarium slice {record}; file it: tomarium ingest" in capsys.readouterr().out
    assert execute(["info", str(record)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "made of disc.h5 run finished" in printed
    assert "steps 4 find_axis → flat_field → half_acquisition → fbp pixel 1 µm read:" in printed
    assert "px derived: probe find_axis, confidence high" in printed
    assert execute(["run", str(scan_file), "-o", str(record)]) == 2
    assert "holds a finished record, which is kept; choose another folder with -o" in capsys.readouterr().err
    assert execute(["ingest", str(record), "--catalogue", catalogue]) == 0
    capsys.readouterr()
    assert execute(["search", "disc", "of", "--json", "--catalogue", catalogue]) == 0
    [hit] = told(capsys)["hits"]
    assert hit["title"] == "Disc of discs"
    again = tmp_path / "again"
    assert execute(["run", "--again", str(record), "-o", str(again)]) == 0
    import tomarium as tm

    first, second = (np.asarray(tm.open(folder / "volume.ome.zarr")) for folder in (record, again))
    np.testing.assert_array_equal(first, second)
    new = str(tmp_path / "new.sqlite")
    assert execute(["index", "rebuild", str(tmp_path), "--new", "--catalogue", new]) == 0
    assert "2 records" in capsys.readouterr().out


def test_a_repeated_run_demands_the_same_scan(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    assert execute(["run", str(scan_file), "-o", str(record)]) == 0
    moved = scan_file.rename(tmp_path / "moved.h5")
    assert execute(["run", "--again", str(record)]) == 2
    assert "not there any more; give its place as SCAN" in capsys.readouterr().err
    assert execute(["run", str(moved), "--again", str(record), "-o", str(tmp_path / "a")]) == 0
    with h5py.File(moved, "r+") as file:
        file["exchange/data"][0, 0, 0] += 1
    assert execute(["run", str(moved), "--again", str(record), "-o", str(tmp_path / "b")]) == 2
    assert "is not the scan this record was made of" in capsys.readouterr().err
    assert execute(["run", "--again", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "absent.h5"], "absent.h5"),
        (["info", "empty.h5"], "empty.h5"),
        (["info", "text.h5"], "text.h5"),
        (["info", "cut.h5"], "cut.h5"),
        (["info", "."], "."),
        (["info", "disc.h5", "--pixel", "0.65"], "has no unit"),
        (["info", "disc.h5", "--pixel", "3 keV"], "measures keV, not m"),
        (["slice", "disc.h5", "--row", "99", "-o", "s.png"], "rows 0 to 11"),
        (["run", "disc.h5", "--rows", "5:3"], "the scan has the rows 0:12"),
        (["run", "disc.h5", "--rows", "5"], "write A:B"),
        (["run", "disc.h5", "--executor", "carrier pigeon"], "there are: dask, gpu, serial, slurm, threads"),
        (["run", "disc.h5", "-p", "absent.yaml"], "cannot be read"),
        (["run", "disc.h5", "--memory", "4"], "has no unit"),
        (["run", "disc.h5", "--set", "fbp.windw=hann"], "did you mean window"),
        (["run", "noflats.h5"], "no flat frames"),
        (["run"], "give a SCAN, or --again RECORD"),
        (["steps", "fpb"], "did you mean fbp"),
        (["formats", "nxtom"], "did you mean nxtomo"),
        (["formats", "quite another"], "`tomarium formats` lists them"),
        (["ingest", "nowhere"], "give a record, a volume, a scan, or a folder of them"),
        (["simulate", "s.h5", "--views", "0"], "views"),
        (["simulate", "s.h5", "--span", "180"], "has no unit"),
        (["simulate", "s.h5", "--seed", "-1"], "seed is -1; give 0 or more"),
        (["simulate", "s.h5", "--photons", "nan"], "photons is nan"),
        (["simulate", "s.h5", "--energy", "0 keV"], "energy_kev is 0"),
        (["simulate", "s.h5", "--axis", "nan"], "axis_column is nan"),
        (["simulate", "s.h5", "--blocked", "40"], "two angles in degrees"),
        (["simulate", "s.h5", "--half", "--span", "180 deg"], "a full turn"),
        (["simulate", "s.h5", "--drift", "3"], "has no unit"),
        (["simulate", "s.h5", "--rings", "2"], "has no unit"),
        (["simulate", "s.h5", "--heights", "2", "--overlap", "600"], "cannot share 600"),
        (["simulate", "s.h5", "--to", "ome-zarr"], "data-exchange, nxtomo"),
        (["simulate", "disc.h5", "--size", "16", "--views", "8"], "disc.h5 is there already"),
        (["run", "disc.h5", "--memory", "1e400GB"], "too large"),
        (["run", "disc.h5", "-o", "disc.h5"], "disc.h5 is a file; choose another folder"),
        (["run", "disc.h5", "-o", "disc.h5/record"], "Not a directory; a folder was expected"),
        (["slice", "disc.h5", "--set", "fbp.=", "-o", "s.png"], "write STEP.PARAMETER=VALUE"),
        (["slice", "disc.h5", "-o", "nowhere/s.png"], "No such file or directory; check the spelling"),
        (["slice", "disc.h5", "-o", "./disc.h5"], "lies in the scan itself"),
        (["slice", "nowhere", "-o", "nowhere/s.png"], "lies in the scan itself"),
        (["dance"], "there is no command"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(
    words: list[str],
    message: str,
    scan_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = scan_file.parent
    monkeypatch.chdir(folder)
    (folder / "empty.h5").touch()
    (folder / "text.h5").write_text("this is no scan")
    (folder / "cut.h5").write_bytes(scan_file.read_bytes()[: scan_file.stat().st_size // 2])
    data_exchange.FORMAT.write(folder / "noflats.h5", replace(make_scan(), flats=None))  # type: ignore[misc]
    before = {path.name for path in folder.iterdir()}
    assert execute(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert {path.name for path in folder.iterdir()} == before, "something half-made was left"


def test_angles_a_user_gave_are_given_again(scan_file: Path, tmp_path: Path) -> None:
    turned = np.asarray(make_scan(angles=90).angles_deg.value) + 30
    scan = tm.open(scan_file, angles_deg=turned)
    assert isinstance(scan, Scan)
    first = make_record(scan, default_protocol(), tmp_path / "first")
    again = repeat_record(tmp_path / "first", folder=tmp_path / "again")
    np.testing.assert_array_equal(again.scan.angles_deg.value, turned)
    assert first.folder is not None
    np.testing.assert_array_equal(
        np.asarray(tm.open(tmp_path / "again" / "volume.ome.zarr")),
        np.asarray(tm.open(tmp_path / "first" / "volume.ome.zarr")),
    )


def test_ctrl_c_stops_a_run_that_then_resumes(tmp_path: Path, warm: Warm) -> None:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=66, rows=64, columns=256))  # type: ignore[misc]
    words = ["run", "disc.h5", "-o", "record", "--set", "fbp.engine=reference"]
    words += ["--executor", "serial", "--memory", "400MB", "--axis", "126.5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tomarium", *words],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    progress_log = tmp_path / "record" / "unfinished" / "slabs.jsonl"
    until = time.monotonic() + 240
    while not progress_log.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=240)
    assert process.returncode == 3, error
    assert "repeat the same command to resume" in error
    assert "Traceback" not in error
    assert not (tmp_path / "record" / "ro-crate-metadata.json").exists()
    assert execute(["ingest", str(tmp_path / "record"), "--catalogue", str(tmp_path / "c.sqlite")]) == 2
    done = warm.tomarium(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "record" / "ro-crate-metadata.json").exists()


@pytest.mark.parametrize("words", [["advise"], ["axis"], ["plan"], ["slice", "-o", "s.png"], ["run"]])
def test_a_scan_whose_frames_are_elsewhere_says_so(
    words: list[str],
    shared: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shared("nexus/savu_24888.nxs")
    monkeypatch.chdir(tmp_path)
    assert execute([words[0], str(path), *words[1:]]) == 2
    assert "no frames to work on" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_ours_is_told_in_a_sentence_too(
    scan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tomarium.formats.opening.summary.describe", lambda scan: 1 / 0)
    assert execute(["info", str(scan_file)]) == 2
    error = capsys.readouterr().err
    assert "a mistake in tomarium" in error
    assert "Traceback" not in error
    monkeypatch.setenv("TOMARIUM_TRACEBACK", "1")
    assert execute(["info", str(scan_file)]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for name in commands():
        assert execute([name, "--help"]) == 0
        told = capsys.readouterr().out
        assert len(told) > 150, name
        # An example stands on a line of its own.
        assert f"\n  tomarium {name}" in told, name
    assert execute(["--version"]) == 0


def test_formats_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    from tomarium.formats import formats

    assert execute(["formats", "--json"]) == 0
    assert [one["name"] for one in told(capsys)] == list(formats())
    assert execute(["formats"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(formats())
    for name, form in formats().items():
        assert execute(["formats", name]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"## {name}\n")
        assert "tomarium " in said, form


def test_doctor_names_every_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", "--self", "--json"]) in (0, 1)
    names = {finding["name"] for finding in told(capsys)}
    assert {"engine native", "engine direct", "engine nufft", "engine reference", "GPU"} <= names


def test_a_pipe_that_closes_early_is_no_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m tomarium steps --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_record_does_not_tell_how_to_reach_a_person(tmp_path: Path) -> None:
    scan = make_scan()
    personal = {
        name: Value("secret@example.org", "read", "test")
        for name in ("experimenter_email", "/measurement/sample/experimenter/e-mail")
    }
    named = {"experimenter_name": Value("A. Person", "read", "test")}
    path = tmp_path / "disc.bin"
    path.write_bytes(b"scan")
    make_record(replace(scan, path=path, metadata=personal | named), default_protocol(), tmp_path / "record")
    written = [file.read_bytes() for file in (tmp_path / "record").rglob("*.json")]
    assert any(b"A. Person" in content for content in written)
    assert not any(b"secret@example.org" in content for content in written)


def test_long_values_of_an_image_do_not_widen_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "image.edf"
    header = "{\nDim_1 = 8 ;\nDim_2 = 8 ;\nDataType = UnsignedShort ;\nByteOrder = LowByteFirst ;\n"
    header += f"comment = {'x' * 200} ;\n"
    path.write_bytes(header.ljust(510).encode() + b"}\n" + bytes(128))
    assert execute(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) < 160
    assert shown.count("\n  format") == 1


def test_steps_are_added_by_name_and_stand_in_their_natural_places(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--step", "remove_stripes", "--step", "paganin", "--set", "paganin.delta_beta=2"]
    assert execute(["plan", str(scan_file), *words, "--json"]) == 0
    plan = told(capsys)
    names = [step for section in plan["sections"] for step in section["steps"]]
    assert names == ["flat_field", "remove_stripes", "paganin", "minus_log", "half_acquisition", "fbp"]
    assert {"cut", "steps", "slabs", "halo", "spool_bytes"} <= plan["sections"][0].keys()
    assert plan["recomputed"] >= 1
    assert plan["device_bytes"] == 0
    assert plan["seconds"] > 0
    assert execute(["run", str(scan_file), *words, "-o", str(tmp_path / "record")]) == 0
    assert execute(["plan", str(scan_file), "--step", "nonsense"]) == 2
    assert "there is no step 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sirt", "cgls", "tv"])
def test_a_reconstruction_added_by_name_takes_the_place_of_fbp(
    name: str, scan_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["plan", str(scan_file), "--step", name, "--step", "remove_stripes", "--json"]) == 0
    names = [step for section in told(capsys)["sections"] for step in section["steps"]]
    assert names == ["flat_field", "remove_stripes", "half_acquisition", name]


def test_presets_are_shown_written_and_run(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["protocol", "show", "--json"]) == 0
    assert {preset["name"] for preset in told(capsys)} == {"standard", "quick", "phase", "rings"}
    for name in ("mine.yaml", "mine.json", "mine.txt"):
        path = tmp_path / name
        assert execute(["protocol", "new", str(path), "--preset", "rings", "--set", "fbp.window=hann"]) == 0
        assert execute(["protocol", "check", str(path), "--scan", str(scan_file)]) == 0
        assert "gives slice of 12 × 64 × 64 in 1/cm" in capsys.readouterr().out
        assert execute(["protocol", "new", str(path)]) == 2
    assert execute(["run", str(scan_file), "--preset", "quick", "-o", str(tmp_path / "quick")]) in (0, 1)
    volume = tm.open(tmp_path / "quick" / "volume.ome.zarr")
    assert volume.shape == (6, 32, 32)
    assert volume.voxel_m == pytest.approx((2e-6,) * 3)  # type: ignore[union-attr]
    assert execute(["run", str(scan_file), "--preset", "quick", "-p", "x.yaml"]) == 2


def test_the_volume_is_written_in_other_types_within_stated_limits(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    outputs = [
        "--output",
        "volume:tiff,uint16",
        "--output",
        "volume:vol",
        "--output",
        "volume:mrc,uint8,0:200",
    ]
    assert execute(["run", str(scan_file), "-o", str(record), "--axis", "30.5", *outputs]) == 0
    told_casts = capsys.readouterr().out
    assert "volume_uint16.tif: uint16 from " in told_casts
    assert "volume_uint8.mrc: uint8 from 0 to 200 1/cm, as given; clipped: " in told_casts
    volume = np.asarray(tm.open(record / "volume.ome.zarr"))
    exports = {one["type"]: one for one in json.loads((record / "exports.json").read_text())}
    grey = np.asarray(tm.open(record / "volume_uint16.tif"))
    assert grey.dtype == np.uint16
    low, high = exports["uint16"]["low"], exports["uint16"]["high"]
    back = low + grey.astype(float) * (high - low) / 65535
    inside = (volume > low) & (volume < high)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(back[inside], volume[inside], atol=(high - low) / 65535)
    np.testing.assert_array_equal(np.asarray(tm.open(record / "volume_float32.vol")), volume)
    assert exports["uint8"]["low"] == 0
    assert exports["uint8"]["high"] == 200
    assert not verify(record)
    assert execute(["run", str(scan_file), "--output", "volume:gif"]) == 2
    assert "formats are tiff" in capsys.readouterr().err


def test_slices_of_all_kinds(scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = ["slice", str(scan_file), "--axis", "30.5"]
    record = tmp_path / "record"
    assert execute(["run", str(scan_file), "--axis", "30.5", "-o", str(record)]) == 0
    volume = np.asarray(tm.open(record / "volume.ome.zarr"))
    same = 2e-4 * np.ptp(volume)
    assert execute([*scan, "--row", "2:8:3", "-o", str(tmp_path / "rows.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "rows.npy"), volume[[2, 5]], atol=same)
    # One row of voxels is backprojected directly, the volume by gridding: they agree to 1e-3 of the contrast.
    for along, plane in (("y", volume[:, 20]), ("x", volume[:, :, 20])):
        assert execute([*scan, "--along", along, "--at", "20", "-o", str(tmp_path / f"{along}.npy")]) == 0
        np.testing.assert_allclose(np.load(tmp_path / f"{along}.npy"), plane, atol=2e-3 * np.ptp(volume))
        of_volume = ["slice", str(record / "volume.ome.zarr"), "--along", along, "--at", "20"]
        assert execute([*of_volume, "-o", str(tmp_path / "v.npy")]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), plane)
    sweep = ["slice", str(scan_file), "--axis-sweep", "28.5:32.5:1", "--row", "5", "-o"]
    assert execute([*sweep, str(tmp_path / "sweep.npy")]) == 0
    assert execute([*sweep, str(tmp_path / "sweep.png")]) == 0
    stack = np.load(tmp_path / "sweep.npy")
    assert stack.shape == (5, 64, 64)
    np.testing.assert_allclose(stack[2], volume[5], atol=same)
    assert (
        execute(["slice", str(scan_file), "--axis", "31.5", "--row", "5", "-o", str(tmp_path / "one.npy")])
        == 0
    )
    # A sweep grids its axes together, a slice its rows: they agree to 1e-3 of the contrast.
    np.testing.assert_allclose(stack[3], np.load(tmp_path / "one.npy"), atol=1e-3 * np.ptp(volume))
    assert np.abs(stack[3] - stack[2]).max() > 10 * same
    assert execute(["slice", str(scan_file), "--axis-sweep", "28:32", "-o", str(tmp_path / "x.png")]) == 2
    assert "write FIRST:LAST:STEP" in capsys.readouterr().err


def test_part_of_the_slices(scan_file: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert execute(["run", str(scan_file), "--axis", "30.5", "-o", str(whole)]) == 0
    roi = ["--roi", "2:6,10:30,20:50"]
    assert execute(["run", str(scan_file), "--axis", "30.5", *roi, "-o", str(part)]) == 0
    volume, cut = tm.open(whole / "volume.ome.zarr"), tm.open(part / "volume.ome.zarr")
    assert cut.shape == (4, 20, 30)
    expected = np.asarray(volume)[2:6, 10:30, 20:50]
    np.testing.assert_allclose(np.asarray(cut), expected, atol=2e-3 * np.ptp(np.asarray(volume)))
    for k, first in enumerate((2, 10, 20)):  # the voxels keep their place in space
        there = volume.axes[k].offset + first * volume.axes[k].scale  # type: ignore[union-attr]
        assert cut.axes[k].offset == pytest.approx(there)  # type: ignore[union-attr]
