"""Runs: the same answer whatever the slabs, resumed after a kill, repeatable, clean in failure."""

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import SAME, make_scan
from scans import changed
from tomarium.errors import CannotFit, InputError, Interrupted, MissingData, StorageFull
from tomarium.executors import find_executor
from tomarium.executors.executor import Executor
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.formats.zarr.progress import PARTIAL, Slabs
from tomarium.model import Scan, Slab, Value
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import Item, Protocol, default_protocol, from_data
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.pipeline.run.runner import run
from tomarium.registry import collect
from tomarium.steps.core.step import step

PLENTY = Resources(10**12, 10**12, 2, 2)


def scan_on_disk(tmp_path: Path, **changes: Any) -> Scan:
    """The small scan with a file of its own, as a run takes its fingerprint."""
    path = tmp_path / "disc.bin"
    path.write_bytes(b"the test's scan")
    return changed(make_scan(), path=path, **changes)


def volume_of(folder: Path) -> Any:
    return np.asarray(tm.open(folder / "volume.ome.zarr"))


# Of slurm, which needs a cluster, tests/executors says the same.
@pytest.mark.parametrize("name", sorted(collect("executors", Executor).keys() - {"slurm"}))
def test_every_executor_and_every_cut_gives_the_same_voxels(name: str, tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    whole = np.asarray(tm.reconstruct(scan))
    for size in (4, 8):
        run(
            scan,
            default_protocol(),
            tmp_path / f"{name}{size}",
            PLENTY,
            slab_rows=size,
            mapper=find_executor(name).map,
            crosses=find_executor(name).crosses,
        )
        np.testing.assert_allclose(volume_of(tmp_path / f"{name}{size}"), whole, atol=SAME * np.ptp(whole))


def test_a_slice_is_the_slice_of_the_volume(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    volume = tm.reconstruct(scan)
    for row in (0, 5, -1):
        slab = slice_at(scan, row).slab
        difference = np.abs(slab.data[0] - volume[row])
        assert difference.max() <= SAME * np.ptp(volume[row])
    assert volume.unit == "1/cm"
    assert volume.voxel_m == (1e-6, 1e-6, 1e-6)
    with pytest.raises(InputError, match="rows 0 to 11"):
        slice_at(scan, 12)


def test_only_the_rows_asked_for_are_made(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    whole, part = tm.reconstruct(scan), tm.reconstruct(scan, rows=slice(3, 7))
    assert part.shape == (4, 64, 64)
    np.testing.assert_allclose(part[0], whole[3], atol=SAME * np.ptp(whole[3]))
    assert part.axes[0].offset == pytest.approx(3e-6)


def stopping_after(count: int, stop: Callable[[], None]) -> Any:
    def mapper(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        for done, item in enumerate(items):
            if done == count:
                stop()
            yield function(item)

    return mapper


def interrupt() -> None:
    raise KeyboardInterrupt


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("stop", "error"), [(interrupt, Interrupted), (fill_disk, StorageFull)])
def test_a_stopped_run_resumes_where_it_was(
    stop: Callable[[], None], error: type[Exception], tmp_path: Path
) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    with pytest.raises(error, match=r"2 of 6 slabs are done .*repeat the same command"):
        run(scan, default_protocol(), folder, PLENTY, slab_rows=2, mapper=stopping_after(2, stop))
    assert (folder / "unfinished").exists()
    assert not (folder / "provenance.json").exists()
    with pytest.raises(InputError, match="unfinished"):
        tm.open(folder / "volume.ome.zarr")
    done: list[int] = []

    def counting(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        for item in items:
            done.append(item.index)
            yield function(item)

    outcome = run(scan, default_protocol(), folder, PLENTY, mapper=counting)
    assert done == [2, 3, 4, 5]
    assert outcome.provenance["resumed_slabs"] == 2
    assert not (folder / "unfinished").exists()
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=2)
    np.testing.assert_array_equal(volume_of(folder), volume_of(tmp_path / "straight"))
    straight = json.loads((tmp_path / "straight" / "provenance.json").read_text())
    assert outcome.provenance["statistics"] == straight["statistics"]


KILL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from pipeline.test_run import PLENTY, default_protocol, run, scan_on_disk, stopping_after
folder = Path(sys.argv[1])
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
run(scan_on_disk(folder), default_protocol(), folder / "record", PLENTY, slab_rows=2, mapper=stopping_after(3, kill))
"""


def test_a_killed_run_resumes_at_the_slabs_that_are_missing(tmp_path: Path) -> None:
    code = KILL.format(tests=str(Path(__file__).parents[1]))
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert told.returncode == -signal.SIGKILL, told.stderr
    with (tmp_path / "record" / "unfinished" / "slabs.jsonl").open("a") as progress_log:
        progress_log.write('{"section": 0, "slab": 3, "rep')  # the line the kill cut short
    scan = scan_on_disk(tmp_path)
    outcome = run(scan, default_protocol(), tmp_path / "record", PLENTY)
    assert outcome.provenance["resumed_slabs"] == 3
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=2)
    np.testing.assert_array_equal(volume_of(tmp_path / "record"), volume_of(tmp_path / "straight"))


def plan_left(slabs: Slabs) -> None:
    """The process dies when the metadata are written, and nothing is removed."""
    raise KeyboardInterrupt


def marks_left(slabs: Slabs) -> None:
    """The process dies when the plan is removed, and the marks of slabs are not."""
    (slabs.folder / "plan.json").unlink()
    raise KeyboardInterrupt


@pytest.mark.parametrize("end", [plan_left, marks_left])
def test_a_run_killed_as_it_finishes_its_volume_comes_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[Slabs], None]
) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    with monkeypatch.context() as patch:
        patch.setattr(Slabs, "end", end)
        with pytest.raises(Interrupted):
            run(scan, default_protocol(), folder, PLENTY, slab_rows=2)
    run(scan, default_protocol(), folder, PLENTY)
    assert volume_of(folder).shape == (12, 64, 64)
    assert not (folder / "volume.ome.zarr" / PARTIAL).exists()
    assert not (folder / "unfinished").exists()


def test_a_run_killed_before_its_first_slab_begins_anew(tmp_path: Path) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    with pytest.raises(Interrupted):
        run(scan, default_protocol(), folder, PLENTY, slab_rows=2, mapper=stopping_after(0, interrupt))
    run(scan, default_protocol(), folder, PLENTY)
    assert volume_of(folder).shape == (12, 64, 64)


def test_an_unfinished_run_is_not_mixed_with_another(tmp_path: Path) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    with pytest.raises(Interrupted):
        run(scan, default_protocol(), folder, PLENTY, slab_rows=2, mapper=stopping_after(2, interrupt))
    other = from_data({"steps": ["find_axis", "flat_field", {"fbp": {"window": "hann"}}]}, "test")
    with pytest.raises(InputError, match=r"asked for something else \(protocol\)"):
        run(scan, other, folder, PLENTY)
    with pytest.raises(InputError, match=r"something else \(given\)"):
        run(scan.with_geometry(axis_column=Value(30.0, "user", "test")), default_protocol(), folder, PLENTY)
    turned = Value(scan.angles_deg.value + 1, "user", "test")
    with pytest.raises(InputError, match=r"something else \(given\)"):
        run(scan.with_geometry(angles_deg=turned), default_protocol(), folder, PLENTY)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        run(scan_on_disk(tmp_path), default_protocol(), folder, PLENTY)
    assert [path.name for path in folder.iterdir()] == ["chapter1.tex"]


def test_what_cannot_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CannotFit):
        run(scan_on_disk(tmp_path), default_protocol(), tmp_path / "record", Resources(10**6, 10**12, 2, 2))
    assert not (tmp_path / "record").exists()


def test_a_scan_without_flats_is_told_what_to_do(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path, flats=None)
    with pytest.raises(MissingData, match=r"no flat frames.*--domain transmission"):
        tm.reconstruct(scan)
    volume = tm.reconstruct(scan, {"steps": ["minus_log", "fbp"]})
    assert volume.shape == (12, 64, 64)


def test_provenance_tells_enough_to_do_it_again(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path).with_geometry(axis_column=None)
    first = run(scan, default_protocol(), tmp_path / "first", PLENTY)
    told = json.loads((tmp_path / "first" / "provenance.json").read_text())
    assert told["probes"]["find_axis"]["answer"] == first.scan.axis_column.value  # type: ignore[union-attr]
    assert told["quality"].keys() >= {"flat_field.clipped", "flat_field.dead", "flat_field.not_finite"}
    assert told["source"]["values"]["pixel_m"] == {"value": 1e-6, "origin": "read", "source": "test"}
    assert {"numpy", "tomarium", "ducc0"} <= told["versions"].keys()
    volume = tm.open(tmp_path / "first" / "volume.ome.zarr")
    assert volume.metadata["provenance"]["frozen"] == told["frozen"]
    again = from_data(told["frozen"], "provenance")
    run(scan, again, tmp_path / "again", PLENTY, rows=slice(*told["rows"]), slab_rows=told["slab_rows"])
    np.testing.assert_array_equal(volume_of(tmp_path / "first"), volume_of(tmp_path / "again"))


def test_a_full_disk_is_told_when_the_volume_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageFull(f"{tmp_path}: the disk is full")

    monkeypatch.setattr(ome_zarr.VolumeWriter, "write", full)
    with pytest.raises(StorageFull, match="0 of 1 slabs are done"):
        run(scan_on_disk(tmp_path), default_protocol(), tmp_path / "record", PLENTY)


@step(cut="angle", accepts=("counts",), gives="counts")
def doubled(slab: Slab) -> Slab:
    """Double every frame."""
    return replace(slab, data=2 * slab.data)


def test_a_step_on_whole_frames_goes_through_a_spool(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    plain = default_protocol()
    protocol = Protocol((Item(doubled, {}), *plain.items))
    in_memory = np.asarray(tm.reconstruct(scan, protocol))
    doubles = run(scan, protocol, tmp_path / "doubled", PLENTY)
    run(scan, plain, tmp_path / "plain", PLENTY)
    assert [stage.name for stage in doubles.plan.stages][-2:] == ["spool", "reconstruct"]
    # Flats and darks are doubled alike, so nothing changes but what rounding does to dead pixels.
    np.testing.assert_allclose(
        volume_of(tmp_path / "doubled"), volume_of(tmp_path / "plain"), atol=SAME * np.ptp(in_memory)
    )
    np.testing.assert_allclose(volume_of(tmp_path / "doubled"), in_memory, atol=SAME * np.ptp(in_memory))


def test_a_run_stopped_in_its_second_section_goes_on_there(tmp_path: Path) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    protocol = Protocol((Item(doubled, {}), *default_protocol().items))
    with pytest.raises(Interrupted, match="3 of 7 slabs are done"):
        run(scan, protocol, folder, PLENTY, slab_rows=2, mapper=stopping_after_all(3, interrupt))
    seen: list[Any] = []

    def counting(function: Any, items: Iterable[Any], workers: int) -> Iterator[Any]:
        for item in items:
            seen.append((function.direction, item.index))
            yield function(item)

    run(scan, protocol, folder, PLENTY, mapper=counting)
    assert seen == [("row", 2), ("row", 3), ("row", 4), ("row", 5)]
    run(scan, protocol, tmp_path / "straight", PLENTY, slab_rows=2)
    np.testing.assert_array_equal(volume_of(folder), volume_of(tmp_path / "straight"))
    assert not list(tmp_path.rglob("*.raw")), "a spool was left behind"


def stopping_after_all(count: int, stop: Callable[[], None]) -> Any:
    done = 0

    def mapper(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        nonlocal done
        for item in items:
            if done == count:
                stop()
            done += 1
            yield function(item)

    return mapper


def test_corrected_projections_are_a_scan_that_can_be_reconstructed(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    whole = np.asarray(tm.reconstruct(scan))
    made = tm.reconstruct(scan, "steps: [flat_field]", output=tmp_path / "corrected")
    assert isinstance(made, Scan)
    assert made.domain == "attenuation"
    assert made.pixel_m is not None
    assert made.pixel_m.value == pytest.approx(1e-6)
    np.testing.assert_allclose(
        np.asarray(tm.reconstruct(made, axis_column=30.5)), whole, atol=SAME * np.ptp(whole)
    )
    told = json.loads((tmp_path / "corrected" / "provenance.json").read_text())
    assert told["output"] == "projections"
    assert not list(tmp_path.rglob("*.raw"))
