"""Grating interferometry: a picture of every stepping."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import pi
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.kernels.grating import Curve, demodulate, integrate, weights, without_ramp
from tomarium.kernels.invalid import RINGS, fill_invalid
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.kernels.unwrap import unwrap_sinogram
from tomarium.model import Geometry, Layout, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Count, Index, KiloElectronVolts, Metres, Positive
from tomarium.steps.core.step import Cost, Example, Figure, Values, step

Output = Literal["absorption", "dark_field", "phase", "differential_phase"]
"""What is made of the stepping curves."""

Order = Literal["auto", "steps_first", "views_first"]
"""Which changes first from frame to frame: the step of the grating, or the angle."""

LEAST_VISIBILITY: Final = 0.03
"""Visibility of the reference below which a pixel is counted: it has no fringes, or the steps are not as told."""

LEAST: Final = 1e-3
"""Transmission and relative visibility below which there is nothing but noise."""

FAINTEST: Final = 1e-6
"""Counts of the open beam, or of its fringes, below which a pixel may be one that is filled."""

NEAR_WRAP: Final = 0.9 * pi
"""Differential phase beyond which a pixel may have wrapped round."""

UNWRAPPED_AT_ONCE: Final = 8
"""Rows that are unwrapped at a time, at most."""

SINOGRAMS: Final = 24
"""Sinograms in double precision that unwrapping a row takes."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Stepping curves of the open beam.

    Attributes
    ----------
    rows : slice
        Rows they cover.
    curve : Curve
        Shape (row, column).
    dark : array of float32, shape (row, column)
        Mean dark.
    output : str
        What is made of them.
    """

    rows: slice
    curve: Curve
    dark: NDArray[np.float32]
    output: Output

    def of_rows(self, rows: slice) -> Reference:
        """Return those of some of the rows."""
        part = slice(rows.start - self.rows.start, rows.stop - self.rows.start)
        curve = Curve(self.curve.mean[part], self.curve.harmonic[part])
        return replace(self, rows=rows, curve=curve, dark=self.dark[part])


def stepping(angles_deg: NDArray[np.float64], steps: int | None, order: Order) -> tuple[int, int, Order]:
    """Tell views from steps by the angles of the frames.

    Parameters
    ----------
    angles_deg : array of float64, shape (frame,)
        Angle of each frame.
    steps : int or None
        Steps of each stepping; told by the angles where it is None.
    order : {"auto", "steps_first", "views_first"}
        Which changes first; told by the angles where it is "auto".

    Returns
    -------
    int, int, str
        Views, steps, and the order.

    Raises
    ------
    InputError
        The angles do not repeat, or not as often as there are steps.
    """
    frames = len(angles_deg)
    if steps is None:
        steps = _repeats(angles_deg)
    if steps < 3 or frames % steps:
        raise InputError(
            f"step grating: {frames} frames are no whole number of steppings of {steps} steps, which need 3 at least; "
            f"give grating.steps, or choose frames with select_views"
        )
    views = frames // steps
    if order != "auto":
        return views, steps, order
    spread: dict[Order, float] = {
        "steps_first": float(np.ptp(angles_deg.reshape(views, steps), axis=1).max()),
        "views_first": float(np.ptp(angles_deg.reshape(steps, views), axis=0).max()),
    }
    allowed = 0.1 * float(np.ptp(angles_deg)) / max(1, views - 1)  # a tenth of the way to the next angle
    best: Order = min(spread, key=lambda name: spread[name])
    if spread[best] > allowed + 1e-6:
        raise InputError(
            f"step grating: the angles of the {frames} frames do not stay for {steps} steps, nor repeat {steps} times "
            f"(they differ by {spread[best]:.3g}°); give grating.steps, and grating.order where the sample turns as "
            f"the grating steps"
        )
    return views, steps, best


def _repeats(angles_deg: NDArray[np.float64]) -> int:
    """Return how often the first angle comes."""
    near = 0.5 * float(np.ptp(angles_deg)) / len(angles_deg)  # a part of the way to the next angle
    return int(np.count_nonzero(np.abs(angles_deg - angles_deg[0]) <= near))


def prepare(scan: Scan, values: Values, rows: slice) -> Reference:
    """Fit the stepping curves of the flats.

    Parameters
    ----------
    scan : Scan
        The scan; its flats were stepped as the projections were.
    values : mapping
        Parameters of `grating`.
    rows : slice
        Rows that are needed.

    Returns
    -------
    Reference
        For these rows.

    Raises
    ------
    InputError
        The flats are no whole number of steppings.
    """
    assert scan.flats is not None
    _, steps, _ = stepping(scan.angles_deg.value, values["steps"], values["order"])
    frames = scan.flats.frames
    count = frames.shape[0]
    if count % steps:
        raise InputError(
            f"step grating: {scan.path} has {count} flats, which are no whole number of steppings of {steps} steps; "
            f"flats must be stepped as the projections are"
        )
    dark = np.zeros((rows.stop - rows.start, scan.shape[2]), np.float32)
    if scan.darks is not None:
        dark = _mean(scan.darks.frames, np.arange(scan.darks.frames.shape[0]), rows)
    numbers = np.arange(count)
    cycle = values["flat_order"] == "cycle"
    which = numbers % steps if cycle else numbers // (count // steps)
    stack = np.stack([_mean(frames, np.flatnonzero(which == value), rows) - dark for value in range(steps)])
    return Reference(rows, demodulate(stack, weights(steps, values["periods"])), dark, values["output"])


def none_filled(references: Reference, layout: Layout, rows: slice) -> bool:
    """Say whether every pixel of some rows has a value of its own: whole numbers over an open beam above the dark.

    Of a dark field this is not known before: a view without light has none.
    """
    if np.dtype(layout.dtype).kind not in "iu" or references.output == "dark_field":
        return False
    curve = references.of_rows(rows).curve
    amplitude = np.abs(curve.harmonic)
    good = np.isfinite(curve.mean) & np.isfinite(amplitude) & (curve.mean > FAINTEST)
    if references.output != "absorption":
        good &= amplitude > FAINTEST
    return bool(good.all())


def _mean(frames: Any, chosen: NDArray[np.intp], rows: slice) -> NDArray[np.float32]:
    """Average a few frames, one at a time."""
    total = np.zeros((rows.stop - rows.start, frames.shape[2]))
    for number in chosen:
        total += frames.read(slice(int(number), int(number) + 1), rows)[0]
    return np.asarray(total / len(chosen), np.float32)


def demand_stepped_flats(scan: Scan, layout: Layout) -> None:
    """Refuse a scan without flats.

    Parameters
    ----------
    scan : Scan
        The scan.
    layout : Layout
        What reaches the step; not looked at.

    Raises
    ------
    MissingData
        It has none.
    """
    if scan.flats is None:
        raise MissingData(
            f"{scan.path} has no flat frames; step grating needs a stepping of the open beam, for visibility and phase "
            f"are those against it"
        )


def _after(layout: Layout, values: Values) -> Layout:
    views, steps, order = stepping(layout.geometry.angles_deg.value, values["steps"], values["order"])
    first_frames = np.arange(views) * (steps if order == "steps_first" else 1)
    return replace(
        layout,
        shape=(views, *layout.shape[1:]),
        dtype=np.dtype(np.float32),
        domain="attenuation",
        unit="1",
        geometry=layout.geometry.of_views(first_frames),
    )


def _host(values: Values, layout: Layout) -> int:
    """Input, result, and some copies of a stepping; amplitudes and a few sinograms where the phase is unwrapped."""
    views, steps, _ = stepping(layout.geometry.angles_deg.value, values["steps"], values["order"])
    frame = 4 * layout.shape[1] * layout.shape[2]
    unwrapping = 0
    if values["unwrap"]:
        unwrapping = views * frame + UNWRAPPED_AT_ONCE * 8 * SINOGRAMS * views * layout.shape[2]
    return layout.bytes + views * frame + frame * (2 * steps + 40) + unwrapping


@step(
    accepts=("counts",),
    gives="attenuation",
    after=_after,
    cut="row",
    halo=RINGS,
    cost=Cost(host=_host, prepared=lambda scan, values: 24 * scan.shape[1] * scan.shape[2], nanoseconds=8.0),
    prepare=prepare,
    alone=none_filled,
    demand=demand_stepped_flats,
    figures=(
        Figure(
            "weak_fringes",
            0.2,
            "in {percent} % of the pixels the flats have less than 3 % of visibility: there are no fringes, or steps, "
            "periods, order and flat_order are not as told",
        ),
        Figure(
            "clipped", 1e-3, "{percent} % of the values are below 0.1 % of the open beam's, or no numbers"
        ),
        Figure(
            "near_wrap",
            1e-3,
            "{percent} % of the differential phases lie beyond 0.9 π and may have wrapped round; --set "
            "grating.unwrap=yes adds the multiples of 2π that they lost",
        ),
        Figure(
            "torn",
            1e-3,
            "{percent} % of the differential phases differ from a neighbour by more than π, or lie in views that do "
            "not end where they began, unwrapped as they are: the phase is not told there, and slices have streaks",
        ),
    ),
    place=20,
    example=Example({"steps": 5, "order": "steps_first"}),
    aliases=("grating_interferometry", "differential_phase_contrast", "dpc"),
)
def grating(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    prepared: Reference,
    output: Output = "absorption",
    steps: Count | None = None,
    periods: Positive = 1.0,
    order: Order = "auto",
    flat_order: Literal["cycle", "blocks"] = "cycle",
    air: Index = 0,
    reverse: bool = False,
    unwrap: bool = False,
    grating_period_m: Metres | None = None,
    grating_distance_m: Metres | None = None,
    energy_kev: KiloElectronVolts | None = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
) -> Slab:
    """Turn steppings of a grating interferometer into absorption, dark field or phase.

    1. The counts of a pixel over the steps of a grating are a sine, I = a₀ + a₁ cos(φ + ϕ), which is fitted.
    2. Against the open beam, T = a₀ / a₀ʳ is the transmission, V = (a₁ / a₀) / (a₁ʳ / a₀ʳ) the visibility, which
       small-angle scattering lowers, and Δϕ = ϕ - ϕʳ the differential phase, which refraction shifts.
    3. Absorption is -ln T, dark field -ln V. The phase is the integral along the row of ∂Φ/∂x = Δϕ p / (λ d): the ramp
       filter of fbp makes of it what a Hilbert filter makes of Δϕ. The sample must lie within the field of view.

    4. With `unwrap`, multiples of 2π are added to Δϕ in the sinogram of each row, weighed by the visibility; see
       `tomarium.kernels.unwrap.unwrap_sinogram`. Air at both sides of the field tells where it is 0.

    It stands in the place of flat_field. One run gives one of the pictures; run it again for another.

    Parameters
    ----------
    slab : Slab
        Detector counts, all steps of all views; shape (view · step, row, column).
    geometry : Geometry
        Tells the angles.
    context : Context
        Memory for the result.
    prepared : Reference
        Stepping curves of the open beam.
    output : {"absorption", "dark_field", "phase", "differential_phase"}
        "phase", Φ = k ∫δ in radians, whose slices are 2πδ/λ; "differential_phase", Δϕ in radians, is to be looked at,
        not reconstructed.
    steps : int or None
        Steps of each stepping, Data Exchange's analytic_processed_number_of_steps; None, as often as an angle repeats.
    periods : float
        Periods of the grating that they go over, analytic_processed_periods.
    order : {"auto", "steps_first", "views_first"}
        Whether all steps are taken at an angle before the next angle, or all angles at a step; "auto", as the angles
        tell.
    flat_order : {"cycle", "blocks"}
        Whether flats go through the steps again and again, or several are taken at each step.
    air : int
        Columns at either end that show air, by which a straight background of the phase is subtracted; 0 leaves it.
    reverse : bool
        Whether the grating steps the other way, which turns the sign of the phase: samples must come out positive.
    unwrap : bool
        Whether differential phases beyond ±π are unwrapped. Without any they stay as they are.
    grating_period_m, grating_distance_m : float or None
        Period p of the grating that is stepped against, and distance d between the gratings; for the phase.
    energy_kev, pixel_m : float or None
        Photon energy and pixel size; for the phase.

    Returns
    -------
    Slab
        Shape (view, row, column), dimensionless, float32.

    Raises
    ------
    ParameterError
        The phase is asked for, and a length or the energy is not known.

    References
    ----------
    T. Weitkamp et al., Optics Express 13, 6296 (2005), doi 10.1364/OPEX.13.006296; F. Pfeiffer et al., Physical Review
    Letters 98, 108105 (2007), doi 10.1103/PhysRevLett.98.108105; Nature Materials 7, 134 (2008), doi 10.1038/nmat2096.
    """
    scale = 1.0
    if output == "phase":
        scale = _scale(grating_period_m, grating_distance_m, energy_kev, pixel_m)
    views, count, order_used = stepping(geometry.angles_deg.value, steps, order)
    parts = weights(count, periods)
    open_beam = prepared.of_rows(slab.rows)
    result = context.result((views, *slab.data.shape[1:]))
    spread = views if order_used == "views_first" else 1
    refracts = output in ("phase", "differential_phase")
    amplitude = np.empty_like(result) if refracts and unwrap else None
    clipped = wrapped = torn = 0
    for view in range(views):
        first = view if order_used == "views_first" else view * count
        frames = slab.data[first : first + spread * (count - 1) + 1 : spread]
        curve = demodulate(np.asarray(frames, np.float32) - open_beam.dark, parts)
        picture, picture_clipped = _picture(curve, open_beam.curve, output)
        clipped += picture_clipped
        if amplitude is not None:
            amplitude[view] = np.nan_to_num(_strength(curve, open_beam.curve), posinf=1.0)
        elif refracts:
            wrapped += int(np.count_nonzero(np.abs(picture) > NEAR_WRAP))
        result[view] = picture
    if amplitude is not None:
        torn = _unwrap(result, amplitude, min(context.threads, UNWRAPPED_AT_ONCE))
    for picture in result if refracts else ():
        level = without_ramp(picture, air) if air else picture
        level = -level if reverse else level
        picture[...] = np.float32(scale) * integrate(level) if output == "phase" else level
    weak = int(np.count_nonzero(open_beam.curve.visibility < LEAST_VISIBILITY)) * len(slab.data)
    own = 1 - sum(slab.halo) / slab.data.shape[1]
    report = {
        **slab.report,
        "grating.weak_fringes": round(weak * own),
        "grating.clipped": round(clipped * count * own),
        "grating.near_wrap": round(wrapped * count * own),
        "grating.torn": round(torn * count * own),
    }
    return replace(slab, data=result, domain="attenuation", unit="1", report=report)


def _scale(period: float | None, distance: float | None, energy: float | None, pixel: float | None) -> float:
    """Return ∂Φ/∂x for a radian of differential phase, in radians a pixel."""
    quantities = {
        "grating_period_m": period, "grating_distance_m": distance, "energy_kev": energy, "pixel_m": pixel,
    }  # fmt: skip
    lacking = [name for name, value in quantities.items() if value is None]
    if period is None or distance is None or energy is None or pixel is None:
        raise ParameterError(
            f"step grating: the phase needs {', '.join(lacking)}; give them with --set grating.{lacking[0]}=…"
        )
    return pixel * period * energy / (WAVELENGTH_M_KEV * distance)


def _picture(curve: Curve, open_beam: Curve, output: Output) -> tuple[NDArray[np.float32], int]:
    """Return what is asked for of one view, and how many values had to be made up."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if output == "absorption":
            ratio = curve.mean / open_beam.mean
        elif output == "dark_field":
            ratio = np.abs(curve.harmonic) / curve.mean * (open_beam.mean / np.abs(open_beam.harmonic))
        else:
            ratio = _strength(curve, open_beam)
            picture = np.angle(curve.harmonic * np.conj(open_beam.harmonic))
    dead = ~np.isfinite(ratio) | (open_beam.mean <= 0)
    clipped = int(np.count_nonzero(dead))
    if output in ("absorption", "dark_field"):
        clipped += int(np.count_nonzero(ratio < LEAST))
        with np.errstate(invalid="ignore"):
            picture = -np.log(np.maximum(ratio, LEAST))
    picture = np.asarray(picture, np.float32)
    if dead.any():
        picture[dead] = np.nan
        fill_invalid(picture[None], 0.0)
    return picture, clipped


def _strength(curve: Curve, open_beam: Curve) -> NDArray[np.float32]:
    """Return the amplitude of the fringes over that of the open beam."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(curve.harmonic) / np.abs(open_beam.harmonic), np.float32)


def _unwrap(phase: NDArray[np.float32], amplitude: NDArray[np.float32], threads: int) -> int:
    """Unwrap the sinogram of each row in its place, and return how many pixels are torn."""

    def one(row: int) -> int:
        phase[:, row], torn = unwrap_sinogram(phase[:, row], amplitude[:, row])
        return int(np.count_nonzero(torn))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return sum(pool.map(one, range(phase.shape[1])))
