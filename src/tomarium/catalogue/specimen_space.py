"""All images of a specimen and of what is related to it, where their pixels lie, and the links between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from tomarium.catalogue import queries
from tomarium.catalogue.entities import ancestors, demand_entity, descendants, entity_of
from tomarium.catalogue.links import links_around, visible_frames
from tomarium.catalogue.queries import Place
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import entities, record_entities, records
from tomarium.errors import InputError, TomariumError
from tomarium.model import Axis, Entity, Link, Record
from tomarium.model.link import Frame, read_frame
from tomarium.model.sentence import Sentence
from tomarium.specimen.image_frame import ImageFrame, frame_of_axes
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.image_channels import groups_of
from tomarium.viewers.shown_image import shown_images
from tomarium.viewers.volume import open_volume, volume_path

MOST_SPECIMENS: Final = 300
MOST_RECORDS: Final = 200
VOXELS_UNKNOWN: Final = "the size of its voxels is not known"
PIXELS_UNKNOWN: Final = "the size of the pixels of %(names)s is not known"
NO_IMAGE: Final = "it has no image or volume"
FOLDER_AWAY: Final = "its folder cannot be read now"


@dataclass(frozen=True)
class Unplaced:
    """A record of the specimen without an image that could be linked.

    Attributes
    ----------
    id, title, reason : str
        Which record it is, and what is missing.
    specimen : str
        Of which specimen it is; "" where none is known.
    """

    id: str
    title: str
    reason: str
    specimen: str = ""


@dataclass(frozen=True)
class Space:
    """What a reader may know of a specimen's images in space.

    Attributes
    ----------
    specimens : tuple of Entity
        Those that hang together by how they were made, with their origins, as the reader sees them.
    images : tuple of ImageFrame
        Those whose pixels have a size.
    unplaced : tuple of Unplaced
        The other records.
    links : tuple of Link
        In use, both ends seen by the reader.
    cut_short : bool
        Whether there are more specimens or records than are listed.
    """

    specimens: tuple[Entity, ...]
    images: tuple[ImageFrame, ...]
    unplaced: tuple[Unplaced, ...]
    links: tuple[Link, ...]
    cut_short: bool = False

    @property
    def frames(self) -> dict[str, str]:
        """Name of each frame → title of its image or name of its specimen."""
        named = {f"specimens/{specimen.id}": specimen.name for specimen in self.specimens}
        return named | {image.frame: image.title for image in self.images}

    def image(self, frame: str) -> ImageFrame | None:
        """Return the image of a frame; None where it has none."""
        return next((image for image in self.images if image.frame == frame), None)


def space_of(connection: Connection, reader: Reader, specimen: str) -> Space:
    """Gather the images of a specimen and of all that hangs together with it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    specimen : str
        Identifier of a specimen.

    Returns
    -------
    Space
        What the reader may see of it.

    Raises
    ------
    InputError
        There is no such specimen that the reader may see.
    """
    held_entity = demand_entity(connection, reader, specimen)
    if held_entity.entity.kind != "specimen":
        raise InputError(
            f"{specimen[:80]}: is a {held_entity.entity.kind}; only specimens have images in space"
        )
    return space_around(connection, reader, [f"specimens/{specimen}"])


def space_around(connection: Connection, reader: Reader, frames: Iterable[str]) -> Space:
    """Gather what hangs together with some frames: by specimens, and by links to records of no specimen."""
    start = [read_frame(frame) for frame in frames]
    seeds = {frame.id for frame in start if frame.kind == "specimens"}
    direct = {frame.id for frame in start if frame.kind == "records"}
    seeds |= set(_specimens_of(connection, direct))
    family = _family(connection, seeds)
    specimens = [
        held_entity.entity
        for id in family[:MOST_SPECIMENS]
        if (held_entity := entity_of(connection, reader, id))
    ]
    of_them = _records_of(connection, reader, [specimen.id for specimen in specimens])
    names = [f"specimens/{specimen.id}" for specimen in specimens] + [
        f"records/{text}" for text in (*direct, *of_them)
    ]
    links = links_around(connection, reader, [*names, *(frame.name for frame in start)])
    ends = [read_frame(end) for link in links for end in (link.from_frame, link.to_frame)]
    # A second image of a record hangs on its own links.
    linked = [end.id for end in ends if end.kind == "records"]
    record_ids = list(dict.fromkeys([*sorted(direct), *sorted(of_them), *sorted(linked)]))
    images: list[ImageFrame] = []
    unplaced: list[Unplaced] = []
    for id in record_ids[:MOST_RECORDS]:
        place = queries.place_of(connection, reader, id)
        if place is None:
            continue
        own = of_them.get(id) or next(iter(_specimens_of(connection, [id])), "")
        visible_specimen = (
            own if visible_frames(connection, reader, [f"specimens/{own}"] if own else []) else ""
        )
        image_frames, reason = images_at(place)
        images += [
            replace(image_frame, specimen=f"specimens/{visible_specimen}" if visible_specimen else "")
            for image_frame in image_frames
        ]
        if reason:
            unplaced.append(Unplaced(id, _title(place, id), reason, visible_specimen))
    cut = len(family) > MOST_SPECIMENS or len(record_ids) > MOST_RECORDS
    return Space(tuple(specimens), tuple(images), tuple(unplaced), tuple(links), cut)


def images_at(place: Place) -> tuple[tuple[ImageFrame, ...], str]:
    """Find the images of a record: those whose pixels have a size, and why there is none or one is left out."""
    try:
        state = (place.folder / FILENAME).stat()
        return _images(place.folder, state.st_mtime_ns, state.st_size)
    except (OSError, TomariumError):
        return (), FOLDER_AWAY


@lru_cache(maxsize=512)
def _images(folder: Path, _changed_ns: int, _bytes: int) -> tuple[tuple[ImageFrame, ...], str]:
    return images_of(read_record(folder), folder)


def images_of(record: Record, folder: Path) -> tuple[tuple[ImageFrame, ...], str]:
    """Find where the pixels of a record's images lie.

    Parameters
    ----------
    record : Record
        Any.
    folder : Path
        Its folder; of a volume the header is read.

    Returns
    -------
    tuple of ImageFrame
        Of a volume, or of each picture that the page of the record offers, those whose pixels have a size.
    str
        Why there is none, or why one is left out; "" where all are there.
    """
    if path := volume_path(record):
        volume = open_volume(folder / path)
        frame = frame_of_axes(f"records/{record.id}", record.title, volume.axes, volume.shape)
        return ((frame,), "") if frame else ((), VOXELS_UNKNOWN)
    shown = shown_images(record)
    groups = [group for group in groups_of(shown) if shown[group[0]].get("column")]
    if not groups:
        return (), NO_IMAGE
    frames, without = [], []
    for number, group in enumerate(groups):
        image = shown[group[0]]
        name = Frame("records", record.id, number).name
        title = record.title if len(groups) == 1 else f"{record.title}: {image['name']}"
        axes = [_axis(image[key], int(image["averaged"])) for key in ("row", "column") if image.get(key)]
        frame = frame_of_axes(name, title, axes, image["shape"][2:4]) if len(axes) == 2 else None
        frames += [frame] if frame else []
        without += [] if frame else [str(image["name"])]
    return tuple(frames), Sentence(PIXELS_UNKNOWN, names=", ".join(without)) if without else ""


def _axis(axis_entry: dict[str, object], averaged: int) -> Axis:
    """Return the axis of the pixels that are shown, each the mean of several of the file."""
    axis = Axis(
        str(axis_entry["name"]),
        float(str(axis_entry["scale"])),
        float(str(axis_entry["offset"])),
        str(axis_entry["unit"]),
    )
    if axis_entry.get("coordinates"):
        return replace(axis, unit="")  # not equally spaced, so that no matrix leads to its pixels
    return replace(axis, scale=axis.scale * averaged, offset=axis.offset + axis.scale * (averaged - 1) / 2)


def _family(connection: Connection, seeds: Iterable[str]) -> list[str]:
    """List the specimens that hang together with some by how they were made, those that others were made from first."""
    specimens = list(dict.fromkeys(seeds))
    while len(specimens) <= MOST_SPECIMENS:
        more = [
            text
            for text in ancestors(connection, specimens) + descendants(connection, specimens)
            if text not in specimens
        ]
        if not more:
            break
        specimens += dict.fromkeys(more)
    return specimens


def _specimens_of(connection: Connection, ids: Iterable[str]) -> list[str]:
    query = (
        select(record_entities.c.entity)
        .join(entities, entities.c.id == record_entities.c.entity)
        .where(record_entities.c.record.in_(sorted(ids)), record_entities.c.chosen == 1)
        .where(entities.c.kind == "specimen")
    )
    return list(connection.execute(query).scalars())


def _records_of(connection: Connection, reader: Reader, ids: list[str]) -> dict[str, str]:
    """Find the records of specimens that a reader may see → the specimen."""
    query = (
        select(records.c.id, record_entities.c.entity)
        .join(record_entities, record_entities.c.record == records.c.id)
        .where(record_entities.c.entity.in_(ids), record_entities.c.chosen == 1, may_see(reader))
        .order_by(records.c.number)
        .limit(MOST_RECORDS + 1)
    )
    return {row.id: row.entity for row in connection.execute(query)} if ids else {}


def _title(place: Place, id: str) -> str:
    try:
        return read_record(place.folder).title
    except TomariumError:
        return id


def find_frame(connection: Connection, reader: Reader, text: str) -> str:
    """Find the frame that somebody means.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    text : str
        Name of a frame, identifier of a record or of a specimen, or the folder of a record.

    Returns
    -------
    str
        Name of a frame that the reader may see.

    Raises
    ------
    InputError
        There is none, or there is a record and a specimen of this identifier.
    """
    id = text
    if (Path(text) / FILENAME).is_file():
        id = f"records/{read_record(Path(text).resolve()).id}"
    names = [id] if id.startswith(("records/", "specimens/")) else [f"records/{id}", f"specimens/{id}"]
    try:
        visible = list(visible_frames(connection, reader, names))
    except InputError as problem:
        if len(names) == 1:
            raise
        raise InputError(f"{text[:80]!r} is no identifier of a record or of a specimen") from problem
    if len(visible) == 2:
        raise InputError(f"{text}: is a record and a specimen; write {visible[0]} or {visible[1]}")
    if not visible:
        raise InputError(
            f"{text[:80]!r} is no record and no specimen of this catalogue; look for it with: tomarium search, or "
            f"tomarium entity list specimen"
        )
    return visible[0]


def find_image(connection: Connection, reader: Reader, text: str) -> ImageFrame:
    """Find the image that somebody means, as `find_frame` does; raises InputError where its pixels have no size."""
    frame = find_frame(connection, reader, text)
    image = space_around(connection, reader, [frame]).image(frame)
    if image is None:
        raise InputError(
            f"{text}: has no image whose pixels have a size, so that no point of it can be told; give the record of an "
            f"image, or its pixel size: tomarium edit"
        )
    return image
