"""Phase retrieval from several scans: what the files hold comes back, wherever they lie beside each other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import tomarium as tm
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates
from tomarium.model import Scan, Value
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import from_data, from_steps, preset
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate
from tomarium.pipeline.run.slab_steps import Followed
from tomarium.synth import SimulationConfig, simulate, simulated
from tomarium.synth.wave import BLUR_PIXELS

RATIO, VIEWS = 100.0, 6
BALLS = (
    Ellipsoid((0.0, 2.0, -3.0), (20.0, 20.0, 20.0), 1.2e-3),
    Ellipsoid((3.0, -4.0, 5.0), (7.0, 7.0, 7.0), -1.2e-3),
    Ellipsoid((-16.0, -20.0, 14.0), (6.0, 5.0, 7.0), 1.2e-3),
)
CONFIG = SimulationConfig(
    columns=96,
    rows=80,
    views=VIEWS,
    axis_column=47.5,
    ellipsoids=BALLS,
    photons=1e6,
    gain=0.05,
    read_noise=0.0,
    flats=2,
    darks=1,
    fixed_pattern=0.02,
    ring_error=0.0,
    dead_pixels=0,
    hot_pixels=0,
    zingers=0.0,
    pixel_m=1e-6,
    energy_kev=20.0,
    delta_beta=RATIO,
    propagation="wave",
    distance_m=0.01,
)


def enlarged(balls: tuple[Ellipsoid, ...], scale: float) -> tuple[Ellipsoid, ...]:
    return tuple(
        Ellipsoid(
            tuple(scale * c for c in b.centre), tuple(scale * h for h in b.half_axes), b.attenuation / scale
        )  # type: ignore[arg-type]
        for b in balls
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four distances: the second moved by 5.4 columns, the third with smaller pixels, the fourth as the first."""
    made = tmp_path_factory.mktemp("distances")
    simulate(made / "d1.h5", CONFIG)
    simulate(made / "d2.h5", replace(CONFIG, distance_m=0.03, axis_column=52.9))
    simulate(
        made / "d3.h5",
        replace(
            CONFIG,
            distance_m=0.08,
            columns=120,
            rows=100,
            axis_column=59.5,
            pixel_m=0.8e-6,
            ellipsoids=enlarged(BALLS, 1.25),
        ),
    )
    simulate(made / "d4.h5", replace(CONFIG, distance_m=0.2))
    return made


def truth() -> NDArray[np.float64]:
    z, u = pixel_coordinates(80, 39.5), pixel_coordinates(96, 47.5)
    angles = np.arange(VIEWS) * 180.0 / VIEWS
    exact = np.asarray(line_integrals(BALLS, angles, z, u), np.float64)
    return np.asarray(gaussian_filter(exact, (0, BLUR_PIXELS, BLUR_PIXELS)))  # as the detector sees it


def retrieved(scan: Scan, *views: Any, **values: Any) -> NDArray[np.float32]:
    steps = [*views, {"flat_field": {"log": False}}, {"ctf": {"delta_beta": RATIO, **values}}]
    resolution = resolve(from_data({"steps": steps}, "test"), scan)
    height = resolution.scan.shape[1]
    return np.asarray(evaluate(resolution, resolution.work, [slice(0, height)], 1)[0].data)


def error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def test_four_scans_give_the_attenuation_and_the_phase(folder: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)
    found = retrieved(scan, scans="d2.h5, d3.h5, d4.h5")
    assert error(found, truth()) < 0.03
    assert np.sum(found * truth()) / np.sum(truth() ** 2) == pytest.approx(1, abs=0.02)
    phase = retrieved(scan, scans="d2.h5, d3.h5, d4.h5", output="phase")
    np.testing.assert_allclose(phase, found * RATIO / 2, rtol=1e-5)
    apart = retrieved(scan, scans="d2.h5, d3.h5, d4.h5", align="views")
    assert error(apart, truth()) < 0.03
    wrong = retrieved(scan, scans="d2.h5, d3.h5, d4.h5", align="none")
    assert error(wrong, truth()) > 2 * error(found, truth())


def test_further_scans_are_seen_as_the_first_is(folder: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)
    several = {"scans": "d4.h5", "align": "none"}
    whole = retrieved(scan, **several)
    some = retrieved(scan, {"select_views": {"keep": "1:6:2"}}, **several)
    np.testing.assert_allclose(some, whole[1::2], atol=1e-4)  # flats are weighed by the place of a view
    halves = retrieved(scan, {"bin": {"rows": 2, "columns": 2}}, **several)
    assert error(halves, whole.reshape(VIEWS, 40, 2, 48, 2).mean((2, 4))) < 0.06
    part = retrieved(scan, {"crop": {"rows": "10:70"}}, **several)
    assert error(part, whole[:, 10:70]) < 0.05
    with pytest.raises(InputError, match=r"another pixel size than the first scan, whose frames are cropped"):
        retrieved(scan, {"crop": {"rows": "10:70"}}, scans="d3.h5")
    with pytest.raises(InputError, match=r"leave bin.angles at 1"):
        retrieved(
            scan.with_geometry(angles_deg=Value(np.arange(6.0), "user", "")),
            {"bin": {"angles": 2}},
            scans="d4.h5",
        )


@pytest.mark.parametrize("kind", ["spikes", "column"])
def test_further_scans_go_through_the_steps_before(folder: Path, tmp_path: Path, kind: str) -> None:
    """What is wrong with the second scan alone goes by the steps that the first one goes through."""
    scan, clean = tm.open(folder / "d1.h5"), tm.open(folder / "d4.h5")
    assert isinstance(scan, Scan)
    assert isinstance(clean, Scan)
    counts = clean.projections.read(slice(None), slice(None)).copy()
    draw = np.random.default_rng(5)
    if kind == "column":
        counts[:, :, 30] = counts[:, :, 30] * 0.93  # answers less in the views than in the flats
        steps: list[Any] = [{"flat_field": {"log": False}}, {"double_flat_field": {"axis_column": 47.5}}]
    else:
        counts[np.arange(VIEWS)[:, None], draw.integers(2, 78, (VIEWS, 12)), draw.integers(2, 94, 12)] += (
            20000
        )
        steps = ["remove_spikes", {"flat_field": {"log": False}}]
    bad = folder / f"{kind}.h5"
    data_exchange.FORMAT.write(bad, with_counts(clean, counts))  # type: ignore[misc]
    reopened = tm.open(bad)
    assert isinstance(reopened, Scan)
    resolution, own = (resolve(from_data({"steps": steps}, "test"), one) for one in (scan, reopened))
    expected = evaluate(own, own.work, [slice(0, 80)], 1)[0].data
    for place in (None, tmp_path):
        followed = Followed(resolution.work, place)(reopened)
        np.testing.assert_array_equal(followed.read(slice(None), slice(0, 80)), expected)
        np.testing.assert_array_equal(followed.read(np.array([4, 1]), slice(10, 20)), expected[[4, 1], 10:20])

    def found(path: str, before: list[Any]) -> NDArray[np.float32]:
        listed = [*before, {"ctf": {"delta_beta": RATIO, "scans": path, "align": "none"}}]
        made = tm.reconstruct(scan, {"steps": listed})
        assert isinstance(made, Scan)
        return np.asarray(made.projections.read(slice(None), slice(None)))

    done = tm.scan_of_arrays(expected, clean.angles_deg.value, domain="transmission")
    data_exchange.FORMAT.write(folder / f"{kind}-done.h5", as_told(done, clean))  # type: ignore[misc]
    made = found(bad.name, steps)
    assert error(made, found(bad.name, [{"flat_field": {"log": False}}])) > 0.01
    if kind == "spikes":  # what holds transmission goes through the steps behind the flat field alone
        np.testing.assert_array_equal(made, found(f"{kind}-done.h5", steps))


def with_counts(scan: Scan, counts: NDArray[Any]) -> Scan:
    assert scan.flats is not None
    assert scan.darks is not None
    flats, darks = (one.frames.read(slice(None), slice(None)) for one in (scan.flats, scan.darks))
    return as_told(tm.scan_of_arrays(counts, scan.angles_deg.value, flats=flats, darks=darks), scan)


def as_told(scan: Scan, by: Scan) -> Scan:
    return scan.with_geometry(distance_m=by.distance_m, pixel_m=by.pixel_m, energy_kev=by.energy_kev)


def test_shifts_of_the_first_scan_alone_are_refused_before_it(folder: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)
    moved = scan.with_geometry(shift_columns_px=Value(np.ones(VIEWS), "user", "test"))
    steps = [{"flat_field": {"log": False}}, "apply_shifts", {"ctf": {"delta_beta": RATIO, "scans": "d4.h5"}}]
    with pytest.raises(ParameterError, match=r"apply_shifts moves the views of the first scan"):
        plan(from_data({"steps": steps}, "test"), moved, Resources(10**12, 10**12, 1, 1))


def test_a_plan_prices_the_steps_of_further_scans(folder: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)

    def priced(disk: int | None, *steps: Any) -> Any:
        listed = [*steps, {"ctf": {"delta_beta": RATIO, "scans": "d3.h5, d4.h5"}}]
        return plan(from_data({"steps": listed}, "test"), scan, Resources(10**12, disk, 1, 1))

    flat, ring = {"flat_field": {"log": False}}, "remove_stripes"
    stacks = 4 * VIEWS * (100 * 120 + 80 * 96)
    more = priced(10**12, flat, ring).write_bytes - priced(10**12, flat).write_bytes
    assert stacks <= more <= stacks + 4 * VIEWS * 80 * 96 * 2  # and the spool of the first scan
    in_memory = max(section.peak_bytes for section in priced(None, flat, ring).sections)
    assert in_memory - max(section.peak_bytes for section in priced(10**12, flat, ring).sections) >= stacks
    assert priced(None, "remove_spikes", flat).seconds > priced(None, flat).seconds


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)
    with pytest.raises(ParameterError, match=r"the distances are .*two are the same"):
        retrieved(scan, scans="d1.h5")
    with pytest.raises(ParameterError, match="2 scans and 1 distances"):
        retrieved(scan, scans="d2.h5,d4.h5", distances="3 cm")
    with pytest.raises(InputError, match=r"energy is 20 keV, but 30 keV"):
        retrieved(scan, scans="d2.h5", energy_kev="30 keV")
    angles = Value(np.arange(VIEWS) * 30.0 + 15, "user", "test")
    with pytest.raises(InputError, match=r"d2.h5 has no view at 15°"):
        retrieved(scan.with_geometry(angles_deg=angles), scans="d2.h5")
    other = tm.open(folder / "d2.h5")
    assert isinstance(other, Scan)
    data_exchange.FORMAT.write(tmp_path / "d2.h5", other.with_geometry(distance_m=None))  # type: ignore[misc]
    with pytest.raises(MissingData, match="does not tell its distance"):
        retrieved(scan, scans=str(tmp_path / "d2.h5"))
    told = retrieved(scan, scans=str(tmp_path / "d2.h5"), distances="3 cm")
    np.testing.assert_allclose(told, retrieved(scan, scans="d2.h5"), atol=1e-6)
    noise = np.random.default_rng(0).poisson(1000, other.shape).astype(np.uint16)
    frames = tm.scan_of_arrays(noise, other.angles_deg.value, flats=np.full((1, 80, 96), 1000, np.uint16))
    frames = frames.with_geometry(
        distance_m=other.distance_m, pixel_m=other.pixel_m, energy_kev=other.energy_kev
    )
    data_exchange.FORMAT.write(tmp_path / "noise.h5", frames)  # type: ignore[misc]
    with pytest.raises(InputError, match=r"shows no likeness|the sample moved"):
        retrieved(scan, scans=str(tmp_path / "noise.h5"))
    with pytest.raises(ParameterError, match=r"give ctf.output=phase"):
        retrieved(scan, delta_beta=None)


def test_a_plan_counts_what_is_read_of_further_scans(folder: Path) -> None:
    scan = tm.open(folder / "d1.h5")
    assert isinstance(scan, Scan)

    def priced(scans: str) -> Any:
        steps = [
            {"flat_field": {"log": False}},
            {"ctf": {"delta_beta": RATIO, "scans": scans, "distances": ""}},
        ]
        made = plan(from_data({"steps": steps}, "test"), scan, Resources(10**12, 10**12, 1, 1))
        [section] = made.sections
        return section

    alone, more = priced(""), priced("d3.h5, d4.h5")
    others = [tm.open(folder / name) for name in ("d3.h5", "d4.h5")]
    stacks = [
        part for other in others for part in (other.projections, other.flats.frames, other.darks.frames)
    ]  # type: ignore[union-attr]
    raw = sum(2 * int(np.prod(one.shape)) for one in stacks)
    assert more.read_bytes - alone.read_bytes == pytest.approx(raw, rel=0.02)
    assert more.peak_bytes - alone.peak_bytes > 4 * 4 * (100 * 120 + 80 * 96)
    assert more.seconds > alone.seconds
    assert priced("absent.h5").read_bytes == alone.read_bytes


def test_counts_of_whole_frames_are_told_of_the_rows_that_are_wanted() -> None:
    strong = tuple(replace(ball, attenuation=40 * ball.attenuation) for ball in BALLS)
    scan = simulated(replace(CONFIG, ellipsoids=strong, distance_m=0.2))
    steps = [{"flat_field": {"log": False}}, {"ctf": {"delta_beta": RATIO}}]
    resolution = resolve(from_data({"steps": steps}, "test"), scan)
    [whole] = evaluate(resolution, resolution.work, [slice(0, 80)], 1)
    [row] = evaluate(resolution, resolution.work, [slice(40, 41)], 1)
    assert 0.02 * VIEWS * 80 * 96 < whole.report["ctf.misfit"] < VIEWS * 80 * 96
    assert row.report["ctf.misfit"] == pytest.approx(whole.report["ctf.misfit"] / 80, abs=1)


def test_the_step_alone_makes_a_protocol() -> None:
    names = [item.step.name for item in from_steps(("ctf",), preset("standard"), "counts").items]
    assert "minus_log" not in names
    assert names.index("flat_field") < names.index("ctf") < names.index("fbp")
