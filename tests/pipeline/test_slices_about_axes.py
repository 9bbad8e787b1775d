"""Slices of one row about many axes, made at once, are those that are made one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomarium.formats import open as open_scan
from tomarium.model import Scan
from tomarium.pipeline.run import reconstruct
from tomarium.pipeline.run.evaluate import through
from tomarium.pipeline.run.reconstruct import slice_at, slices_at_axes, with_axis
from tomarium.synth import SimulationConfig, simulate, simulated

CONFIG = SimulationConfig(columns=96, rows=6, views=150, seed=1)


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("axes") / "scan.h5", CONFIG)


@pytest.mark.parametrize(
    "protocol",
    [
        "steps: [flat_field, {fbp: {window: hann}}]",
        "steps: [flat_field, {fbp: {engine: nufft, window: hann}}]",
        "steps: [flat_field, half_acquisition, {fbp: {window: hann}}]",
        "steps: [flat_field, remove_stripes, {fbp: {region: '20:60,:', window: hann}}]",
    ],
)
def test_they_are_those_made_one_by_one(scan_file: Path, protocol: str) -> None:
    scan = open_scan(scan_file)
    assert isinstance(scan, Scan)
    columns = [43.0 + 0.5 * k for k in range(18)]  # more than the engine takes at a time
    swept = slices_at_axes(scan, columns, 3, protocol)
    assert len(swept) == 18
    rows = slices_at_axes(scan, columns, 3, protocol, keep=lambda image: image[20:40])
    for column, found, part in zip(columns, swept, rows, strict=True):
        np.testing.assert_array_equal(part.slab.data, found.slab.data[:, 20:40])
        alone = slice_at(with_axis(scan, column), 3, protocol)
        assert found.slab.rows == alone.slab.rows == slice(3, 4)
        assert found.slab.report == alone.slab.report
        [axis] = [item.plain["axis_column"] for item in found.resolution.work if item.step.name == "fbp"]
        assert axis == column
        wanted = np.asarray(alone.slab.data)
        assert found.slab.data.shape == wanted.shape
        assert np.abs(found.slab.data - wanted).max() < 2e-3 * wanted.std()


def test_the_default_preset_is_carried_out_for_several_axes_at_once(
    scan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []

    def counted(slab: Any, *others: Any, **more: Any) -> Any:
        rows.append(slab.data.shape[1])
        return through(slab, *others, **more)

    monkeypatch.setattr(reconstruct, "through", counted)
    slices_at_axes(scan_file, [43.0 + 0.5 * k for k in range(18)], 3)
    assert rows == [16, 2]


def test_slices_of_a_half_acquisition_are_cut_to_the_smallest_about_the_axis() -> None:
    scan = simulated(SimulationConfig(columns=64, rows=2, views=90, span_deg=360.0, axis_column=55.0, seed=1))
    columns = [53.0, 54.0, 55.0, 56.0]
    swept = slices_at_axes(scan, columns, 1)
    assert {found.slab.data.shape for found in swept} == {(1, 107, 107)}
    alone = slice_at(with_axis(scan, 55.0), 1)
    assert alone.slab.data.shape == (1, 111, 111)
    np.testing.assert_array_equal(swept[2].slab.data, alone.slab.data[:, 2:-2, 2:-2])


def test_the_axis_is_looked_for_before_views_half_a_turn_apart_are_joined() -> None:
    scan = simulated(SimulationConfig(columns=64, rows=2, views=90, span_deg=360.0, axis_column=55.0, seed=1))
    joined = slice_at(scan, 1, "steps: [find_axis, join_half_turns, flat_field, fbp]")
    axis = joined.resolution.geometry.axis_column
    assert axis is not None
    assert abs(axis.value - 55.0) < 0.2  # the joined views begin at the same column
    cropped = slice_at(scan, 1, "steps: [find_axis, {crop: {columns: '8:64'}}, flat_field, fbp]")
    axis = cropped.resolution.geometry.axis_column
    assert axis is not None
    assert abs(axis.value - 47.0) < 0.2
