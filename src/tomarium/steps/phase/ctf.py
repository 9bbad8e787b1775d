"""Phase retrieval from several propagation distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError, ParameterError
from tomarium.kernels import ctf as kernel
from tomarium.kernels.fresnel import chirp
from tomarium.kernels.registration import Shift, find_shift
from tomarium.model import Layout, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.further_scans import Through, paths_beside, scans_beside
from tomarium.steps.core.parameter import FROM_SCAN, Index, KiloElectronVolts, Metres, NotNegative, Positive
from tomarium.steps.core.square_pixels import demand_square
from tomarium.steps.core.step import Cost, Example, Figure, Values, step
from tomarium.steps.correct.flat_field import reference_groups
from tomarium.steps.phase.distance import Distance, open_distance
from tomarium.steps.phase.paganin import finite

Align = Literal["none", "scan", "views"]
"""Whether images of other distances are moved onto those of the scan: by one shift, or by one for each view."""

LEAST_LIKENESS: Final = 0.1
"""Correlation below which two images are not of one thing."""

LOOKED_AT: Final = 12
"""Views of a scan by which its one shift is found."""

MOST_APART: Final = 1.0
"""Pixels by which the shift of half of these views may differ from that of all."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is made once for all views.

    Attributes
    ----------
    others : tuple of Distance
        Scans at further distances.
    known : kernel.Transfer
        Transfer at each distance, the first scan's first.
    factors : tuple of array
        Transfer at each distance for frames as they are, by which shifts are found; empty where none is looked for.
    """

    others: tuple[Distance, ...]
    known: kernel.Transfer
    factors: tuple[NDArray[np.float64], ...]


def prepare(scan: Scan, values: Values, rows: slice, through: Through) -> Prepared:
    """Open the scans at further distances, and find where their images lie.

    Parameters
    ----------
    scan : Scan
        The first scan, with its views.
    values : mapping
        Parameters of `ctf`.
    rows : slice
        Rows that are needed; whole frames are.
    through : callable
        Takes scans through the steps before.

    Returns
    -------
    Prepared
        For all views.

    Raises
    ------
    InputError
        A further scan is none, lacks an angle of the first, or does not show the same sample.
    MissingData
        A distance is not known, or a scan has no flats.
    ParameterError
        The parameters do not fit together.
    """
    shape = (scan.shape[1], scan.shape[2])
    paths = paths_beside(scan, values["scans"])
    texts = [part.strip() for part in values["distances"].split(",") if part.strip()]
    if texts and len(texts) != len(paths):
        raise ParameterError(
            f"step ctf: {len(paths)} scans and {len(texts)} distances are given; give one distance for each of "
            f"scans, or none where the files tell them"
        )
    lengths: list[float | None] = [units.parse(text, "m") for text in texts]
    lengths = lengths or [None] * len(paths)
    further_distances = tuple(
        open_distance(scan, path, far, values, through) for path, far in zip(paths, lengths, strict=True)
    )
    distances = [values["distance_m"], *(distance.distance_m for distance in further_distances)]
    if len({round(1e9 * distance) for distance in distances}) < len(distances):
        listed = ", ".join(units.show(distance, "m") for distance in distances)
        raise ParameterError(f"step ctf: the distances are {listed}; two are the same, and one would do")
    transfer = kernel.transfer(
        shape,
        distances,
        values["pixel_m"],
        values["energy_kev"],
        delta_beta=values["delta_beta"],
        low=values["regularisation_low"],
        high=values["regularisation_high"],
    )
    if not further_distances or values["align"] == "none":
        return Prepared(further_distances, transfer, ())
    factors = _factors(shape, distances, values)
    if values["align"] == "scan":
        further_distances = tuple(
            replace(distance, shift=_shift(scan, values, distance, factors[0], factor, through))
            for distance, factor in zip(further_distances, factors[1:], strict=True)
        )
        return Prepared(further_distances, transfer, ())
    return Prepared(further_distances, transfer, factors)


def _factors(
    shape: tuple[int, int], distances: Sequence[float], values: Values
) -> tuple[NDArray[np.float64], ...]:
    ratio = 1 / values["delta_beta"] if values["delta_beta"] else 0.0
    chi = [chirp(shape, values["pixel_m"], values["energy_kev"], distance) for distance in distances]
    return tuple(np.sin(angle) + ratio * np.cos(angle) for angle in chi)


def _shift(
    scan: Scan,
    values: Values,
    distance: Distance,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    through: Through,
) -> tuple[float, float]:
    """Find the one shift of a scan from some of its views, and whether halves of them tell the same."""
    shape = (scan.shape[1], scan.shape[2])
    plain = through(scan, by_frame=True)
    own = Distance(scan, plain, plain, values["distance_m"], np.arange(scan.shape[0]))
    views = np.unique(np.linspace(0, scan.shape[0] - 1, min(LOOKED_AT, scan.shape[0])).astype(int)).tolist()
    ours = np.concatenate([own.before_sinograms(slice(view, view + 1)) for view in views])
    theirs = np.stack(
        [_there(distance, distance.before_sinograms(slice(view, view + 1))[0], shape) for view in views]
    )

    def shift(part: slice) -> Shift:
        return find_shift(ours[part], theirs[part], first_transfer=first, second_transfer=second)

    offset, *halves = (
        shift(part) for part in (slice(None), slice(0, None, 2), slice(1, None, 2)) if len(ours[part])
    )
    if offset.likeness < LEAST_LIKENESS:
        raise InputError(
            f"{distance.scan.path} shows no likeness with {scan.path} at the same angles (correlation "
            f"{offset.likeness:.2f}); are they scans of one sample? --set ctf.align=none takes them as they lie"
        )
    apart = max(max(abs(h.rows_px - offset.rows_px), abs(h.columns_px - offset.columns_px)) for h in halves)
    if apart > MOST_APART:
        raise InputError(
            f"{distance.scan.path} lies beside {scan.path} by {offset.columns_px:.1f} columns and {offset.rows_px:.1f} "
            f"rows, but by {apart:.1f} px more or less in half of the views: the sample moved. --set ctf.align=views "
            f"moves each view by its own shift, ctf.align=none takes them as they lie"
        )
    return offset.rows_px, offset.columns_px


def _there(distance: Distance, image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a view of a further scan, enlarged but not moved."""
    placement = distance.onto(shape, (0.0, 0.0))
    return image if placement is None else placement(image)


def _found(
    image: NDArray[Any],
    distance: Distance,
    angle: slice,
    shape: tuple[int, int],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> Shift:
    transmission = _there(distance, distance.transmission(angle)[0], shape)
    return find_shift(image, transmission, first_transfer=first, second_transfer=second)


def _padded(values: Values, layout: Layout) -> int:
    """Return the pixels of a frame with what it goes on by; for the farthest distance, where that is known."""
    shape = (layout.shape[1], layout.shape[2])
    far = [values["distance_m"], *(units.parse(t, "m") for t in values["distances"].split(",") if t.strip())]
    rows, columns = kernel.padded_shape(
        shape, far, values["pixel_m"], values["energy_kev"], values["delta_beta"]
    )
    return rows * columns


def _count(values: Values) -> int:
    return 1 + len([part for part in values["scans"].split(",") if part.strip()])


def _host(values: Values, layout: Layout) -> int:
    """Input, result, two masks of what is finite, images of one view, and the padded frames of the propagation."""
    padded = _padded(values, layout)
    return layout.bytes + 6 * layout.values + padded * (36 + 4 * _count(values))


def _prepared(scan: Scan, values: Values) -> int:
    """Delays at each distance, regularisation and inverse; of the further scans flats, darks and one view."""
    layout = Layout(scan.shape, np.dtype(np.float32), "transmission", "1", scan.geometry)
    held_bytes = 0
    for further_scan in scans_beside(scan, values["scans"]):
        _, rows, columns = further_scan.shape
        groups = (
            0
            if further_scan.flats is None
            else len(reference_groups(further_scan.flats, further_scan.shape[0]))
        )
        held_bytes += 4 * rows * columns * (groups + 3) + further_scan.projections.cost(1, slice(0, rows))[1]
    return _padded(values, layout) * (4 * _count(values) + 20) + held_bytes


def _further(scan: Scan, values: Values) -> tuple[int, int]:
    """Count the views of the further scans at the angles of the first, with their flats and darks."""
    read = unpacked = 0
    for further_scan in scans_beside(scan, values["scans"]):
        stacks = [(further_scan.projections, min(scan.shape[0], further_scan.shape[0]))]
        references = [
            reference.frames
            for reference in (further_scan.flats, further_scan.darks)
            if reference is not None
        ]
        stacks += [(frames, frames.shape[0]) for frames in references]
        for frames, count in stacks:
            more, more_unpacked = frames.cost(count, slice(0, frames.shape[1]))
            read, unpacked = read + more, unpacked + more_unpacked
    return read, unpacked


@step(
    accepts=("transmission",),
    gives="attenuation",
    cut="angle",
    cost=Cost(host=_host, prepared=_prepared, further=_further, nanoseconds=1500.0),
    prepare=prepare,
    figures=(
        Figure("not_finite", 0.0, "{percent} % of the transmissions were no finite numbers"),
        Figure(
            "misfit",
            0.02,
            "{percent} % of the pixels differ by a quarter of the open beam from the wave that was found: the phase is "
            "too strong for ctf, or delta_beta or a distance is wrong",
        ),
    ),
    demand=demand_square("ctf"),
    place=30,
    example=Example(
        {
            "delta_beta": 20.0,
            "iterations": 1,
            "energy_kev": "20 keV",
            "distance_m": "1 cm",
            "pixel_m": "1 um",
        },
        angles=20,
    ),
    aliases=("multi_distance", "holotomography", "contrast_transfer_function"),
)
def ctf(
    slab: Slab,
    *,
    context: Context,
    prepared: Prepared,
    scans: str = "",
    distances: str = "",
    delta_beta: Positive | None = 100.0,
    output: Literal["attenuation", "phase"] = "attenuation",
    iterations: Index = 3,
    align: Align = "scan",
    regularisation_low: NotNegative | None = None,
    regularisation_high: NotNegative = 0.2,
    energy_kev: KiloElectronVolts = FROM_SCAN,
    distance_m: Metres = FROM_SCAN,
    pixel_m: Metres = FROM_SCAN,
) -> Slab:
    """Retrieve the phase from scans at several propagation distances.

    Each distance shows other frequencies of the phase; least squares over all of them, by the contrast transfer
    function, give it without the blur of a single distance. The first order, which holds for weak phases, is then
    refined: the wave that was found is propagated to each distance, and what differs from the images corrects it.

    1. The further scans are read at the angles of the first one, go through the steps before this one with the same
       parameters and their own flats and darks, and are put on its pixels: enlarged by the ratio of the pixel sizes,
       moved by the shift that correlates best.
    2. Least squares, see `tomarium.kernels.ctf.retrieve`.

    Of the views, crop, bin and those that choose views are followed in the further scans. One that holds transmission
    goes through the steps behind the flat field. What steps on sinograms, such as `remove_stripes`, leave of a further
    scan is laid down as a whole, beside the result or in memory. `apply_shifts` moves the first scan alone and is
    refused before this step.

    Parameters
    ----------
    slab : Slab
        Transmission I/I₀ of the first scan, shape (angle, row, column): flat_field with log: false.
    context : Context
        Threads, and memory for the result.
    prepared : Prepared
        The further scans, and the transfer functions.
    scans : str
        Paths of the scans at further distances, separated by commas; relative ones count from the first scan's folder.
        None takes a single distance.
    distances : str
        Their distances with units, in that order, "3 cm, 8 cm", in place of what the files tell.
    delta_beta : float or None
        Ratio δ/β of the sample; none for one that does not absorb, with air at the left and the right of the frames.
    output : {"attenuation", "phase"}
        "attenuation", what the sample would show in contact, 2 β/δ times the phase; "phase", k ∫δ in radians, whose
        slices are 2πδ/λ. Both go into fbp as they are.
    iterations : int
        How often the phase is refined; 0 is the first order of the papers.
    align : {"none", "scan", "views"}
        How images of further scans are moved: "none", as they lie; "scan", all by the median shift of some views;
        "views", each by its own.
    regularisation_low : float or None
        Regularisation at low frequencies; raise it where clouds drown the sample. None takes a thousandth of the
        transfer there.
    regularisation_high : float
        Regularisation beyond the first maximum of the farthest distance.
    energy_kev : float
        Photon energy.
    distance_m : float
        Distance of the first scan from sample to detector; of a diverging beam, divided by the magnification.
    pixel_m : float
        Pixel size of the first scan at the sample.

    Returns
    -------
    Slab
        Attenuation, or phase; dimensionless, float32.

    Raises
    ------
    ParameterError
        The attenuation of a sample that does not absorb is asked for.

    References
    ----------
    P. Cloetens et al., Applied Physics Letters 75, 2912 (1999), doi 10.1063/1.125225; L. D. Turner et al., Optics
    Express 12, 2960 (2004), doi 10.1364/OPEX.12.002960.
    """
    if delta_beta is None and output == "attenuation":
        raise ParameterError(
            "step ctf: with delta_beta none the sample has no attenuation; give ctf.output=phase"
        )
    factor = np.float32(1.0 if output == "phase" or delta_beta is None else 2 / delta_beta)
    first = 0 if slab.frames is None else slab.frames.start
    images, replaced = finite(slab.data)
    result = context.result(slab.data.shape)
    missed = 0.0
    for k, image in enumerate(images):
        stack = _stack(image, prepared, slice(first + k, first + k + 1))
        result[k], part = kernel.retrieve_and_judge(
            stack, prepared.known, iterations=iterations, threads=context.threads
        )
        missed += part * image.size
    result *= factor
    report = {**slab.report, "ctf.not_finite": replaced, "ctf.misfit": round(missed)}
    return replace(slab, data=result, domain="attenuation", unit="1", report=report)


def _stack(image: NDArray[Any], prepared: Prepared, angle: slice) -> NDArray[np.float32]:
    """Put the images of one view at all distances on the pixels of the first."""
    shape = (image.shape[0], image.shape[1])
    stack = np.empty((len(prepared.others) + 1, *shape), np.float32)
    stack[0] = image
    for number, distance in enumerate(prepared.others, 1):
        shift = distance.shift
        if prepared.factors:
            estimate = _found(image, distance, angle, shape, prepared.factors[0], prepared.factors[number])
            shift = estimate.rows_px, estimate.columns_px
        placement = distance.onto(shape, shift)
        transmission = distance.transmission(angle)[0]
        stack[number] = transmission if placement is None else placement(transmission)
    return stack
