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
    warnings: list[str] = []
    sources = []
    for volume in gathered.demand_volumes():
        source = source_of(volume.record, volume.folder, lambda path, id=volume.record.id: named(id, path))  # type: ignore[misc]
        if source is None or source.scale_m is None:
            warnings.append(f"records/{volume.record.id} is left out: its OME-Zarr does not tell micrometres")
            continue
        sources.append(replace(source, matrix=rows(volume.placed.matrix)))
    fitting = _as_many_as_fit(sources, warnings)
    if not fitting:
        raise InputError(f"{gathered.specimen.id}: no volume can be shown: {'; '.join(warnings)}")
    begun = [source.record.id for source in fitting if any(source.start)]
    if begun:
        warnings.append(
            f"{', '.join(begun)}: the file does not begin at 0, and the state counts on a Neuroglancer that adds the "
            f"place of its first voxel before the matrix, as the one of this portal does; newer ones, which read "
            f"OME-Zarr 0.6, do not"
        )
    return make_state(fitting), warnings


def _as_many_as_fit(sources: Sequence[Source], warnings: list[str]) -> list[Source]:
    fitting: list[Source] = []
    layers = 0
    for source in sources:
        layers += 1 + len(source.labels)
        if layers > MOST_LAYERS:
            warnings.append(
                f"records/{source.record.id} is left out: a view has at most {MOST_LAYERS} layers"
            )
            continue
        fitting.append(source)
    return fitting
