"""A mesh becomes part of a record; of a published one a new record that is derived from it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_whole
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import rewrite
from tomarium.catalogue.filing import PREVIEWS, file_record, refile_below
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.model import Part, Record, Related, Value
from tomarium.standards.ro_crate import FILENAME, export

FOLDER: Final = "meshes"
THUMBNAIL_PIXELS: Final = 512
PAPER: Final = (242, 241, 234)


@dataclass(frozen=True)
class CataloguedRecord:
    """A record that a catalogue knows, and who files something with it."""

    catalogue: Catalogue
    reader: Reader
    id: str


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
    InputError
        The record beside it was published, or is of something else.
    """
    origin = read_record(record)
    keeper = record if origin.publication is None else record.with_name(f"{record.name}-{name}")
    if keeper != record and (keeper / FILENAME).exists():
        beside = read_record(keeper)
        if beside.publication is not None:
            raise InputError(f"{beside.id}: is a published record already; give another --name")
        source = beside.parameters.get("source_record")
        if source is None or source.value != origin.id:
            raise InputError(
                f"{beside.id}: lies in the folder of this name and is no mesh of {origin.id}; give another --name"
            )
    return keeper, keeper / FOLDER / name


def draft_of_mesh(record: Path, name: str) -> Path:
    """Return where the files of a mesh are written before its record gets them: beside it, on the same disk."""
    return record.with_name(f".{record.name}-{name}.partial")


def add_mesh(
    source: Path,
    keeper: Path,
    name: str,
    role: str,
    summary: Mapping[str, Any],
    *,
    draft: Path | None = None,
    known: CataloguedRecord | None = None,
) -> Record:
    """File a mesh with a record.

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
    draft : Path, optional
        Folder of its files, as `draft_of_mesh` gives it, which are moved into the record; by default they are there.
    known : CataloguedRecord, optional
        The source in a catalogue: its crate is then read and written while nobody else writes it, and the rows of the
        record that holds the mesh are brought up to date.

    Returns
    -------
    Record
        The one that holds the mesh now.

    Raises
    ------
    FormatError, InputError
        As `file_record` and `refile_below`; the record was published meanwhile.
    NotAllowed
        It is not this reader's to change.
    """
    part = Part("mesh", f"{FOLDER}/{name}", role, summary=dict(summary))
    if keeper != source:
        record = _derived(source, keeper, read_record(source), part, name, draft)
        if known is not None:
            ingest(known.catalogue, keeper, checksums=False, reader=known.reader)
        return record
    if known is not None:
        return rewrite(
            known.catalogue,
            known.reader,
            known.id,
            "add mesh",
            lambda _connection, record: _added(source, record, part, draft),
            [part.path],
        )
    record = _added(source, read_record(source), part, draft)
    write_whole(source / FILENAME, export(record).encode())
    return record


def _added(folder: Path, record: Record, part: Part, draft: Path | None) -> Record:
    if record.publication is not None:
        raise InputError(
            f"{record.id}: was published meanwhile, so that it does not change; make the mesh again"
        )
    _move(draft, folder / part.path)
    other_parts = tuple(part_before for part_before in record.parts if part_before.path != part.path)
    return refile_below(folder, replace(record, parts=(*other_parts, part)), part.path)


def _move(draft: Path | None, target: Path) -> None:
    """Put the files of a mesh into the record, in the place of those of one that had its name."""
    if draft is None:
        return
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(target)


def _derived(
    source: Path, keeper: Path, source_record: Record, part: Part, name: str, draft: Path | None
) -> Record:
    words = {"print": "Print", "surface": "Surface"}.get(part.role, "Mesh")
    assert source_record.publication is not None
    origin = source_record.publication.doi or source_record.id
    _move(draft, keeper / part.path)
    picture = keeper / part.path / str(part.summary["files"]["png"])
    (keeper / PREVIEWS).mkdir(parents=True, exist_ok=True)
    write_whole(keeper / PREVIEWS / "thumbnail.png", _thumbnail(picture))
    before = (
        read_record(keeper) if (keeper / FILENAME).exists() else None
    )  # what was said of it since is kept
    record = file_record(
        keeper,
        title=before.title if before else f"{words} of {source_record.title}",
        description=before.description
        if before
        else f"{words} made of the volume of “{source_record.title}” ({origin}).",
        creators=before.creators if before else source_record.creators,
        keywords=before.keywords if before else (*source_record.keywords, "mesh"),
        licence=source_record.licence,
        parameters={
            key: value
            for key, value in source_record.parameters.items()
            if key in ("sample_name", "specimen", "voxel_m")
        }
        | {
            "source_record": Value(
                source_record.id, "derived", f"{source.name}: the record whose volume it was made of"
            )
        },
        provenance={"source": {"name": source_record.id}, "mesh": dict(part.summary["figures"])},
        parts=(part,),
    )
    derived = replace(record, related=(Related("IsDerivedFrom", origin),), specimen=source_record.specimen)
    write_whole(keeper / FILENAME, export(derived).encode())
    return derived


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
