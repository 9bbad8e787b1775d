"""A mesh of a volume: closed, of few enough triangles, with what was lost stated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from tomarium import units
from tomarium.errors import InputError
from tomarium.kernels.decimation import decimate
from tomarium.kernels.isosurface import isosurface
from tomarium.model import Mesh, Volume
from tomarium.optional_packages import optional_import
from tomarium.pipeline.mesh.body import Body, Wish, keep_parts, look_for_cavities, take_body
from tomarium.pipeline.mesh.grid import Grid, Tell, choose_grid, grids_of

MOST_TRIANGLES: Final = 300_000
SMALLEST_VOXELS: Final = 27
TOO_MANY: Final = 4
"""Where a surface has more than so many times the triangles that are wanted, a coarser level is taken first."""
DIFFERENCE: Final = 0.02
"""Where fewer triangles change the volume by a greater part than this, a coarser level is taken; where the volume is
further from that of the voxels, that is a warning."""


@dataclass(frozen=True)
class Figures:
    """What is stated of a mesh; lengths in mm, or in voxels where the size of a voxel is not known.

    Attributes
    ----------
    triangles, vertices : int
        How many.
    volume, surface : float
        mm³ and mm².
    voxel_volume : float
        Of the voxels beyond the threshold, before smoothing, mm³.
    difference : float
        Volume of the mesh over that of the voxels, less 1.
    box : tuple of float
        Lengths (x, y, z), mm.
    euler : int
        Vertices - edges + triangles: 2 for each closed surface less 2 for each tunnel.
    level : int
        Of the pyramid.
    grid : str
        The level in words.
    voxel : tuple of float
        Of that level (z, y, x), mm.
    threshold : float
        In `unit`.
    unit : str
        Unit of the threshold.
    threshold_source : str
        Where it comes from.
    dark : bool
        Whether the body is what is darker.
    label : int or None
        Of a label volume.
    smooth_px : float
        σ, voxels of the volume as it is.
    moved : float
        Distance by which fewer triangles may have moved the surface, mm.
    parts, dropped : int
        Pieces that were kept, and dropped.
    dropped_share : float
        Part of the voxels that was dropped.
    cavities : int
        Closed hollows.
    at_edge : float
        Part of the surface that lies where the volume, or its circle, ends.
    length_unit : str
        "mm", or "voxel".
    """

    triangles: int
    vertices: int
    volume: float
    surface: float
    voxel_volume: float
    difference: float
    box: tuple[float, float, float]
    euler: int
    level: int
    grid: str
    voxel: tuple[float, float, float]
    threshold: float
    unit: str
    threshold_source: str
    dark: bool
    label: int | None
    smooth_px: float
    moved: float
    parts: int
    dropped: int
    dropped_share: float
    cavities: int
    at_edge: float
    length_unit: str


@dataclass(frozen=True)
class Limits:
    """What a mesh may cost.

    Attributes
    ----------
    triangles : int
        At most.
    level : int or None
        Of the pyramid; by default the finest that fits.
    memory : int or None
        Bytes; by default 60 % of what is available.
    smallest : int
        Voxels of a piece that is kept.
    """

    triangles: int = MOST_TRIANGLES
    level: int | None = None
    memory: int | None = None
    smallest: int = SMALLEST_VOXELS


def make_mesh(
    volume: Volume, wish: Wish, limits: Limits = Limits(), tell: Tell | None = None
) -> tuple[Mesh, Figures]:
    """Find the surface of a body in a volume.

    Parameters
    ----------
    volume : Volume
        Grey values, or labels. Where its voxel size is not known, a voxel counts as 1 mm, and the figures say so.
    wish : Wish
        What is the body.
    limits : Limits
        What it may cost.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Mesh
        Closed; in mm from the middle of the volume's first voxel.
    Figures
        What is stated of it.

    Raises
    ------
    InputError
        There is no surface, or so few triangles cannot be had.
    CannotFit
        No level fits into memory, or not the one that was asked for.
    EngineUnavailable
        The packages of the extra `mesh` are not installed.
    """
    optional_import("manifold3d", "mesh")
    optional_import("skimage.measure", "mesh")
    say = tell or (lambda stage, done, total: None)
    grids = grids_of(volume)
    grid = choose_grid(grids, limits.level, limits.memory)
    while True:
        body = look_for_cavities(keep_parts(take_body(volume, grid, wish, say), limits.smallest))
        coarser = grids[grid.number + 1] if limits.level is None and grid is not grids[-1] else None
        mesh_and_figures = _mesh_of_grid(volume, grid, body, wish, limits.triangles, coarser is None, say)
        if mesh_and_figures is not None:
            return mesh_and_figures
        assert coarser is not None
        grid = coarser


def pitch_mm(volume: Volume, grid: Grid) -> tuple[float, float, float]:
    """Return the size of a grid's voxel (z, y, x), mm; of a volume that is not calibrated in voxels of it."""
    z, y, x = (1e3 * value for value in volume.voxel_m) if volume.voxel_m else (1.0, 1.0, 1.0)
    return z * grid.factor[0], y * grid.factor[1], x * grid.factor[2]


def as_data(figures: Figures) -> dict[str, Any]:
    """Write the figures of a mesh for machines."""
    return {
        **asdict(figures),
        "box": list(figures.box),
        "voxel": list(figures.voxel),
        "warnings": doubts(figures),
    }


def doubts(figures: Figures) -> list[str]:
    """Tell what is to be known before the volume of a mesh is used: that it is not that of the voxels."""
    if abs(figures.difference) <= DIFFERENCE:
        return []
    return [
        f"the volume of the mesh differs by {100 * figures.difference:+.1f} % from that of the voxels "
        f"({figures.voxel_volume:.5g} {figures.length_unit}³), more than {100 * DIFFERENCE:g} %: allow more triangles "
        f"with --max-tri, take a finer --level, or smooth less"
    ]


def in_lines(figures: Figures) -> list[tuple[str, str, str]]:
    """Tell the figures of a mesh to people: name, value, and what there is to know."""
    unit, figures_told = figures.length_unit, figures
    box = " × ".join(f"{length:.4g}" for length in figures_told.box)
    side = "below" if figures_told.dark else "above"
    moved = (
        f"the surface moved by {figures_told.moved:.2g} {unit} at most for fewer triangles"
        if figures_told.moved
        else ""
    )
    lines = [
        ("triangles", f"{figures_told.triangles}", f"closed; {moved}".rstrip("; ")),
        ("size", f"{box} {unit}", "x, y, z"),
        (
            "volume",
            f"{figures_told.volume:.5g} {unit}³",
            f"{100 * figures_told.difference:+.2f} % against that of the voxels",
        ),
        ("surface", f"{figures_told.surface:.5g} {unit}²", f"Euler characteristic {figures_told.euler}"),
        (
            "threshold",
            f"{side} {figures_told.threshold:.5g} {figures_told.unit}".rstrip(),
            figures_told.threshold_source,
        ),
        ("level", str(figures_told.level), figures_told.grid),
        ("pieces", str(figures_told.parts), f"{figures_told.cavities} closed hollows"),
    ]
    if figures_told.dropped:
        lines.append(
            (
                "dropped",
                str(figures_told.dropped),
                f"pieces, {100 * figures_told.dropped_share:.3g} % of the body",
            )
        )
    if figures_told.at_edge > 0.001:
        lines.append(
            (
                "cut",
                f"{100 * figures_told.at_edge:.1f} %",
                "of the surface is where the volume or its circle ends",
            )
        )
    return lines


def _mesh_of_grid(
    volume: Volume, grid: Grid, body: Body, wish: Wish, most: int, last: bool, tell: Tell
) -> tuple[Mesh, Figures] | None:
    """Mesh a body; None where a coarser level serves better and there is one."""
    pitch = pitch_mm(volume, grid)
    if body.triangles > TOO_MANY * most and not last:
        return None
    tell("surface", 0, 1)
    whole = isosurface(body.field, body.level, pitch)
    tell("surface", 1, 1)
    moved, mesh = 0.0, whole
    if len(whole.faces) > most:
        tell("triangles", 0, 1)
        try:
            mesh, moved = decimate(whole, most, partial(tell, "triangles"))
        except InputError:
            if last:
                raise
            return None
        if not last and abs(mesh.volume_mm3 / whole.volume_mm3 - 1) > DIFFERENCE:
            return None
    start = [
        p * (n + first / factor)
        for p, n, first, factor in zip(pitch, body.start, grid.first, grid.factor, strict=True)
    ]
    mesh = mesh.moved((start[2], start[1], start[0]))
    return mesh, _figures(volume, grid, body, wish, mesh, moved)


def _figures(volume: Volume, grid: Grid, body: Body, wish: Wish, mesh: Mesh, moved: float) -> Figures:
    pitch = pitch_mm(volume, grid)
    voxels = body.voxels * pitch[0] * pitch[1] * pitch[2]
    volume_mm3, box = mesh.volume_mm3, mesh.box_mm
    x, y, z = (float(length) for length in box[1] - box[0])
    return Figures(
        triangles=len(mesh.faces),
        vertices=len(mesh.vertices_mm),
        volume=volume_mm3,
        surface=mesh.surface_mm2,
        voxel_volume=voxels,
        difference=volume_mm3 / voxels - 1,
        box=(x, y, z),
        euler=mesh.euler,
        level=grid.number,
        grid=grid.words,
        voxel=pitch,
        threshold=body.threshold,
        unit="" if wish.label is not None else volume.unit,
        threshold_source=body.source,
        dark=wish.dark,
        label=wish.label,
        smooth_px=wish.smooth_px,
        moved=moved,
        parts=body.parts,
        dropped=body.dropped,
        dropped_share=body.dropped_share,
        cavities=body.cavities,
        at_edge=body.at_edge,
        length_unit="mm" if volume.voxel_m else "voxel",
    )


def size_words(figures: Figures) -> str:
    """Tell the size of a body in the unit that suits it: "12 × 8 × 5 mm"."""
    if figures.length_unit != "mm":
        return " × ".join(f"{length:.4g}" for length in figures.box) + " voxels"
    return " × ".join(units.show(length * 1e-3, "m", digits=3) for length in figures.box)
