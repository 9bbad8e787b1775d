"""What the contract of steps is for: cases that once gave a wrong volume, or none, without a word."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import SAME, make_scan
from tomarium.errors import ParameterError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Geometry, Layout, Scan, Slab, Value, Volume
from tomarium.model.scan import Reference
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.report import plan_data
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import Item, Protocol, from_data
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.pipeline.run.runner import run
from tomarium.steps.core.context import Context
from tomarium.steps.core.sample import Sample
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import Cost, probe, step, tally

PLENTY = Resources(10**12, 10**12, 2, 2)


def voxels(scan: Scan, *steps: Any) -> Any:
    return np.asarray(tm.reconstruct(scan, {"steps": list(steps)}))


def disc_scan(columns: int, axis: float, angles: int = 200, rows: int = 3) -> Scan:
    """A disc about the axis, attenuation, without noise."""
    u = np.arange(columns) - axis
    chord = 2 * np.sqrt(np.clip(15.0**2 - u**2, 0, None))
    numbers = np.broadcast_to(0.02 * chord, (angles, rows, columns)).astype(np.float32)
    return tm.scan_of_arrays(
        numbers, np.arange(angles) * 180.0 / angles, domain="attenuation", axis_column=axis
    )


@pytest.mark.parametrize("columns", ["5:57", "10:64", "0:60"])
def test_a_cropped_scan_gives_the_voxels_of_the_whole(columns: str) -> None:
    scan = disc_scan(64, 31.5)
    whole, cropped = voxels(scan, "fbp"), voxels(scan, {"crop": {"columns": columns}}, "fbp")
    size, half = cropped.shape[1], 12
    a = whole[:, 32 - half : 32 + half, 32 - half : 32 + half]
    if size % 2 == 0:
        middle = size // 2
        b = cropped[:, middle - half : middle + half, middle - half : middle + half]
        np.testing.assert_allclose(b, a, atol=2e-3 * np.ptp(whole))
    assert abs(cropped.mean() * size**2 - whole.mean() * 64**2) < 0.01 * whole.mean() * 64**2


@step(accepts=("attenuation",), cut="row", after=lambda layout, values: _narrower(layout, values["columns"]))
def cut_columns(slab: Slab, *, columns: int = 4) -> Slab:
    """Cut columns off on the left, as a step: what it changes, it says."""
    return replace(slab, data=slab.data[:, :, columns:])


def _narrower(layout: Layout, columns: int) -> Layout:
    axis = layout.geometry.axis_column
    assert axis is not None
    moved = replace(axis, value=axis.value - columns)
    angles, rows, width = layout.shape
    return replace(
        layout, shape=(angles, rows, width - columns), geometry=replace(layout.geometry, axis_column=moved)
    )


def test_a_step_that_changes_columns_moves_the_axis_for_the_next() -> None:
    scan = disc_scan(64, 31.5)
    protocol = Protocol((Item(cut_columns, {"columns": 8}), Item(find_step("fbp"))))
    made = np.asarray(tm.reconstruct(scan, protocol))
    expected = voxels(scan, {"crop": {"columns": "8:64"}}, "fbp")
    np.testing.assert_allclose(made, expected, atol=1e-6 * np.ptp(expected))


def test_views_that_are_dropped_or_joined_reconstruct() -> None:
    scan = disc_scan(64, 31.5, angles=200)
    whole = voxels(scan, "fbp")
    half = voxels(scan, {"select_views": {"keep": "::2"}}, "fbp")
    np.testing.assert_allclose(half, whole, atol=0.02 * np.ptp(whole))
    full = replace(scan, geometry=replace(scan.geometry, angles_deg=Value(np.arange(200) * 1.8, "user", "")))
    joined = find_step("join_half_turns")(full)  # type: ignore[call-arg, arg-type]
    assert joined.shape == (100, 3, 64)  # type: ignore[attr-defined]
    np.testing.assert_allclose(voxels(joined, "fbp"), whole, atol=0.02 * np.ptp(whole))  # type: ignore[arg-type]


@step(accepts=("counts",), cut="angle", after=lambda layout, _: replace(layout, dtype=np.dtype(np.float32)))
def shifted(slab: Slab, *, rows: int = 3) -> Slab:
    """Shift every frame down by rows, those at the edge repeated."""
    places = np.clip(np.arange(slab.data.shape[1]) - rows, 0, None)
    return replace(slab, data=slab.data[:, places].astype(np.float32))


def test_frames_that_are_shifted_take_flats_and_darks_along(tmp_path: Path) -> None:
    scan = make_scan(60, rows=40)
    # Light and dark current that differ from row to row would be divided by those of other rows.
    weight = (1 + 0.5 * np.sin(np.arange(40)))[:, None]

    def lit(frames: Any) -> ArrayFrames:
        return ArrayFrames((frames.read(slice(None), slice(None)) * weight).astype(np.uint16))

    scan = replace(
        scan,
        projections=lit(scan.projections),
        flats=Reference(lit(scan.flats.frames), scan.flats.position),  # type: ignore[union-attr]
        darks=Reference(lit(scan.darks.frames), scan.darks.position),  # type: ignore[union-attr]
    )
    plain = [Item(find_step(name)) for name in ("flat_field", "fbp")]
    expected = np.asarray(tm.reconstruct(scan, Protocol(tuple(plain))))
    made = np.asarray(tm.reconstruct(scan, Protocol((Item(shifted), *plain))))
    np.testing.assert_allclose(made[3 + 8 :], expected[8:-3], atol=SAME * np.ptp(expected))


@pytest.mark.parametrize("where", ["step", "run"])
def test_the_unit_is_what_the_voxels_are_in(where: str, tmp_path: Path) -> None:
    (tmp_path / "scan.bin").write_bytes(b"a scan")
    scan = replace(make_scan(60), path=tmp_path / "scan.bin")
    steps: list[Any] = [
        {"flat_field": {"log": False}},
        {"paganin": {"delta_beta": 1.0}},
        "minus_log",
        {"fbp": {"pixel_m": None}},
    ]
    per_pixel = tm.reconstruct(scan, {"steps": steps})
    assert isinstance(per_pixel, Volume)
    assert (per_pixel.unit, per_pixel.voxel_m) == ("1/px", None)
    assert {axis.unit for axis in per_pixel.axes} == {"px"}
    # A pixel size given to a step or to the scan is the same thing.
    if where == "step":
        steps[3] = {"fbp": {"pixel_m": "2 um"}}
    else:
        steps[3], scan = "fbp", scan.with_geometry(pixel_m=Value(2e-6, "user", "test"))
    volume = tm.reconstruct(scan, {"steps": steps}, output=tmp_path / "record")
    assert isinstance(volume, Volume)
    assert (volume.unit, volume.voxel_m) == ("1/cm", (2e-6, 2e-6, 2e-6))
    told = volume.metadata["provenance"]
    assert told["geometry"]["pixel_m"]["value"] == 2e-6
    assert told["geometry"]["pixel_m"]["origin"] == "user"
    values = [stage["steps"][1]["parameters"]["pixel_m"]["value"] for stage in told["plan"]["stages"]]
    assert values == ["2e-06 m"], "paganin saw another pixel than fbp"


def test_one_thing_has_one_value() -> None:
    scan = make_scan()
    with pytest.raises(ParameterError, match=r"half_acquisition\.axis_column is 12.* give it once"):
        voxels(scan, "flat_field", {"half_acquisition": {"axis_column": 12}}, {"fbp": {"axis_column": 30}})
    with pytest.raises(ParameterError, match=r"fbp\.axis_column is 12, but --axis is 30\.5"):
        voxels(scan, "flat_field", {"fbp": {"axis_column": 12}})


def test_an_axis_given_to_a_step_is_the_axis_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "scan.bin").write_bytes(b"a scan")
    scan = replace(make_scan(60), path=tmp_path / "scan.bin").with_geometry(axis_column=None)
    protocol = from_data({"steps": ["find_axis", "flat_field", {"fbp": {"axis_column": 29}}]}, "test")
    outcome = run(scan, protocol, tmp_path / "record", PLENTY)
    told = outcome.provenance
    assert told["geometry"]["axis_column"]["value"] == 29
    assert told["geometry"]["axis_column"]["origin"] == "user"
    assert told["probes"] == {}, "a probe was asked whose answer is not used"
    assert not any("rotation axis" in text for text in told["warnings"])
    assert outcome.scan.axis_column is not None
    assert outcome.scan.axis_column.value == 29
    # The weights of a half acquisition are made for the same axis.
    both = from_data({"steps": ["flat_field", "half_acquisition", {"fbp": {"axis_column": 29}}]}, "test")
    assert [item.plain.get("axis_column") for item in plan(both, scan, PLENTY).sections[0].items] == [
        None,
        29,
        29,
    ]


def test_paganin_on_frames_stands_behind_the_flat_field() -> None:
    scan = make_scan(40, rows=60)
    steps = [{"flat_field": {"log": False}}, {"paganin": {"delta_beta": 3.0}}, "minus_log", "fbp"]
    protocol = from_data({"steps": steps}, "test")
    by_row = plan(protocol, scan, Resources(10**12, 10**12, 2, 2))
    whole = np.asarray(tm.reconstruct(scan, protocol))
    slab = slice_at(scan, 30, protocol).slab
    # Two steps that may each differ by `SAME`: the halo's end, and the partner of a row in gridding.
    np.testing.assert_allclose(slab.data[0], whole[30], atol=2 * SAME * np.ptp(whole))
    frames = [{"direction": "angle", "steps": 3, "slab": 7}, {"direction": "row", "steps": 1, "slab": 16}]
    outcome = run(scan, protocol, None, Resources(10**12, None, 2, 2), split=frames)
    np.testing.assert_allclose(outcome.sink.array, whole, atol=2 * SAME * np.ptp(whole))  # type: ignore[union-attr]
    assert len(by_row.sections) >= 1


@dataclass(frozen=True)
class PromisedFrames:
    """Frames that know their shape and cost but hold no pixels: a plan must not read."""

    shape: tuple[int, int, int]
    dtype: Any = "uint16"

    def read(self, frames: Any, rows: slice) -> Any:
        raise AssertionError("a plan reads no pixel")

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        size = frames * (rows.stop - rows.start) * self.shape[2] * 2
        return size, size


def large_scan(shape: tuple[int, int, int]) -> Scan:
    flats = Reference(PromisedFrames((20, *shape[1:])), np.full(20, -1.0))
    return Scan(
        Path("large"), "large", "", "", "", PromisedFrames(shape),
        Geometry(
            Value(np.arange(shape[0]) * 180.0 / shape[0], "read", ""), axis_column=Value(1279.5, "user", ""),
            pixel_m=Value(0.65e-6, "read", ""), energy_kev=Value(20.0, "read", ""), distance_m=Value(0.1, "read", ""),
        ),
        flats=flats,
    )  # fmt: skip


@pytest.mark.parametrize(("delta_beta", "gigabytes"), [(500.0, 16), (500.0, 32), (500.0, 64), (2000.0, 64)])
def test_a_large_halo_is_not_computed_again_and_again(delta_beta: float, gigabytes: int) -> None:
    steps = [{"flat_field": {"log": False}}, {"paganin": {"delta_beta": delta_beta}}, "minus_log", "fbp"]
    scan = large_scan((3000, 2160, 2560))
    made = plan(from_data({"steps": steps}, "test"), scan, Resources(gigabytes * 10**9, 10**12, 2, 2))
    assert made.fits, made.refusals
    assert made.peak_bytes <= gigabytes * 10**9
    assert 1 <= made.recomputed <= 1.3
    told = plan_data(made)
    assert told["recomputed"] == made.recomputed
    assert {"cut", "steps", "slabs", "halo", "spool_bytes"} <= told["sections"][0].keys()
    assert told["seconds"] > 0
    assert told["device_bytes"] == 0
    spool = sum(section["spool_bytes"] for section in told["sections"])
    assert spool in (0, 3000 * 2160 * 2560 * 4)


def test_without_disk_for_a_spool_the_halo_is_computed_again() -> None:
    steps = [{"flat_field": {"log": False}}, {"paganin": {"delta_beta": 50.0}}, "minus_log", "fbp"]
    scan = large_scan((1000, 2048, 1024))
    volume = 2048 * 1024 * 1024 * 4 * 8 / 7
    made = plan(from_data({"steps": steps}, "test"), scan, Resources(64 * 10**9, int(1.05 * volume), 2, 2))
    assert made.fits, made.refusals
    assert len(made.sections) == 1
    assert made.recomputed > 1
    # Where the result itself is too large for the disk, memory is not blamed for the lack of a spool.
    lacking = plan(from_data({"steps": steps}, "test"), scan, Resources(2 * 10**9, 10**9, 2, 2))
    assert [text.split(" needs")[0] for text in lacking.refusals] == ["the result with its spool"]
    # Where it would fit with a spool, on a larger disk, that is told beside the memory it needs without one.
    tight = plan(from_data({"steps": steps}, "test"), scan, Resources(2 * 10**9, int(1.05 * volume), 2, 2))
    assert ["18.21 GB free with -o" in text for text in tight.refusals] == [True]


@dataclass(frozen=True)
class Brightness:
    """What a probe found."""

    value: float
    confidence: str
    domain: str


@probe(fills="axis_tilt_deg", answer=lambda found: found.value, reads=lambda values, layout: (slice(1, 3),))
def mean_probe(sample: Sample, *, scale: float = 1.0) -> Brightness:
    """Look at the mean of what reaches it."""
    [slab] = sample.read([slice(1, 3)])
    return Brightness(float(slab.data.mean()) * scale, "high", slab.domain)


@tally(merge=lambda one, other: {"sum": one["sum"] + other["sum"]}, accepts=("transmission", "attenuation"))
def total(slab: Slab) -> Mapping[str, float]:
    """Add up what reaches it."""
    return {"sum": float(np.sum(slab.data, dtype=np.float64))}


@pytest.mark.parametrize("slab_rows", [None, 4])
def test_probes_and_tallies_stand_where_they_are_written(slab_rows: int | None, tmp_path: Path) -> None:
    (tmp_path / "scan.bin").write_bytes(b"a scan")
    scan = replace(make_scan(60), path=tmp_path / "scan.bin")
    flat, log, fbp = find_step("flat_field"), find_step("minus_log"), find_step("fbp")
    items = (
        Item(mean_probe, {"scale": 0.0}), Item(flat, {"log": False}), Item(total), Item(mean_probe, {"scale": 0.0}),
        Item(log), Item(total), Item(fbp),
    )  # fmt: skip
    made = run(scan, Protocol(items), tmp_path / "record", PLENTY, slab_rows=slab_rows)
    told = made.provenance
    assert told["probes"]["mean_probe"]["domain"] == "counts"
    assert told["probes"]["mean_probe 2"]["domain"] == "transmission"
    corrected = tm.reconstruct(scan, Protocol((Item(flat, {"log": False}),)))
    assert isinstance(corrected, Scan)
    numbers = corrected.projections.read(slice(0, 60), slice(0, 12))
    assert told["tallies"]["total"]["sum"] == pytest.approx(float(numbers.sum(dtype=np.float64)), rel=1e-5)
    assert told["tallies"]["total 2"]["sum"] == pytest.approx(float(-np.log(numbers).sum()), rel=1e-4)


@step(
    accepts=("attenuation",),
    cut="any",
    halo=lambda values, _: values["reach"],
    cost=Cost(host=3.0, nanoseconds=1.0),
)
def smooth_rows(slab: Slab, *, context: Context, reach: int = 2) -> Slab:
    """Average neighbouring rows, as many as there are."""
    padded = np.pad(slab.data, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return replace(slab, data=windows.mean(axis=-1, dtype=np.float64).astype(np.float32))


@step(accepts=("slice",), cut="slice", halo=1)
def steepness(slab: Slab) -> Slab:
    """Take the difference of neighbouring slices; the first and the last have one neighbour."""
    padded = np.pad(slab.data, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return replace(slab, data=(padded[2:] - padded[:-2]).astype(np.float32))


@pytest.mark.parametrize("slab_rows", [1, 4, 16])
def test_halos_of_rows_and_of_slices_add_up(slab_rows: int) -> None:
    scan = make_scan(60, rows=30)
    flat, fbp = find_step("flat_field"), find_step("fbp")
    protocol = Protocol((Item(flat), Item(smooth_rows, {"reach": 3}), Item(fbp), Item(steepness)))
    whole = np.asarray(tm.reconstruct(scan, protocol))
    # A difference of slices differs by what the slices do, whose range is larger than its own.
    same = 2 * SAME * np.ptp(np.asarray(tm.reconstruct(scan, Protocol((Item(flat), Item(fbp))))))
    made = run(scan, protocol, None, Resources(10**12, None, 2, 2), slab_rows=slab_rows)
    np.testing.assert_allclose(made.sink.array, whole, atol=same)  # type: ignore[union-attr]
    some = np.asarray(tm.reconstruct(scan, protocol, rows=slice(11, 14)))
    np.testing.assert_allclose(some, whole[11:14], atol=same)
