"""The iterative reconstruction steps: units, figures, refusals, and what the report tells."""

from dataclasses import replace

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import STEPS, input_of, make_scan, resolved
from tomarium.errors import InputError
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import Item, Protocol
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.slab_steps import make_ready, process
from tomarium.steps.core.context import Context

NAMES = ["sirt", "cgls", "tv"]


def scan_with(domain: str = "attenuation", **sizes: int) -> Scan:
    return make_scan(domain=domain, rows=4, **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_disc_has_its_value(name: str) -> None:
    scan = scan_with()
    item = resolved(STEPS[name], scan, {"iterations": 60, "pixel_m": 1e-6})
    made = process(input_of(item, scan), make_ready([item], scan, "row"))
    assert made.unit == "1/cm"
    heights = 1 + 0.3 * np.sin(np.arange(4))
    # 0.02 per pixel of 1 um is 200 per cm; the disc of the scan lies 6 px right of the axis, in the middle row.
    middle = made.data[:, 28:36, 33:42].mean(axis=(1, 2))
    np.testing.assert_allclose(middle, 200 * heights, rtol=0.03)
    assert not made.data[:, 0, 0].any()
    assert made.report[f"{name}.truncated"] == 0
    assert 4 <= made.report[f"{name}.iterations"] <= 4 * 60
    assert made.report[f"{name}.residual_millionths"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_units_differ_by_the_pixel_alone(name: str) -> None:
    scan = scan_with()
    values = {"iterations": 5}
    slabs = []
    for given in (values, values | {"pixel_m": 1e-6}):
        bare = scan if "pixel_m" in given else scan.with_geometry(pixel_m=None)
        item = resolved(STEPS[name], bare, given)
        slabs.append(process(input_of(item, bare), make_ready([item], bare, "row")))
    assert slabs[0].unit == "1/px"
    np.testing.assert_allclose(slabs[1].data, 1e4 * slabs[0].data, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_wider_than_the_field_is_said(name: str) -> None:
    scan = scan_with(columns=128)
    item = resolved(STEPS[name], scan, {"iterations": 2})
    whole = input_of(item, scan)
    made = process(replace(whole, data=whole.data + np.float32(0.5)), make_ready([item], scan, "row"))
    assert made.report[f"{name}.truncated"] == whole.data.size
    [figure] = [one for one in STEPS[name].figures if one.name == "truncated"]
    assert "reconstruct by fbp" in figure.warning


@pytest.mark.parametrize("name", NAMES)
def test_too_few_iterations_are_said(name: str) -> None:
    scan = scan_with()
    item = resolved(STEPS[name], scan, {"iterations": 2})
    made = process(input_of(item, scan), make_ready([item], scan, "row"))
    assert made.report[f"{name}.unfinished"] == 60 * 4 * 64


@pytest.mark.parametrize("name", NAMES)
def test_what_it_cannot_do_is_refused(name: str) -> None:
    scan = make_scan(domain="attenuation", rows=4, turn=360.0).with_geometry(
        axis_column=Value(8.0, "user", "test")
    )
    with pytest.raises(InputError, match=rf"half acquisition.* Step {name} does not"):
        tm.reconstruct(scan, protocol=f"steps: [{name}]", rows=0)
    shifted = scan_with()
    shifts = Value(np.ones(60), "user", "test")
    shifted = replace(shifted, geometry=replace(shifted.geometry, shift_columns_px=shifts))
    items = resolve(Protocol((Item(STEPS[name], {}),)), shifted).items
    assert [item.step.name for item in items] == ["apply_shifts", name]


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_changes_nothing(name: str) -> None:
    scan = scan_with()
    item = resolved(STEPS[name], scan, {"iterations": 4})
    slab = input_of(item, scan)
    made = [
        np.array(
            STEPS[name](slab, geometry=scan.geometry, context=Context(threads=threads), **item.plain).data
        )
        for threads in (1, 3)
    ]
    np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_where_another_ended(name: str) -> None:
    scan = scan_with()
    item = resolved(STEPS[name], scan, {"iterations": 30})
    slab = input_of(item, scan)
    first = STEPS[name](slab, geometry=scan.geometry, context=Context(), **item.plain)
    seen: list[tuple[int, int]] = []
    context = Context(
        warm_start=np.array(first.data), on_progress=lambda done, total: seen.append((done, total))
    )
    again = STEPS[name](slab, geometry=scan.geometry, context=context, **{**item.plain, "iterations": 1})
    np.testing.assert_allclose(again.data, first.data, atol=0.05 * first.data.max())
    assert list(dict.fromkeys(seen)) == [(n, 4) for n in range(5)]


@pytest.mark.parametrize("name", [*NAMES, "sart", "mlem", "osem"])
def test_a_change_of_the_slice_ends_it_in_either_unit(name: str) -> None:
    scan = scan_with()
    counts = []
    for pixel, change in ((None, 1e-3), (1e-6, 10.0)):  # 1/px of a pixel of 1 um is 10000 1/cm
        bare = scan if pixel else scan.with_geometry(pixel_m=None)
        alone = {"start": "zero", "change_percent": 0.0} if name == "tv" else {"stop_by": "iterations"}
        item = resolved(STEPS[name], bare, {"iterations": 60, "change": change, **alone})
        made = process(input_of(item, bare), make_ready([item], bare, "row"))
        assert made.report[f"{name}.unfinished"] == 0
        counts.append(made.report[f"{name}.iterations"])
    assert counts[0] == counts[1]
    assert 4 < counts[0] < 4 * 60


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_not_finite_is_refused_by_its_place(name: str) -> None:
    scan = scan_with()
    item = resolved(STEPS[name], scan, {})
    slab = input_of(item, scan)
    data = np.array(slab.data)
    data[3, 2, 5] = np.nan
    with pytest.raises(
        InputError, match=rf"{name}: the sinogram is nan at \(angle, row, column\) = \(3, 2, 5\)"
    ):
        process(replace(slab, data=data), make_ready([item], scan, "row"))
