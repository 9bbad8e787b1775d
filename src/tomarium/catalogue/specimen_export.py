"""A whole specimen for other programs: landmarks of BigWarp, MoBIE, OME-Zarr in one frame, and an RO-Crate.

What a reader may not see is not told, and volumes whose files are not open to the reader are left out by name.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tomarium.atomic_files import write_json
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.same_sample import standing_claims
from tomarium.catalogue.specimen_space import Space, find_frame, space_of
from tomarium.catalogue.specimen_tree import space_json
from tomarium.errors import CannotFit, FormatError, InputError, TomariumError
from tomarium.model import Entity, Link, Record
from tomarium.model.link import read_frame
from tomarium.model.same_sample import SameSampleClaim
from tomarium.specimen import mobie, scene
from tomarium.specimen.landmarks import Landmark, write_landmarks
from tomarium.specimen.link_file import link_json
from tomarium.specimen.placed import Placed, common_frame, place_images, placed_words, scale_and_shift
from tomarium.standards.ro_crate import FILENAME
from tomarium.standards.specimen_crate import export_specimen
from tomarium.viewers.place import place_of as inside
from tomarium.viewers.volume import volume_path, volume_window

_SPARE_BYTES: Final = 64 << 20


@dataclass(frozen=True, eq=False)
class PlacedVolume:
    """A volume whose files the reader may have, in the frame that all share.

    Attributes
    ----------
    placed : Placed
        Where it lies.
    record : Record
        Whose it is.
    folder : Path
        Of the record.
    path : str
        Of its OME-Zarr folder below that, without a slash at its end.
    """

    placed: Placed
    record: Record
    folder: Path
    path: str


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a reader may take of a specimen.

    Attributes
    ----------
    specimen : Entity
        The specimen.
    space : Space
        Its images and links, as the reader may see them.
    records : tuple of Record
        Of it and of those it hangs together with.
    frame : str
        Name of the frame that the volumes share.
    volumes : tuple of PlacedVolume
        The largest first.
    left_out : tuple of str
        What is not among the volumes, with the reason, a sentence each.
    claims : tuple of SameSampleClaim
        That its specimens are the same samples as some elsewhere; those that stand.
    """

    specimen: Entity
    space: Space
    records: tuple[Record, ...]
    frame: str
    volumes: tuple[PlacedVolume, ...]
    left_out: tuple[str, ...]
    claims: tuple[SameSampleClaim, ...]

    def demand_volumes(self) -> tuple[PlacedVolume, ...]:
        """Return the volumes; raises InputError where there is none."""
        if not self.volumes:
            reasons = "; ".join(self.left_out[:4]) or "say which records are of it: tomarium specimen add"
            raise InputError(f"{self.specimen.id}: no volume can be placed in {self.frame}: {reasons}")
        return self.volumes


def gather(connection: Connection, reader: Reader, specimen: str, frame: str = "") -> Gathered:
    """Gather what a reader may take of a specimen.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who takes it.
    specimen : str
        Identifier of the specimen.
    frame : str
        Image or specimen in whose frame the volumes are to lie; by default the specimen's own where a link leads to it,
        else the largest image's.

    Returns
    -------
    Gathered
        As the reader may see it.

    Raises
    ------
    InputError
        There is no such specimen or frame that the reader may see.
    """
    space = space_of(connection, reader, specimen)
    own = f"specimens/{specimen}"
    shared = find_frame(connection, reader, frame) if frame else common_frame(own, space.links, space.images)
    placed, left_out = place_images(space.links, space.images, shared)
    gaps = {unplaced.id: unplaced.reason for unplaced in space.unplaced}
    records: dict[str, Record] = {}
    volumes = []
    for id in dict.fromkeys([*(read_frame(image.frame).id for image in space.images), *gaps]):
        place = place_of(connection, reader, id)
        if place is None:
            continue
        try:
            records[id] = read_record(place.folder)
        except TomariumError as problem:
            left_out.append(f"records/{id} is left out: its folder cannot be read ({problem})")
            continue
        own_place = next(
            (placed_image for placed_image in placed if placed_image.image.frame == f"records/{id}"), None
        )
        path = volume_path(records[id])
        if id in gaps:
            left_out.append(f"records/{id} is left out: {gaps[id]}")
        elif path is None:
            left_out.append(f"records/{id} is left out: it is a picture, no OME-Zarr volume")
        elif not place.open:
            left_out.append(f"records/{id} is left out: its files are not open")
        elif inside(place.folder, path) is None:
            left_out.append(f"records/{id} is left out: {path} is not in its folder, or a link leads to it")
        elif own_place is not None:
            volumes.append(PlacedVolume(own_place, records[id], place.folder, path))
    volumes.sort(key=lambda volume: (-volume.placed.size_m, volume.record.id))
    itself = next(entity for entity in space.specimens if entity.id == specimen)
    claims = tuple(
        claim for specimen in space.specimens for claim in standing_claims(connection, specimen.id)
    )
    return Gathered(itself, space, tuple(records.values()), shared, tuple(volumes), tuple(left_out), claims)


def export_bigwarp(gathered: Gathered, out: Path, unit: str = "um") -> list[str]:
    """Write the landmarks of each link that has some as BigWarp reads them, into a new folder.

    Parameters
    ----------
    gathered : Gathered
        Of a specimen.
    out : Path
        The folder.
    unit : str
        Of the coordinates; BigWarp takes them in the unit of the images it shows.

    Returns
    -------
    list of str
        What each file holds, and which links have none.
    """
    links = [link for link in gathered.space.links if link.landmarks]
    if not links:
        raise InputError(
            f"{gathered.specimen.id}: none of its {len(gathered.space.links)} links was made from landmarks; choose "
            f"some on the page of its links, or import them: tomarium specimen import-landmarks"
        )
    notes = []
    with _new_folder(out) as folder:
        for link in links:
            name = f"{link.id}.csv"
            points = [Landmark(landmark.name, landmark.from_m, landmark.to_m) for landmark in link.landmarks]
            ends = [gathered.space.image(end) for end in (link.from_frame, link.to_frame)]
            flat = all(end is not None and end.flat for end in ends)
            write_landmarks(folder / name, points, unit, flat=flat)
            notes.append(
                f"{out / name}: {len(points)} landmarks in {unit}, moving {link.from_frame}, fixed {link.to_frame}"
            )
    without_landmarks = [link.id for link in gathered.space.links if not link.landmarks]
    return notes + (
        [f"without landmarks, left out: {', '.join(without_landmarks)}"] if without_landmarks else []
    )


def export_mobie(gathered: Gathered, out: Path) -> list[str]:
    """Write a MoBIE project that shows the volumes, where their files lie, in one frame; returns what was written."""
    volumes = gathered.demand_volumes()
    dataset = gathered.specimen.id
    sources = [
        mobie.MobieSource(
            volume.record.id,
            os.path.relpath(volume.folder / volume.path, (out / dataset).absolute()).replace(os.sep, "/"),
            f"{volume.record.title}, in {gathered.frame}, {placed_words(volume.placed)}",
            volume.placed.matrix,
            volume_window(volume.record, volume.folder),
        )
        for volume in volumes
    ]
    with _new_folder(out) as folder:
        (folder / dataset).mkdir()
        title = f"{gathered.specimen.name} ({gathered.specimen.id})"
        write_json(folder / "project.json", mobie.project_json(dataset, title))
        write_json(folder / dataset / "dataset.json", mobie.dataset_json(sources, title))
    return [
        f"{out}: a MoBIE project of {len(sources)} volumes in {gathered.frame}; it points to their files here"
    ]


def export_ome_zarr(gathered: Gathered, out: Path, *, with_matrices: bool = False) -> list[str]:
    """Write copies of the volumes into one Zarr group, so that they lie in one frame.

    Parameters
    ----------
    gathered : Gathered
        Of a specimen.
    out : Path
        The group, a new folder.
    with_matrices : bool
        Whether to write OME-Zarr 0.6 (RFC-5), which holds any matrix; else 0.5, where a volume that is turned in the
        shared frame is left out.

    Returns
    -------
    list of str
        What was written, and what was left out.

    Raises
    ------
    InputError
        No volume could be written.
    CannotFit
        The disk has no room for the copies.
    """
    writable, notes = [], []
    for demand_volume in gathered.demand_volumes():
        try:
            document = _zarr_json(demand_volume.folder / demand_volume.path)
            scene.demand_micrometres(
                document["attributes"]["ome"], f"{demand_volume.record.id}/{demand_volume.path}"
            )
        except FormatError as problem:
            notes.append(f"records/{demand_volume.record.id} is left out: {problem}")
            continue
        if not with_matrices and scale_and_shift(demand_volume.placed) is None:
            notes.append(
                f"records/{demand_volume.record.id} is left out: it is turned or mirrored in "
                f"{gathered.frame}, which OME-Zarr "
                f"0.5 cannot say; write its matrix with --rfc5, or take it as the frame: --in {demand_volume.record.id}"
            )
            continue
        writable.append(demand_volume)
    if not writable:
        raise InputError(f"{gathered.specimen.id}: no volume can be written: {'; '.join(notes)}")
    _demand_room(out, [placed_volume.folder / placed_volume.path for placed_volume in writable])
    attributes: dict[str, Any] = {}
    with _new_folder(out) as folder:
        for placed_volume in writable:
            shutil.copytree(
                placed_volume.folder / placed_volume.path, folder / placed_volume.record.id, symlinks=True
            )
            _place_copy(folder / placed_volume.record.id, None if with_matrices else placed_volume.placed)
            version = scene.WITH_MATRICES if with_matrices else scene.VERSION
            notes.insert(0, f"{out / placed_volume.record.id}: OME-Zarr {version} in {gathered.frame}")
        if with_matrices:
            attributes["ome"] = scene.scene(
                gathered.frame,
                {placed_volume.record.id: placed_volume.placed.matrix for placed_volume in writable},
            )
        write_json(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})
    return notes


def export_crate(gathered: Gathered, out: Path, written: datetime, address: str = "") -> list[str]:
    """Write an RO-Crate of the specimen into a new folder: its tree, its records by identifier, its links as files."""
    links: dict[str, Link] = {f"links/{link.id}.json": link for link in gathered.space.links}
    files = {"specimen.json": _bytes(space_json(gathered.space))}
    files |= {path: _bytes(link_json(link)) for path, link in links.items()}
    text = export_specimen(
        gathered.specimen,
        gathered.space.specimens,
        gathered.records,
        links,
        files,
        written,
        address,
        gathered.claims,
    )
    with _new_folder(out) as folder:
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
        (folder / FILENAME).write_text(text, encoding="utf-8")
    return [f"{out}: an RO-Crate of {len(gathered.records)} records and {len(links)} links"]


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Fill a folder beside its place, and put it there when it is whole."""
    if out.exists():
        raise InputError(f"{out}: exists already; give another name")
    part = out.with_name(f"{out.name}.part-{os.getpid()}")
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _demand_room(out: Path, sources: list[Path]) -> None:
    size = sum(file.stat().st_size for source in sources for file in source.rglob("*") if file.is_file())
    standing = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(standing).free
    if size + _SPARE_BYTES > free:
        raise CannotFit(
            f"{out}: the copies take {size / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free; write elsewhere"
        )


def _place_copy(folder: Path, placed: Placed | None) -> None:
    """Write the metadata of an image and of its labels anew; all of one version."""
    for group in (folder, *(path.parent for path in sorted((folder / "labels").glob("*/zarr.json")))):
        _place(group, placed)
    list_of_labels = folder / "labels" / "zarr.json"
    if placed is None and list_of_labels.is_file():
        document = json.loads(list_of_labels.read_text(encoding="utf-8"))
        document["attributes"]["ome"]["version"] = scene.WITH_MATRICES
        write_json(list_of_labels, document)


def _place(group: Path, placed: Placed | None) -> None:
    """Write the metadata of an image anew: where it lies in the shared frame, or its own system by name."""
    document = _zarr_json(group)
    ome = document["attributes"]["ome"]
    if placed is None:
        metadata = scene.with_systems(ome)
    else:
        scale_shift = scale_and_shift(placed)
        assert scale_shift is not None  # those that are turned were left out
        metadata = scene.moved(ome, *scale_shift)
    document["attributes"] = {**document["attributes"], "ome": metadata}
    document.pop("consolidated_metadata", None)  # it repeats what changed
    write_json(group / "zarr.json", document)


def _zarr_json(group: Path) -> dict[str, Any]:
    try:
        document = json.loads((group / "zarr.json").read_text(encoding="utf-8"))
        document["attributes"]["ome"]["multiscales"][0]["datasets"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as problem:
        raise FormatError(
            f"{group.name}: is no OME-Zarr 0.5 image ({type(problem).__name__}: {problem}); convert it with tomarium "
            f"convert --to ome-zarr"
        ) from problem
    return dict(document)


def _bytes(data: Any) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
