"""Cases of the corrections: flat field, spikes, stripes and rings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import sizes
from accuracy_peers import NABU, nabu_mean, nabu_munch
from criteria import ALGOTOM, Array, Case, Score, through

import tomarium as tm
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.metrics import ring_index, rmse
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import FrameKind, Scan
from tomarium.synth import SimulationConfig, simulated, truth
from tomarium.synth.frames import SimulatedFrames, beam

SMALL = 192
N, VIEWS = sizes.columns(SMALL), sizes.scaled(320, SMALL)
SCALE = N / SMALL
AXIS, MATRIX = (N - 1) / 2 + 0.2, 0.006 / SCALE
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
WIDTH = sizes.columns(64)
MIDDLE, BALL = (WIDTH - 1) / 2, sizes.scaled(14, 64)
HONEST = SimulationConfig(
    columns=WIDTH, rows=256, views=60, dead_pixels=0, hot_pixels=0, zingers=0.0, ring_error=0.0, axis_column=MIDDLE,
)  # fmt: skip
CASES_OF_LIGHT = {
    "static beam": (HONEST, 1e-3),
    # Few flats beside the views, as in scans of a thousand: what lies between the groups is the scan.
    "current loses 10 %": (replace(HONEST, current_decay=0.1, flats=4), 2e-3),
}


# Flat field: what air is told to be.


@lru_cache(maxsize=2)
def air(config: SimulationConfig, seed: int) -> tuple[Scan, Array, Array]:
    """A scan of a small ball, its pixels of air, and what a perfect flat field would leave as noise."""
    ball = Ellipsoid((0, 0, 0), (40, BALL, BALL), 0.28 / BALL)
    config = replace(config, seed=seed, ellipsoids=(ball,))
    known = truth(config)
    light = np.array([beam(config, place) for place in known.course.beam_rows_px])
    columns = np.abs(np.arange(WIDTH) - MIDDLE) > BALL + 3
    floor = 1 / (config.photons * light * known.course.beam_intensity[:, None])
    return simulated(config), columns, np.sqrt(floor.mean())


def rms_of_views(found: Array) -> float:
    """Root mean square over the views of the mean attenuation of air, which is 0."""
    return float(np.sqrt(np.mean(np.square(found.mean(axis=(1, 2), dtype=np.float64)))))


def bias_in_air(config: SimulationConfig, step: str, seed: int) -> float:
    scan, columns, _ = air(config, seed)
    return rms_of_views(through(scan, step)[:, :, columns])


def residual_in_air(config: SimulationConfig, step: str, seed: int) -> float:
    scan, columns, floor = air(config, seed)
    return float(through(scan, step)[:, :, columns].std() / floor)


def algotom_light(config: SimulationConfig, seed: int) -> tuple[Array, float]:
    from algotom.prep.correction import flat_field_correction

    scan, columns, floor = air(config, seed)
    flat, dark = (
        np.mean(np.asarray(one.frames[:]), axis=0, dtype=np.float64) for one in (scan.flats, scan.darks)
    )
    found = flat_field_correction(np.asarray(scan.projections[:], np.float64), flat, dark)
    return -np.log(found)[:, :, columns], floor


def light_cases() -> list[Case]:
    made = []
    for what, (config, limit) in CASES_OF_LIGHT.items():
        ours: dict[str, Score] = {"": lambda seed, c=config: bias_in_air(c, "flat_field", seed)}  # type: ignore[misc]
        peers: dict[str, Score] = {}
        if ALGOTOM:
            peers["algotom flat_field_correction"] = lambda seed, c=config: rms_of_views(
                algotom_light(c, seed)[0]
            )  # type: ignore[misc]
        made.append(
            Case(
                "`flat_field`",
                f"{what}: attenuation of air, rms of the views",
                limit,
                ours,
                peers,
                columns=WIDTH,
            )
        )
    moving = replace(HONEST, beam_jitter_rows=0.7, beam_drift_rows=1.0, beam_stripes=0.2)
    ours = {
        "": lambda seed: residual_in_air(moving, "dynamic_flat_field", seed),
        "flat_field": lambda seed: residual_in_air(moving, "flat_field", seed),
    }
    peers = {}
    if ALGOTOM:

        def algotom(seed: int) -> float:
            found, floor = algotom_light(moving, seed)
            return float(found.std() / floor)

        peers["algotom flat_field_correction"] = algotom
    what = "beam drifts by 1 px and jitters by 0.7: deviation of air over that of photons"
    made.append(Case("`dynamic_flat_field`", what, 1.4, ours, peers, columns=WIDTH))
    return made


# Spikes: what is left of hits, and what is changed where there is none.


@lru_cache(maxsize=2)
def hit(seed: int, pattern: float = 0.02) -> tuple[Array, Array, Array, Scan]:
    """Counts with hits and without, the deviation of the noise, and the scan with hits."""
    # As many pixels of a wide detector, whose sample moves by more columns from view to view.
    views, rows = (HONEST.views, HONEST.rows) if WIDTH == 64 else (2 * HONEST.views, HONEST.rows // 2)
    hits = 1e-4 * rows * WIDTH
    config = replace(HONEST, seed=seed, fixed_pattern=pattern, views=views, rows=rows, zingers=hits)
    clean = SimulatedFrames(replace(config, zingers=0.0), truth(config), FrameKind.PROJECTION)
    counts = clean.read(slice(None), slice(None)).astype(np.float64)
    with_hits = SimulatedFrames(config, truth(config), FrameKind.PROJECTION).read(slice(None), slice(None))
    sigma = np.sqrt(config.gain * np.maximum(counts - 100, 1) + config.read_noise**2)
    return counts, with_hits, sigma, simulated(config)


def left_of_hits(clean: Callable[[Array, Scan], Array], seed: int, pattern: float = 0.02) -> float:
    """Part of the hits above 10 standard deviations of which more than half is left."""
    counts, with_hits, sigma, scan = hit(seed, pattern)
    found = np.asarray(clean(with_hits, scan), np.float64)
    height = with_hits - counts
    high = height > 10 * sigma
    return float(np.mean(np.abs(found - counts)[high] > 0.5 * height[high]))


def left_without_pattern(clean: Callable[[Array, Scan], Array], seed: int) -> float:
    """The same of a detector whose pixels are all alike."""
    return left_of_hits(clean, seed, 0.0)


# A small scan has a million pixels: of one in a million that is changed, one scan alone tells little.
SCANS = 4 if WIDTH < 256 else 1


def changed_elsewhere(clean: Callable[[Array, Scan], Array], seed: int) -> float:
    """Part of the pixels without a hit that are changed, in four million of them or more."""
    changed = pixels = 0
    for each in range(SCANS * seed, SCANS * (seed + 1)):
        counts, with_hits, _, scan = hit(each)
        found, without = np.asarray(clean(with_hits, scan), np.float64), with_hits == counts
        changed += np.count_nonzero(found[without] != counts[without])
        pixels += np.count_nonzero(without)
    return changed / pixels


def spikes_ours(counts: Array, scan: Scan) -> Array:
    return through(
        replace(scan, projections=scan_of_arrays(counts, scan.angles_deg.value).projections), "remove_spikes"
    )


def spikes_algotom(counts: Array, scan: Scan) -> Array:
    from algotom.prep.removal import remove_zinger

    top = counts.astype(np.float64)
    return np.stack([remove_zinger(top[:, row], 0.08) for row in range(top.shape[1])], axis=1)


NEXT_VIEW = (
    "what is as bright in the view before or after is no spike: an edge of the sample, or another hit; in four times "
    "as many views .0033 is left, ten of 15 pixels of it beside dense grains, where the median is too bright"
)


def spike_cases() -> list[Case]:
    peers = {"algotom remove_zinger": spikes_algotom} if ALGOTOM else {}
    made = []
    for score, what, limit in (
        (
            left_of_hits,
            "1e-4 hits a pixel, gains of 2 %: part of those above 10 σ of which half is left",
            1e-3,
        ),
        (left_without_pattern, "the same, all gains alike", 1e-3),
        (
            changed_elsewhere,
            "gains of 2 %: part of the other pixels that is changed, of four million or more each",
            1e-6,
        ),
    ):
        ours: dict[str, Score] = {"": lambda seed, s=score: s(spikes_ours, seed)}  # type: ignore[misc]
        theirs: dict[str, Score] = {
            name: lambda seed, s=score, m=method: s(m, seed)  # type: ignore[misc]
            for name, method in peers.items()
        }
        made.append(Case("`remove_spikes`", what, limit, ours, theirs, bound=NEXT_VIEW, columns=WIDTH))
    return made


# Stripes: the slice beside that of the sinogram without them.

ROWS = 9


@lru_cache(maxsize=4)
def attenuation(seed: int, contrast: float = 1.0, noise: float = 0.01) -> Array:
    """Attenuation of a body with inclusions, with noise; shape (view, row, column)."""
    draw = np.random.default_rng(seed)
    outline = (400, 78 * SCALE, 66 * SCALE)
    things = [Ellipsoid((0, 2 * SCALE, -3 * SCALE), outline, MATRIX, (draw.uniform(0, 180), 0, 0))]
    for _ in range(14):
        r, phi = SCALE * draw.uniform(0, 50), draw.uniform(0, 2 * np.pi)
        half = SCALE * draw.uniform(3, 14, 3) * (2, 1, 1)
        mu = contrast * MATRIX * draw.choice([-0.6, 0.5, 1.0])
        things.append(Ellipsoid((draw.uniform(-4, 4), r * np.sin(phi), r * np.cos(phi)), tuple(half), mu))
    u = (np.arange(3 * N) + 0.5) / 3 - 0.5 - AXIS
    fine = line_integrals(things, ANGLES, np.arange(ROWS) - (ROWS - 1) / 2, u)
    exact = fine.reshape(VIEWS, ROWS, N, 3).mean(axis=3)
    return np.asarray(exact + draw.normal(0, 1, exact.shape) * noise, np.float32)


def stripes(kind: str, seed: int) -> Array:
    """Errors of the columns in each row: as many to a hundred columns, and as wide, in a detector of any size."""
    draw = np.random.default_rng((seed, 77))
    margin, pairs, threes = round(30 * SCALE), round(2 * SCALE), round(3 * SCALE)
    made = np.zeros((VIEWS, ROWS, N), np.float32)
    if kind in ("gain of 1 %", "mixed"):
        made += draw.normal(0, 0.01, (ROWS, N)).astype(np.float32)
    if kind in ("two steps", "mixed"):
        for column in draw.integers(margin, N - margin - 10, pairs):
            made[:, :, column : column + 4] += np.float32(draw.choice([-1, 1]) * draw.uniform(0.1, 0.3))
    if kind in ("partial", "mixed"):
        for column in draw.integers(margin, N - margin, threes):
            first = int(draw.integers(0, VIEWS // 2))
            made[first : first + VIEWS // 3, :, column] += np.float32(draw.uniform(0.1, 0.3))
    if kind in ("fading by 50 %",):
        amplitude = draw.normal(0, 0.02, (ROWS, N))
        made += (amplitude * (1 + 0.5 * np.cos(np.radians(2 * ANGLES)))[:, None, None]).astype(np.float32)
    if kind in ("gain of 2 %",):
        made += draw.normal(0, 0.02, (ROWS, N)).astype(np.float32)
    return made


@lru_cache(maxsize=2)
def striped(kind: str, seed: int, contrast: float = 1.0, noise: float = 0.01) -> Array:
    made = attenuation(seed, contrast, noise) + stripes(kind, seed)
    if kind in ("dead column", "mixed"):
        draw = np.random.default_rng((seed, 78))
        for column in draw.integers(round(40 * SCALE), N - round(40 * SCALE), round(2 * SCALE)):
            made[:, :, column] = draw.normal(1.0, 0.02, (VIEWS, ROWS)) + draw.normal(0, 0.3)
    return made


def slice_of(p: Array) -> Array:
    if not np.isfinite(p[0, ROWS // 2]).all():  # of a peer that refused
        return np.full((N, N), np.nan)
    return np.asarray(tm.fbp(np.ascontiguousarray(p[:, ROWS // 2]), ANGLES, AXIS, padding="zero", threads=1))


def inside(scale: float = 0.9) -> Array:
    y, x = np.mgrid[:N, :N] - (N - 1) / 2
    return np.asarray(np.hypot(y, x) < scale * N / 2)


def by_steps(*steps: Any) -> Callable[[Array], Array]:
    return lambda p: through(scan_of_arrays(p, ANGLES, domain="attenuation", axis_column=AXIS), *steps)


def by_algotom(name: str, **options: Any) -> Callable[[Array], Array]:
    def correct(p: Array) -> Array:
        import algotom.prep.removal as removal

        made = p.copy()
        try:
            made[:, ROWS // 2] = getattr(removal, name)(p[:, ROWS // 2].copy(), **options)
        except ValueError:  # some of them refuse what has no noise
            made[:] = np.nan
        return made

    return correct


def by_sinogram(method: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def correct(p: Array) -> Array:
        made = p.copy()
        made[:, ROWS // 2] = method(p[:, ROWS // 2])
        return made

    return correct


def beside_clean(kind: str, correct: Callable[[Array], Array], seed: int) -> float:
    """Error of the slice beside that of the sinogram without stripes, in parts of the body's attenuation."""
    return rmse(slice_of(correct(striped(kind, seed))), clean_slice(seed), inside()) / MATRIX


@lru_cache(maxsize=2)
def clean_slice(seed: int, contrast: float = 1.0, noise: float = 0.01) -> Array:
    """The slice of the sinogram without stripes."""
    return slice_of(attenuation(seed, contrast, noise))


def damage(correct: Callable[[Array], Array], seed: int) -> float:
    """Error that a correction makes in a sinogram without stripes and noise, in parts of the body's attenuation."""
    found = slice_of(correct(attenuation(seed, 1.0, 0.0)))
    return rmse(found, clean_slice(seed, 1.0, 0.0), inside()) / MATRIX


AUTO = {"remove_stripes": {"method": "auto"}}
DOUBLE = by_steps("double_flat_field")
OURS = {
    "auto, double_flat_field": by_steps(AUTO, "double_flat_field"),
    "auto": by_steps(AUTO),
    "double": DOUBLE,
}
ALGOTOMS = {
    "algotom all_stripe": by_algotom("remove_all_stripe"),
    "algotom sorting": by_algotom("remove_stripe_based_sorting"),
    "algotom filtering": by_algotom("remove_stripe_based_filtering"),
    "algotom wavelet_fft": by_algotom("remove_stripe_based_wavelet_fft", level=5, size=2),
}
NABUS = {"nabu munch": by_sinogram(nabu_munch), "nabu mean-subtraction": by_sinogram(nabu_mean)}
THEIRS = (ALGOTOMS if ALGOTOM else {}) | (NABUS if NABU else {})


ABOUT_AXIS = "near the axis the sample does not move, and a wider `axis_width` leaves rings there"

ON_EACH_OTHER = (
    "nine of ten are below .04; in the worst three stripes over some of the angles lie on each other in the column of "
    "the axis, so that no one interval tells them"
)

KINDS = {"mixed": 0.05, "gain of 1 %": None, "two steps": None, "partial": None, "dead column": None}


def stripe_cases() -> list[Case]:
    made = []
    for kind, limit in KINDS.items():
        ours, theirs = (
            {name: lambda seed, m=method, k=kind: beside_clean(k, m, seed) for name, method in each.items()}  # type: ignore[misc]
            for each in (OURS, THEIRS)
        )
        what = f"{kind}: error of the slice beside that without stripes"
        bound = ON_EACH_OTHER if limit else ""
        made.append(Case("stripes", what, limit, ours, theirs, bound=bound, columns=N))
    for name, correct, limit, reached, bound in (
        ("`remove_stripes` auto", by_steps(AUTO), 0.005, True, ""),
        ("`double_flat_field`", DOUBLE, 0.0085, False, ABOUT_AXIS),
    ):
        ours = {"": lambda seed, m=correct: damage(m, seed)}  # type: ignore[misc]
        theirs = {each: lambda seed, m=method: damage(m, seed) for each, method in THEIRS.items()}  # type: ignore[misc]
        what = "no stripes, no noise: error that it makes"
        made.append(Case(name, what, limit, ours, theirs, reached=reached, bound=bound, columns=N))
    return [*made, *ratio_cases()]


def index_ratio(
    kind: str, one: Callable[[Array], Array], other: Callable[[Array], Array], seed: int, sectors: int = 1
) -> float:
    """Ring index after one correction over that after another."""
    bad = striped(kind, seed)
    found = [ring_index(slice_of(correct(bad)), sigma=1.0, sectors=sectors) for correct in (one, other)]
    return found[0] / found[1]


def error_ratio(seed: int) -> float:
    """Error of double_flat_field_special over that of double_flat_field, of a weak sample."""
    clean, bad = clean_slice(seed, 0.02, WEAK), striped("gain of 2 %", seed, 0.02, WEAK)
    steps = ("double_flat_field_special", "double_flat_field")
    found = [rmse(slice_of(by_steps(step)(bad)), clean, inside()) for step in steps]
    return found[0] / found[1]


WEAK = 0.001  # noise where inclusions of 2 % are to be seen


def unchanged(p: Array) -> Array:
    """The sinograms as they are."""
    return p


def ratio_cases() -> list[Case]:
    kind, blocks = "gain of 2 %", by_steps("nonconstant_rings")
    theirs: dict[str, Score] = {
        name: lambda seed, m=method: index_ratio(kind, m, unchanged, seed)  # type: ignore[misc]
        for name, method in THEIRS.items()
    }
    double: dict[str, Score] = {"": lambda seed: index_ratio(kind, DOUBLE, unchanged, seed)}
    fading: dict[str, Score] = {"": lambda seed: index_ratio("fading by 50 %", blocks, DOUBLE, seed, 8)}
    what = "rings that fade by 50 %: ring index of 8 sectors over that of double_flat_field"
    weak = f"{kind}, inclusions of 2 %: error over that of double_flat_field"
    return [
        Case(
            "`double_flat_field`",
            f"{kind}: ring index over that before",
            1 / 7,
            double,
            theirs,
            columns=N,
        ),
        Case("`nonconstant_rings`", what, 0.5, fading, {}, columns=N),
        Case("`double_flat_field_special`", weak, 0.5, {"": error_ratio}, {}, quick=False, columns=N),
    ]


def cases() -> list[Case]:
    """All of them."""
    return [*light_cases(), *spike_cases(), *stripe_cases()]
