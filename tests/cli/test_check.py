"""`tomarium check`: each fault is put into a good volume and named with its slices, and a record's slabs are mended."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from doctor.subjects import ball
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.doctor.every_slice import find_faults
from tomarium.formats import formats
from tomarium.formats import open as open_any
from tomarium.formats.zarr import writer
from tomarium.model import Axis, Scan, Volume
from tomarium.pipeline.protocol.read import as_protocol
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate


def volume(array: NDArray[Any]) -> Volume:
    return Volume(array, tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx"), "1/cm", "ball")


def put(change: Callable[[NDArray[Any]], Any]) -> Volume:
    array = ball().copy()
    change(array)
    return volume(array)


def fill(array: NDArray[Any], part: Any, value: Any) -> None:
    array[part] = value


FAULTS: dict[str, tuple[Callable[[NDArray[Any]], Any], str, int, int]] = {
    "zeros": (lambda a: fill(a, slice(16, 24), 0), "slab-empty", 16, 23),
    "constant": (lambda a: fill(a, 20, 1.5), "slab-empty", 20, 20),
    "NaN": (lambda a: fill(a, slice(8, 16), np.nan), "slab-not-finite", 8, 15),
    "some NaN": (lambda a: fill(a, (slice(8, 10), 30, 30), np.inf), "slab-not-finite", 8, 9),
    "offset": (lambda a: fill(a, slice(24, 32), a[24:32] + 0.1), "slab-jumps", 24, 31),
    "offset to the end": (lambda a: fill(a, slice(32, 48), a[32:48] + 0.1), "slab-jumps", 32, 47),
    "one slice": (lambda a: fill(a, 30, a[30] * 1.3), "slab-jumps", 30, 30),
    "cut off in a slice": (lambda a: fill(a, (20, slice(40, 64)), 0), "rows-empty", 20, 20),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_with_its_slices(name: str) -> None:
    change, kind, first, last = FAULTS[name]
    assert (kind, first, last) in {(one.kind, one.first, one.last) for one in find_faults(put(change))}


def test_good_volumes_have_no_fault() -> None:
    z, y, x = np.mgrid[-1:1:24j, -1:1:48j, -1:1:48j]
    found = {}
    for seed in range(50):
        draw = np.random.default_rng(seed)
        centre = draw.uniform(-0.3, 0.3, 3)
        radius = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
        body = np.where(radius < draw.uniform(0.4, 0.9), 1 + 0.2 * np.sin(9 * x + 4 * z), 0.0)
        array = body + draw.normal(0, draw.uniform(0.02, 0.3), body.shape)
        faults = find_faults(volume(array.astype(np.float32)))
        if faults:
            found[seed] = faults
    assert found == {}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored") / "ball.ome.zarr"
    made = writer.create(path, (48, 64, 64), "float32", voxel_m=1e-6, slab_rows=8, unit="1/cm", name="ball")
    for z in range(0, 48, 8):
        made.write(z, ball()[z : z + 8])
    made.finish()
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(("damage", "kind"), [(Path.unlink, "slab-missing"), (cut, "slab-unreadable")])
def test_lost_and_truncated_files_are_named(
    damage: Callable[[Path], None],
    kind: str,
    stored: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shutil.copytree(stored, tmp_path / "ball.ome.zarr")
    assert execute(["check", str(path), "--json"]) == 0
    capsys.readouterr()
    damage(path / "0" / "c" / "3" / "0" / "0")
    assert execute(["check_reconstructions", str(path), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["code"] == kind
    assert told["slices"] == [[24, 31]]
    assert execute(["check", str(path), "--repair"]) == 2
    assert "is no record" in capsys.readouterr().err


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("record")
    simulate(home / "scan.nx", replace(SimulationConfig(), columns=64, rows=32, views=90), to="nxtomo")
    scan = open_any(home / "scan.nx")
    assert isinstance(scan, Scan)
    make_record(
        scan,
        as_protocol("steps: [flat_field, remove_stripes, {fbp: {axis_column: 31.5}}]"),
        home / "record",
        slab_rows=8,
    )
    return home / "record"


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_repair_makes_the_bad_slabs_again_to_the_same_bytes(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = sums(record)
    folder = shutil.copytree(record, tmp_path / "record")
    assert execute(["check", str(folder)]) == 0
    chunks = folder / "volume.ome.zarr" / "0" / "c"
    (chunks / "1" / "0" / "0").unlink()
    cut(chunks / "3" / "0" / "0")
    kept = (chunks / "0" / "0" / "0").stat().st_mtime_ns
    assert execute(["check", str(folder), "--json"]) == 2
    capsys.readouterr()
    assert execute(["check", str(folder), "--repair", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["first"], one["last"], one["outcome"]) for one in told["remade"]] == [
        (8, 15, "as filed"),
        (24, 31, "as filed"),
    ]
    assert sums(folder) == whole
    assert (chunks / "0" / "0" / "0").stat().st_mtime_ns == kept
    assert list(tmp_path.iterdir()) == [folder]


def test_repair_is_the_same_where_steps_work_on_whole_frames(record: Path, tmp_path: Path) -> None:
    scan = open_any(record.parent / "scan.nx")
    assert isinstance(scan, Scan)
    steps = "steps: [{flat_field: {log: false}}, paganin, minus_log, {fbp: {axis_column: 31.5}}]"
    folder = tmp_path / "phase"
    made = make_record(scan, as_protocol(steps), folder, slab_rows=8)
    assert len(made.provenance["split"]) > 1
    whole = sums(folder)
    (folder / "volume.ome.zarr/0/c/1/0/0").unlink()
    assert execute(["check", str(folder), "--repair"]) == 0
    assert sums(folder) == whole


def test_voxels_that_were_changed_are_told_by_their_checksum(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(record, tmp_path / "record")
    array = formats()["record"].read(folder, formats()["record"].detect(folder))  # type: ignore[arg-type]
    made = writer.create(tmp_path / "other", (32, 64, 64), "f4", voxel_m=None, slab_rows=8, unit="", name="")
    made.write(16, np.asarray(array[16:24]) * 1.001)
    (tmp_path / "other/0/c/2/0/0").replace(folder / "volume.ome.zarr/0/c/2/0/0")
    assert execute(["check", str(folder), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["findings"][0]["code"], told["slices"]) == ("slab-changed", [[16, 23]])
    assert execute(["check", str(folder), "--repair"]) == 0
    assert "the checksum it was filed with" in capsys.readouterr().out
