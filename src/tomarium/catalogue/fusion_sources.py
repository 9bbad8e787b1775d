"""What is fused, and where its maps lie: files with a link beside them, or records with links of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tomarium import formats
from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.fused_record import Source
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.specimen_space import find_frame, space_around
from tomarium.errors import InputError
from tomarium.model import Axis, Part
from tomarium.model import Image as AnyImage
from tomarium.specimen.alignment_file import as_link_json, is_alignment
from tomarium.specimen.fusion.class_map import class_map
from tomarium.specimen.image import Image, image_of, read_image
from tomarium.specimen.link_file import link_of, read_json
from tomarium.specimen.pose import Pose, inverse, pose_of
from tomarium.specimen.resolve import resolve
from tomarium.standards.ro_crate import FILENAME


def find_sources(
    volume: str,
    maps: Sequence[str],
    links: Sequence[Path],
    *,
    catalogue: Path | None = None,
    pixels: Sequence[str | None] | None = None,
    entries: Sequence[str | None] | None = None,
) -> tuple[Path, list[Source]]:
    """Find a volume and its maps, and where each lies in it.

    Parameters
    ----------
    volume : str
        A file, the folder of a record, or the identifier of one.
    maps : sequence of str
        The same.
    links : sequence of Path
        Files of links, one for each map; none where the catalogue has them.
    catalogue : Path, optional
        Its file; the user's own by default. It is opened only where an identifier or a link is looked up.
    pixels, entries : sequence of str or None, optional
        Of each map: its pixel size, and which image of its file.

    Returns
    -------
    path : Path
        Of the volume.
    sources : list of Source
        The maps, read.

    Raises
    ------
    InputError
        Something is neither a file nor a record, or no link says where a map lies.
    NotConnected
        The links of the catalogue do not lead from a map to the volume.
    """
    opened = None
    absent = [text for text in (volume, *maps) if not Path(text).exists()]
    needed = not links or bool(absent)
    if needed and not links and not any(_is_record(text) for text in (volume, *maps)):
        raise InputError(_no_link(volume, maps[0]))
    try:
        opened = _catalogue(catalogue, absent) if needed else None
        path = _place(opened, volume)
        sources = []
        for number, text in enumerate(maps):
            at = _place(opened, text)
            if links:
                pose, origin = _of_file(links[number], at, path), links[number].name
            else:
                assert opened is not None
                pose, origin = _of_catalogue(opened, text, volume)
            image = _image(at, pixels[number] if pixels else None, entries[number] if entries else None)
            sources.append(Source(class_map(image, pose, text), at, origin))
    finally:
        if opened is not None:
            opened.close()
    return path, sources


def _catalogue(place: Path | None, absent: Sequence[str]) -> Catalogue:
    try:
        return open_catalogue(place, make=False)
    except InputError as problem:
        if not absent:
            raise
        raise InputError(f"{absent[0][:120]}: is no file or folder, and no record: {problem}") from problem


def _is_record(text: str) -> bool:
    path = Path(text)
    return (path / FILENAME).is_file() or not path.exists()


def _no_link(volume: str, map: str) -> str:
    return (
        f"{map}: no link says where it lies in {volume}; find it with: tomarium align {volume} {map} --out link.json, "
        f"then give --link link.json"
    )


def _place(opened: Catalogue | None, text: str) -> Path:
    path = Path(text)
    if path.exists() or opened is None:
        return path
    with opened.reading() as connection:
        folder = queries.folder_of(connection, text)
    if folder is None:
        raise InputError(
            f"{text[:120]}: is no file or folder, and no record of this catalogue ({opened.name}); look for it with: "
            f"tomarium search"
        )
    return folder


def _image(path: Path, pixel_m: str | None, entry: str | None) -> Image:
    """Read a map; of a record its image, whose pixels have the size that the record tells."""
    if not (path / FILENAME).is_file():
        return read_image(path, pixel_m=pixel_m, entry=entry)
    part = next((part for part in read_record(path).parts if part.kind == "image"), None)
    if part is None:
        raise InputError(f"{path}: is a record without an image; give one that holds a map")
    opened = formats.open(path if part.path == "." else path / part.path, pixel_m=pixel_m, entry=entry)
    if not isinstance(opened, AnyImage):
        raise InputError(f"{path}: holds a raw scan and no map")
    return image_of(replace(opened, axes=_axes(opened, part)))


def _axes(opened: AnyImage, part: Part) -> tuple[Axis, ...]:
    """Return the axes of a record's image; where its file has no pixel size, that which was told when it was filed."""
    shown: Mapping[str, Any] = next(iter(part.summary.get("shown", ())), {})
    offsets = {axis["name"]: axis["offset"] for axis in (shown.get("row"), shown.get("column")) if axis}
    axes_by_name = {
        str(axis["name"]): axis for axis in part.axes if axis.get("unit") == "m" and axis.get("step")
    }
    return tuple(
        replace(
            axis,
            scale=float(axes_by_name[axis.name]["step"]),
            offset=float(offsets.get(axis.name, 0.0)),
            unit="m",
        )
        if axis.unit != "m" and axis.name in axes_by_name
        else axis
        for axis in opened.axes
    )


def _of_file(link: Path, map: Path, volume: Path) -> Pose:
    """Read where a map lies; a link that leads the other way is turned round where it names its ends."""
    content: dict[str, Any] = read_json(link)
    if is_alignment(content):
        pose = pose_of(link_of(as_link_json(content, str(link)), str(link)))
        ends = [Path(str(content.get(key, ""))).name for key in ("moving", "fixed")]
        return inverse(pose) if ends == [volume.name, map.name] and map.name != volume.name else pose
    link_read = link_of(content, str(link))
    ends = [
        f"records/{read_record(path).id}" if (path / FILENAME).is_file() else "" for path in (map, volume)
    ]
    backwards = (link_read.from_frame, link_read.to_frame) == (ends[1], ends[0]) and all(ends)
    return inverse(pose_of(link_read)) if backwards else pose_of(link_read)


def _of_catalogue(opened: Catalogue, map: str, volume: str) -> tuple[Pose, str]:
    with opened.reading() as connection:
        try:
            start, end = (find_frame(connection, LOCAL_OWNER, text) for text in (map, volume))
        except InputError as problem:
            raise InputError(f"{problem}. {_no_link(volume, map)}") from problem
        space = space_around(connection, LOCAL_OWNER, [start, end])
    image = space.image(start)
    middle = (0.0, 0.0, 0.0) if image is None else image.middle_m
    resolved = resolve(space.links, start, end, middle)
    return resolved.pose, " → ".join(step.link.id for step in resolved.path)
