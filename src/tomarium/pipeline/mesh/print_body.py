"""A body that can be printed: at a true scale, in one piece, with walls that hold, on a plate that says what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError, ParameterError
from tomarium.kernels import wall_thickness
from tomarium.kernels.decimation import decimate
from tomarium.kernels.isosurface import isosurface, surrounded
from tomarium.model import Mesh, Volume
from tomarium.optional_packages import optional_import
from tomarium.pipeline.mesh.base_plate import on_plate
from tomarium.pipeline.mesh.body import Body, Wish, keep_parts, look_for_cavities, take_body
from tomarium.pipeline.mesh.grid import Grid, Tell, choose_grid, grids_of
from tomarium.pipeline.mesh.make_mesh import pitch_mm

LOOK_BYTES: Final = 100_000_000
"""Memory for a first look at the size of the body."""
FINE: Final = 8
"""Voxels across a wall that are enough: of the levels with as many the coarsest is taken."""
ROUGH: Final = 4
"""Voxels across a wall that are needed: with fewer, voxels are divided."""
MOST_DIVIDED: Final = 4
ROUNDS: Final = 3
DEEP_PX: Final = 3.0
"""Depth beyond the radius of a wall's ball up to which it is measured, px: neighbours are compared."""
MOST_CHANGE: Final = 0.5
"""Where thicker walls change the volume by more, what is printed is not the specimen any more."""
LEAST_PIECE: Final = 0.7
"""Part of the body that its largest piece holds at least."""
SUNK_MM: Final = 2.0
STEEP: Final = -(0.5**0.5)
"""Surfaces whose normal points down by more than 45° need supports."""
UP: Final[dict[str, tuple[int, tuple[int, int]]]] = {
    "z": (0, (0, 1)), "-z": (2, (0, 1)), "y": (3, (0, 1)), "-y": (1, (0, 1)), "x": (3, (0, 2)), "-x": (1, (0, 2)),
}  # fmt: skip
"""Axis of the volume that points upwards → quarter turns, and the axes between which the volume is turned."""


@dataclass(frozen=True)
class PrintWish:
    """How a body is printed.

    Attributes
    ----------
    height_mm : float or None
        Of the body without its plate; None where `scale` is given.
    scale : float or None
        Print over specimen.
    wall_mm : float
        Thickness that walls have at least.
    triangles : int
        At most.
    up : str
        Axis of the volume that points upwards: "z", "-z", "y" …
    keep_hollow : bool
        Whether closed hollows stay; they are filled otherwise.
    largest_only : bool
        Whether the largest piece is printed however small a part of the body it is.
    lines : tuple of str
        What is embossed on the plate; without any there is no plate.
    """

    height_mm: float | None = 80.0
    scale: float | None = None
    wall_mm: float = 1.2
    triangles: int = 300_000
    up: str = "z"
    keep_hollow: bool = False
    largest_only: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class PrintFigures:
    """What is stated of a print.

    Attributes
    ----------
    scale : float
        Print over specimen.
    size_mm : tuple of float
        Lengths (x, y, z) of all, mm.
    body_mm : tuple of float
        Those of the body alone, mm.
    triangles : int
        How many.
    volume_cm3 : float
        Of all, cm³.
    threshold, threshold_unit, threshold_source : float, str, str
        What the body is.
    dark, label, smooth_px
        As they were wished.
    grid : str
        The level that was used, in words.
    pitch_mm : float
        Voxel in the print: detail and walls are right to it.
    wall_mm : float
        Thickness that walls should have.
    thin_before, thin_after : float
        Part of the surface that is thinner, 0 to 1, before and after walls were made thicker.
    volume_change : float
        By which part of its volume the body grew by that.
    dropped, dropped_share : int, float
        Pieces that would float, and which part of the body they were.
    filled, filled_share : int, float
        Closed hollows that were filled, and their volume over that of the body.
    at_edge : float
        Part of the surface where the volume, or its circle, ends.
    stands_on_mm2 : float
        Area that holds the body on its plate; without a plate that of its lowest 0.2 mm.
    overhang : float
        Part of the surface that needs supports.
    moved_mm : float
        Distance by which fewer triangles may have moved the surface.
    euler : int
        Euler characteristic of all.
    """

    scale: float
    size_mm: tuple[float, float, float]
    body_mm: tuple[float, float, float]
    triangles: int
    volume_cm3: float
    threshold: float
    threshold_unit: str
    threshold_source: str
    dark: bool
    label: int | None
    smooth_px: float
    grid: str
    pitch_mm: float
    wall_mm: float
    thin_before: float
    thin_after: float
    volume_change: float
    dropped: int
    dropped_share: float
    filled: int
    filled_share: float
    at_edge: float
    stands_on_mm2: float
    overhang: float
    moved_mm: float
    euler: int


def print_body(
    volume: Volume,
    wish: Wish,
    print_wish: PrintWish,
    *,
    level: int | None = None,
    memory: int | None = None,
    tell: Tell | None = None,
) -> tuple[Mesh, PrintFigures]:
    """Make a body that can be printed.

    Parameters
    ----------
    volume : Volume
        With a voxel size.
    wish : Wish
        What is the body.
    print_wish : PrintWish
        How it is printed.
    level : int, optional
        Of the pyramid; by default one with eight voxels across a wall.
    memory : int, optional
        Bytes that may be used; by default 60 % of what is available.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Mesh
        Closed, in mm as it is printed, z upwards from 0.
    PrintFigures
        What is stated of it.

    Raises
    ------
    InputError
        It cannot be printed: the message says why, and what to do.
    ParameterError
        Numbers that cannot be.
    CannotFit
        No level fits into memory.
    EngineUnavailable
        The packages of the extra `mesh` are not installed.
    """
    for module in ("manifold3d", "skimage.measure", "scipy.ndimage"):
        optional_import(module, "mesh")
    say = tell or (lambda stage, done, total: None)
    _demand(volume, print_wish)
    grids = grids_of(volume)
    grid = _choose_print_grid(volume, grids, wish, print_wish, level, memory)
    body, filled = _printable(take_body(volume, grid, wish, say), print_wish)
    turned, pitch = _turned(body, volume, grid, print_wish.up)
    scale = _scale(turned, pitch, print_wish)
    field, pitch = _divide(turned.field, pitch * scale, print_wish.wall_mm)
    walls = _walls(field, turned.level, pitch, print_wish, say)
    say("surface", 0, 1)
    mesh = isosurface(walls.field, walls.level, (pitch, pitch, pitch))
    say("surface", 1, 1)
    whole, on, moved, size = _finish(mesh, print_wish, say)
    if whole.volume_mm3 <= 0 or not whole.is_closed:
        raise InputError("the print is not one closed body; take another level, or smooth more")
    return whole, PrintFigures(
        scale=scale,
        size_mm=_lengths(whole),
        body_mm=size,
        triangles=len(whole.faces),
        volume_cm3=whole.volume_mm3 / 1000,
        threshold=body.threshold,
        threshold_unit="" if wish.label is not None else volume.unit,
        threshold_source=body.source,
        dark=wish.dark,
        label=wish.label,
        smooth_px=wish.smooth_px,
        grid=grid.words,
        pitch_mm=pitch,
        wall_mm=print_wish.wall_mm,
        thin_before=walls.before,
        thin_after=walls.after,
        volume_change=walls.change,
        dropped=body.dropped,
        dropped_share=body.dropped_share,
        filled=filled,
        filled_share=body.cavity_share if filled else 0.0,
        at_edge=body.at_edge,
        stands_on_mm2=on,
        overhang=_overhang(whole),
        moved_mm=moved,
        euler=whole.euler,
    )


def as_data(figures: PrintFigures) -> dict[str, Any]:
    """Write the figures of a print for machines."""
    return {**asdict(figures), "size_mm": list(figures.size_mm), "body_mm": list(figures.body_mm)}


def _demand(volume: Volume, print_wish: PrintWish) -> None:
    if volume.voxel_m is None:
        raise InputError(
            f"{volume.name}: the size of a voxel is not known, so a print would have no true scale; give it with "
            f'--voxel "10 um"'
        )
    if (print_wish.height_mm is None) == (print_wish.scale is None):
        raise ParameterError("give either a height or a scale")
    size = print_wish.height_mm if print_wish.height_mm is not None else print_wish.scale
    if (
        not (size and np.isfinite(size) and size > 0 and 0 < print_wish.wall_mm < 100)
        or print_wish.up not in UP
    ):
        raise ParameterError(
            f"height {print_wish.height_mm} mm, scale {print_wish.scale}, walls of {print_wish.wall_mm} mm, up "
            f"{print_wish.up!r}: sizes are above 0, and up is one of {', '.join(UP)}"
        )
    if print_wish.height_mm is not None and print_wish.wall_mm > print_wish.height_mm / 4:
        raise InputError(
            f"walls of {print_wish.wall_mm:g} mm in a body of {print_wish.height_mm:g} mm height hide its shape; print "
            f"it at least {4 * print_wish.wall_mm:g} mm high, or take thinner walls"
        )


def _choose_print_grid(
    volume: Volume,
    grids: tuple[Grid, ...],
    wish: Wish,
    print_wish: PrintWish,
    level: int | None,
    memory: int | None,
) -> Grid:
    """Choose a grid: the coarsest with enough voxels across a wall."""
    if level is not None:
        return choose_grid(grids, level, memory)
    quick = next((grid for grid in grids if grid.bytes <= LOOK_BYTES), grids[-1])
    body = keep_parts(take_body(volume, quick, wish, lambda stage, done, total: None), only_largest=True)
    turned, pitch = _turned(body, volume, quick, print_wish.up)
    pitch *= _scale(turned, pitch, print_wish) / max(quick.factor)
    return choose_grid(grids, None, memory, coarsest=print_wish.wall_mm / FINE / pitch)


def _printable(body: Body, print_wish: PrintWish) -> tuple[Body, int]:
    """Keep one piece, and fill what is closed."""
    largest = keep_parts(body, only_largest=True)
    if largest.dropped_share > 1 - LEAST_PIECE and not print_wish.largest_only:
        raise InputError(
            f"the body falls into {largest.dropped + 1} pieces that do not touch, and the largest is "
            f"{100 * (1 - largest.dropped_share):.2g} % of it: the others would float; join them with another "
            f"--threshold, or print the largest alone with --largest-only"
        )
    checked = look_for_cavities(largest, fill=not print_wish.keep_hollow)
    return checked, 0 if print_wish.keep_hollow else checked.cavities


def _turned(body: Body, volume: Volume, grid: Grid, up: str) -> tuple[Body, float]:
    """Make voxels cubes, and turn the body so that an axis points upwards; return the size of a voxel, mm."""
    sizes = pitch_mm(volume, grid)
    pitch, field = min(sizes), body.field
    if max(sizes) > 1.005 * pitch:
        ndimage = optional_import("scipy.ndimage", "mesh")
        field = ndimage.zoom(field, [siz / pitch for siz in sizes], order=1, grid_mode=True, mode="nearest")
    turns, axes = UP[up]
    return replace(body, field=np.ascontiguousarray(np.rot90(field, turns, axes))), pitch


def _scale(body: Body, pitch: float, print_wish: PrintWish) -> float:
    if print_wish.scale is not None:
        return print_wish.scale
    assert print_wish.height_mm is not None
    padded = surrounded(body.field, body.level)
    above = np.flatnonzero((padded > body.level).any(axis=(1, 2)))
    low, high = int(above[0]), int(above[-1])
    lowest, highest = (
        _reach(padded[[low, low - 1]], body.level),
        _reach(padded[[high, high + 1]], body.level),
    )
    return float(print_wish.height_mm / ((high - low + lowest + highest) * pitch))


def _reach(pair: NDArray[np.float32], level: float) -> float:
    """Tell how far, in voxels, the surface reaches beyond the last slice of a body; the pair is that and the next."""
    last, beyond = pair[0][pair[0] > level], pair[1][pair[0] > level]
    # The surface crosses between two voxels, one above the other, where a straight line between them does.
    return float(((last - level) / (last - beyond)).max())


def _divide(field: NDArray[np.float32], pitch: float, wall_mm: float) -> tuple[NDArray[np.float32], float]:
    """Divide voxels until enough of them lie across a wall."""
    parts = min(MOST_DIVIDED, ceil(ROUGH * pitch / wall_mm))
    if parts <= 1:
        return field, pitch
    ndimage = optional_import("scipy.ndimage", "mesh")
    return ndimage.zoom(field, parts, order=1, grid_mode=True, mode="nearest"), pitch / parts


@dataclass(frozen=True, repr=False)
class _Walls:
    """A body with walls that are thick enough, where the field is above the level; and what was done."""

    field: NDArray[np.float32]
    level: float
    before: float
    after: float
    change: float


def _walls(
    field: NDArray[np.float32], level: float, pitch: float, print_wish: PrintWish, tell: Tell
) -> _Walls:
    wall_px = print_wish.wall_mm / pitch
    margin = ceil(wall_px / 2) + 2
    outside = np.float32(min(float(field.min()), 2 * level - float(field.max())))
    field = np.pad(field, margin, constant_values=outside)
    reach = wall_px / 2 + DEEP_PX
    parts = 2 + 3 * ROUNDS

    def part(number: int) -> Callable[[int, int], None]:
        return lambda done, total: tell("walls", round(100 * (number + done / total) / parts), 100)

    tell("walls", 0, 100)
    depth = wall_thickness.depth_inside(field, level, reach, part(0))
    thin = wall_thickness.thin_places(depth, wall_px, part(1))
    before = after = wall_thickness.share_of_surface(thin, depth)
    volume = float(np.count_nonzero(depth > 0))
    thickness = (
        2 * float(np.median(depth[thin & (depth >= 0.5)])) * pitch if (thin & (depth >= 0.5)).any() else pitch
    )
    number = 0
    while after > 0 and number < ROUNDS:
        first = 2 + 3 * number
        field = wall_thickness.thickened(field, level, depth, thin, wall_px, part(first))
        level, number = 0.0, number + 1  # from now on the field is a depth
        depth = wall_thickness.depth_inside(field, level, reach, part(first + 1))
        thin = wall_thickness.thin_places(depth, wall_px, part(first + 2))
        after = wall_thickness.share_of_surface(thin, depth)
    tell("walls", 100, 100)
    change = float(np.count_nonzero(depth > 0)) / volume - 1
    if change > MOST_CHANGE:
        size = print_wish.height_mm if print_wish.height_mm is not None else field.shape[0] * pitch
        higher = 10 * ceil(size * print_wish.wall_mm / thickness / 10)
        raise InputError(
            f"{100 * before:.0f} % of the surface is thinner than {print_wish.wall_mm:g} mm; walls that thick would "
            f"make the body {100 * change:.0f} % larger, and hide its shape: print it about {higher} mm high, or with "
            f"walls of --min-wall {max(0.1, thickness):.1g}mm, as printers with resin do"
        )
    return _Walls(field, level, before, after, change)


def _finish(
    mesh: Mesh, print_wish: PrintWish, tell: Tell
) -> tuple[Mesh, float, float, tuple[float, float, float]]:
    """Reduce triangles and stand the body on its plate: all, the area it stands on, how far it moved, its own size."""
    size, most, moved = _lengths(mesh), print_wish.triangles, 0.0
    for _ in range(4):
        tell("triangles", 0, 1)
        if len(mesh.faces) > most:
            body, moved = decimate(mesh, most, partial(tell, "triangles"))
        else:
            body, moved = mesh, 0.0
            tell("triangles", 1, 1)
        whole, on = _place_on_base(body, print_wish)
        if len(whole.faces) <= print_wish.triangles:
            return whole, on, moved, size
        most -= len(whole.faces) - print_wish.triangles
        if most < 100:
            break
    raise InputError(
        f"a plate with its text and a body take more than {print_wish.triangles} triangles; allow more with --max-tri"
    )


def _place_on_base(body: Mesh, print_wish: PrintWish) -> tuple[Mesh, float]:
    if print_wish.lines:
        return on_plate(body, print_wish.lines, min(SUNK_MM, 0.05 * _lengths(body)[2]))
    low, high = body.box_mm
    whole = body.moved((-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]))
    flat = whole.corners[:, :, 2].max(axis=1) < 0.2
    return whole, float(np.abs(whole.normals[flat, 2]).sum() / 2)


def _overhang(mesh: Mesh) -> float:
    normals = mesh.normals
    areas = np.linalg.norm(normals, axis=1)
    down = normals[:, 2] < STEEP * np.maximum(areas, 1e-300)
    above = mesh.corners[:, :, 2].min(axis=1) > 0.01
    return float(areas[down & above].sum() / areas.sum())


def _lengths(mesh: Mesh) -> tuple[float, float, float]:
    x, y, z = (float(length) for length in mesh.box_mm[1] - mesh.box_mm[0])
    return x, y, z


def scale_words(scale: float) -> str:
    """Tell a scale to people: "25 times as large as the specimen"."""
    if scale >= 1:
        return f"{units.show(scale, '', digits=3)} times as large as the specimen".replace("  ", " ")
    return f"{units.show(1 / scale, '', digits=3)} times smaller than the specimen".replace("  ", " ")
