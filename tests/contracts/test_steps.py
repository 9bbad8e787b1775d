"""What every step, view, probe and tally must keep to; a new one joins by existing."""

import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tomarium.errors import InputError, StepFailed
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Domain, Geometry, Scan, Slab, Value
from tomarium.model.scan import Reference
from tomarium.pipeline.plan.cost import Direction, step_halo
from tomarium.pipeline.plan.slabs import cut_rows
from tomarium.pipeline.protocol.protocol import Item, Protocol, from_data, from_text, to_data, to_text
from tomarium.pipeline.protocol.resolve import Resolved, freeze, resolve
from tomarium.pipeline.run.slab_steps import make_ready, process, trim
from tomarium.steps.core.parameter import FROM_SCAN, Parameter
from tomarium.steps.core.sample import layout_of
from tomarium.steps.core.serialization import all_steps, describe, form, schema
from tomarium.steps.core.step import AnyStep, Probe, Step, Tally, View
from tomarium.steps.core.values import check, from_form
from tomarium.synth import SimulationConfig, simulated
from warm import Warm

EVERY = all_steps()
TESTS = str(Path(__file__).parents[1])

SAME = 1e-4
"""Part of the range by which a slab may differ from the whole: gridding takes two rows as one complex number, and a
row whose partner is another one differs by some of the kernel's error (3e-4 of the contrast)."""
STEPS = {name: step for name, step in EVERY.items() if isinstance(step, Step)}
VIEWS = {name: step for name, step in EVERY.items() if isinstance(step, View)}
TALLIES = {name: step for name, step in EVERY.items() if isinstance(step, Tally)}
PROBES = {name: step for name, step in EVERY.items() if isinstance(step, Probe)}


def make_scan(
    angles: int = 60,
    rows: int = 12,
    columns: int = 64,
    seed: int = 0,
    domain: Domain = "counts",
    turn: float = 180.0,
) -> Scan:
    """A small scan of a disc in uneven light, with flats before and after."""
    draw = np.random.default_rng(seed)
    theta = np.arange(angles) * turn / angles
    u = np.arange(columns) - (columns / 2 - 1.5)
    centre = 6 * np.cos(np.radians(theta))
    chord = 2 * np.sqrt(np.clip((columns * 0.28) ** 2 - (u[None, :] - centre[:, None]) ** 2, 0, None))
    height = 1 + 0.3 * np.sin(np.arange(rows))
    light = 2000 + 200 * np.cos(np.arange(columns) / 9)
    attenuation = 0.02 * chord[:, None, :] * height[None, :, None]
    raw = domain == "counts"
    if raw or domain == "slice":  # only these hold what takes long to draw
        numbers = draw.poisson(100 + light * np.exp(-attenuation)).astype(np.uint16)
        flats = draw.poisson(100 + light, (10, rows, columns)).astype(np.uint16)
        darks = draw.poisson(100, (10, rows, columns)).astype(np.uint16)
    else:
        numbers = (np.exp(-attenuation) if domain == "transmission" else attenuation).astype(np.float32)
    return Scan(
        path=Path(__file__),
        name="disc",
        format="memory",
        dialect="test",
        why="made by the test",
        projections=ArrayFrames(numbers),
        geometry=Geometry(
            angles_deg=Value(theta, "read", "test"),
            pixel_m=Value(1e-6, "read", "test"),
            energy_kev=Value(20.0, "read", "test"),
            distance_m=Value(0.1, "read", "test"),
            axis_column=Value(columns / 2 - 1.5, "user", "test"),
        ),
        flats=Reference(ArrayFrames(flats), np.repeat([-1.0, float(angles)], 5)) if raw else None,
        darks=Reference(ArrayFrames(darks), np.full(10, -1.0)) if raw else None,
        domain=domain,
    )


def example_scan(step: AnyStep, seed: int = 0, domain: str | None = None, **sizes: int) -> Scan:
    """The scan of a step's example: of a domain that it works on."""
    size = {"angles": step.example.angles, "rows": step.example.rows, "columns": step.example.columns} | sizes
    accepts = getattr(step, "accepts", ("counts",))
    domain = domain or (accepts[0] if accepts[0] != "slice" else "counts")
    scan = make_scan(
        **size, seed=seed, domain=domain, turn=360.0 if step.name == "join_half_turns" else 180.0
    )
    if step.name != "normalise_beam":
        return scan
    return scan.with_geometry(beam_intensity=Value(np.linspace(1, 0.9, scan.shape[0]), "user", "test"))


def resolved(step: AnyStep, scan: Scan, values: dict[str, Any] | None = None) -> Resolved:
    """The step with the values of its example, as if what it works on reached it."""
    given = check(step, dict(step.example.values or {}) | (values or {}))
    accepts = getattr(step, "accepts", (scan.domain,))
    if scan.domain in accepts:
        return resolve(Protocol((Item(step, given),)), scan).items[-1]
    # Slices reach it from a reconstruction.
    before = [Item(EVERY["flat_field"]), Item(EVERY["fbp"])]
    return resolve(Protocol((*before, Item(step, given))), scan).items[-1]


def input_of(item: Resolved, scan: Scan) -> Slab:
    """All of what reaches a step: numbers of a kind it works on."""
    layout, rows = item.before, slice(0, item.before.rows)
    if layout.domain != "slice":
        data = scan.projections.read(slice(0, scan.shape[0]), rows)
        return Slab(data, rows, domain=layout.domain, unit=layout.unit)
    noise = np.random.default_rng(1).normal(1, 0.2, layout.shape)
    return Slab(noise.astype(np.float32), rows, domain="slice", unit=layout.unit)


def directions(step: Step) -> list[Direction]:
    """The ways a step may be cut."""
    ways: dict[str, list[Direction]] = {
        "any": ["row", "angle"], "row": ["row"], "slice": ["row"], "angle": ["angle"],
    }  # fmt: skip
    return ways[step.cut] if "slice" not in step.accepts else ["row"]


def pieces(item: Resolved, slab: Slab, direction: Direction, size: int, scan: Scan) -> Iterator[Slab]:
    """The step's results of slabs of a size, without their halos."""
    halo = step_halo(item, direction)
    length = item.before.rows if direction == "row" else item.before.shape[0]
    ready = make_ready([item], scan, direction)
    for cut in cut_rows(slice(0, length), size, halo, length):
        axis = 0 if direction == "angle" or slab.domain == "slice" else 1
        data = np.take(slab.data, range(cut.reads.start, cut.reads.stop), axis=axis)
        if direction == "row":
            part = replace(slab, data=data, rows=cut.reads, halo=cut.halo)
        else:
            part = replace(slab, data=data, frames=cut.reads, halo=cut.halo)
        yield trim(process(part, ready))


def samples(parameter: Parameter) -> list[Any]:
    """Values worth trying, by what the parameter is."""
    if parameter.choices:
        found: list[Any] = list(parameter.choices)
    else:
        found = {
            "boolean": [True, False],
            "integer": [1, 7],
            "number": [0.25, 1.0, 1 / 3],
            "text": ["1:5", "a b", "x"],
        }[parameter.kind]
    return [*found, None] if parameter.optional else found


CASES = [(name, way) for name, step in STEPS.items() for way in directions(step)]


@pytest.mark.parametrize(("name", "direction"), CASES)
def test_slabs_give_what_the_whole_gives(name: str, direction: Direction) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    # High enough that a slab lies inside of the whole with three halos and more around it.
    halo = step_halo(resolved(step, scan), direction)
    if direction == "row" and step.example.rows < 7 * halo:
        scan = example_scan(step, rows=7 * halo + 5)
    item = resolved(step, scan)
    slab = input_of(item, scan)
    whole = process(slab, make_ready([item], scan, "row" if direction == "row" else "angle"))
    assert tuple(whole.data.shape) == item.after.shape
    assert (whole.domain, whole.unit) == (item.after.domain, item.after.unit)
    spread = np.ptp(whole.data)
    assert spread > 0
    for size in (5, max(1, halo)):
        parts = [piece.data for piece in pieces(item, slab, direction, size, scan)]
        axis = 0 if direction == "angle" or whole.domain == "slice" else 1
        joined = np.concatenate(parts, axis=axis)
        np.testing.assert_allclose(joined, whole.data, atol=SAME * spread, rtol=0)
    assert np.isfinite(whole.data).all()


@pytest.mark.parametrize(
    "name", [name for name, step in STEPS.items() if step.cut == "any" and "slice" not in step.accepts]
)
def test_frames_and_rows_give_the_same(name: str) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    item = resolved(step, scan)
    slab = input_of(item, scan)
    by_row = process(slab, make_ready([item], scan, "row"))
    frames = replace(slab, frames=slice(0, scan.shape[0]))
    by_angle = process(frames, make_ready([item], scan, "angle"))
    np.testing.assert_allclose(by_angle.data, by_row.data, atol=SAME * np.ptp(by_row.data), rtol=0)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_refuses_numbers_of_another_kind(name: str) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    wrong = ({"counts", "transmission", "attenuation", "slice"} - set(step.accepts)).pop()
    slab = Slab(np.ones((8, 2, 64), np.float32), slice(0, 2), domain=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"the data are {wrong}"):
        process(slab, make_ready([resolved(step, scan)], scan, "row"))


@pytest.mark.parametrize("name", STEPS)
def test_nothing_that_is_not_finite_leaves_a_step(name: str) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    item = resolved(step, scan)
    slab = input_of(item, scan)
    if slab.domain == "slice" or slab.domain == "attenuation":
        pytest.skip("its input cannot hold such values: the step before lets none pass")
    data = slab.data.astype(np.float32)
    data[3, 1, 10], data[4, 2, 20], data[5, 0, :5] = np.nan, np.inf, -np.inf
    result = process(replace(slab, data=data), make_ready([item], scan, "row"))
    if item.after.domain == "counts":
        # The flat field replaces and counts what is not finite: nothing before it may spread it.
        assert np.isfinite(result.data)[np.isfinite(data)].all()
    else:
        assert np.isfinite(result.data).all()


@pytest.mark.parametrize("name", STEPS)
def test_a_step_leaves_its_input_as_it_was(name: str) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    item = resolved(step, scan)
    slab = input_of(item, scan)
    before = np.array(slab.data)
    process(slab, make_ready([item], scan, "row"))
    np.testing.assert_array_equal(slab.data, before)


@pytest.mark.parametrize("name", EVERY)
def test_it_crosses_to_another_process(name: str) -> None:
    step = EVERY[name]
    assert pickle.loads(pickle.dumps(step)) is step
    if isinstance(step, Step):
        item = resolved(step, example_scan(step))
        again = pickle.loads(pickle.dumps(item))
        assert again.step is step
        assert again.plain == item.plain


@pytest.mark.parametrize("name", EVERY)
def test_parameters_survive_every_spelling(name: str) -> None:
    step = EVERY[name]
    for k in range(4):
        given = {p.name: samples(p)[k % len(samples(p))] for p in step.parameters}
        given = {n: v for n, v in given.items() if _allowed(step, n, v)}
        there = check(step, given)
        fields = {field.name: field.value for field in form(step, there)}
        assert from_form(step, fields) == there
        protocol = Protocol((Item(step, there), Item(EVERY["fbp"])))
        assert from_data(to_data(protocol), "test") == protocol
        assert from_text(to_text(protocol), "test") == protocol
        assert from_data(yaml.safe_load(yaml.safe_dump(to_data(protocol))), "test") == protocol


def _allowed(step: AnyStep, name: str, value: Any) -> bool:
    try:
        check(step, {name: value})
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", STEPS)
def test_provenance_can_be_run_again(name: str) -> None:
    step, scan = STEPS[name], example_scan(STEPS[name])
    if "slice" in step.accepts:
        pytest.skip("what is before it is frozen too")
    frozen = freeze(resolve(Protocol((Item(step, check(step, dict(step.example.values or {}))),)), scan))
    bare = scan.with_geometry(pixel_m=None, energy_kev=None, distance_m=None, axis_column=None)
    assert freeze(resolve(frozen, bare)) == frozen


@pytest.mark.parametrize("name", EVERY)
def test_the_docstring_is_complete(name: str) -> None:
    step = EVERY[name]
    told = describe(step)
    assert told.summary.endswith(".")
    assert {p.name for p in step.parameters} <= set(told.parameters), "a parameter is not explained"
    assert "Returns" in told.sections
    assert schema(step)["properties"].keys() == {p.name for p in step.parameters}
    assert all(p.default is FROM_SCAN or _allowed(step, p.name, p.default) for p in step.parameters)
    if isinstance(step, Step):
        assert "References" in told.sections, "its source is not named"


@pytest.mark.parametrize("name", TALLIES)
def test_a_tally_of_slabs_is_that_of_the_whole(name: str) -> None:
    step, scan = TALLIES[name], example_scan(TALLIES[name])
    item = resolved(step, scan)
    slab = input_of(item, scan)
    whole = step(slab)
    axis = slab.along
    cuts = cut_rows(slab.rows, 5, 0, slab.data.shape[axis])
    parts = [
        step(
            replace(
                slab, data=np.take(slab.data, range(c.makes.start, c.makes.stop), axis=axis), rows=c.makes
            )
        )
        for c in cuts
    ]
    for order in (parts, parts[::-1], [parts[1], parts[0], parts[2]]):
        merged = reduce(step.merge, order)
        assert merged.keys() == whole.keys()
        for key, value in whole.items():
            assert merged[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), key


def propagated(angles: int) -> Scan:
    """A ball with the fringes of propagation."""
    ball = Ellipsoid((0.0, 0.0, 0.0), (20.0, 20.0, 20.0), 0.015)
    config = SimulationConfig(
        columns=96, rows=32, views=min(angles, 6), axis_column=47.5, ellipsoids=(ball,), propagation="wave",
        pixel_m=1e-6, energy_kev=20.0, delta_beta=100.0, distance_m=0.01, dead_pixels=0, hot_pixels=0,
        zingers=0.0, ring_error=0.0,
    )  # fmt: skip
    return simulated(config)


PROBED = {"find_filter_length": propagated}
"""Probes that want more of a scan than a disc."""


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_answers_with_a_confidence(name: str) -> None:
    step, scan = PROBES[name], PROBED.get(name, make_scan)(angles=180)
    result = step(scan.with_geometry(**dict.fromkeys(step.fields)), **_defaults(step))
    assert result.confidence in {"high", "medium", "low"}
    assert all(np.isfinite(one).all() for one in step.filled(step.answer(result)).values())
    assert all(
        0 <= rows.start < rows.stop <= scan.shape[1] for rows in step.reads(_defaults(step), layout_of(scan))
    )


def _defaults(step: AnyStep) -> dict[str, Any]:
    return {p.name: p.default for p in step.parameters}


@pytest.mark.parametrize(
    "name", [name for name in VIEWS if name not in ("concatenate", "gather_helix", "mosaic", "stitch")]
)
def test_a_view_takes_flats_and_darks_along(name: str) -> None:
    view, scan = VIEWS[name], example_scan(VIEWS[name])
    made = view(scan, **dict(view.example.values or {}))
    angles, rows, columns = made.shape
    assert len(made.angles_deg.value) == angles
    assert made.flats is not None
    assert made.darks is not None
    assert made.flats.frames.shape[1:] == made.darks.frames.shape[1:] == (rows, columns)
    assert list(made.recipe[-1]) == [name]
    everything = made.projections.read(slice(0, angles), slice(0, rows))
    assert everything.shape == made.shape
    assert everything.dtype == made.projections.dtype
    some = made.projections.read(np.array([angles - 1, 2, 0]), slice(1, rows))
    np.testing.assert_array_equal(some, everything[[angles - 1, 2, 0], 1:])
    np.testing.assert_array_equal(made.projections.read(slice(1, 4), slice(0, 1)), everything[1:4, :1])
    read, unpacked = made.projections.cost(angles, slice(0, rows))
    assert read >= 0
    assert unpacked >= 0
    # The light of the projections' edges and of the flats is the same, wherever the view took them.
    mean = made.flats.frames.read(slice(0, 10), slice(0, rows)).mean(axis=0)
    edge = everything[:, :, :2].mean(axis=0)
    assert np.abs(edge / mean[:, :2] - 1).max() < 0.1


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in ("concatenate", "mosaic", "stitch")])
def test_a_view_is_made_again_by_its_recipe(name: str) -> None:
    view, scan = VIEWS[name], example_scan(VIEWS[name])
    made = view(scan, **dict(view.example.values or {}))
    [(told, values)] = made.recipe[-1].items()
    again = EVERY[told](scan, **yaml.safe_load(yaml.safe_dump(dict(values))))
    np.testing.assert_array_equal(
        again.projections.read(slice(0, 5), slice(0, 2)), made.projections.read(slice(0, 5), slice(0, 2))
    )
    np.testing.assert_array_equal(again.angles_deg.value, made.angles_deg.value)


def test_a_step_that_returns_something_else_than_it_says_is_told_so() -> None:
    scan = make_scan()
    item = resolve(Protocol((Item(EVERY["flat_field"]),)), scan).items[-1]
    lying = replace(item, step=replace(STEPS["flat_field"], after=lambda layout, _: layout))
    with pytest.raises(
        StepFailed, match=r"step flat_field returned attenuation .* but its `after` says counts"
    ):
        process(input_of(item, scan), make_ready([lying], scan, "row"))


# Each step is measured in a process of its own: freed memory of those before it would be lent to it.
IMPORTED = f"""
import ctypes, functools, resource, sys
sys.path.insert(0, {TESTS!r})
from contracts import test_steps
from contracts.test_steps import STEPS, example_scan, resolved, input_of, process, make_ready
"""
# Most steps are measured with this scan, and its noise takes longer to draw than they do.
DRAWN = (
    IMPORTED
    + """
test_steps.make_scan = functools.cache(test_steps.make_scan)
example_scan(STEPS["flat_field"], angles=360, rows=32, columns=512)
"""
)
PEAK = (
    IMPORTED
    + """
step = STEPS[sys.argv[1]]
small = example_scan(step)
item = resolved(step, small)
process(input_of(item, small), make_ready([item], small, "row"))
# An iterative step takes seconds for each row, and most of its memory is for slices, however many angles there are.
angles, rows = (120, 10) if step.cost.nanoseconds > 1000 else (360, 32)
scan = example_scan(step, angles=angles, rows=rows, columns=512)
item = resolved(step, scan)
ready = make_ready([item], scan, "row")
slab = input_of(item, scan)
ctypes.CDLL(None).malloc_trim(0)
now = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
open("/proc/self/clear_refs", "w").write("5")
process(slab, ready)
peak = int([l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1]) * 1024
print(peak - now + slab.data.nbytes, step.cost.host_bytes(item.plain, item.before))
"""
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm"), first=DRAWN) as warm:
        yield warm


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("name", STEPS)
def test_memory_stays_below_what_is_declared(name: str, warm: Warm) -> None:
    done = warm.run(PEAK, name, seconds=600)
    assert done.returncode == 0, done.output
    taken, declared = map(int, done.output.split())
    assert taken <= 1.05 * declared + 4e6, f"takes {taken / 1e6:.0f} MB, declares {declared / 1e6:.0f} MB"
    assert declared <= 3 * taken + 50e6, f"declares {declared / 1e6:.0f} MB, takes only {taken / 1e6:.0f} MB"
