"""Aligning two images of a specimen: a job, which a worker does as `tomarium align` does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, select

from tomarium import units
from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.confined_work import confined
from tomarium.catalogue.find_jobs import reader_who_asked
from tomarium.catalogue.job_progress import stage_teller
from tomarium.catalogue.jobs import Ended, add_job, without_folders
from tomarium.catalogue.link_edit import demand_both_ends, file_link
from tomarium.catalogue.link_request import HowKnown, link_of_text
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.specimen_space import images_at
from tomarium.catalogue.store import ObjectPath
from tomarium.catalogue.tables import jobs
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError
from tomarium.model.link import read_frame
from tomarium.specimen.align import align
from tomarium.specimen.alignment import Alignment
from tomarium.specimen.image import Image, image_of_array, read_image
from tomarium.specimen.image_frame import ImageFrame
from tomarium.viewers.image_channels import groups_of
from tomarium.viewers.shown_image import kept_array, shown_images

KIND: Final = "align images"
MOST_WAITING: Final = 5
"""Alignments of a reader that may wait at a time."""

STAGES: Final = {"search": "searching all places", "refine": "refining the best"}
_SHOWN: Final = 5


def ask_to_align(
    catalogue: Catalogue,
    reader: Reader,
    start: str,
    end: str,
    *,
    near: bool = False,
    scale: bool = False,
    known: HowKnown | None = None,
    replaces: str = "",
    beside: bool = False,
) -> int:
    """Ask for two images to be aligned and linked; a worker does it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who may change both.
    start, end : str
        Frames of the image that is laid on the other, and of that other one.
    near, scale : bool
        Whether they lie within 32° of each other with their middles together, and whether a pixel size may be wrong.
    known : HowKnown, optional
        How well two flat images are known to lie in one plane.
    replaces, beside : str, bool
        As `file_link` takes them.

    Returns
    -------
    int
        Number of the job.

    Raises
    ------
    InputError
        There is no such image, or too many wait.
    NotAllowed
        One of the two is not the reader's.
    """
    how_known = known or HowKnown()
    with catalogue.writing() as connection:
        demand_both_ends(connection, reader, start, end)
        for frame in (start, end):
            _place(connection, reader, frame)
        waiting = [
            job for job in alignments_asked(connection, start, end) if job.state in ("waiting", "running")
        ]
        if len(waiting) >= MOST_WAITING:
            raise InputError(
                f"{len(waiting)} alignments of these two wait for a worker; ask again when one is done"
            )
        arguments = {
            "from": start,
            "to": end,
            "near": near,
            "scale": scale,
            "sigma_m": how_known.sigma_m,
            "sigma_rad": how_known.sigma_rad,
            "replaces": replaces,
            "beside": beside,
        }
        return add_job(connection, reader, KIND, arguments)


def alignments_asked(connection: Connection, *frames: str, limit: int = 20) -> list[Row[Any]]:
    """List the alignments that were asked for between frames, the newest first; who may know them is asked before."""
    start, end = (jobs.c.arguments[name].as_string() for name in ("from", "to"))
    asked = (jobs.c.kind == KIND) & start.in_(frames) & end.in_(frames)
    return list(
        connection.execute(select(jobs).where(asked).order_by(jobs.c.number.desc()).limit(limit)).all()
    )


def align_images(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Align two images that somebody asked for, and file the link where it is found; what a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        Of `job`, held by this worker.

    Returns
    -------
    str, str, tuple of str
        "done" with the link or "failed" with the reason and the best candidates, and no record.
    """
    arguments = job.arguments
    start, end = str(arguments["from"]), str(arguments["to"])
    folders: dict[Path, str] = {}
    try:
        with catalogue.reading() as connection:
            reader = reader_who_asked(connection, job)
            demand_both_ends(connection, reader, start, end)
            places = [_place(connection, reader, frame) for frame in (start, end)]
        folders = {folder: read_frame(placed.frame).id for folder, placed in places}
        result = confined(
            align_places,
            *(places, bool(arguments["near"]), bool(arguments["scale"])),
            readable=[folder for folder, _ in places],
            tell=stage_teller(catalogue, job, STAGES),
        )
        if result["refused"]:
            return "failed", without_folders(str(result["refused"]), folders), ()
        how_known = HowKnown(arguments["sigma_m"], arguments["sigma_rad"])
        link = link_of_text(str(result["alignment"]), start, end, how_known)
        filed = file_link(
            catalogue, reader, link, replaces=str(arguments["replaces"]), beside=bool(arguments["beside"])
        )
    except DatabaseUnavailable:
        raise
    except TomariumError as problem:
        return "failed", without_folders(str(problem), folders), ()
    notes = "".join(f"; {without_folders(str(note), folders)}" for note in result["notes"])
    return "done", f"{result['words']}: filed as {filed.id}, version {filed.version}{notes}", ()


def align_places(
    tell: Callable[[str, int, int], None],
    places: Sequence[tuple[Path, ImageFrame]],
    near: bool,
    scale: bool,
) -> dict[str, Any]:
    """Align the image of one record to that of another; what a child does, which knows no catalogue.

    Parameters
    ----------
    tell : callable
        `tell(stage, done, total)`.
    places : sequence of (Path, ImageFrame)
        Folder and frame of the image that is laid on the other, and of that other one.
    near, scale : bool
        As `ask_to_align` takes them.

    Returns
    -------
    dict
        The "alignment" as JSON, "words" and "notes" for who asked; or in "refused" why there is none.

    Raises
    ------
    InputError
        As `read_placed`.
    """
    moving, fixed = (read_placed(*place) for place in places)
    alignment = align(fixed, moving, search="near" if near else "global", scale=scale, on_progress=tell)
    if not alignment.accepted:
        return {"refused": _not_found(alignment, moving)}
    return {
        "refused": "",
        "alignment": json.dumps(alignment.as_data()),
        "words": f"{alignment.answer}, error {units.show(alignment.tre_m, 'm', 3)}",
        "notes": list(alignment.notes),
    }


def _place(connection: Connection, reader: Reader, frame: str) -> tuple[Path, ImageFrame]:
    """Return the folder of a frame's record, which must lie on this machine, and where the pixels of the image lie."""
    kind, id, _ = read_frame(frame)
    place = queries.place_of(connection, reader, id) if kind == "records" else None
    image = None
    if place is not None:
        image = next((image_frame for image_frame in images_at(place)[0] if image_frame.frame == frame), None)
    if place is None or image is None:
        raise InputError(f"{frame} is no image whose pixels have a size; choose two such images to align")
    if not place.open:
        raise NotAllowed(f"{id}: its files are not open to {reader.name}")
    if isinstance(place.folder, ObjectPath):
        raise InputError(f"{id}: lies in S3, where nothing is aligned; download it and use `tomarium align`")
    return place.folder, image


def read_placed(folder: Path, placed: ImageFrame) -> Image:
    """Read an image of a record to align it, in the frame in which links and pages place it.

    Of a plane the pixels that the page shows are taken, channels summed; raises InputError where a volume's file does
    not lie where its record says.
    """
    if not placed.flat:
        image = read_image(folder)
        if not (np.abs(np.array(image.centre_m) - placed.middle_m) <= np.abs(placed.step_m)).all():
            raise InputError(
                f"{read_frame(placed.frame).id}: its file does not lie where the record says; align the file with "
                f"`tomarium align`, and give the link with `tomarium specimen link`"
            )
        return image
    images = shown_images(read_record(folder))
    image_entry = images[groups_of(images)[read_frame(placed.frame).image][0]]
    values = np.asarray(kept_array(folder, image_entry, "map")[...], np.float32).sum(axis=(0, 1))
    steps, first = np.array(placed.step_m), np.array(placed.first_m)
    for axis in (0, 1):  # the same points, counted from the other end
        if steps[axis] < 0:
            values = np.flip(values, 1 - axis)
            first[axis] += steps[axis] * (placed.shape[axis] - 1)
    return image_of_array(
        np.ascontiguousarray(values), [abs(steps[1]), abs(steps[0])], first.tolist(), name=placed.title
    )


def _not_found(alignment: Alignment, moving: Image) -> str:
    """Tell why, and the best candidates: where the middle of the moving image would lie, and how far it is turned."""
    from tomarium.kernels.alignment.rotations import angle_of
    from tomarium.specimen.pose import similarity

    candidates = []
    for candidate in alignment.candidates[:_SHOWN]:
        at = candidate.matrix[:3, :3] @ np.array(moving.centre_m) + candidate.matrix[:3, 3]
        turn = similarity(candidate.matrix)[1]
        degrees = np.rad2deg(angle_of(turn * np.sign(np.linalg.det(turn))))
        candidates.append(
            f"{'mirrored, ' if candidate.mirrored else ''}"
            f"middle at {', '.join(units.show(float(x), 'm', 3) for x in at)}, "
            f"turned by {degrees:.0f}°, {candidate.score:.3f} nats"
        )
    reason = next(
        (note for note in alignment.notes if "best pose" in note or "place" in note), "no pose stands out"
    )
    return f"{alignment.answer}: {reason}. Candidates: {'; '.join(candidates)}"
