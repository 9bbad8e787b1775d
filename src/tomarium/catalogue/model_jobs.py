"""Meshes and prints that somebody asks for on a page: a job, which a worker does with what the commands do it with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.confined_work import open_for_job
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.find_jobs import jobs_of_record, reader_who_asked
from tomarium.catalogue.job_progress import stage_teller
from tomarium.catalogue.jobs import Ended, add_job
from tomarium.catalogue.keep_mesh import Target, keep_print, keep_surface, mesh_part, target_in_record
from tomarium.catalogue.mesh_files import About, about_of, file_name
from tomarium.catalogue.mesh_part import CataloguedRecord, place_of_mesh
from tomarium.catalogue.model_request import (
    ModelRequest,
    as_arguments,
    in_form_words,
    read_model_request,
    with_voxel,
)
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.store import ObjectPath
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError
from tomarium.model import Volume
from tomarium.pipeline.mesh.make_mesh import doubts, make_mesh
from tomarium.pipeline.mesh.print_body import PrintWish, print_body
from tomarium.viewers.volume import open_here, volume_path

KIND: Final = "make model"
STAGES: Final = {
    "read": "reading the volume",
    "smooth": "smoothing",
    "surface": "finding the surface",
    "triangles": "taking fewer triangles",
    "walls": "making thin walls thicker",
}
MOST_WAITING: Final = 5
"""Models of a record that may wait at a time."""


def ask_for_model(catalogue: Catalogue, reader: Reader, id: str, role: str, fields: Mapping[str, str]) -> int:
    """Ask for a mesh or a print of a record's volume; a worker makes it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks: one who may change the record.
    id : str
        Identifier of the record.
    role : str
        "surface" or "print".
    fields : Mapping of str to str
        As `read_model_request` takes them.

    Returns
    -------
    int
        Number of the job; of one that asks for the same and is not done yet, where there is one.

    Raises
    ------
    ParameterError
        A field cannot be read.
    InputError
        There is no such record that the reader may see, it has no volume of its own on this machine, or a mesh of that
        name.
    NotAllowed
        It is not this reader's to change.
    """
    request, arguments = read_model_request(role, fields), as_arguments(id, role, fields)
    with catalogue.writing() as connection:
        folder = place_for(connection, reader, id)
        demand_volume(id, folder)
        _target(folder, request)
        _demand_none_under_way(connection, arguments, request.name)
        return add_job(connection, reader, KIND, arguments)


def models_asked(connection: Connection, id: str) -> list[Row[Any]]:
    """List the meshes and prints that were asked for of a record, the newest first."""
    return jobs_of_record(connection, (KIND,), id)


def demand_volume(id: str, folder: Path) -> None:
    """Refuse a record whose volume cannot be meshed where a worker runs; raises InputError."""
    if isinstance(folder, ObjectPath):
        raise InputError(
            f"{id}: lies in S3, where no mesh is made; bring it to a folder with `tomarium store move`, or download it "
            f"and use `tomarium mesh`"
        )
    if volume_path(read_record(folder)) is None:
        raise InputError(f"{id}: has no volume; reconstruct its scan with `tomarium run` first")


def make_model(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make a mesh or a print that was asked for; what a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        Of `job`, held by this worker.

    Returns
    -------
    str, str, tuple of str
        "done" or "failed", what became of it, and the record that holds it. Where a worker was stopped after it had
        filed this very model, it is done already.
    """
    id, role = str(job.arguments["record"]), str(job.arguments["role"])
    folder: Path | None = None
    try:
        with catalogue.reading() as connection:
            reader = reader_who_asked(connection, job)
            folder = place_for(connection, reader, id)
            place = place_of(connection, reader, id)
        if place is None or not place.open:
            raise NotAllowed(f"{id}: its files are not open to {job.asked_by}")
        request = read_model_request(role, job.arguments["fields"])
        key = _key(job)
        if (record_id := _find_made(folder, request.name, key)) is not None:
            return "done", f"{request.name} is part of {record_id}", (record_id,)
        demand_volume(id, folder)
        target = _target(folder, request, CataloguedRecord(catalogue, reader, id), key)
        sentence, record_id = _make(folder, request, target, stage_teller(catalogue, job, STAGES))
    except DatabaseUnavailable:
        raise
    except TomariumError as problem:
        words = str(problem)
        if folder is not None:
            for shown in dict.fromkeys((folder.resolve(), folder)):
                words = words.replace(str(shown), id)
        return "failed", in_form_words(words), ()
    return "done", sentence, (record_id,)


def _make(
    folder: Path, request: ModelRequest, target: Target, tell: Callable[[str, int, int], None]
) -> tuple[str, str]:
    volume, about = open_record_volume(folder, request.voxel_m, open_for_job)
    if request.how is None:
        mesh, figures = make_mesh(volume, request.wish, request.limits, tell)
        part_notes = keep_surface(target, mesh, figures, about)
        warnings = [in_form_words(doubt) for doubt in doubts(figures)]
        return "; ".join([f"{figures.triangles} triangles", *warnings]), str(part_notes["record"])
    mesh, printed = print_body(
        volume, request.wish, how_printed(request, about), level=request.limits.level, tell=tell
    )
    part_notes = keep_print(target, mesh, printed, about)
    size = " × ".join(f"{length:.0f}" for length in printed.size_mm)
    return f"{size} mm, {printed.triangles} triangles", str(part_notes["record"])


def open_record_volume(
    folder: Path, voxel_m: float | None = None, open_volume: Callable[[Path], Volume] = open_here
) -> tuple[Volume, About]:
    """Open the volume of a record, with the size of a voxel where somebody tells it, and say where it comes from."""
    record = read_record(folder)
    path = volume_path(record)
    if path is None:
        raise InputError(
            f"{folder.name}: holds no volume (z, y, x); reconstruct its scan with `tomarium run` first"
        )
    volume = open_volume(folder / path)
    if voxel_m is not None:
        volume = with_voxel(volume, voxel_m)
    return volume, about_of(record)


def how_printed(request: ModelRequest, about: About) -> PrintWish:
    """Tell how a body is printed: with the record's DOI and licence on its plate, unless other lines are wanted."""
    assert request.how is not None
    return replace(request.how, lines=about.lines if request.lines is None else request.lines)


def _target(
    folder: Path, request: ModelRequest, known: CataloguedRecord | None = None, key: str = ""
) -> Target:
    return target_in_record(folder, request.name, request.overwrite, known, key)


def _demand_none_under_way(connection: Connection, arguments: Mapping[str, Any], name: str) -> None:
    """Refuse a model of a name that a worker is to make, where one would take the other's place, and very many."""
    open_models = models_asked(connection, str(arguments["record"]))
    other_jobs = [
        job for job in open_models if job.state in ("waiting", "running") and job.arguments != arguments
    ]
    if len(other_jobs) >= MOST_WAITING:
        raise InputError(
            f"{len(other_jobs)} others of this record wait for a worker; ask again when one is done"
        )
    for job in other_jobs:
        if file_name(read_model_request(job.arguments["role"], job.arguments["fields"]).name) == file_name(
            name
        ):
            raise InputError(
                f"job {job.number} makes one of the name {name!r} already; wait for it, or give another “Name”"
            )


def _key(job: Row[Any]) -> str:
    """Name what asked for a model: this job of this catalogue, and no other that has its number."""
    text = json.dumps([job.number, job.asked_by, job.arguments], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _find_made(folder: Path, name: str, key: str) -> str | None:
    """Return the record that holds the model that a job asked for; None where it was not filed."""
    for keeper in dict.fromkeys((place_of_mesh(folder, file_name(name))[0], folder)):
        summary = mesh_part(keeper, file_name(name))
        if summary is not None and summary.get("made", {}).get("for") == key:
            return read_record(keeper).id
    return None
