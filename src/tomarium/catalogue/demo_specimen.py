"""A specimen that does not exist, to try things on: five records of it, and links as its images truly lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import formats
from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_folder import read_record
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Image, Link, Person, Value, Volume
from tomarium.model.link import rows
from tomarium.specimen.pose import apply
from tomarium.standards import panet
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.synth.rock_images import RockImage, in_each_other, rock_images

NAME: Final = "pallasite"
FOLDER: Final = "images"
SPECIMENS: Final = {
    "block": ("Block of a pallasite that does not exist", "", ""),
    "core": ("Core of the block", "block", "aliquot"),
    "section": ("Polished section of the block", "block", "polished"),
    "second-section": ("Second polished section of the block", "block", "polished"),
    "lamella": ("Lamella from the core", "core", "fib-lift-out"),
}
"""Specimen → its name, and from which it was made how."""

OF: Final = {"ct": "block", "core-ct": "core", "eds": "section", "ebsd": "second-section", "fib": "lamella"}
"""Image → specimen. The counts of silicon are a file alone: the section is aligned by them."""

TECHNIQUE: Final = {
    "ct": "PaNET01208",
    "core-ct": "PaNET01208",
    "eds": "EDS",
    "ebsd": "EBSD",
    "fib": "FIB-SEM",
}
"""Image → how it would be made: a term of PaNET, or a word where that has none."""

LINKED: Final = {"core-ct": "ct", "ebsd": "ct", "fib": "core-ct"}
"""Image → in which its place is known already; that of the EDS map is left to be found."""

_SIGMA_PX: Final = 0.3
_SIGMA_RAD: Final = 2e-3


def make_demo_specimen(
    opened: Catalogue, folder: Path, *, edge: int = 48, tell: Callable[[str, int, int], None] | None = None
) -> list[str]:
    """Draw images of a rock, write them as files, and file records of them with their specimens and links.

    Parameters
    ----------
    opened : Catalogue
        In which they are filed.
    folder : Path
        Gets `images/` with a file for each, and `records/`.
    edge : int
        Voxels of the block's CT along each axis.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    list of str
        Identifiers of the records, the CT of the block first. Records that are there already are left as they are.
    """
    say = tell or (lambda stage, done, total: None)
    with opened.reading() as connection:
        exists = queries.folder_of(connection, f"{NAME}-ct") is not None
    if exists:
        return [f"{NAME}-{name}" for name in OF]
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    images: dict[str, RockImage] = {}
    for number, image in enumerate(rock_images(edge)):
        images[image.name] = image
        path = _write(image, folder / FOLDER)
        if image.name in OF:
            _file(opened, image, path, folder / "records")
        say("images", number + 1, len(OF) + 1)
    for id, (name, origin, how) in SPECIMENS.items():
        make_entity(opened, LOCAL_OWNER, "specimen", name, {}, f"{NAME}-{id}")
        if origin:
            link_specimen(opened, LOCAL_OWNER, f"{NAME}-{id}", f"{NAME}-{origin}", how)
    for image_name, specimen in OF.items():
        changes = _changes_of(TECHNIQUE[image_name], f"{NAME}-{specimen}")
        edit(opened, LOCAL_OWNER, f"{NAME}-{image_name}", changes)
    for image_name, into in LINKED.items():
        file_link(opened, LOCAL_OWNER, _link(images[image_name], images[into]))
    return [f"{NAME}-{name}" for name in OF]


def _changes_of(technique: str, specimen: str) -> Changes:
    changes = Changes(specimen=specimen, creators=(Person("tomarium"),), licence="CC0-1.0")
    if technique in panet.terms():
        return replace(changes, techniques=(technique,))
    return replace(changes, parameters={"technique": Value(technique, "user", "simulated as by it")})


def _write(image: RockImage, folder: Path) -> Path:
    """Write an image to a file of its own, over one that is there."""
    names = "zyx"[-image.values.ndim :]
    axes = tuple(
        Axis(name, step, image.first * step, "m") for name, step in zip(names, image.step_m, strict=True)
    )
    if image.values.ndim == 3:
        path = folder / f"{image.name}.ome.zarr"
        convert(Volume(image.values, axes, name=image.name), path, to="ome-zarr", overwrite=True)
    else:
        path = folder / f"{image.name}.nxs"
        unit = "counts" if image.name == "si" else ""
        convert(Image(image.values, axes, unit, image.name), path, overwrite=True)
    return path


def _file(opened: Catalogue, image: RockImage, path: Path, records: Path) -> None:
    id, opened_file = f"{NAME}-{image.name}", formats.open(path)
    folder = records / id
    if isinstance(opened_file, Volume):
        folder.mkdir(parents=True)
        convert(opened_file, folder / "volume.ome.zarr", to="ome-zarr")
        file_record(folder, title=image.title, id=id, description=_described(image))
    else:
        _, folder = make_from_files(path, opened_file, Wish(records, title=image.title, copy=True))
        record = replace(read_record(folder), id=id, description=_described(image))
        (folder / FILENAME).write_bytes(export(record).encode())
    ingest(opened, folder)


def _described(image: RockImage) -> str:
    return f"{image.title}: simulated, of a rock of olivine, iron, sulphide and pores that does not exist."


def _link(image: RockImage, parent_image: RockImage) -> Link:
    matrix = in_each_other(image, parent_image)
    middle = [(n - 1) / 2 * step for n, step in zip(image.values.shape, image.step_m, strict=True)][::-1]
    x, y, z = apply(matrix, np.array([*middle, 0.0][:3])).tolist()
    spread: Any = np.diag([_SIGMA_RAD] * 3 + [_SIGMA_PX * max(image.step_m)] * 3) ** 2
    return Link(
        f"records/{NAME}-{image.name}",
        f"records/{NAME}-{parent_image.name}",
        rows(matrix),
        rows(spread),
        centre_m=(x, y, z),
        kind="measured",
        method="simulated: where it truly lies",
    )
