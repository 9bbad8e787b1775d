"""The files that are made of a mesh: for printers, for programs, for pages, and a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import __version__
from tomarium.atomic_files import write_json, write_whole
from tomarium.errors import InputError
from tomarium.formats.meshes.glb import glb_bytes
from tomarium.formats.meshes.ply import ply_bytes
from tomarium.formats.meshes.stl import stl_bytes
from tomarium.formats.meshes.three_mf import three_mf_bytes
from tomarium.kernels.decimation import lightened
from tomarium.kernels.mesh_distance import distance_to_mesh
from tomarium.model import Mesh, Record
from tomarium.model.plain_card import PlainCard
from tomarium.standards.citation import cite
from tomarium.standards.licences import address_of
from tomarium.standards.names import name_of
from tomarium.viewers.mesh_picture import mesh_png
from tomarium.viewers.plain_facts import plain_facts, probe_of

PREVIEW_TRIANGLES: Final = 60_000
"""Of the GLB that pages show, some 2 MB; of a body of many tunnels, such as sand, there are more."""
FORMATS: Final = ("3mf", "stl", "ply")
PRINTED: Final = ("volume: shape, voxel_m", "parameter: projections", "parameters: start_time, end_time")
"""Sources of the plain sentences that stand on the sheet of a print: how large, how many pictures, how long."""


@dataclass(frozen=True)
class About:
    """What files of a mesh say of where it comes from; "" for what is not known.

    Attributes
    ----------
    title : str
        Of the record, or the name of the volume.
    description : str
        A paragraph.
    identifier : str
        DOI, or the record's identifier.
    link : str
        Where it is found.
    licence : str
        SPDX identifier.
    creators : str
        Names, with semicolons.
    citation : str
        How it is cited.
    card : PlainCard
        What is told of it in plain words.
    facts : tuple of str
        Plain sentences that follow from the record, few enough for a page.
    probe : str
        What went through it, "X-rays" or "Neutrons"; "" where that is not known.
    """

    title: str
    description: str = ""
    identifier: str = ""
    link: str = ""
    licence: str = ""
    creators: str = ""
    citation: str = ""
    card: PlainCard = field(default_factory=PlainCard)
    facts: tuple[str, ...] = ()
    probe: str = ""

    @property
    def rights(self) -> str:
        """Who made it, and under which licence."""
        return ", ".join(text for text in (self.creators, self.licence or "no licence stated") if text)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is embossed on a plate."""
        return tuple(
            text
            for text in (
                self.identifier or self.title,
                self.licence or ("no licence" if self.identifier else ""),
            )
            if text
        )


def about_of(record: Record) -> About:
    """Tell of a record what its meshes say.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    About
        Its DOI where it has one, else its identifier.
    """
    doi = record.publication.doi if record.publication else ""
    return About(
        title=record.title,
        description=record.description,
        identifier=doi or record.id,
        link=f"https://doi.org/{doi}" if doi else "",
        licence=record.licence,
        creators="; ".join(name_of(person).cited for person in record.creators),
        citation=cite(record),
        card=record.card,
        facts=tuple(fact.text for fact in plain_facts(record) if fact.source in PRINTED),
        probe=probe_of(record),
    )


def write_files(
    folder: Path,
    name: str,
    mesh: Mesh,
    about: About,
    figures: Mapping[str, Any],
    formats: tuple[str, ...] = FORMATS,
) -> dict[str, Any]:
    """Write a mesh in several formats, its preview and picture, and its figures.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    name : str
        Of the files, without an ending.
    mesh : Mesh
        Closed, in mm.
    about : About
        What files say of where it comes from.
    figures : Mapping
        What is stated of it, JSON-ready.
    formats : tuple of str
        Of `FORMATS`; GLB, PNG and JSON are always written.

    Returns
    -------
    dict
        `files` (ending → name), `bytes` (ending → size), `figures`, `preview` (of the GLB: by how much it is enlarged,
        of how many triangles it was made, and how far the corners of the mesh are from it, the farthest and half of
        them, mm), `made`: what a record keeps of it.
    """
    small = lightened(mesh, PREVIEW_TRIANGLES)
    picture = mesh_png(mesh)
    credit_texts = {"title": about.title, "identifier": about.identifier, "rights": about.rights}
    contents: dict[str, bytes] = {"png": picture, "glb": _preview(small, about)}
    if "3mf" in formats:
        contents["3mf"] = three_mf_bytes(mesh, _metadata(about), picture)
    if "stl" in formats:
        contents["stl"] = stl_bytes(mesh, f"{about.identifier} {about.title}".strip())
    if "ply" in formats:
        contents["ply"] = ply_bytes(mesh, credit_texts)
    origin = {"by": f"tomarium {__version__}", "when": datetime.now(UTC).replace(microsecond=0).isoformat()}
    folder.mkdir(parents=True, exist_ok=True)
    for ending, content in contents.items():
        write_whole(folder / f"{name}.{ending}", content)
    summary = {
        "files": {ending: f"{name}.{ending}" for ending in contents},
        "bytes": {ending: len(content) for ending, content in contents.items()},
        "figures": dict(figures),
        "preview": _preview_figures(mesh, small),
        "made": origin,
    }
    write_json(folder / f"{name}.json", {**credit_texts, "link": about.link, **summary})
    return summary


def demand_free(folder: Path, name: str, overwrite: bool) -> None:
    """Refuse to write over files of a mesh, unless that is allowed; raises InputError."""
    names = sorted(path.name for path in _existing(folder, name))
    if names and not overwrite:
        raise InputError(
            f"{folder}: holds {names[0]} already; give another --name or folder, or allow to replace it (--overwrite)"
        )


def file_name(title: str) -> str:
    """Make a name for files of a title: "Tooth of a bear" → "tooth-of-a-bear"."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:40].strip("-") or "mesh"


def licence_words(licence: str) -> str:
    """Say in plain words what a licence allows.

    Parameters
    ----------
    licence : str
        SPDX identifier, or "".

    Returns
    -------
    str
        One or two sentences.
    """
    if not licence:
        return "No licence is stated. Ask the people who made it before you give it to others or change it."
    name = licence.upper()
    if name.startswith(("CC0", "PDDL")):
        return "You may use, change, print, give away and sell it. Naming those who made it is good practice."
    if not name.startswith("CC-BY"):
        return f"Its licence is {licence}: {address_of(licence)}"
    sentence = "You may print it and give it to others if you name those who made it."
    sentence += (
        " You may not publish a changed one." if "-ND" in name else " You may change it if you say so."
    )
    sentence += " You may not earn money with it." if "-NC" in name else ""
    return sentence + (" What you make of it must have the same licence." if "-SA" in name else "")


def _preview(mesh: Mesh, about: About) -> bytes:
    return glb_bytes(mesh, about.title, about.rights, scale=_enlarged(mesh))


def _preview_figures(mesh: Mesh, small: Mesh) -> dict[str, float]:
    """Tell by how much the preview is enlarged, for its true size, and how far it is from the mesh."""
    away = distance_to_mesh(mesh.vertices_mm, small) if small is not mesh else np.zeros(1)
    return {
        "enlarged": _enlarged(small),
        "triangles": len(mesh.faces),
        "farthest": float(away.max()),
        "half": float(np.median(away)),
    }


def _enlarged(mesh: Mesh) -> float:
    """Enlarge what is shown to 100 mm: viewers clip what is much smaller or larger than what one can hold."""
    return 100.0 / max(float((mesh.box_mm[1] - mesh.box_mm[0]).max()), 1e-12)


def _metadata(about: About) -> dict[str, str]:
    return {
        "Title": about.title,
        "Designer": about.creators,
        "Description": " ".join(
            text
            for text in (
                about.description,
                f"Source: {about.link or about.identifier}" if about.identifier else "",
            )
            if text
        ),
        "Copyright": about.citation or about.rights,
        "LicenseTerms": f"{about.licence} {address_of(about.licence)}".strip()
        if about.licence
        else "none stated",
        "CreationDate": datetime.now(UTC).date().isoformat(),
        "Application": f"tomarium {__version__}",
    }


def _existing(folder: Path, name: str) -> Iterator[Path]:
    for ending in (*FORMATS, "glb", "png", "json"):
        if (folder / f"{name}.{ending}").exists():
            yield folder / f"{name}.{ending}"
