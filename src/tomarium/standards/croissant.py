"""Croissant 1.1 of MLCommons: what programs for learning read of a data set, its files and what is in them.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. It is schema.org's Dataset with more said of
files (FileObject, FileSet) and of their content (RecordSet). A volume is no table, so patches of it are rows: where
each lies, for which split it is, and the address at which it is a NumPy array; and of a published record, whose worker
wrote some into a file, also their values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from tomarium.kernels.patch_places import largest_that_fits, side_by_side
from tomarium.model import FileEntry, Record
from tomarium.standards import patch_file, record_json, schema_org
from tomarium.standards.citation import cite
from tomarium.standards.standard import Standard

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
PATCH: Final = 64
"""Voxels along each side of a patch; halved until the volume has blocks for three splits."""
SMALLEST_PATCH: Final = 8
MOST_PATCHES: Final = 60
"""Patches that are listed, of each split in proportion; tomarium.load draws any others."""
_TAKEN: Final = (
    "name", "description", "url", "identifier", "creator", "keywords", "license", "version", "dateCreated",
    "datePublished", "publisher", "isAccessibleForFree", "conditionsOfAccess", "measurementTechnique",
    "includedInDataCatalog", "sameAs",
)  # fmt: skip
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        word: f"cr:{word}"
        for word in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
            "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
            "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate",
            "separator", "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}  # fmt: skip

Entity = dict[str, Any]


def export(record: Record, address: str = "", catalogue: str = schema_org.UNNAMED) -> str:
    """Write a record as Croissant.

    Parameters
    ----------
    record : Record
        Any record. While its files are not open, neither files nor patches are told.
    address : str, optional
        Address of its page; without it neither files nor patches are told.
    catalogue : str, optional
        Name of the catalogue at that address.

    Returns
    -------
    str
        JSON-LD.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold.
    """
    schema_org_data = json.loads(schema_org.export(record, address, catalogue))
    dataset: Entity = {"@context": _CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS_TO}
    dataset |= {key: schema_org_data[key] for key in _TAKEN if key in schema_org_data}
    dataset["version"] = f"{record.publication.version if record.publication else 0}.0.0"
    dataset["citeAs"] = cite(record, address)
    if schema_org_data.get("isAccessibleForFree") and address:
        files = _files(record, address.rstrip("/"))
        dataset |= {
            "distribution": files,
            "recordSet": list(_record_sets(record, address.rstrip("/"), files)),
        }
    return (
        record_json.to_json(
            {key: content for key, content in dataset.items() if content or content is False}, indent=1
        )
        + "\n"
    )


def table(
    name: str,
    description: str,
    file: str,
    columns: Sequence[tuple[str, str, str]],
    repeated: Sequence[str] = (),
) -> Entity:
    """Describe a table in a file.

    Parameters
    ----------
    name, description : str
        Of the table.
    file : str
        Identifier of the FileObject.
    columns : sequence of (str, str, str)
        Name, Croissant's type ("sc:Text") and a sentence of each.
    repeated : sequence of str
        Names of columns that hold lists.

    Returns
    -------
    dict
        A RecordSet.
    """
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "description": text,
            "dataType": kind,
            "source": {"fileObject": {"@id": quote(file)}, "extract": {"column": column}},
            **({"repeated": True} if column in repeated else {}),
        }
        for column, kind, text in columns
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def context() -> Entity:
    """Return Croissant's @context."""
    return dict(_CONTEXT)


def file_object(id: str, address: str, size: int, media_type: str, sha256: str) -> Entity:
    """Describe a file.

    Parameters
    ----------
    id : str
        Within the document, its path; identifiers have no spaces, so it is written as in an address.
    address : str
        Where it is.
    size : int
        Bytes.
    media_type, sha256 : str
        What it is, and its checksum.

    Returns
    -------
    dict
        A FileObject.
    """
    return {
        "@type": "cr:FileObject",
        "@id": quote(id),
        "name": id,
        "contentUrl": address,
        "contentSize": f"{size} B",
        "encodingFormat": "application/x-parquet" if media_type == patch_file.MEDIA_TYPE else media_type,
        "sha256": sha256,
    }


def _files(record: Record, address: str) -> list[Entity]:
    """Describe the files; of a folder that is one thing, the set of its files as the list of all files has them."""
    singly = [entry for entry in record.files if not entry.path.endswith("/") and entry.path.strip()]
    if len(singly) > schema_org.MOST_FILES:
        singly = [entry for entry in singly if entry.role in ("manifest", "file table", patch_file.ROLE)]
    files = [
        file_object(
            file_entry.path,
            f"{address}/files/{quote(file_entry.path)}",
            file_entry.bytes,
            file_entry.media_type,
            file_entry.sha256,
        )
        for file_entry in singly
    ]
    manifest = _list_of_files(singly)
    if manifest is None:
        return files
    folders = [entry for entry in record.files if entry.path.endswith("/")]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": quote(folder.path),
            "name": folder.path,
            "description": f"{folder.bytes} B; the address of each file is {address}/files/ and its path.",
            "containedIn": {"@id": quote(manifest.path)},
            "encodingFormat": folder.media_type,
            "includes": f"{folder.path}**",
        }
        for folder in folders
    ]
    return [*files, *sets]


def _list_of_files(entries: Sequence[FileEntry]) -> FileEntry | None:
    """Return the text that lists all files: mlcroissant cannot read a table that a set of files is contained in."""
    return next((entry for entry in entries if entry.role == "manifest"), None)


def _record_sets(record: Record, address: str, files: Sequence[Entity]) -> Iterator[Entity]:
    manifest = next((file for file in record.files if file.role == "file table"), None)
    if manifest is not None and any(file["name"] == manifest.path for file in files):
        columns = (
            ("path", "sc:Text", "Path of a file; its address is that of the record, /files/ and the path."),
            ("bytes", "sc:Integer", "Its size."),
        )
        yield table("files", "Every file of the record.", manifest.path, columns)
    shape = record.volume.get("shape")
    if (
        not isinstance(shape, (list, tuple))
        or len(shape) != 3
        or not all(type(n) is int and n > 0 for n in shape)
    ):
        return
    if rows := list(_patches(tuple(shape), address)):
        yield _patch_set(rows)
    if (patches := patch_file.patch_file_of(record)) is not None:
        yield _patch_values(patches)


def _patch_values(patches: patch_file.PatchFile) -> Entity:
    size, counts = patches.size, ", ".join(f"{count} {split}" for split, count in patches.counts.items())
    columns = (
        ("split", "sc:Text", "train, validation or test: between two splits lie gaps as wide as a patch."),
        *((axis, "sc:Integer", f"First voxel along {axis} in the finest level.") for axis in "zyx"),
        (
            "values",
            "sc:Float" if patches.dtype.startswith("float") else "sc:Integer",
            "Grey values, [z][y][x].",
        ),
    )
    description = (
        f"Cubes of {size} voxels with their values ({counts}), as tomarium.load(…).patches({size}, split=…, "
        f"number=…, seed={patches.seed}) draws them."
    )
    entity = table("patch_values", description, patches.entry.path, columns)
    split, *_, values = entity["field"]
    split["dataType"] = ["sc:Text", "cr:Split"]
    values |= {"isArray": True, "arrayShape": f"{size},{size},{size}"}
    return entity


def _patch_set(rows: Sequence[dict[str, Any]]) -> Entity:
    kinds = {
        "split": ("sc:Text", "train, validation or test: between two splits lie gaps as wide as a patch."),
        **{axis: ("sc:Integer", f"First voxel along {axis} in the finest level.") for axis in "zyx"},
        "size": ("sc:Integer", "Voxels along each side."),
        "address": ("sc:URL", "Where the patch is a NumPy array, (z, y, x)."),
    }
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"patches/{name}",
            "name": name,
            "description": description,
            "dataType": [kind, "cr:Split"] if name == "split" else kind,
        }
        for name, (kind, description) in kinds.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "patches",
        "name": "patches",
        "description": "Cubes of the volume for learning, and for which split each is; tomarium.load gives all others.",
        "key": {"@id": "patches/address"},
        "field": fields,
        "data": [{f"patches/{name}": content for name, content in row.items()} for row in rows],
    }


def _patches(shape: tuple[int, ...], address: str) -> Iterator[dict[str, Any]]:
    """List patches, evenly among all that lie side by side in the blocks of the splits."""
    size, blocks = largest_that_fits(shape, PATCH, SMALLEST_PATCH)
    places = [(block.split, place) for block in blocks for place in side_by_side(block, (size,) * 3).tolist()]
    for number in range(min(MOST_PATCHES, len(places))):
        split, place = places[number * len(places) // min(MOST_PATCHES, len(places))]
        spans = "&".join(f"{axis}={low}:{low + size}" for axis, low in zip("zyx", place, strict=True))
        row = dict(zip("zyx", place, strict=True))
        yield {"split": split, **row, "size": size, "address": f"{address}/volume.npy?level=0&{spans}"}


CROISSANT = Standard(
    name="croissant",
    title="Croissant 1.1 (MLCommons)",
    filename="croissant.json",
    media_type="application/ld+json",
    export=export,
    export_in=export,
)
