"""Slabs over a device: the voxels of the processors, whatever stops, and memory that does not suffice."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuda_on_processor
import tomarium as tm
from contracts.test_steps import make_scan
from pipeline.test_run import fill_disk, interrupt, scan_on_disk, stopping_after, volume_of
from scans import changed
from stand_in_device import CudaKernels, ProcessorKernels, StandIn, put_in_place, there
from tomarium.cli.executor_options import over_device
from tomarium.errors import (
    CannotFit,
    DeviceFull,
    EngineUnavailable,
    Interrupted,
    ParameterError,
    StepFailed,
    StorageFull,
)
from tomarium.executors import find_executor
from tomarium.executors.resources import resources_for
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.kernels.cuda import device as devices
from tomarium.model import Scan, Value
from tomarium.pipeline.plan import resources
from tomarium.pipeline.plan.on_device import LANES, DeviceRoom
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.report import plan_data
from tomarium.pipeline.plan.section import Resources, Section
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.reconstruct import slices_at, slices_at_axes
from tomarium.pipeline.run.runner import Outcome, run

ROOM = DeviceRoom(0, "stand-in", "none", 10**11, demanded=True)
PLENTY = Resources(10**12, 10**12, 2, 3)
THERE = Resources(10**12, 10**12, 2, 3, ROOM)
AGREE = 1e-5
"""Part of the range by which a device may differ."""

PROTOCOLS = {
    "plain": "steps: [flat_field, fbp]",
    "phase": "steps: [{flat_field: {log: false}}, {paganin: {delta_beta: 20, distance_m: 1 cm}}, minus_log, fbp]",
    "stripes": "steps: [flat_field, {remove_stripes: {method: sorting, size: 9}}, fbp]",
    "through the host": "steps: [flat_field, {remove_stripes: {method: large, size: 9}}, fbp, statistics]",
    "projections": "steps: [{flat_field: {log: false}}, {paganin: {delta_beta: 20, distance_m: 1 cm}}]",
}


def made(scan: Scan, text: str, may_use: Resources, slab_rows: int = 4) -> Outcome:
    mapper = find_executor("threads").map
    return run(scan, tm.protocol(text), None, may_use, slab_rows=slab_rows, mapper=mapper)


def voxels(outcome: Outcome) -> Any:
    assert outcome.sink is not None
    return np.asarray(outcome.sink.array)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_voxels_are_those_of_the_processors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, stand_in = make_scan(), put_in_place(monkeypatch, StandIn())
    over = made(scan, PROTOCOLS[name], Resources(10**12, None, 2, 5, ROOM), slab_rows=2)
    expected = made(scan, PROTOCOLS[name], Resources(10**12, None, 2, 3))
    np.testing.assert_allclose(voxels(over), voxels(expected), atol=AGREE * np.ptp(voxels(expected)), rtol=0)
    assert over.provenance["quality"] == expected.provenance["quality"]
    for key, tally in expected.provenance["tallies"].items():
        assert over.provenance["tallies"][key]["sum"] == pytest.approx(tally["sum"], rel=1e-5)
    assert stand_in.faults == []
    assert stand_in.brought == sum(section.slabs * ways_up(section) for section in over.plan.sections)
    assert 1 <= stand_in.most_there <= LANES
    told = over.provenance["devices"]["stand-in"]
    assert told["steps"] == [name for section in over.plan.sections for name in section.on_device]
    assert told["slabs"] == sum(section.slabs for section in over.plan.sections if section.device is not None)


def ways_up(section: Section) -> int:
    """How often each slab of a section goes to the device."""
    there = [False, *(item.step.name in section.on_device for item in section.items)]
    return sum(now and not before for before, now in pairwise(there))


@pytest.mark.parametrize(("most", "halvings"), [(25, 1), (21, 2)])
def test_memory_that_does_not_suffice_halves_the_slabs_and_is_said(
    most: int, halvings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, stand_in = make_scan(angles=30, rows=36), put_in_place(monkeypatch, StandIn(rows=most))
    over = made(scan, PROTOCOLS["plain"], Resources(10**12, None, 2, 3, ROOM), slab_rows=16)
    expected = made(scan, PROTOCOLS["plain"], Resources(10**12, None, 2, 3), slab_rows=16)
    np.testing.assert_array_equal(voxels(over), voxels(expected))
    assert any("did not suffice for whole slabs" in told for told in over.provenance["warnings"])
    assert over.provenance["quality"].pop("device.halved") >= halvings
    assert over.provenance["quality"] == expected.provenance["quality"]
    assert stand_in.released
    assert stand_in.faults == []


def test_a_device_that_is_too_small_leaves_what_the_processors_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    stand_in = put_in_place(monkeypatch, StandIn())
    with pytest.raises(Interrupted):
        run(scan, default_protocol(), folder, THERE, slab_rows=2, mapper=stopping_after(2, interrupt))
    stand_in.rows = 1
    with pytest.raises(DeviceFull, match=r"too much for it.*--device none; 2 of 6 slabs are done"):
        run(scan, default_protocol(), folder, THERE)
    outcome = run(scan, default_protocol(), folder, PLENTY)
    assert outcome.provenance["devices"] == {"stand-in": {"slabs": 2}, "processors": {"slabs": 4}}
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=2)
    expected = volume_of(tmp_path / "straight")
    np.testing.assert_allclose(volume_of(folder), expected, atol=AGREE * np.ptp(expected), rtol=0)


@pytest.mark.parametrize(("engine", "apart"), [("auto", 1e-4), ("cuda-half", 4e-3)])
def test_the_cuda_kernels_themselves_give_these_voxels(
    engine: str, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (why := cuda_on_processor.why_not()) is not None:
        pytest.skip(why)
    kernels = CudaKernels(cuda_on_processor.OnProcessor())
    put_in_place(monkeypatch, StandIn(), kernels)
    scan = make_scan(angles=40, rows=4, columns=48)
    there = PROTOCOLS["stripes"].replace(" fbp]", f" {{fbp: {{engine: {engine}}}}}]")
    over = made(scan, there, Resources(10**12, None, 2, 1, ROOM))
    expected = voxels(made(scan, PROTOCOLS["stripes"], Resources(10**12, None, 2, 1)))
    np.testing.assert_allclose(voxels(over), expected, atol=apart * np.ptp(expected), rtol=0)
    if engine == "cuda-half":
        assert np.abs(voxels(over) - expected).max() > 1e-5 * np.ptp(expected), "it was not kept in 16 bits"


@pytest.mark.parametrize("turn", [180.0, 360.0])
def test_a_sample_that_is_wider_than_the_detector_is_continued_there(
    turn: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_place(monkeypatch, StandIn())
    axis = 31.5 if turn == 180 else 12.0
    scan = make_scan(angles=60, rows=3, domain="attenuation", turn=turn)
    wide = scan.projections.read(slice(None), slice(None)) + np.float32(0.4)
    scan = changed(scan, projections=ArrayFrames(wide)).with_geometry(axis_column=Value(axis, "user", "test"))
    protocol = "steps: [fbp]" if turn == 180 else "steps: [half_acquisition, fbp]"
    over = made(scan, protocol, Resources(10**12, None, 2, 1, ROOM))
    expected = made(scan, protocol, Resources(10**12, None, 2, 1))
    assert expected.provenance["quality"]["fbp.continued"] > 0
    assert over.provenance["quality"] == expected.provenance["quality"]
    np.testing.assert_allclose(voxels(over), voxels(expected), atol=AGREE * np.ptp(voxels(expected)), rtol=0)


def test_a_device_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(ProcessorKernels):
        def grid_fbp(self, sinogram: Any, tables: Any, out: Any, *, half: bool = False) -> None:
            super().grid_fbp(sinogram, tables, out)
            out *= 1.01

    class Broken(ProcessorKernels):
        def fbp_tables(self, task: Any) -> Any:
            raise ImportError("libcufft.so.12: no such file")

    put_in_place(monkeypatch, StandIn(), Wrong())
    with pytest.raises(EngineUnavailable, match=r"stand-in gives other slices .* differ by 0\.00[5-9]"):
        resources.find_room("0")
    room, why = resources.find_room("auto")
    assert room is None
    assert "differ by" in why
    put_in_place(monkeypatch, StandIn(), Broken())
    assert "stand-in cannot compute: libcufft.so.12: no such file" in resources.find_room()[1]


def test_an_error_in_one_slab_is_told_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(ProcessorKernels):
        def grid_fbp(self, sinogram: Any, tables: Any, out: Any, *, half: bool = False) -> None:
            if breaks and sinogram.shape[0] == 60:
                breaks.pop()()
            super().grid_fbp(sinogram, tables, out)

    def fail() -> None:
        raise RuntimeError("an illegal memory access was encountered")

    put_in_place(monkeypatch, StandIn(), Breaking())
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    breaks = [fail, int]
    with pytest.raises(StepFailed, match="step fbp failed: RuntimeError: an illegal memory access"):
        run(scan, default_protocol(), folder, THERE, slab_rows=4)
    outcome = run(scan, default_protocol(), folder, THERE)
    assert outcome.provenance["resumed_slabs"] == 1
    run(scan, default_protocol(), tmp_path / "straight", THERE, slab_rows=4)
    np.testing.assert_array_equal(volume_of(folder), volume_of(tmp_path / "straight"))
    breaks.append(fill_disk)
    with pytest.raises(StorageFull, match="0 of 3 slabs are done"):
        run(scan, default_protocol(), tmp_path / "full", THERE, slab_rows=4)


def test_the_plan_prices_the_memory_of_the_device_and_cuts_slabs_so_that_three_fit() -> None:
    scan = make_scan(rows=512)

    def planned(bytes_: int, *, demanded: bool, text: str = PROTOCOLS["through the host"]) -> Any:
        room = DeviceRoom(0, "card", "CUDA 12", bytes_, demanded)
        return plan(tm.protocol(text), scan, Resources(10**12, 10**12, 2, 3, room))

    large = planned(10**10, demanded=True)
    small = planned(large.device_bytes - 2_000_000, demanded=True)
    assert small.slab_rows < large.slab_rows
    assert 0 < small.device_bytes <= large.device_bytes - 2_000_000
    [section] = plan_data(small)["sections"]
    assert section["on_device"] == ["flat_field", "fbp"]
    assert plan_data(small)["device_bytes"] == section["device_bytes"] == small.device_bytes
    assert plan_data(small)["device"]["name"] == "card"
    told = over_device(small.sections[0])
    assert "remove_stripes on the processors, for which slabs go down and up again" in told
    with pytest.raises(CannotFit, match=r"do not fit in the 1 MB of card .* --device-memory"):
        planned(10**6, demanded=True).demand_fit()
    left = planned(10**6, demanded=False)
    assert left.fits
    assert left.device_bytes == 0
    assert any("do not fit in the 1 MB of card" in told for told in left.warnings)
    assert planned(10**10, demanded=False, text="steps: [flat_field]").device_bytes == 0, "not worth the way"


def test_a_device_that_is_not_there_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "why_not", lambda: "there is no NVIDIA GPU")
    with pytest.raises(EngineUnavailable, match="device 1 was asked for, but there is no NVIDIA GPU"):
        resources.measure(tmp_path, on="1")
    with pytest.raises(ParameterError, match="--device is 'gpu'"):
        resources.measure(tmp_path, on="gpu")
    with pytest.raises(EngineUnavailable, match="--on gpu asks for a GPU, but there is no NVIDIA GPU"):
        resources_for(find_executor("gpu"), tmp_path, None)
    with pytest.raises(ParameterError, match="other processes, which share no GPU"):
        resources_for(find_executor("dask"), tmp_path, None, "0")
    assert resources.measure(tmp_path).device is None
    monkeypatch.setattr(resources, "why_not", lambda: None)
    put_in_place(monkeypatch, StandIn(free=10**9))
    found = resources.measure(tmp_path).device
    assert found == DeviceRoom(0, "stand-in", "none", 8 * 10**8)
    assert resources.measure(tmp_path, on="0", device_memory="100MB").device == DeviceRoom(
        0, "stand-in", "none", 10**8, demanded=True
    )
    monkeypatch.setenv(resources.VARIABLE, "none")
    assert resources.measure(tmp_path).device is None


def test_slices_and_sweeps_of_the_axis_go_over_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in, scan = put_in_place(monkeypatch, StandIn()), make_scan(rows=3)
    [expected] = slices_at(scan, [1])
    assert stand_in.brought == 0
    [found] = slices_at(scan, [1], device=0)
    np.testing.assert_allclose(
        found.slab.data, expected.slab.data, atol=AGREE * np.ptp(expected.slab.data), rtol=0
    )
    for one, other in zip(
        slices_at_axes(scan, [29.5, 30.5, 31], 1, device=0),
        slices_at_axes(scan, [29.5, 30.5, 31], 1),
        strict=True,
    ):
        np.testing.assert_allclose(
            one.slab.data, other.slab.data, atol=AGREE * np.ptp(other.slab.data), rtol=0
        )
    assert stand_in.faults == []
    assert stand_in.brought == 4, "one to compare, one for each call"


def test_a_sinogram_of_the_host_goes_to_the_device_and_its_slices_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in = put_in_place(monkeypatch, StandIn())
    sinogram = np.random.default_rng(0).random((40, 3, 48), np.float32)
    angles = np.arange(40) * 4.5
    for given in (sinogram, sinogram[:, 1]):
        expected = tm.fbp(given, angles, 23.5)
        found = tm.fbp(given, angles, 23.5, engine="cuda")
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=AGREE * np.ptp(expected), rtol=0)
    assert stand_in.brought == 2
    with pytest.raises(ParameterError, match="lies on a device, and engine 'native' works on the processors"):
        tm.fbp(there(sinogram), angles, 23.5, engine="native")


def test_slabs_go_over_two_devices_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins = [put_in_place(monkeypatch, StandIn(index=index, free=10**9)) for index in range(2)]
    monkeypatch.setattr(devices, "open_device", stand_ins.__getitem__)
    found = resources.measure(None, workers=2, on="0,1")
    assert found.device is not None
    assert (found.device.indices, found.workers) == ((0, 1), 4)
    scan = make_scan()
    over = made(scan, PROTOCOLS["plain"], found)
    expected = voxels(made(scan, PROTOCOLS["plain"], Resources(10**12, None, 2, 3)))
    np.testing.assert_allclose(voxels(over), expected, atol=AGREE * np.ptp(expected), rtol=0)
    told = over.provenance["devices"]
    assert {name: one["slabs"] for name, one in told.items()} == {
        "stand-in, number 0": 2,
        "stand-in, number 1": 1,
    }
    assert all(one["steps"] == ["flat_field", "fbp"] for one in told.values())
    assert "numbers 0, 1 in turn" in over_device(over.plan.sections[-1])
