"""The meshes of a record: a picture of each, which a script turns into a model, what is stated, and the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tomarium import units
from tomarium.model import Part, Record
from tomarium.viewers.viewer import Piece, View, Viewer, fill

WHAT: Final = {
    "3mf": "3MF, for printers",
    "stl": "STL, for older programs",
    "ply": "PLY, for science",
    "glb": "GLB, for pages and slides",
    "html": "Sheet, one page to print",
}
"""Ending of a file → what a reader is told."""


def suits(part: Part) -> bool:
    """Tell whether a part is a mesh.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        A mesh that tells its files.
    """
    return part.kind == "mesh" and isinstance(part.summary.get("files"), Mapping)


def render(record: Record, view: View) -> Piece:
    """Show the meshes of a record.

    Parameters
    ----------
    record : Record
        With a mesh.
    view : View
        For the addresses.

    Returns
    -------
    Piece
        Its data: `meshes`, each with path, role, picture, model, model_page, files (what, address, bytes) and figures.
    """
    paths_held = {entry.path for entry in record.files}
    meshes = [_mesh_content(part, view, paths_held) for part in _meshes(record)]
    content = {"meshes": meshes, "title": record.title}
    return Piece({"meshes": meshes}, fill("meshes.html", content, view.translations))


def _meshes(record: Record) -> Iterator[Part]:
    for part in record.parts:
        if suits(part):
            yield part


def _mesh_content(part: Part, view: View, paths_held: set[str]) -> dict[str, Any]:
    names: Mapping[str, Any] = part.summary["files"]
    sizes, figures = part.summary.get("bytes") or {}, part.summary.get("figures") or {}
    paths = {
        ending: f"{part.path}/{name}" for ending, name in names.items() if f"{part.path}/{name}" in paths_held
    }
    files = [
        {
            "what": WHAT[ending],
            "address": view.file(paths[ending]),
            "bytes": sizes.get(ending),
            "size": units.show(sizes[ending], "B", digits=3) if sizes.get(ending) else "",
        }
        for ending in WHAT
        if ending in paths
    ]
    return {
        "path": part.path,
        "role": part.role,
        "name": "Print" if part.role == "print" else "Surface",
        "picture": view.file(paths["png"]) if "png" in paths else "",
        "model": view.file(paths["glb"]) if "glb" in paths else "",
        "files": files,
        "model_page": view.model(part.path),
        "rows": _print_rows(figures) if part.role == "print" else _surface_rows(figures),
        "figures": dict(figures),
    }


def _surface_rows(surface: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name what is stated of a surface; what is not there is left out."""
    unit, rows = surface.get("length_unit", "mm"), []
    if box := surface.get("box"):
        rows.append(("Size", " × ".join(f"{length:.3g}" for length in box) + f" {unit}"))
    if "volume" in surface:
        rows.append(
            (
                "Volume",
                f"{surface['volume']:.4g} {unit}³, {100 * surface.get('difference', 0):+.2f} % against voxels",
            )
        )
    if "surface" in surface:
        rows.append(("Surface", f"{surface['surface']:.4g} {unit}²"))
    if "triangles" in surface:
        rows.append(
            ("Triangles", f"{surface['triangles']}, closed, Euler characteristic {surface.get('euler')}")
        )
    rows += _shared_rows(surface, "unit")
    rows += [("Warning", str(warning)) for warning in surface.get("warnings") or ()]
    if surface.get("dropped"):
        rows.append(
            ("Left out", f"{surface['dropped']} small pieces, {100 * surface.get('dropped_share', 0):.2g} %")
        )
    return rows


def _print_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name what is stated of a print."""
    rows = []
    if "scale" in summary:
        rows.append(("Scale", f"{summary['scale']:.3g} : 1"))
    if size := summary.get("size_mm"):
        rows.append(("Size", " × ".join(f"{length:.0f}" for length in size) + " mm"))
    if "wall_mm" in summary:
        before, change = summary.get("thin_before", 0), summary.get("volume_change", 0)
        rows.append(
            (
                "Walls",
                f"{summary['wall_mm']:g} mm or more; {100 * before:.2g} % was thinner, {100 * change:+.2g} % volume",
            )
        )
    if summary.get("dropped"):
        rows.append(
            (
                "Left out",
                f"{summary['dropped']} loose pieces, {100 * summary.get('dropped_share', 0):.2g} %",
            )
        )
    return rows + _shared_rows(summary, "threshold_unit")


def _shared_rows(body: Mapping[str, Any], unit: str) -> list[tuple[str, str]]:
    if "threshold" not in body:
        return []
    side = "below" if body.get("dark") else "above"
    return [
        ("Body", f"{side} {body['threshold']:.4g} {body.get(unit) or ''}, {body.get('threshold_source', '')}")
    ]


MESHES = Viewer(
    name="meshes", title="Models", order=15, suits=suits, render=render, built="model", plainest="pupil"
)
