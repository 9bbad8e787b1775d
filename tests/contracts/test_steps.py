"""What every step, probe and tally must keep to; a new one joins by existing."""

import subprocess
import sys
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tomarium.formats.memory import ArrayFrames
from tomarium.model import Scan, Slab, Value
from tomarium.model.scan import Reference
from tomarium.pipeline.protocol import Item, Protocol, bind, freeze, from_data, from_text, to_data, to_text
from tomarium.pipeline.slabs import cut_rows
from tomarium.pipeline.stage import make_ready, process, trim
from tomarium.steps.parameter import FROM_SCAN, Parameter
from tomarium.steps.spelling import all_steps, check, describe, form, from_form, schema
from tomarium.steps.step import AnyStep, Probe, Step, Tally

EVERY = all_steps()

SAME = 1e-4
"""Part of the range by which a slab may differ from the whole: gridding takes two rows as one complex number, and a
row whose partner is another one differs by some of the kernel's error (3e-4 of the contrast)."""
STEPS = {name: step for name, step in EVERY.items() if isinstance(step, Step)}
TALLIES = {name: step for name, step in EVERY.items() if isinstance(step, Tally)}
PROBES = {name: step for name, step in EVERY.items() if isinstance(step, Probe)}


def make_scan(angles: int = 60, rows: int = 12, columns: int = 64, seed: int = 0) -> Scan:
    """A small scan of a disc in uneven light, with flats before and after."""
    draw = np.random.default_rng(seed)
    theta = np.arange(angles) * 180.0 / angles
    u = np.arange(columns) - 30.5
    centre = 6 * np.cos(np.radians(theta))
    chord = 2 * np.sqrt(np.clip(18**2 - (u[None, :] - centre[:, None]) ** 2, 0, None))
    height = 1 + 0.3 * np.sin(np.arange(rows))
    light = 2000 + 200 * np.cos(np.arange(columns) / 9)
    mean = 100 + light * np.exp(-0.02 * chord[:, None, :] * height[None, :, None])
    counts = draw.poisson(mean).astype(np.uint16)
    flats = draw.poisson(100 + light, (10, rows, columns)).astype(np.uint16)
    darks = draw.poisson(100, (10, rows, columns)).astype(np.uint16)
    return Scan(
        path=Path(__file__),
        name="disc",
        format="memory",
        dialect="test",
        why="made by the test",
        projections=ArrayFrames(counts),
        angles_deg=Value(theta, "read", "test"),
        flats=Reference(ArrayFrames(flats), np.repeat([-1.0, float(angles)], 5)),
        darks=Reference(ArrayFrames(darks), np.full(10, -1.0)),
        pixel_m=Value(1e-6, "read", "test"),
        energy_kev=Value(20.0, "read", "test"),
        distance_m=Value(0.1, "read", "test"),
        axis_column=Value(30.5, "user", "test"),
    )


def make_slab(step: Step | Tally, scan: Scan) -> Slab:
    """Numbers of a kind the step accepts."""
    domain = step.accepts[0]
    rows = slice(0, scan.shape[1])
    counts = scan.projections.read(slice(0, scan.shape[0]), rows)
    if domain == "counts":
        return Slab(counts, rows)
    transmission = np.clip(counts.astype(np.float32) / 2200, 0.01, None)
    if domain == "transmission":
        return Slab(transmission, rows, domain="transmission", unit="1")
    if domain == "attenuation":
        return Slab(-np.log(transmission), rows, domain="attenuation", unit="1")
    columns = scan.shape[2]
    noise = np.random.default_rng(1).normal(1, 0.2, (scan.shape[1], columns, columns))
    return Slab(noise.astype(np.float32), rows, domain="slice", unit="1/cm")


def cut(slab: Slab, rows: slice, makes: slice) -> Slab:
    axis = 0 if slab.domain == "slice" else 1
    data = np.take(slab.data, range(rows.start, rows.stop), axis=axis)
    return replace(slab, data=data, rows=rows, halo=(makes.start - rows.start, rows.stop - makes.stop))


def samples(parameter: Parameter) -> list[Any]:
    """Values worth trying, by what the parameter is."""
    if parameter.choices:
        found: list[Any] = list(parameter.choices)
    else:
        found = {
            "boolean": [True, False],
            "integer": [1, 7],
            "number": [0.25, 1.0, 1 / 3],
            "text": ["a b", "x"],
        }[parameter.kind]
    return [*found, None] if parameter.optional else found


@pytest.mark.parametrize("name", STEPS)
def test_slabs_give_what_the_whole_gives(name: str) -> None:
    step, scan = STEPS[name], make_scan()
    [bound] = bind(Protocol((Item(step),)), scan)
    ready = make_ready([bound], scan, threads=1)
    slab = make_slab(step, scan)
    whole = process(slab, ready)
    halo = step.halo(bound.plain, scan)
    pieces = [
        trim(process(cut(slab, c.reads, c.makes), ready)) for c in cut_rows(slab.rows, 5, halo, scan.shape[1])
    ]
    joined = np.concatenate([piece.data for piece in pieces], axis=0 if whole.domain == "slice" else 1)
    spread = np.ptp(whole.data)
    np.testing.assert_allclose(joined, whole.data, atol=SAME * spread, rtol=0)
    assert whole.domain == step.gives(slab.domain, bound.plain)
    assert np.isfinite(whole.data).all()


@pytest.mark.parametrize("name", STEPS)
def test_a_step_refuses_numbers_of_another_kind(name: str) -> None:
    step, scan = STEPS[name], make_scan(angles=8, rows=2)
    wrong = ({"counts", "transmission", "attenuation", "slice"} - set(step.accepts)).pop()
    slab = Slab(np.ones((8, 2, 64), np.float32), slice(0, 2), domain=wrong)  # type: ignore[arg-type]
    [bound] = bind(Protocol((Item(step),)), scan)
    with pytest.raises(Exception, match=f"the data are {wrong}"):
        process(slab, make_ready([bound], scan, threads=1))


@pytest.mark.parametrize("name", STEPS)
def test_nothing_that_is_not_finite_leaves_a_step(name: str) -> None:
    step, scan = STEPS[name], make_scan(angles=16, rows=3)
    slab = make_slab(step, scan)
    if slab.domain == "slice" or slab.domain == "attenuation":
        pytest.skip("its input cannot hold such values: the step before lets none pass")
    data = slab.data.astype(np.float32)
    data[3, 1, 10], data[4, 2, 20], data[5, 0, :5] = np.nan, np.inf, -np.inf
    [bound] = bind(Protocol((Item(step),)), scan)
    result = process(replace(slab, data=data), make_ready([bound], scan, threads=1))
    assert np.isfinite(result.data).all()


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
    step, scan = STEPS[name], make_scan()
    frozen = freeze(bind(Protocol((Item(step),)), scan))
    bare = replace(scan, pixel_m=None, energy_kev=None, distance_m=None, axis_column=None)
    assert freeze(bind(frozen, bare)) == frozen


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
    step, scan = TALLIES[name], make_scan()
    slab = make_slab(step, scan)
    whole = step(slab)
    cuts = cut_rows(slab.rows, 5, 0, scan.shape[1])
    parts = [step(cut(slab, c.makes, c.makes)) for c in cuts]
    for order in (parts, parts[::-1], [parts[1], parts[0], parts[2]]):
        merged = reduce(step.merge, order)
        assert merged.keys() == whole.keys()
        for key, value in whole.items():
            assert merged[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), key


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_answers_with_a_confidence(name: str) -> None:
    step, scan = PROBES[name], make_scan(angles=180)
    result = step(replace(scan, **{step.fills: None}), **{p.name: p.default for p in step.parameters})
    assert result.confidence in {"high", "medium", "low"}
    assert np.isfinite(step.answer(result))
    assert all(0 <= rows.start < rows.stop <= scan.shape[1] for rows in step.reads(_defaults(step), scan))


def _defaults(step: AnyStep) -> dict[str, Any]:
    return {p.name: p.default for p in step.parameters}


PEAK = """
import resource, sys
sys.path.insert(0, {tests!r})
from contracts.test_steps import STEPS, make_scan, make_slab, process, make_ready, bind, Protocol, Item
step = STEPS[{name!r}]
small = make_scan(30, 2, 64)
process(make_slab(step, small), make_ready(bind(Protocol((Item(step),)), small), small, 1))
scan = make_scan(360, 32, 512)
[bound] = bind(Protocol((Item(step),)), scan)
ready = make_ready([bound], scan, 1)
slab = make_slab(step, scan)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import ctypes
ctypes.CDLL(None).malloc_trim(0)
now = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
open("/proc/self/clear_refs", "w").write("5")
process(slab, ready)
peak = int([l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1]) * 1024
print(peak - now + slab.data.nbytes, step.peak(bound.plain, scan, 32))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("name", STEPS)
def test_memory_stays_below_what_is_declared(name: str) -> None:
    tests = str(Path(__file__).parents[1])
    told = subprocess.run(
        [sys.executable, "-c", PEAK.format(tests=tests, name=name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    taken, declared = map(int, told.stdout.split())
    assert taken <= 1.05 * declared + 4e6, f"takes {taken / 1e6:.0f} MB, declares {declared / 1e6:.0f} MB"
    assert declared <= 3 * taken + 50e6, f"declares {declared / 1e6:.0f} MB, takes only {taken / 1e6:.0f} MB"
