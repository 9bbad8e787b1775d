"""Frames packed one by one are unpacked once; steps that work on whole frames run before all others."""

import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import SAME, make_scan
from tomarium.errors import InputError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Layout, Slab
from tomarium.model.scan import IndexedFrames
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import Item, Protocol, default_protocol
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.pipeline.run.runner import run
from tomarium.pipeline.run.spool import make_spool
from tomarium.steps.core.context import Scratch
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import step

PLENTY = Resources(10**12, 10**12, 2, 2)


@dataclass(frozen=True, eq=False)
class PackedFrames(IndexedFrames):
    """Frames in memory that cost as if each were packed as a whole; counts how often one is unpacked."""

    inner: ArrayFrames
    unpacked: list[int]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.inner.shape

    @property
    def dtype(self) -> Any:
        return self.inner.dtype

    def read(self, frames: Any, rows: slice) -> Any:
        result = self.inner.read(frames, rows)
        self.unpacked.append(len(result))
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        size = frames * self.shape[1] * self.shape[2] * 2
        return size // 2, size


def packed_scan(tmp_path: Path) -> Any:
    scan = make_scan(angles=40, rows=600, columns=32)
    path = tmp_path / "packed.bin"
    path.write_bytes(b"packed")
    return replace(scan, path=path, projections=PackedFrames(scan.projections, []))  # type: ignore[arg-type]


def test_packed_frames_are_unpacked_once(tmp_path: Path) -> None:
    scan = packed_scan(tmp_path)
    outcome = run(scan, default_protocol(), tmp_path / "record", PLENTY, slab_rows=16)
    assert [stage.name for stage in outcome.plan.stages] == ["spool", "reconstruct"]
    assert outcome.plan.titles == ("1/2 spool of raw frames, cut by angle", "2/2 reconstruct")
    assert sum(scan.projections.unpacked) == 40
    plain = replace(scan, projections=scan.projections.inner)
    run(plain, default_protocol(), tmp_path / "plain", PLENTY, slab_rows=16)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("record", "plain")]
    np.testing.assert_array_equal(*volumes)
    assert not list(tmp_path.rglob("*.raw")), "the spool was left behind"


@step(accepts=("transmission",), cut="angle")
def mirror(slab: Slab) -> Slab:
    """Turn every frame upside down."""
    return replace(slab, data=slab.data[:, ::-1].astype(np.float32))


def test_steps_on_whole_frames_stand_where_they_are_written(tmp_path: Path) -> None:
    scan = packed_scan(tmp_path)
    flat, log, fbp = (Item(find_step(name), given) for name, given in
                      (("flat_field", {"log": False}), ("minus_log", {}), ("fbp", {})))  # fmt: skip
    mirrored = Protocol((flat, Item(mirror), log, fbp))
    whole = np.asarray(tm.reconstruct(scan, Protocol((flat, log, fbp))))
    in_memory = np.asarray(tm.reconstruct(scan, mirrored))
    np.testing.assert_allclose(in_memory, whole[::-1], atol=SAME * np.ptp(whole))
    run(scan, mirrored, tmp_path / "record", PLENTY)
    on_disk = np.asarray(tm.open(tmp_path / "record" / "volume.ome.zarr"))
    np.testing.assert_allclose(on_disk, in_memory, atol=SAME * np.ptp(whole))
    slab = slice_at(scan, 3, mirrored).slab
    np.testing.assert_allclose(slab.data[0], in_memory[3], atol=SAME * np.ptp(whole))
    rows = np.asarray(tm.reconstruct(scan, mirrored, rows=slice(10, 13)))
    np.testing.assert_allclose(rows, in_memory[10:13], atol=SAME * np.ptp(whole))


def test_sections_may_go_back_and_forth(tmp_path: Path) -> None:
    scan = packed_scan(tmp_path)
    stripes = Item(half_sinograms)
    flat, log, fbp = (Item(find_step(name), given) for name, given in
                      (("flat_field", {"log": False}), ("minus_log", {}), ("fbp", {})))  # fmt: skip
    protocol = Protocol((flat, stripes, Item(mirror), log, fbp))
    made = plan(protocol, scan, PLENTY)
    assert [section.direction for section in made.sections][-3:] == ["row", "angle", "row"]
    expected = np.asarray(tm.reconstruct(scan, Protocol((flat, Item(mirror), stripes, log, fbp))))
    np.testing.assert_allclose(
        np.asarray(tm.reconstruct(scan, protocol)), expected, atol=SAME * np.ptp(expected)
    )
    with pytest.raises(InputError, match="would cost a whole run"):
        slice_at(scan, 3, protocol)
    stages: dict[str, int] = {}
    run(
        scan,
        protocol,
        tmp_path / "record",
        PLENTY,
        on_progress=lambda *told: stages.update({told[0]: told[1]}),
    )
    assert list(stages.items()) == [
        (title, section.slabs) for title, section in zip(made.titles, made.sections, strict=True)
    ], "each section is told under a title of its own, to its end"
    assert made.titles[-3:] == (
        f"{len(made.sections) - 2}/{len(made.sections)} spool after half_sinograms, cut by row",
        f"{len(made.sections) - 1}/{len(made.sections)} spool after mirror, cut by angle",
        f"{len(made.sections)}/{len(made.sections)} reconstruct",
    )


@step(accepts=("transmission",), cut="row")
def half_sinograms(slab: Slab) -> Slab:
    """Halve every other view of a sinogram."""
    data = np.array(slab.data, np.float32)
    data[::2] *= 0.5
    return replace(slab, data=data)


@pytest.mark.parametrize("domain", ["counts", "slice"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_spool_holds_what_was_laid_down(tmp_path: Path, domain: Any, on_disk: bool) -> None:
    data = np.random.default_rng(0).normal(size=(9, 7, 5)).astype(np.float32)
    geometry = make_scan(angles=9, rows=7, columns=5).geometry
    layout = Layout(data.shape, np.dtype(np.float32), domain, "1", geometry)
    first = 3  # row of the scan that is its first
    spool = make_spool(layout, slice(first, first + layout.rows), tmp_path / "a.raw" if on_disk else None)
    held: dict[str, Any] = {}

    def empty(shape: Any, dtype: Any) -> Any:
        return held.setdefault("array", np.full(shape, np.nan, dtype))

    if domain == "slice":
        for start, stop in ((4, 9), (0, 4)):
            spool.put(Slab(data[start:stop], slice(first + start, first + stop), domain=domain))
        np.testing.assert_array_equal(spool.read(slice(None), slice(5, 8)), data[2:5])
        return
    for part in (slice(5, 9), slice(0, 5)):
        whole_rows = slice(first, first + 7)
        spool.put(Slab(data[part, :4], slice(first, first + 4), part))
        spool.put(
            Slab(np.zeros_like(data[part]), whole_rows, part)
            if part.start
            else Slab(data[part], whole_rows, part)
        )
    for rows in (slice(4, 7), slice(0, 7)):
        spool.put(Slab(data[:, rows], slice(first + rows.start, first + rows.stop)))
    np.testing.assert_array_equal(spool.read(slice(2, 7), slice(3, 10)), data[2:7])
    np.testing.assert_array_equal(spool.read(slice(None), slice(5, 8), empty), data[:, 2:5])
    np.testing.assert_array_equal(spool.read(np.array([7, 0, 0]), slice(5, 8)), data[[7, 0, 0], 2:5])


def test_a_spool_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    layout = Layout(
        (4, 3, 2), np.dtype(np.float32), "counts", "1", make_scan(angles=4, rows=3, columns=2).geometry
    )
    spool = make_spool(layout, slice(0, 3), tmp_path / "a.raw")
    (tmp_path / "a.raw").write_bytes(b"short")
    with pytest.raises(InputError, match="shorter than it was"):
        spool.read(slice(None), slice(None))


def test_two_results_are_held_for_the_steps_of_a_slab() -> None:
    scratch = Scratch()
    names = ("a", "b")
    small = scratch.other(names, (10,), np.float32, None)
    large = scratch.other(names, (20,), np.float32, small)
    for _ in range(3):  # each finds its own again: no fresh memory for another slab
        assert np.shares_memory(scratch.other(names, (10,), np.float32, None), small)
        assert np.shares_memory(scratch.other(names, (20,), np.float32, small), large)
    assert not np.may_share_memory(scratch.other(names, (20,), np.float32, large), large)


def test_a_slab_that_grows_takes_no_third_result() -> None:
    scratch, names = Scratch(), ("a", "b")
    at_the_edge = scratch.other(names, (10,), np.float32, None)
    assert at_the_edge.shape == (10,)
    first = scratch.other(names, (12,), np.float32, None)
    held = scratch._held()
    assert {name: buffer.nbytes for name, buffer in held.items()} == {"a": first.nbytes}


@pytest.mark.parametrize("stored", ["float32", "float64"])
def test_a_slab_without_its_halo_is_laid_down_without_a_copy_of_it(tmp_path: Path, stored: str) -> None:
    shape = (64, 40, 300)
    geometry = make_scan(angles=64, rows=40, columns=300).geometry
    layout = Layout(shape, np.dtype(np.float32), "attenuation", "1", geometry)
    spool = make_spool(layout, slice(0, 40), tmp_path / "a.raw")
    data = np.random.default_rng(0).normal(size=(64, 24, 300)).astype(stored)
    own = data[:, 4:20]
    tracemalloc.start()
    try:
        spool.put(Slab(own, slice(8, 24), domain="attenuation"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(spool.read(slice(None), slice(8, 24)), own.astype(np.float32))
    assert peak < own.size  # a copy would take four times that
