"""Cases of what makes slices: phase, axis, backprojection, half acquisition, truncation, iterations, motion, bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import accuracy_peers
import accuracy_tables
import axis_study
import iterative
import motion
import numpy as np
import sizes
from criteria import ALGOTOM, ASTRA, Array, Case, Score, through

import tomarium as tm
from tomarium.kernels.ctf import retrieve, transfer
from tomarium.kernels.half_acquisition import field_columns, overlap_weights
from tomarium.kernels.paganin import length_m, paganin
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.unwrap import unwrap_sinogram
from tomarium.model import Value
from tomarium.steps.views.remove_blocked_views import remove_blocked_views
from tomarium.synth import SimulationConfig, simulated, truth
from tomarium.synth.wave import wave_intensity

N, MIDDLE = accuracy_tables.N, accuracy_tables.MIDDLE


# Phase.

# Larger spheres in pixels of the same size: the phase does not grow with the frame.
WIDE = sizes.columns(192)
PHASE = SimulationConfig(
    columns=WIDE, rows=WIDE, views=1, axis_column=(WIDE - 1) / 2, pixel_m=1e-6, energy_kev=20.0,
    delta_beta=200.0, distance_m=0.05, propagation="wave",
)  # fmt: skip


PHASE_PEERS: dict[str, Callable[[Array, SimulationConfig], Array]] = {}
if accuracy_peers.NABU:
    PHASE_PEERS |= {"nabu paganin": accuracy_peers.nabu_paganin, "nabu ctf": accuracy_peers.nabu_ctf}
if accuracy_peers.HTTOMOLIB:
    PHASE_PEERS["httomolib paganin_filter, alpha of 4 β/δ"] = accuracy_peers.httomolib_paganin


@lru_cache(maxsize=2)
def waves(noise: float, largest: float, seed: int) -> tuple[SimulationConfig, Array, Array]:
    """The scan of spheres with such a largest attenuation, what they absorb, and one projection with its fringes."""
    draw = np.random.default_rng(seed)
    scale = WIDE / 192
    radii = (40.0 * scale, *scale * draw.uniform(8, 20, 4))
    places = [(0.0, 0.0, 0.0), *scale * draw.uniform(-60, 60, (4, 3))]
    spheres = tuple(
        Ellipsoid(tuple(place), (r, r, r), largest / (80 * scale))
        for place, r in zip(places, radii, strict=True)
    )
    config = replace(PHASE, ellipsoids=spheres)
    known, behind = truth(config), replace(config, distance_m=0.0)
    exact = -np.log(wave_intensity(behind, truth(behind), 0))  # by the same detector
    seen = wave_intensity(config, known, 0)[None]
    return config, exact, seen + draw.normal(0, noise, seen.shape).astype(np.float32)


def thickness(noise: float, largest: float, seed: int, method: str = "paganin") -> float:
    """Relative error of the thickness that a method tells."""
    config, exact, seen = waves(noise, largest, seed)
    if method in PHASE_PEERS:
        found = PHASE_PEERS[method](seen[0], config)
    elif method == "ctf":
        optics = config.pixel_m, config.energy_kev
        known_transfer = transfer(seen.shape[1:], [config.distance_m], *optics, delta_beta=config.delta_beta)
        found = 2 / config.delta_beta * retrieve(seen.astype(np.float32), known_transfer)
    else:
        length = length_m(config.delta_beta, config.energy_kev, config.distance_m) / config.pixel_m
        found = -np.log(paganin(seen.astype(np.float32), length)[0])
    return float(np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2)))


def phase_cases() -> list[Case]:
    made = []
    sheared = "the filter takes the wave to be sheared little: .0030 at 1 cm, .0035 of spheres 2.7 × as large"
    passed = "the best linear filter that knows the spectrum of the projection leaves .018; 16 rad are met"
    for largest, noise, limit, bound, quick in (
        (0.016, 0.0, 0.01, "", True),
        (0.08, 0.0, 0.01, sheared, True),
        (0.08, 0.01, 0.015, passed, True),
        (0.16, 0.01, 0.015, "", False),
    ):
        phase = f"{PHASE.delta_beta * largest / 2:.1f} rad"
        what = f"spheres up to {phase}, a wave at 5 cm, noise of {noise:g}: relative error of the thickness"
        ours: dict[str, Score] = {"": lambda seed, n=noise, a=largest: thickness(n, a, seed)}  # type: ignore[misc]
        others = theirs(noise, largest, "paganin")
        made.append(Case("`paganin`", what, limit, ours, others, quick, not bound, bound, columns=WIDE))
    what = "spheres up to 8.0 rad, the same waves, noise of 0: relative error of the thickness"
    made.append(
        Case(
            "`ctf`",
            what,
            0.01,
            {"": lambda seed: thickness(0.0, 0.08, seed, "ctf")},
            theirs(0.0, 0.08, "ctf"),
            columns=WIDE,
        )
    )
    what = "edges of 3 π softened by 2 px, noise of 0.1: part of the phases that are off by 2π"
    both: dict[str, Score] = {
        "": lambda seed: off_by_turns(seed, True),
        "as it is": lambda seed: off_by_turns(seed, False),
    }
    made.append(Case("`grating` unwrap", what, 0.001, both, {}, columns=sizes.columns(160)))
    return made


def theirs(noise: float, largest: float, kind: str) -> dict[str, Score]:
    """Peers of that kind on the same projection."""
    return {
        name: lambda seed, m=name: thickness(noise, largest, seed, m)  # type: ignore[misc]
        for name in PHASE_PEERS
        if kind in name
    }


def off_by_turns(seed: int, unwrap: bool) -> float:
    """Part of the differential phases of a sinogram that are off by 2π."""
    fine, views, columns = 4, sizes.scaled(90, 160), sizes.columns(160)
    draw = np.random.default_rng(seed)
    place = (np.arange(columns * fine + 1) / fine - columns / 2) * N / columns
    edges = line_integrals(
        accuracy_tables.body(seed, 0.6), np.arange(views) * 180.0 / views, np.zeros(1), place
    )[:, 0]
    reach = np.arange(-32, 33)
    kernel = np.exp(-((reach / (2.0 * fine)) ** 2) / 2)
    edges = np.apply_along_axis(np.convolve, 1, edges, kernel / kernel.sum(), "same")
    slope = np.diff(edges, axis=1)
    slope *= 3 * np.pi / np.abs(slope).max()
    cells = slope.reshape(views, columns, fine)
    fringes = np.exp(1j * cells).mean(axis=2)
    fringes = fringes + draw.normal(0, 0.1, fringes.shape) + 1j * draw.normal(0, 0.1, fringes.shape)
    found = np.angle(fringes)
    if unwrap:
        found = unwrap_sinogram(found, np.abs(fringes))[0]
    return float(np.mean(np.abs(found - cells.mean(axis=2)) > np.pi))


# Axis.

axis_study.COLUMNS = sizes.columns(axis_study.COLUMNS)
axis_study.HEIGHT = sizes.scaled(axis_study.HEIGHT, 256)


def axis_case(name: str) -> axis_study.Case:
    """A class of the study, in as many columns as are asked for."""
    case = axis_study.CASES[name]
    return replace(
        case,
        views=sizes.scaled(case.views - case.endpoint, 256) + case.endpoint,
        axis_spread=float(sizes.scaled(case.axis_spread, 256)),
        axis_offset=float(sizes.scaled(case.axis_offset, 256)),
    )


@lru_cache(maxsize=4)
def turned(name: str, seed: int) -> tuple[Array, Array, float]:
    return axis_study.draw_scan(axis_case(name), seed)


def axis_ours(name: str, seed: int) -> float:
    p, angles, column = turned(name, seed)
    found = axis_study.find(p, angles, rows_per_group=axis_study.CASES[name].rows_per_group)
    return abs(found.column - column)


def axis_algotom(name: str, seed: int) -> float:
    p, _, column = turned(name, seed)
    return abs(axis_study.peer_column(axis_case(name), p) - column)


def axis_cases() -> list[Case]:
    made = []
    for name, limit, quick in (
        ("clean", 0.1, True), ("I0=200", 0.5, True), ("3 % contrast", 0.5, False), ("10 % + spots 2 %", 0.5, False),
        ("local", 0.5, False), ("half", 0.2, True),
    ):  # fmt: skip
        peers: dict[str, Score] = {}
        if ALGOTOM:
            peers["algotom " + ("360" if name == "half" else "vo")] = lambda seed, n=name: axis_algotom(
                n, seed
            )  # type: ignore[misc]
        ours: dict[str, Score] = {"": lambda seed, n=name: axis_ours(n, seed)}  # type: ignore[misc]
        made.append(
            Case("`find_axis`", f"{name}: error in px", limit, ours, peers, quick, columns=axis_study.COLUMNS)
        )
    return made


# Backprojection.

METHODS, ANGLES = accuracy_tables.installed(), accuracy_tables.ANGLES


scene = lru_cache(maxsize=2)(accuracy_tables.scene)  # which the methods share


def fbp_error(method: accuracy_tables.Method, noise: float, seed: int) -> float:
    sinogram, wanted = scene(seed, 0.6, noise=noise)
    return accuracy_tables.rmse(method(sinogram, ANGLES, MIDDLE, N), wanted, 0.75)


def wide(which: int, method: accuracy_tables.Method, seed: int) -> float:
    """Bias (0) or cupping (1) of a sample of 1.8 times the field."""
    sinogram, wanted = scene(seed, 1.8, noise=0.005)
    return abs(accuracy_tables.bias_and_cupping(method(sinogram, ANGLES, MIDDLE, N), wanted)[which])


GUESSED = (
    "projections of the field alone do not tell what lies beyond: biases of ten are -.051 to .026, mean -.003"
)


def slice_cases() -> list[Case]:
    def of(
        score: Callable[[accuracy_tables.Method, int], float],
    ) -> tuple[dict[str, Score], dict[str, Score]]:
        ours: dict[str, Score] = {"": lambda seed: score(accuracy_tables.ours(), seed)}
        return ours, {name: lambda seed, m=method: score(m, seed) for name, method in METHODS.items()}  # type: ignore[misc]

    made = []
    for noise in (0.0, 0.01):
        pair = of(lambda method, seed, n=noise: fbp_error(method, n, seed))  # type: ignore[misc]
        made.append(
            Case("`fbp`", f"1.56 views a column, noise of {noise:g}: error inside", None, *pair, columns=N)
        )
    for which, name in enumerate(("bias", "cupping")):
        pair = of(lambda method, seed, w=which: wide(w, method, seed))  # type: ignore[misc]
        bound = "" if which else GUESSED
        made.append(
            Case("truncation", f"sample of 1.8 × the field: {name}", 0.05, *pair, bound=bound, columns=N)
        )
    return made


@lru_cache(maxsize=2)
def half_scene(seed: int) -> tuple[Array, Array, float, int, Array, float]:
    """A half acquisition, its angles, axis and size; the picture, and the error of a whole detector."""
    axis, half_turn = float(sizes.scaled(40, 257)), sizes.scaled(360, 257)
    angles = np.arange(2 * half_turn) * 180.0 / half_turn
    size = field_columns(N, axis)
    made, wanted = accuracy_tables.scene(seed, 0.75 * size / N, angles, axis=axis, size=size, noise=0.01)
    broad = accuracy_tables.project(
        accuracy_tables.body(seed, 0.75 * size / N), angles[:half_turn], size, (size - 1) / 2
    )
    full = tm.fbp(
        accuracy_tables.noisy(broad, seed + 500, 0.01).astype(np.float32),
        angles[:half_turn], (size - 1) / 2, size=size, padding="zero",
    )  # fmt: skip
    return made, angles, axis, size, wanted, accuracy_tables.rmse(full, wanted, 0.7)


def half_ratio(by: Callable[[Array, Array, float, int], Array], seed: int) -> float:
    """Error of a half acquisition over that of a whole detector with the same angles."""
    made, angles, axis, size, wanted, full = half_scene(seed)
    return accuracy_tables.rmse(by(made, angles, axis, size), wanted, 0.7) / full


def half_ours(p: Array, angles: Array, axis: float, size: int) -> Array:
    weighted = (p * overlap_weights(N, axis)).astype(np.float32)
    return np.asarray(tm.fbp(weighted, angles, axis, size=size, turn_deg=360, padding="zero"))


def half_algotom(p: Array, angles: Array, axis: float, size: int) -> Array:
    from algotom.prep.conversion import convert_sinogram_360_to_180

    # Its first view is that at 0 again at 360 degrees; views beyond half a turn are flipped.
    joined, centre = convert_sinogram_360_to_180(np.vstack([p, p[:1]]).astype(np.float32), axis, norm=False)
    half_turn = np.linspace(0, 180, len(joined))
    made = tm.fbp(
        np.ascontiguousarray(joined, np.float32), half_turn, float(centre), size=size, padding="zero"
    )
    return np.asarray(made)


STEADY = sizes.columns(129)
AXIS = (STEADY - 1) / 2


def blocked_ratio(seed: int) -> float:
    """Error of a full turn with two bars of 15 degrees over that without them, the blocked views found."""
    config = SimulationConfig(
        columns=STEADY, rows=8, views=sizes.scaled(360, 129), span_deg=360.0, seed=seed, axis_column=AXIS,
        dead_pixels=0, hot_pixels=0, zingers=0.0, ring_error=0.0,
    )  # fmt: skip
    scans = [simulated(replace(config, blocked_deg=bars)) for bars in (((40.0, 55.0), (250.0, 265.0)), ())]
    steps = ["flat_field", {"fbp": {"axis_column": AXIS, "padding": "zero"}}]
    middle = slice(4, 5)
    place = np.arange(STEADY) - AXIS
    things = truth(config).ellipsoids
    exact = accuracy_tables.voxelise(things, np.array([0.5]), place, place)[0, ::-1] / (100 * config.pixel_m)
    found = [
        through(remove_blocked_views(scans[0]), *steps, rows=middle)[0],
        through(scans[1], *steps, rows=middle)[0],
    ]
    errors = [accuracy_tables.rmse(one, np.asarray(exact), 0.9) for one in found]
    return errors[0] / errors[1]


def more_cases() -> list[Case]:
    peers: dict[str, Score] = {}
    if ALGOTOM:
        peers["algotom 360 to 180"] = lambda seed: half_ratio(half_algotom, seed)
    return [
        Case("half acquisition", "axis at 0.16 of the field, noise of 0.01: error over that of a wide detector", 1.05,
             {"": lambda seed: half_ratio(half_ours, seed)}, peers, columns=N),
        Case("`remove_blocked_views`", "two bars of 15° in 360°: error over that without bars", 1.1,
             {"": blocked_ratio}, {}, columns=STEADY),
    ]  # fmt: skip


# Iterations: a view to four columns, with noise of 2 %.


iterative.N = sizes.columns(iterative.N)
iterative.MIDDLE = (iterative.N - 1) / 2


@lru_cache(maxsize=4)
def sparse(seed: int) -> tuple[Array, Array, Array, float]:
    sinogram, angles, wanted = iterative.scan(sizes.scaled(60, 256), 180.0, 0.02, seed)
    plain = iterative.METHODS["fbp"](sinogram, angles)[0]
    return sinogram, angles, wanted, sparse_error(plain, wanted)


def sparse_error(image: Array, wanted: Array) -> float:
    place = np.arange(iterative.N) - iterative.MIDDLE
    field = np.hypot(place[:, None], place) < iterative.N / 2
    return float(np.sqrt(np.mean((image - wanted)[field] ** 2)))


def over_fbp(method: str, seed: int) -> float:
    sinogram, angles, wanted, plain = sparse(seed)
    return sparse_error(iterative.METHODS[method](sinogram, angles)[0], wanted) / plain


ASTRA_ITERATIONS = (50, 100, 200)


@lru_cache(maxsize=2)
def astra_sirt(seed: int) -> dict[int, float]:
    """Error over that of fbp after each count of iterations."""
    import astra

    sinogram, angles, wanted, plain = sparse(seed)
    size = iterative.N
    volume = astra.create_vol_geom(size, size)
    geometry = astra.create_proj_geom("parallel", 1.0, size, np.deg2rad(angles))
    settings = astra.astra_dict("SIRT") | {
        "ProjectorId": astra.create_projector("linear", geometry, volume),
        "ProjectionDataId": astra.data2d.create("-sino", geometry, sinogram),
        "ReconstructionDataId": astra.data2d.create("-vol", volume),
        "option": {"MinConstraint": 0.0},
    }
    algorithm = astra.algorithm.create(settings)
    errors, done = {}, 0
    for count in ASTRA_ITERATIONS:  # more of them go on from fewer
        astra.algorithm.run(algorithm, count - done)
        done = count
        made = astra.data2d.get(settings["ReconstructionDataId"])
        errors[count] = sparse_error(made, wanted) / plain
    astra.clear()
    return errors


def iterative_cases() -> list[Case]:
    peers: dict[str, Score] = {}
    if ASTRA:
        peers = {
            f"ASTRA SIRT, {n} iterations": lambda seed, n=n: astra_sirt(seed)[n]  # type: ignore[misc]
            for n in ASTRA_ITERATIONS
        }
    what = "a view to 4.3 columns, noise of 2 %: error over that of fbp"
    return [
        Case(
            "`tv`", what, 0.35, {"": lambda seed: over_fbp("tv", seed)}, {}, quick=False, columns=iterative.N
        ),
        Case(
            "`sirt`",
            what,
            None,
            {"": lambda seed: over_fbp("sirt", seed)},
            peers,
            quick=False,
            columns=iterative.N,
            peer_seeds=3,  # 90 s each at 513 columns
        ),
    ]


# Motion.


def motion_left(name: str, seed: int) -> float:
    """What of the shifts along columns is left, rms in px."""
    probe, points, columns, rows, noise = motion.cases(seed)[name]
    small = name == "align_by_reprojection"
    bodies = motion.specimen(seed, points, 6, True) if small else motion.specimen(seed, points)
    scan = motion.scan_of(motion.views(bodies, columns, rows), noise, seed)
    found: Any = probe(scan)  # type: ignore[operator]
    return motion.left(found.shift_columns_px, columns)


def undone(seed: int) -> float:
    """Error of a slice of a sample that drifts and jitters, its shifts known, over that of one that stands still."""
    config = SimulationConfig(
        columns=STEADY, rows=24, views=sizes.scaled(240, 129), seed=seed, axis_column=AXIS, dead_pixels=0, hot_pixels=0,
        zingers=0.0, ring_error=0.0, drift_px=(3.0, -2.0, 1.0), jitter_px=0.5, specimen_rows=sizes.scaled(64, 129),
    )  # fmt: skip
    still = replace(config, drift_px=(0.0, 0.0, 0.0), jitter_px=0.0)
    course = truth(config).course
    moved = simulated(config).with_geometry(
        shift_columns_px=Value(course.shift_columns_px, "user", "truth"),
        shift_rows_px=Value(course.shift_rows_px, "user", "truth"),
    )
    middle, fbp = slice(12, 13), {"fbp": {"axis_column": AXIS, "padding": "zero"}}
    place = np.arange(STEADY) - AXIS
    exact = accuracy_tables.voxelise(truth(still).ellipsoids, np.array([0.5]), place, place)[0, ::-1] / (
        100 * config.pixel_m
    )
    one = through(moved, "flat_field", "apply_shifts", fbp, rows=middle)[0]
    other = through(simulated(still), "flat_field", fbp, rows=middle)[0]
    return accuracy_tables.rmse(one, np.asarray(exact), 0.85) / accuracy_tables.rmse(
        other, np.asarray(exact), 0.85
    )


def motion_cases() -> list[Case]:
    found = [
        Case(
            f"`{name}`",
            f"{what}: px rms left along columns",
            limit,
            {"": lambda seed, n=name: motion_left(n, seed)},  # type: ignore[misc]
            {},
            quick=False,
            columns=motion.COLUMNS,
        )
        for name, what, limit in (
            ("movement_correction", "drift of 3 px over a full turn", 0.15),
            ("mercedes", "five dots, smooth motion of 5 px", 0.15),
            ("align_by_reprojection", "jitter of 3 px", 0.2),
        )
    ]
    what = "known drift of 3 px and jitter of 0.5: error over that of a still sample"
    return [Case("`apply_shifts`", what, None, {"": undone}, {}, columns=STEADY), *found]


def cases() -> list[Case]:
    """All of them."""
    return [
        *phase_cases(), *axis_cases(), *slice_cases(), *more_cases(), *iterative_cases(), *motion_cases(),
    ]  # fmt: skip
