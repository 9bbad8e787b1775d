"""Slabs over a device: the voxels of the processors, whatever stops, and memory that does not suffice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from pipeline.test_run import interrupt, scan_on_disk, stopping_after, volume_of
from stand_in_device import StandIn, put_in_place
from tomarium.errors import DeviceFull, Interrupted
from tomarium.executors import find_executor
from tomarium.model import Scan
from tomarium.pipeline.plan.on_device import DeviceRoom
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import default_protocol
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


def made(scan: Scan, text: str, resources: Resources, slab_rows: int = 4) -> Outcome:
    mapper = find_executor("threads").map
    return run(scan, tm.protocol(text), None, resources, slab_rows=slab_rows, mapper=mapper)


def voxels(outcome: Outcome) -> Any:
    assert outcome.sink is not None
    return np.asarray(outcome.sink.array)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_voxels_are_those_of_the_processors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, stand_in = make_scan(), put_in_place(monkeypatch, StandIn())
    in_memory = Resources(10**12, None, 2, 3, ROOM)
    over = made(scan, PROTOCOLS[name], in_memory)
    expected = made(scan, PROTOCOLS[name], Resources(10**12, None, 2, 3))
    np.testing.assert_allclose(voxels(over), voxels(expected), atol=AGREE * np.ptp(voxels(expected)), rtol=0)
    assert over.provenance["quality"] == expected.provenance["quality"]
    for key, tally in expected.provenance["tallies"].items():
        assert over.provenance["tallies"][key]["sum"] == pytest.approx(tally["sum"], rel=1e-5)
    assert stand_in.faults == []
    slabs = sum(section.slabs for section in over.plan.sections)
    assert stand_in.brought == slabs * (2 if name == "through the host" else 1)
    assert 1 <= stand_in.most_there <= 6
    told = over.provenance["devices"]["stand-in"]
    assert told["slabs"] == slabs
    host_only = {"remove_stripes", "statistics"} if name == "through the host" else set()
    assert told["steps"] == [
        item.step.name for item in over.plan.resolution.work if item.step.name not in host_only
    ]


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
