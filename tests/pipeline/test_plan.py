"""Plans: slabs, memory, bytes, refusals."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.test_steps import make_scan
from tomarium.errors import CannotFit, InputError, ParameterError
from tomarium.model import Scan
from tomarium.model.scan import Reference
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.report import plan_data
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.plan.slabs import cut_rows
from tomarium.pipeline.protocol.protocol import default_protocol, from_data

PLENTY = Resources(10**12, 10**12, 2, 2)


@dataclass(frozen=True)
class PromisedFrames:
    """Frames that know their shape and cost but hold no pixels: a plan must not read."""

    shape: tuple[int, int, int]
    dtype: Any = "uint16"
    chunked_by_frame: bool = False

    def read(self, frames: Any, rows: slice) -> Any:
        raise AssertionError("a plan reads no pixel")

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        taken = self.shape[1] if self.chunked_by_frame else rows.stop - rows.start
        size = frames * taken * self.shape[2] * 2
        return size // 2 if self.chunked_by_frame else size, size


def big_scan(shape: tuple[int, int, int] = (1500, 2048, 2048), chunked: bool = False) -> Scan:
    scan = make_scan(4, 2, 8)
    angles = replace(scan.angles_deg, value=np.arange(shape[0]) * 180.0 / shape[0])
    frames = PromisedFrames(shape, chunked_by_frame=chunked)
    flats = Reference(PromisedFrames((20, *shape[1:]), chunked_by_frame=chunked), np.full(20, -1.0))
    return replace(scan, projections=frames, flats=flats, darks=None).with_geometry(angles_deg=angles)


@given(st.integers(1, 200), st.integers(0, 150), st.integers(1, 64), st.integers(0, 20))
def test_slabs_make_every_row_once_and_read_their_halo(height: int, start: int, size: int, halo: int) -> None:
    start = min(start, height - 1)
    cuts = cut_rows(slice(start, height), size, halo, height)
    assert [row for c in cuts for row in range(c.makes.start, c.makes.stop)] == list(range(start, height))
    for c in cuts:
        assert c.reads.start == max(0, c.makes.start - halo)
        assert c.reads.stop == min(height, c.makes.stop + halo)


@pytest.mark.parametrize("memory", [2_000_000_000, 4_000_000_000, 16_000_000_000])
def test_slabs_are_as_tall_as_memory_allows(memory: int) -> None:
    made = plan(default_protocol(), big_scan(), Resources(memory, 10**12, 2, 2))
    assert made.fits, made.refusals
    assert made.peak_bytes <= memory
    assert made.slab_rows & (made.slab_rows - 1) == 0
    assert made.shape == (2048, 2048, 2048)
    more = plan(default_protocol(), big_scan(), Resources(4 * memory, 10**12, 2, 2))
    assert more.slab_rows * more.workers >= made.slab_rows * made.workers


def test_what_cannot_fit_is_refused_with_the_numbers() -> None:
    made = plan(default_protocol(), big_scan(), Resources(250_000_000, 10**12, 2, 2))
    assert not made.fits
    with pytest.raises(
        CannotFit, match=r"needs .* of memory, but 250 MB may be used; give more with --memory"
    ):
        made.demand_fit()
    made = plan(default_protocol(), big_scan(), Resources(8 * 10**9, 10**9, 2, 2))
    with pytest.raises(CannotFit, match=r"GB on disk, but 1 GB are free"):
        made.demand_fit()


def test_a_probe_that_needs_more_memory_than_the_sections_is_named_with_what_makes_it_needless() -> None:
    scan = big_scan((900, 512, 512)).with_geometry(axis_column=None)
    needed = plan(default_protocol(), scan, Resources(10**12, 10**12, 2, 2)).probes[0].peak_bytes
    made = plan(default_protocol(), scan, Resources(needed - 1, 10**12, 1, 1))
    assert max(section.peak_bytes for section in made.sections) < needed
    (told,) = made.refusals
    assert "find_axis, which looks at the scan before the run, needs" in told
    assert "name the axis with --axis" in told
    assert "slab" not in told
    assert "folder" not in told


def test_frames_packed_one_by_one_are_spooled_once() -> None:
    made = plan(default_protocol(), big_scan(chunked=True), Resources(3 * 10**9, 10**12, 2, 2))
    assert [stage.name for stage in made.stages] == ["spool", "reconstruct"]
    told = plan_data(made)
    one_pass = 1500 * 2048 * 2048 * 2
    assert (
        one_pass <= told["stages"][0]["decompressed_bytes"] < 1.05 * one_pass
    )  # with the flats, where it needs them
    assert told["decompressed_bytes"] < 4 * one_pass
    plain = plan(default_protocol(), big_scan(), Resources(3 * 10**9, 10**12, 2, 2))
    assert [stage.name for stage in plain.stages] == ["reconstruct"]


def test_the_probe_is_a_stage_with_its_cost() -> None:
    made = plan(default_protocol(), big_scan().with_geometry(axis_column=None), PLENTY)
    probe = made.stages[0]
    assert (probe.name, probe.steps[0].step.name) == ("probe", "find_axis")
    assert probe.read_bytes == 1500 * 40 * 2048 * 2


def test_the_plan_says_what_others_rely_on() -> None:
    told = plan_data(plan(default_protocol(), make_scan(), PLENTY))
    words = {
        "stages",
        "slabs",
        "halo_rows",
        "peak_bytes",
        "read_bytes",
        "decompressed_bytes",
        "write_bytes",
        "fits",
    }
    assert words <= told.keys()
    assert told["fits"] is True
    assert told["unit"] == "1/cm"


@pytest.mark.parametrize(
    ("rows", "expected"), [(slice(2, 5), 3), (slice(-3, None), 3), (slice(None, 4), 4), (None, 12)]
)
def test_rows_may_be_chosen(rows: slice | None, expected: int) -> None:
    assert plan(default_protocol(), make_scan(), PLENTY, rows=rows).shape[0] == expected


@pytest.mark.parametrize("rows", [slice(5, 5), slice(3, 99), slice(-40, 2), slice(0, 4, 2), slice(7, 3)])
def test_rows_outside_are_refused(rows: slice) -> None:
    with pytest.raises(InputError, match="the scan has the rows 0:12"):
        plan(default_protocol(), make_scan(), PLENTY, rows=rows)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["fbp"], "works on attenuation, but the scan gives counts"),
        (["flat_field", "flat_field", "fbp"], "works on counts, but step flat_field gives attenuation"),
        (
            [{"flat_field": {"log": False}}, "fbp"],
            "works on attenuation, but step flat_field gives transmission",
        ),
    ],
)
def test_steps_that_cannot_follow_each_other_are_refused(steps: list[Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        plan(from_data({"steps": steps}, "test"), make_scan(), PLENTY)


def test_a_result_in_memory_that_does_not_fit_is_told_with_its_size_and_what_to_do() -> None:
    # 2048³ of float32 are 34 GB; where it is written to disk instead, the same memory is plenty.
    made = plan(default_protocol(), big_scan(), Resources(8 * 10**9, None, 2, 2))
    with pytest.raises(
        CannotFit,
        match=r"volume of 2048 × 2048 × 2048 takes 34\.36 GB, .* with the work on it, but 8 GB of memory may be used; "
        r"write it to a folder \(output=\), make fewer rows \(rows=\), bin",
    ):
        made.demand_fit()
    assert plan(default_protocol(), big_scan(), Resources(8 * 10**9, 10**12, 2, 2)).fits
    assert plan(default_protocol(), big_scan(), Resources(8 * 10**9, None, 2, 2), rows=slice(0, 64)).fits


@pytest.mark.parametrize("rows", [64, 128, 256])
def test_a_result_in_memory_leaves_less_of_it_to_slabs(rows: int) -> None:
    wanted = slice(0, rows)
    free = plan(default_protocol(), big_scan(), Resources(10**11, None, 2, 1), rows=wanted)
    result = rows * 2048 * 2048 * 4
    least = plan(default_protocol(), big_scan(), Resources(10**11, None, 2, 1), rows=wanted, slab_rows=4)
    tight = plan(default_protocol(), big_scan(), Resources(least.peak_bytes + 10**8, None, 2, 1), rows=wanted)
    assert free.peak_bytes > least.peak_bytes > result
    assert tight.fits, tight.refusals
    assert tight.peak_bytes <= least.peak_bytes + 10**8
