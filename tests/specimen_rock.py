"""A simulated specimen in a catalogue: a core, a map of its section and a lamella, their true poses as links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from specimen_links import link
from specimen_links import rock as rock_at
from tomarium import formats
from tomarium.catalogue import Catalogue, Reader, file_record, ingest
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.store import write_crate
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Link, Volume
from tomarium.standards.ro_crate import FILENAME, export

ADA = Reader("ada", "member")
CORE, MAP, FIB = "records/core", "records/map", "records/fib"
IN_CORE = np.array([[0, -1, 0, 1e-4], [1, 0, 0, 2e-5], [0, 0, 1, 1.6e-4], [0, 0, 0, 1]], float)
"""Where the map lies in the core: turned by 90 degrees, at a height of 160 µm."""

IN_MAP = np.array([[1, 0, 0, 3e-5], [0, 1, 0, 4e-5], [0, 0, 1, 0], [0, 0, 0, 1]], float)
"""Where the lamella lies in the map."""


@dataclass
class Rock:
    """A catalogue with a core, a map of its section and a stack of a lamella."""

    opened: Catalogue
    home: Path
    links: tuple[Link, ...] = ()


def points_of(size: int, pixel_m: float, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """List where the pixels of a square map lie in the core, shape (row, column, 3), m."""
    y, x = np.meshgrid(np.arange(size) * pixel_m, np.arange(size) * pixel_m, indexing="ij")
    flat = np.stack([x, y, np.zeros_like(x)], axis=-1)
    return np.asarray(flat @ matrix[:3, :3].T + matrix[:3, 3])


def file_image(
    opened: Catalogue, home: Path, id: str, size: int, pixel_m: float, matrix: NDArray[np.float64]
) -> None:
    """File a map of the rock, whose pixels have a size, where it lies in the core."""
    source = home / f"{id}.tif"
    tifffile.imwrite(source, rock_at(points_of(size, pixel_m, matrix)).astype(np.uint8))
    _, folder = make_from_files(source, formats.open(source, pixel_m=pixel_m), Wish(home / id, title=id))
    record = replace(read_record(folder), id=id)
    write_crate(folder / FILENAME, export(record).encode())
    ingest(opened, folder, reader=ADA)


def file_rock(opened: Catalogue, home: Path) -> Rock:
    """File the three images of one specimen, and the links between them as they were made."""
    z, y, x = np.meshgrid(*[np.arange(32) * 1e-5] * 3, indexing="ij")
    values = rock_at(np.stack([x, y, z], axis=-1)).astype(np.float32)
    axes = tuple(Axis(name, 1e-5, 0.0, "m") for name in "zyx")
    (home / "core").mkdir()
    convert(Volume(values, axes), home / "core" / "volume.ome.zarr", to="ome-zarr")
    file_record(home / "core", title="Core", id="core")
    ingest(opened, home / "core", reader=ADA)
    file_image(opened, home, "map", 80, 1e-6, IN_CORE)
    file_image(opened, home, "fib", 100, 2e-8, IN_CORE @ IN_MAP)
    make_entity(opened, ADA, "specimen", "Block of chromitite", {}, "rum-7")
    make_entity(opened, ADA, "specimen", "Core of it", {}, "rum-7-core")
    make_entity(opened, ADA, "specimen", "Lamella", {}, "rum-7-lamella")
    link_specimen(opened, ADA, "rum-7-core", "rum-7", "aliquot")
    link_specimen(opened, ADA, "rum-7-lamella", "rum-7-core", "fib-lift-out")
    for id, specimen in (("core", "rum-7-core"), ("map", "rum-7-core"), ("fib", "rum-7-lamella")):
        edit(opened, ADA, id, Changes(specimen=specimen))
    spread = np.diag([1e-3] * 3 + [2e-6] * 3) ** 2
    one = file_link(opened, ADA, link(MAP, CORE, IN_CORE, spread, id=""))
    other = file_link(
        opened, ADA, link(FIB, MAP, IN_MAP, np.diag([1e-3] * 3 + [2e-7] * 3) ** 2, kind="assumed")
    )
    return Rock(opened, home, (one, other))
