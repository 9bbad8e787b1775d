"""Filtered backprojection of parallel projections: one function, several engines."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tomarium.array import empty_there, lies_elsewhere, namespace, numpy_dtype, processors
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.backprojection import direct, gridding, nufft, reference
from tomarium.kernels.backprojection.geometry import make_task
from tomarium.kernels.cuda import device as devices
from tomarium.kernels.cuda.fbp_there import backproject_there
from tomarium.kernels.engines import ON_DEVICE, choose
from tomarium.kernels.ramp import Padding, Window
from tomarium.kernels.truncation import FIT, Edge, continued, far_edge, fit_chords, truncated_views

Beyond = Literal["auto", "zero", "edge", "chord"]
"""How projections go on beyond the detector."""

FEWEST_ANGLES: Final = 16
"""Fewer do not tell how projections go on."""

BATCH: Final = 16
"""Rows that are continued at a time: as many as the compiled engine works on side by side."""

Region = tuple[int, int, int, int]
"""(y0, y1, x0, x1): rows y0 to y1 - 1 and columns x0 to x1 - 1 of the image."""


def fbp(
    sinogram: Any,
    angles_deg: Any,
    axis_column: float,
    *,
    window: Window = "shepp-logan",
    cutoff: float = 1.0,
    padding: Beyond = "auto",
    engine: str = "auto",
    size: int | None = None,
    region: Region | None = None,
    threads: int | None = None,
    pixel_m: float | None = None,
    out: NDArray[np.float32] | None = None,
    turn_deg: float = 180.0,
    shift_columns_px: NDArray[np.float64] | None = None,
    row_axes: Any = None,
) -> NDArray[np.float32]:
    """Reconstruct slices from parallel projections.

    The rotation axis lies in the middle of the image, at row and column (size - 1) / 2 of pixel centres. The
    point x to the right of it and y above it (towards row 0) is seen at detector column
    u = axis_column + x cos(angle) + y sin(angle): an off-axis dot comes out at the same row and column as in
    ASTRA 2.5.0 and algotom 1.7.0, which was tried.

    Every engine interpolates as a band-limited signal asks, so they agree to 1e-3 of the contrast; plain
    linear interpolation between pixels would damp the finest detail, as would window "hann" by intent.

    Parameters
    ----------
    sinogram : array, shape (angle, column) or (angle, row, column)
        Attenuation -ln(I/I0), dimensionless; float32, others are converted.
    angles_deg : array, shape (angle,)
        Angle of each projection in degrees, in any order, over 180 or 360 degrees; each weighs as much as
        half the gap to its neighbours modulo `turn_deg`, see `tomarium.kernels.backprojection.angular_weights`.
    axis_column : float
        Rotation axis in pixels from the centre of column 0; it may lie off the detector by its width.
    window : {"ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"}
        Taper of the ramp filter; see `tomarium.kernels.ramp.window_response`.
    cutoff : float
        Where the taper ends, as a fraction of the Nyquist frequency, (0, 1].
    padding : {"auto", "zero", "edge", "chord"}
        What is taken beyond the detector: "zero", "edge" values, or "chord", see `tomarium.kernels.truncation`. "auto"
        takes chords in rows where the sample is truncated, and zero in others. A half acquisition goes on beyond the
        edge far from its axis.
    engine : {"auto", "native", "direct", "nufft", "reference", "cuda", "cuda-half"}
        See `tomarium.kernels.engines.choose`. A sinogram that lies on a GPU takes "auto", "cuda" or "cuda-half", and
        the slices lie there too; with "cuda" or "cuda-half" one of the host goes to the first GPU, and its slices come
        back.
    size : int, optional
        Pixels along an edge of the image; by default the number of columns.
    region : tuple of int, optional
        (y0, y1, x0, x1), ends excluded: only this part of the image; equal to the crop of the whole.
    threads : int, optional
        Threads; by default every processor of this process.
    pixel_m : float, optional
        Pixel size in metres; with it the result is in 1/cm, without it per pixel.
    out : array of float32, optional
        Where the result goes; C-contiguous, of the result's shape.
    turn_deg : float
        180, where opposite views see the same rays; 360 for a half acquisition, where they do not.
    shift_columns_px : array, shape (angle,), optional
        How far the sample stands towards higher columns in each view, pixels: the axis is taken there, so that nothing
        is interpolated beforehand.
    row_axes : array, shape (row,), optional
        Rotation axis of each row in place of `axis_column`, near which they lie: slices of one row, given many times,
        about many axes. The native engine makes sixteen at a time. Not with `turn_deg` 360.

    Returns
    -------
    array of float32, shape (y, x) or (row, y, x)
        Attenuation coefficient; zero outside the disc of diameter `size` around the axis.

    Raises
    ------
    InputError
        Shapes do not fit, there is no projection, an angle or a value is not finite, or the axis is too far
        off.
    ParameterError
        An argument is out of its range.
    EngineUnavailable
        The engine asked for is not there; says why.

    References
    ----------
    Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, chapter 3.
    """
    rows = _rows(sinogram, engine)
    angles = _angles(angles_deg, rows.shape[0])
    columns = rows.shape[2]
    _check_axis(axis_column, columns)
    shifts = _shifts(shift_columns_px, len(angles), columns)
    size = columns if size is None else size
    region = (0, size, 0, size) if region is None else region
    _check_image(size, region)
    if padding not in get_args(Beyond):
        raise ParameterError(
            f"fbp: there is no padding {padding!r}; choose from {', '.join(get_args(Beyond))}"
        )
    if threads is not None and threads < 1:
        raise ParameterError(f"fbp: threads is {threads}; give at least 1")
    if pixel_m is not None and not (isfinite(pixel_m) and pixel_m > 0):
        raise ParameterError(f"fbp: pixel_m is {pixel_m}; give the pixel size in metres, above 0")
    scale = 1.0 if pixel_m is None else 1 / (100 * pixel_m)
    chosen = _engine(engine, rows)
    shape = (rows.shape[1], region[1] - region[0], region[3] - region[2])
    several = len(sinogram.shape if lies_elsewhere(sinogram) else np.shape(sinogram)) == 3
    if lies_elsewhere(rows):
        _demand_no_output(out)
        result: Any = empty_there(rows, shape)
    else:
        result = _output(out, shape if several else shape[1:]).reshape(shape)
    if chosen in ("direct", "nufft", "reference"):
        _check_finite(rows)
    if chosen in ON_DEVICE and not lies_elsewhere(rows):
        device = devices.open_device(0)
        on_device = device.copy_in(np.ascontiguousarray(rows))
        with device.computing():
            device_slices = fbp(
                on_device, angles, axis_column, window=window, cutoff=cutoff, padding=padding, engine=chosen, size=size,
                region=region, pixel_m=pixel_m, turn_deg=turn_deg, shift_columns_px=shifts, row_axes=row_axes,
            )  # fmt: skip
        device.copy_out(device_slices, lambda _shape, _dtype: result)
        returned: NDArray[np.float32] = result if several else result[0]
        return returned
    offsets = _row_offsets(row_axes, axis_column, rows.shape[1], columns, turn_deg)
    plain: Padding = "edge" if padding == "edge" else "zero"
    half = float(axis_column) if turn_deg != 180 else None
    batches = _batches(rows, angles, padding, half)
    gridded = chosen in ("native", *ON_DEVICE)
    if offsets is not None and not gridded:
        batches = _row_by_row(batches)
    for part, longer, before, after in batches:
        own = None if offsets is None else offsets[part]
        first = 0.0 if own is None or gridded else float(own[0])
        task = make_task(
            angles,
            longer.shape[2],
            float(axis_column) + before + first,
            size,
            region,
            window,
            cutoff,
            plain,
            scale,
            threads or processors(),
            turn_deg,
            min(before, after),
            shifts,
            own if gridded else None,
        )
        match chosen:
            case "native":
                gridding.backproject(longer, task, result[part])
            case "direct":
                direct.backproject(longer, task, result[part])
            case "nufft":
                nufft.backproject(longer, task, result[part])
            case "reference":
                reference.backproject(longer, task, result[part])
            case "cuda" | "cuda-half":
                backproject_there(longer, task, result[part, ...], half=chosen == "cuda-half")
    slices: NDArray[np.float32] = result if several else result[0, ...]
    return slices


def _engine(engine: str, rows: Any) -> str:
    """Return the engine that works where the rows lie."""
    if not lies_elsewhere(rows):
        return choose(engine)
    if engine not in ("auto", *ON_DEVICE):
        raise ParameterError(
            f"fbp: the sinogram lies on a device, and engine {engine!r} works on the processors; take engine cuda, or "
            f"bring it to the host"
        )
    return "cuda" if engine == "auto" else engine


def _demand_no_output(out: Any) -> None:
    if out is not None:
        raise InputError("fbp: out is for sinograms of the host; leave it away")


def _row_offsets(
    row_axes: Any, axis_column: float, rows: int, columns: int, turn_deg: float
) -> NDArray[np.float64] | None:
    """Return how far the axis of each row lies behind `axis_column`; None where all lie there."""
    if row_axes is None:
        return None
    axes = np.asarray(row_axes, np.float64)
    if axes.shape != (rows,):
        raise InputError(f"fbp: row_axes has shape {axes.shape}; give one axis for each of the {rows} rows")
    if turn_deg != 180:
        raise ParameterError(
            "fbp: row_axes is for half a turn; reconstruct a half acquisition about one axis at a time"
        )
    for axis in (axes.min(), axes.max()):
        _check_axis(float(axis), columns)
    return axes - axis_column


def _row_by_row(
    batches: Iterator[tuple[slice, Any, int, int]],
) -> Iterator[tuple[slice, Any, int, int]]:
    """Cut batches into single rows, for engines that take all rows about one axis."""
    for part, longer, before, after in batches:
        for k, row in enumerate(range(part.start, part.stop)):
            yield slice(row, row + 1), longer[:, k : k + 1, :], before, after


def _batches(
    rows: Any, angles: NDArray[np.float64], padding: Beyond, half_axis: float | None
) -> Iterator[tuple[slice, Any, int, int]]:
    """Yield ranges of rows, their sinograms as they go on beyond the detector, and by how many columns on each side.

    Zero and edge values are the engines' own, and need no longer sinogram. Neighbours that go on alike come together,
    and pairs of rows are the same whatever rows are before them.
    `half_axis` is the rotation axis of a half acquisition, None for other scans.
    """
    count, columns = rows.shape[1:]
    if padding in ("zero", "edge") or columns < 2 * FIT or len(angles) < FEWEST_ANGLES:
        yield slice(0, count), rows, 0, 0
        return
    edge: Edge = "both" if half_axis is None else far_edge(columns, half_axis)
    go_on = (
        np.ones(count, np.bool_) if padding == "chord" else truncated_views(rows, angles, edge).any(axis=0)
    )
    if not go_on.any():
        yield slice(0, count), rows, 0, 0
        return
    single = rows if lies_elsewhere(rows) else rows.astype(np.float32, copy=False)
    left, right, more = fit_chords(single, angles, axis_column=half_axis)
    reaches: list[int] = np.where(go_on, more, 0).tolist()
    first = 0
    while first < count:
        last = first + 1
        # The engines take rows 0 and 1, 2 and 3 … together; one whose partner goes on otherwise is taken alone.
        while (
            first % 2 == 0
            and last < count
            and reaches[last] == reaches[first]
            and (not reaches[first] or last - first < BATCH)
        ):
            last += 1
        part, reach = slice(first, last), reaches[first]
        part_rows = rows[:, part, :]
        if reach:
            beside = [None if chord is None else chord.of_rows(part) for chord in (left, right)]
            part_rows = continued(part_rows, beside[0], beside[1], reach)
        yield part, part_rows, 0 if left is None else reach, 0 if right is None else reach
        first = last


def _rows(sinogram: Any, engine: str) -> Any:
    """Return the sinogram as (angle, row, column) of floats with contiguous columns."""
    array = sinogram if lies_elsewhere(sinogram) else np.asarray(sinogram)
    if array.ndim not in (2, 3) or 0 in array.shape[1:]:
        raise InputError(
            f"fbp: the sinogram has shape {array.shape}; "
            f"give (angle, column) or (angle, row, column), none of them empty"
        )
    if numpy_dtype(array).kind not in "fiub":
        raise InputError(f"fbp: the sinogram holds {array.dtype}; give real numbers")
    if lies_elsewhere(array):
        xp = namespace(array)
        array = xp.astype(array, xp.float32, copy=False)
        return array[:, None, :] if array.ndim == 2 else array
    array = array.astype(np.float64 if engine == "reference" else np.float32, copy=False)
    array = array[:, None] if array.ndim == 2 else array
    if array.strides[2] != array.itemsize or array.strides[0] < 0 or array.strides[1] < 0:
        array = np.ascontiguousarray(array)
    return array


def _angles(angles_deg: Any, count: int) -> NDArray[np.float64]:
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or len(angles) != count:
        raise InputError(
            f"fbp: the sinogram has {count} projections but angles_deg has shape {angles.shape}; "
            f"give one angle for each"
        )
    if count == 0:
        raise InputError("fbp: there is no projection; give at least one")
    if not np.isfinite(angles).all():
        first = int(np.argmin(np.isfinite(angles)))
        raise InputError(f"fbp: angles_deg[{first}] is {angles[first]}; every angle must be a finite number")
    return angles


def _shifts(given: Any, count: int, columns: int) -> NDArray[np.float64] | None:
    if given is None:
        return None
    shifts = np.asarray(given, np.float64)
    if shifts.shape != (count,) or not np.isfinite(shifts).all() or np.abs(shifts).max() > columns:
        raise InputError(
            f"fbp: shift_columns_px has shape {shifts.shape} for {count} projections of {columns} columns; give one "
            f"finite number of pixels for each, none beyond the width of the detector"
        )
    return shifts


def _check_axis(axis_column: float, columns: int) -> None:
    if not (isfinite(axis_column) and -columns <= axis_column <= 2 * columns - 1):
        raise InputError(
            f"fbp: axis_column is {axis_column} on a detector of {columns} columns; give the rotation axis "
            f"in pixels from the centre of column 0, at most {columns} beyond either edge"
        )


def _check_image(size: int, region: Region) -> None:
    if size < 1:
        raise ParameterError(f"fbp: size is {size}; give at least 1 pixel")
    y0, y1, x0, x1 = region
    if not (0 <= y0 < y1 <= size and 0 <= x0 < x1 <= size):
        raise ParameterError(
            f"fbp: region (y0, y1, x0, x1) is {region}; "
            f"it must hold a pixel and lie within the {size} x {size} image"
        )


def _check_finite(rows: NDArray[Any]) -> None:
    if not np.isfinite(rows).all():
        raise InputError(gridding.not_finite(rows))


def _output(out: NDArray[np.float32] | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if out is None:
        return np.empty(shape, np.float32)
    if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError(
            f"fbp: out is {out.dtype} of shape {out.shape}; "
            f"give a writeable C-contiguous float32 array of shape {shape}"
        )
    return out
