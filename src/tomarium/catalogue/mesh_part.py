"""A mesh becomes part of a record; of a published one a new record that is derived from it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_whole
from tomarium.catalogue.filing import PREVIEWS, file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.model import Part, Record, Related, Value
from tomarium.standards.ro_crate import FILENAME, export

FOLDER: Final = "meshes"
THUMBNAIL_PIXELS: Final = 512
PAPER: Final = (242, 241, 234)


def place_of_mesh(record: Path, name: str) -> tuple[Path, Path]:
    """Tell where a mesh of a record goes.

    Parameters
    ----------
    record : Path
        Folder of a record.
    name : str
        Of the mesh.

    Returns
    -------
    tuple of Path
        The folder of the record that gets it (of a published record a new one beside it), and that of the mesh.

    Raises
    ------
    FormatError
        The folder is no record.
    """
    keeper = record
    if read_record(record).publication is not None:
        keeper = record.with_name(f"{record.name}-{name}")
        if (keeper / FILENAME).exists() and read_record(keeper).publication is not None:
            raise InputError(f"{keeper}: is a published record already; give another --name")
    return keeper, keeper / FOLDER / name


def add_mesh(source: Path, keeper: Path, name: str, role: str, summary: Mapping[str, Any]) -> Record:
    """File a mesh that lies in a record's folder.

    Parameters
    ----------
    source : Path
        Folder of the record whose volume the mesh was made of.
    keeper : Path
        As `place_of_mesh` gives it.
    name : str
        Of the mesh; one of the same name is replaced.
    role : str
        "surface" or "print".
    summary : Mapping
        As `write_files` gives it.

    Returns
    -------
    Record
        The one that holds the mesh now.

    Raises
    ------
    FormatError, InputError
        As `file_record`.
    """
    part = Part("mesh", f"{FOLDER}/{name}", role, summary=dict(summary))
    known = read_record(source)
    if keeper == source:
        return _added(source, known, part)
    return _derived(source, keeper, known, part, name)


def _added(folder: Path, known: Record, part: Part) -> Record:
    others = tuple(one for one in known.parts if one.kind != "volume" and one.path != part.path)
    return file_record(
        folder,
        id=known.id,
        title=known.title,
        created=known.created,
        description=known.description,
        creators=known.creators,
        keywords=known.keywords,
        licence=known.licence,
        parameters=known.parameters,
        volume=known.volume,
        provenance=known.provenance,
        parts=(*others, part),
    )


def _derived(source: Path, keeper: Path, known: Record, part: Part, name: str) -> Record:
    words = {"print": "Print", "surface": "Surface"}.get(part.role, "Mesh")
    assert known.publication is not None
    origin = known.publication.doi or known.id
    picture = keeper / part.path / str(part.summary["files"]["png"])
    (keeper / PREVIEWS).mkdir(parents=True, exist_ok=True)
    write_whole(keeper / PREVIEWS / "thumbnail.png", _thumbnail(picture))
    record = file_record(
        keeper,
        title=f"{words} of {known.title}",
        description=f"{words} made of the volume of “{known.title}” ({origin}).",
        creators=known.creators,
        keywords=(*known.keywords, "mesh"),
        licence=known.licence,
        parameters={
            key: value
            for key, value in known.parameters.items()
            if key in ("sample_name", "specimen", "voxel_m")
        }
        | {
            "source_record": Value(
                known.id, "derived", f"{source.name}: the record whose volume it was made of"
            )
        },
        provenance={"source": {"name": known.id}, "mesh": dict(part.summary["figures"])},
        parts=(part,),
    )
    told = replace(record, related=(Related("IsDerivedFrom", origin),), specimen=known.specimen)
    write_whole(keeper / FILENAME, export(told).encode())
    return told


def _thumbnail(picture: Path) -> bytes:
    """Lay a picture with a clear background on paper."""
    from PIL import Image as Pillow

    with Pillow.open(picture) as opened:
        drawn = opened.convert("RGBA")
    drawn.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    sheet = Pillow.new("RGBA", drawn.size, (*PAPER, 255))
    sheet.alpha_composite(drawn)
    target = BytesIO()
    sheet.convert("RGB").save(target, "PNG")
    return target.getvalue()


def remove_mesh(folder: Path) -> None:
    """Remove the folder of a mesh that is to be replaced; nothing where there is none."""
    if folder.is_dir():
        shutil.rmtree(folder)
