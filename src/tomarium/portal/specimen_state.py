"""The state with which Neuroglancer shows all volumes of a specimen where they lie in each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tomarium.catalogue.specimen_export import Gathered
from tomarium.errors import InputError
from tomarium.model.link import rows
from tomarium.portal.viewer_state import MOST_LAYERS, Source, make_state, source_of


def specimen_state(
    gathered: Gathered, file: Callable[[str, str], str] | None = None, address: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Make a state with a layer for each volume of a specimen, placed by its matrix.

    Parameters
    ----------
    gathered : Gathered
        What its reader may have of the specimen.
    file : callable, optional
        `file(id, path) -> str`: address of a file of a record; by default below `address`.
    address : str
        Of a portal, without a slash at its end; "" for addresses without host, as a portal's own viewer takes them.

    Returns
    -------
    state : dict
        JSON.
    said : list of str
        What is left out, and what its reader must know.

    Raises
    ------
    InputError
        No volume can be shown.
    """
    named = file or (lambda id, path: f"{address}/records/{id}/files/{quote(path, safe='/')}")
    said: list[str] = []
    sources = []
    for one in gathered.demand_volumes():
        source = source_of(one.record, one.folder, lambda path, id=one.record.id: named(id, path))  # type: ignore[misc]
        if source is None or source.scale_m is None:
            said.append(f"records/{one.record.id} is left out: its OME-Zarr does not tell micrometres")
            continue
        sources.append(replace(source, matrix=rows(one.placed.matrix)))
    kept = _as_many_as_fit(sources, said)
    if not kept:
        raise InputError(f"{gathered.specimen.id}: no volume can be shown: {'; '.join(said)}")
    begun = [one.record.id for one in kept if any(one.start)]
    if begun:
        said.append(
            f"{', '.join(begun)}: the file does not begin at 0, and the state counts on a Neuroglancer that adds the "
            f"place of its first voxel before the matrix, as the one of this portal does; newer ones, which read "
            f"OME-Zarr 0.6, do not"
        )
    return make_state(kept), said


def _as_many_as_fit(sources: Sequence[Source], said: list[str]) -> list[Source]:
    kept: list[Source] = []
    layers = 0
    for one in sources:
        layers += 1 + len(one.labels)
        if layers > MOST_LAYERS:
            said.append(f"records/{one.record.id} is left out: a view has at most {MOST_LAYERS} layers")
            continue
        kept.append(one)
    return kept
