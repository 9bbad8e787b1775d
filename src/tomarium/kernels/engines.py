"""Which engines of filtered backprojection there are, why not, and what memory they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from tomarium.array import processors
from tomarium.compiled import extension, level
from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.kernels.backprojection import direct, gridding, reference
from tomarium.kernels.backprojection.geometry import padded_length
from tomarium.kernels.cuda.gridding import PAIRS, ROWS
from tomarium.kernels.cuda.modules import why_not

Engine = Literal["native", "direct", "nufft", "reference", "cuda", "cuda-half"]
"""native: compiled gridding · direct: compiled backprojection · nufft: ducc0 · reference: NumPy, float64 · cuda:
gridding on a GPU · cuda-half: the same with filtered projections kept in 16 bits."""

ON_DEVICE: Final = ("cuda", "cuda-half")
"""Engines that work on a GPU."""


@dataclass(frozen=True)
class EngineStatus:
    """Whether an engine can be used here.

    Attributes
    ----------
    name : str
        What users write.
    available : bool
        Whether it can be used.
    why : str
        How it runs, or what is missing and how to get it.
    """

    name: str
    available: bool
    why: str


def engines() -> dict[str, EngineStatus]:
    """Return every engine of filtered backprojection and whether it can be used here.

    Returns
    -------
    dict of str to EngineStatus
        Best first.
    """
    try:
        threads = (
            f"OpenMP, {processors()} processors"
            if extension().openmp()
            else "one thread, built without OpenMP"
        )
        available, how = True, f"{_INSTRUCTIONS[level()]}; {threads}"
    except EngineUnavailable as error:
        available, how = False, str(error)
    missing = why_not()
    statuses = (
        EngineStatus("native", available, f"compiled gridding: {how}" if available else how),
        EngineStatus("direct", available, f"compiled backprojection: {how}" if available else how),
        EngineStatus("nufft", True, "non-uniform Fourier transform of ducc0, needs no compiler"),
        EngineStatus("reference", True, "NumPy in double precision, slow"),
        EngineStatus("cuda", missing is None, missing or "gridding on a GPU"),
        EngineStatus("cuda-half", missing is None, missing or "gridding on a GPU of samples in 16 bits"),
    )
    return {status.name: status for status in statuses}


_INSTRUCTIONS = {"v4": "AVX-512 (x86-64-v4)", "v3": "AVX2 (x86-64-v3)", "plain": "plain instructions"}


def choose(engine: str) -> Engine:
    """Return the engine to run on data of the host.

    Parameters
    ----------
    engine : str
        One of `Engine`, or "auto": native where it is there, else nufft. What lies on a GPU is left to "cuda" by
        `tomarium.kernels.fbp.fbp`. Gridding is quicker than direct
        backprojection even for a few pixels of one slice, whose filter alone takes as long.

    Returns
    -------
    str
        One of `Engine`.

    Raises
    ------
    EngineUnavailable
        The engine asked for is not there; says why.
    ParameterError
        There is no such engine.
    """
    if engine != "auto" and engine not in get_args(Engine):
        raise ParameterError(
            f"fbp: there is no engine {engine!r}; choose from auto, {', '.join(get_args(Engine))}"
        )
    statuses = engines()
    if engine == "auto":
        return "native" if statuses["native"].available else "nufft"
    if not statuses[engine].available:
        raise EngineUnavailable(f"engine {engine!r}: {statuses[engine].why}")
    name: Engine = engine  # type: ignore[assignment]
    return name


def peak_bytes(
    engine: str, angles: int, rows: int, columns: int, size: int, threads: int | None = None
) -> int:
    """Return what a reconstruction takes at most beside its sinogram, for planning.

    Parameters
    ----------
    engine : str
        One of `Engine`.
    angles, rows, columns : int
        Shape of the sinogram.
    size : int
        Pixels along an edge of the image.
    threads : int or None
        Threads; by default every processor of this process.

    Returns
    -------
    int
        Upper bound of scratch and output in bytes, for an axis anywhere on the detector.

    Raises
    ------
    ParameterError
        There is no such engine.
    """
    threads = threads or processors()
    worst_axis = 0.0
    padded = padded_length(columns, worst_axis, size)
    output = 4 * rows * size**2
    match engine:
        case "native":
            scratch = gridding.scratch_bytes(angles, rows, columns, worst_axis, size, threads)
        case "direct":
            scratch = direct.scratch_bytes(angles, rows, columns, worst_axis, size)
        case "nufft":
            # coordinates and factors; and for each pair of rows in work the coordinates sorted, its spectrum
            # twice, the transform's grid and the image
            pairs = min(threads, -(-rows // 2))
            scratch = angles * (padded + 1) * (16 + (8 + 16) * pairs) + 8 * size**2 * (4 + 2) * pairs + 2**24
        case "reference":
            scratch = padded * 8 * (4 + 3 * reference.OVERSAMPLING) + size**2 * 8 * 10
        case "cuda" | "cuda-half":
            scratch = 4 * angles * rows * columns  # on its way to the GPU; see fbp's price there for that
        case _:
            raise ParameterError(
                f"peak_bytes: there is no engine {engine!r}; choose from {', '.join(get_args(Engine))}"
            )
    return output + scratch


def device_bytes(angles: int, columns: int, size: int) -> int:
    """Return what engine "cuda" takes of a device beside its sinogram and slices, for planning.

    Parameters
    ----------
    angles, columns : int
        Of the sinogram.
    size : int
        Pixels along an edge of the image.

    Returns
    -------
    int
        Upper bound in bytes, however many rows there are, for an axis anywhere on the detector; see
        `tomarium.kernels.cuda.gridding.scratch_bytes`.
    """
    padded, cells = padded_length(columns, 0.0, size), gridding.grid_length(size)
    rows, grids = angles * ROWS * (padded + 2) * 4, PAIRS * cells**2 * 8
    return max(4 * rows, 2 * rows + 3 * grids) + 2**24
