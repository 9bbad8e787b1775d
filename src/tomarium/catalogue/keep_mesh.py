"""Where the files of a mesh or a print go, and what is kept with them: for the command line and for a worker alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tomarium.atomic_files import write_whole
from tomarium.catalogue.mesh_files import FORMATS, About, demand_free, file_name, write_files
from tomarium.catalogue.mesh_part import CataloguedRecord, add_mesh, draft_of_mesh, place_of_mesh
from tomarium.catalogue.print_sheet import sheet_html
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.model import Mesh
from tomarium.pipeline.mesh import make_mesh, print_body
from tomarium.pipeline.mesh.make_mesh import Figures
from tomarium.pipeline.mesh.print_body import PrintFigures

PRINTED: tuple[str, ...] = ("3mf", "stl")
"""Formats of a print."""


@dataclass(frozen=True)
class Target:
    """Where the files of a mesh go.

    Attributes
    ----------
    folder : Path
        The folder of the files.
    name : str
        Of the files, and of the part of the record.
    record : Path or None
        Folder of the record whose volume it is made of; None where the files are no part of one.
    known : CataloguedRecord or None
        That record in a catalogue.
    made_for : str
        What asked for it, kept with the part, so that it can be found again; "" for nothing.
    """

    folder: Path
    name: str
    record: Path | None = None
    known: CataloguedRecord | None = None
    made_for: str = ""


def target_in_folder(folder: Path, name: str, overwrite: bool) -> Target:
    """Take a folder for the files of a mesh; raises InputError where some of that name are there."""
    demand_free(folder, file_name(name), overwrite)
    return Target(folder, file_name(name))


def target_of_file(path: Path, overwrite: bool) -> Target:
    """Take a file of a mesh, whose name the others beside it get; raises InputError where one of them is there."""
    demand_free(path.parent, path.stem, overwrite)
    return Target(path.parent, path.stem)


def target_in_record(
    record: Path, name: str, overwrite: bool, known: CataloguedRecord | None = None, made_for: str = ""
) -> Target:
    """Take a record for a mesh, before long work begins.

    Parameters
    ----------
    record : Path
        Folder of the record whose volume it is made of.
    name : str
        Of the mesh; letters and digits are kept.
    overwrite : bool
        Whether a mesh of that name may be replaced.
    known : CataloguedRecord, optional
        That record in a catalogue.
    made_for : str
        As in `Target`.

    Returns
    -------
    Target
        The folder that it would lie in now.

    Raises
    ------
    InputError
        The record has a mesh of that name.
    """
    name = file_name(name)
    keeper, folder = place_of_mesh(record, name)
    if not overwrite and mesh_part(keeper, name) is not None:
        raise InputError(
            f"{record.name} has a mesh of the name {name!r} already; give another --name, or allow to replace it "
            f"(--overwrite)"
        )
    return Target(folder, name, record, known, made_for)


def mesh_part(keeper: Path, name: str) -> Any:
    """Return what a record keeps of the mesh of a name, as `write_files` gives it; None where there is none."""
    try:
        record = read_record(keeper)
    except InputError:
        return None
    path = f"meshes/{name}"
    return next((part.summary for part in record.parts if part.path == path), None)


def keep_surface(
    target: Target, mesh: Mesh, figures: Figures, about: About, formats: tuple[str, ...] = FORMATS
) -> dict[str, Any]:
    """Write the files of a mesh, and file them with their record.

    Parameters
    ----------
    target : Target
        Where.
    mesh : Mesh
        Closed, in mm.
    figures : Figures
        What is stated of it.
    about : About
        What its files say of where it comes from.
    formats : tuple of str
        Of "3mf", "stl" and "ply".

    Returns
    -------
    dict
        `folder`, what `write_files` gives, and `record`: the identifier of the record that holds it, or None.

    Raises
    ------
    FormatError, InputError, NotAllowed
        As `add_mesh`.
    """
    return _keep(target, mesh, make_mesh.as_data(figures), about, formats, "surface")


def keep_print(target: Target, mesh: Mesh, figures: PrintFigures, about: About) -> dict[str, Any]:
    """Write the files of a print with its sheet, and file them with their record.

    Parameters
    ----------
    target : Target
        Where.
    mesh : Mesh
        Closed, in mm as it is printed.
    figures : PrintFigures
        What is stated of it.
    about : About
        What its files say of where it comes from.

    Returns
    -------
    dict
        As `keep_surface`.

    Raises
    ------
    FormatError, InputError, NotAllowed
        As `add_mesh`.
    """

    def sheet(folder: Path, files: dict[str, str]) -> str:
        return sheet_html(about, figures, (folder / files["png"]).read_bytes(), files)

    return _keep(target, mesh, print_body.as_data(figures), about, PRINTED, "print", sheet)


def _keep(
    target: Target,
    mesh: Mesh,
    figures: dict[str, Any],
    about: About,
    formats: tuple[str, ...],
    role: str,
    sheet: Callable[[Path, dict[str, str]], str] | None = None,
) -> dict[str, Any]:
    draft = target.folder
    if target.record is not None:
        draft = draft_of_mesh(target.record, target.name)
        shutil.rmtree(draft, ignore_errors=True)  # of a program that was stopped
    summary = write_files(draft, target.name, mesh, about, figures, formats)
    if sheet is not None:
        content = sheet(draft, summary["files"]).encode()
        write_whole(draft / f"{target.name}.html", content)
        summary["files"]["html"] = f"{target.name}.html"
        summary["bytes"]["html"] = len(content)
    if target.made_for:
        summary["made"]["for"] = target.made_for
    if target.record is None:
        return {"folder": str(target.folder), **summary, "record": None}
    keeper, folder = place_of_mesh(target.record, target.name)
    try:
        record = add_mesh(target.record, keeper, target.name, role, summary, draft=draft, known=target.known)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return {"folder": str(folder), **summary, "record": record.id, "keeper": str(keeper)}
