"""A specimen with three volumes that lie in each other in a known way: a block, a cut of it, and a turned core."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from specimen_links import link
from tomarium.catalogue import Catalogue, Reader, file_record, ingest
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.link_request import HowKnown, link_of_pairs
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Volume
from tomarium.specimen.landmarks import Landmark

ADA = Reader("ada", "member")
BLOCK, CUT, CORE = "records/block", "records/cut", "records/core"
SHAPES = {"block": (10, 12, 14), "cut": (5, 6, 7), "core": (6, 5, 4)}
STEPS_M = {"block": (3e-6, 2e-6, 2e-6), "cut": (1e-6, 1e-6, 1e-6), "core": (1e-6, 1e-6, 0.5e-6)}
FIRST_M = {"block": (0.0, 0.0, 0.0), "cut": (2e-6, 0.0, 1e-6), "core": (4e-6, 5e-6, 6e-6)}

IN_BLOCK = {
    "block": np.eye(4),
    "cut": np.array([[1, 0, 0, 3e-6], [0, 1, 0, 4e-6], [0, 0, 1, 5e-6], [0, 0, 0, 1]]),
    "core": np.array([[0, -1, 0, 2e-5], [0, 0, -1, 1.8e-5], [1, 0, 0, 2e-6], [0, 0, 0, 1]], float),
}
"""Matrices for points (x, y, z, 1), m: the cut is shifted alone, the core is turned about two axes."""

POINTS_M = (
    np.array([[0, 0, 0], [2e-6, 0, 0], [0, 4e-6, 0], [0, 0, 5e-6], [2e-6, 4e-6, 5e-6]])
    + FIRST_M["core"][::-1]
)
"""Landmarks in the frame of the core, (x, y, z), m."""


def in_block(id: str, voxel: tuple[float, float, float]) -> np.ndarray:
    """Return where a voxel (column, row, slice) lies in the block, (x, y, z) in m; by hand, not by the code tested."""
    own = [FIRST_M[id][2 - axis] + STEPS_M[id][2 - axis] * voxel[axis] for axis in range(3)]
    return np.asarray((IN_BLOCK[id] @ [*own, 1])[:3])


def file_volumes(opened: Catalogue, home: Path) -> None:
    """File the three volumes of the specimen `rum-8`, and the links between them."""
    make_entity(opened, ADA, "specimen", "Block", {}, "rum-8")
    make_entity(opened, ADA, "specimen", "Core of it", {}, "rum-8-core")
    link_specimen(opened, ADA, "rum-8-core", "rum-8", "aliquot")
    for id, shape in SHAPES.items():
        steps = zip("zyx", STEPS_M[id], FIRST_M[id], strict=True)
        axes = tuple(Axis(name, step, first, "m") for name, step, first in steps)
        (home / id).mkdir()
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        convert(Volume(values, axes), home / id / "volume.ome.zarr", to="ome-zarr")
        file_record(home / id, title=id.title(), id=id)
        ingest(opened, home / id, reader=ADA)
        edit(opened, ADA, id, Changes(specimen="rum-8-core" if id == "core" else "rum-8"))
    file_link(opened, ADA, link(CUT, BLOCK, IN_BLOCK["cut"], id="", kind="measured"))
    points = [
        Landmark(f"Pt-{number}", tuple(one), tuple((IN_BLOCK["core"] @ [*one, 1])[:3]))
        for number, one in enumerate(POINTS_M)
    ]
    file_link(opened, ADA, link_of_pairs(points, CORE, BLOCK, HowKnown(), mirror=True, scale=False))
