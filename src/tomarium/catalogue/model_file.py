"""The page with a model of a record's mesh, or of a mesh file: which mesh, how far it was simplified, what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import __version__, units
from tomarium.catalogue.mesh_files import about_of
from tomarium.errors import InputError
from tomarium.formats.meshes.glb import read_own_glb
from tomarium.formats.meshes.read_mesh import read_mesh
from tomarium.kernels.decimation import decimate
from tomarium.kernels.mesh_distance import distance_to_mesh
from tomarium.model import Mesh, Part, Record
from tomarium.standards.licences import address_of
from tomarium.viewers.meshes import suits
from tomarium.viewers.model_page import ModelWords, model_page, rounded_to_grid
from tomarium.viewers.viewer import ENGLISH, decimal

TRIANGLES: Final = 100_000
"""Of a page, by default: a megabyte or so, which a phone draws smoothly."""
READ: Final = ("ply", "stl")
"""Files of a record's mesh that hold it at its true size, the best first."""
MOST_GLB_BYTES: Final = 256 << 20
DRAFT: Final = (
    "A draft: when this page was written the record was not published, and it may still change. It is no source to "
    "cite yet."
)
PUBLISHED: Final = "Published on %(day)s."
EMBARGOED: Final = "Published on %(day)s; its files, and so this page, are under embargo until %(until)s."
WITHDRAWN: Final = "Published on %(day)s and withdrawn on %(until)s: its files are not given any more."
UNCHANGED: Final = "All triangles of the mesh; no corner was moved by more than %(most)s."
SIMPLIFIED: Final = (
    "Simplified from %(before)s to %(after)s triangles: no corner of the finer mesh is farther than %(most)s from this "
    "surface, and half of them are within %(half)s."
)
WORDS: Final = (DRAFT, PUBLISHED, EMBARGOED, WITHDRAWN, UNCHANGED, SIMPLIFIED)
"""What the page is given in its language."""


def mesh_part(record: Record, path: str = "") -> Part:
    """Find the mesh of a record that a model is made of.

    Parameters
    ----------
    record : Record
        Any.
    path : str
        Of the part; "" for the first surface.

    Returns
    -------
    Part
        A mesh of the specimen's size.

    Raises
    ------
    InputError
        The record has none, or none of that path, or only prints, which are enlarged and have thicker walls.
    """
    meshes = [part for part in record.parts if suits(part)]
    found = [part for part in meshes if part.role != "print" and path in ("", part.path)]
    if found:
        return found[0]
    if any(part.path == path for part in meshes):
        raise InputError(
            f"{record.id}: {path} is a print, enlarged and with thicker walls; a model shows the specimen as it is: "
            f"take a mesh of `tomarium mesh {record.id}`"
        )
    raise InputError(
        f"{record.id}: has no mesh{f' {path[:80]!r}' if path else ''} to show; make one first: "
        f"`tomarium mesh {record.id}`"
    )


def page_of_record(
    record: Record,
    folder: Path,
    part: Part,
    triangles: int = TRIANGLES,
    language: str = "en",
    translations: NullTranslations = ENGLISH,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> str:
    """Write the page of a record's mesh, simplified from the finest file that there is of it.

    Parameters
    ----------
    record : Record
        With this part.
    folder : Path
        Its folder.
    part : Part
        As `mesh_part` gives it.
    triangles : int
        At most.
    language, translations : str, gettext.NullTranslations
        Of the page.
    tell : callable
        `tell(tried, all tries)` while it is simplified.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        None of its files can be read, or so few triangles cannot be reached.
    FormatError
        The file is damaged.
    EngineUnavailable
        The packages of the extra `mesh` are not installed.
    """
    names: Mapping[str, Any] = part.summary["files"]
    paths = [folder / part.path / names[ending] for ending in READ if ending in names]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise InputError(
            f"{record.id}: of the mesh {part.path} neither PLY nor STL is there, which hold it at its true size; "
            f"make it again: `tomarium mesh {record.id} --overwrite`"
        )
    words = replace(words_of(record, translations), length_unit=_unit(part))
    return page_of_mesh(read_mesh(path), words, triangles, language, translations, tell)


def page_of_preview(
    record: Record,
    folder: Path,
    part: Part,
    language: str = "en",
    translations: NullTranslations = ENGLISH,
) -> str:
    """Write the page of a record's mesh from the preview that lies beside it: at once, and without further packages.

    Parameters
    ----------
    record, folder, part, language, translations
        As for `page_of_record`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        The mesh was made before previews told their size.
    FormatError
        The preview is damaged.
    """
    preview, path = part.summary.get("preview"), folder / part.path / str(part.summary["files"].get("glb"))
    if not has_preview(part) or not isinstance(preview, Mapping) or not path.is_file():
        raise InputError(f"{record.id}: the mesh {part.path} has no preview of known size; make it again")
    if path.stat().st_size > MOST_GLB_BYTES:
        raise InputError(f"{record.id}: the preview of {part.path} has more than {MOST_GLB_BYTES >> 20} MiB")
    mesh = read_own_glb(path.read_bytes(), float(preview["enlarged"]))
    accuracy = _accuracy(
        preview["triangles"],
        len(mesh.faces),
        (float(preview["farthest"]), float(preview["half"])),
        _unit(part),
        translations,
    )
    words = replace(words_of(record, translations), length_unit=_unit(part), accuracy=accuracy)
    return model_page(mesh, words, language, translations)


def has_preview(part: Part) -> bool:
    """Tell whether a page can be made of a part's preview: of a mesh, no print, whose preview tells its size."""
    preview = part.summary.get("preview")
    wanted = ("enlarged", "triangles", "farthest", "half")
    return (
        suits(part)
        and part.role != "print"
        and isinstance(preview, Mapping)
        and all(isinstance(preview.get(name), int | float) and preview[name] >= 0 for name in wanted)
        and preview["enlarged"] > 0
        and "glb" in part.summary["files"]
    )


def page_of_mesh(
    mesh: Mesh,
    words: ModelWords,
    triangles: int = TRIANGLES,
    language: str = "en",
    translations: NullTranslations = ENGLISH,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> str:
    """Write the page of a mesh, simplified and rounded, and say how far that moved it.

    Parameters
    ----------
    mesh : Mesh
        In mm, or voxels.
    words : ModelWords
        All but `accuracy`.
    triangles : int
        At most.
    language, translations, tell
        As for `page_of_record`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        So few triangles cannot be reached, or the mesh is not closed and has more.
    EngineUnavailable
        The packages of the extra `mesh` are not installed.
    """
    if triangles < 4:
        raise InputError(f"{triangles} triangles enclose nothing; allow 4 or more with --triangles")
    small = mesh if len(mesh.faces) <= triangles else decimate(mesh, triangles, tell)[0]
    small = rounded_to_grid(small)
    accuracy = _accuracy(
        len(mesh.faces), len(small.faces), distances(mesh, small), words.length_unit, translations
    )
    return model_page(small, replace(words, accuracy=accuracy), language, translations)


def distances(mesh: Mesh, small: Mesh) -> tuple[float, float]:
    """Tell how far the corners of a mesh are from one with fewer triangles: the farthest, and half of them, mm."""
    found = distance_to_mesh(mesh.vertices_mm, small)
    return float(found.max()), float(np.median(found))


def words_of(record: Record, translations: NullTranslations = ENGLISH) -> ModelWords:
    """Tell what the page of a record's model says, but for its accuracy and unit.

    Parameters
    ----------
    record : Record
        Any.
    translations : gettext.NullTranslations
        Of the page.

    Returns
    -------
    ModelWords
        Its status as it is now.
    """
    about = about_of(record)
    return ModelWords(
        title=record.title,
        plain_title=record.card.title,
        description=record.card.what or record.description,
        status=_status(record, translations),
        creators=about.creators,
        licence=about.licence,
        licence_address=address_of(about.licence) if about.licence else "",
        identifier=about.identifier,
        link=about.link,
        citation=about.citation,
        **written(),
    )


def written() -> dict[str, str]:
    """Tell what writes the page, and when."""
    return {"program": f"tomarium {__version__}", "day": datetime.now(UTC).date().isoformat()}


def _status(record: Record, translations: NullTranslations) -> str:
    say, publication = translations.gettext, record.publication
    if publication is None:
        return say(DRAFT)
    day = publication.published.date().isoformat()
    if publication.withdrawn is not None:
        return say(WITHDRAWN) % {"day": day, "until": publication.withdrawn.date().isoformat()}
    if publication.open_from > datetime.now(UTC):
        return say(EMBARGOED) % {"day": day, "until": publication.open_from.date().isoformat()}
    return say(PUBLISHED) % {"day": day}


def _accuracy(
    before: int, after: int, away: tuple[float, float], unit: str, translations: NullTranslations
) -> str:
    """Say how far a mesh was moved when it was simplified and rounded."""
    say = translations.gettext
    told = {
        "most": _length(away[0], unit, translations),
        "half": _length(away[1], unit, translations),
        "before": f"{before:,}".replace(",", "\u202f"),
        "after": f"{after:,}".replace(",", "\u202f"),
    }
    return say(UNCHANGED if before == after else SIMPLIFIED) % told


def _length(length: float, unit: str, translations: NullTranslations) -> str:
    """Write a small length, rounded up to two digits."""
    if length <= 0:
        return f"0 {unit}"
    scale = 10.0 ** (np.floor(np.log10(length)) - 1)
    rounded = float(np.ceil(length / scale - 1e-9) * scale)
    text = f"{rounded * 1e3:.3g} µm" if unit == "mm" else f"{rounded:.3g} {translations.gettext('voxels')}"
    if unit == "mm" and rounded >= 1:
        text = units.show(rounded * 1e-3, "m", digits=2)
    return decimal(text, translations)


def _unit(part: Part) -> str:
    figures = part.summary.get("figures")
    return "mm" if not isinstance(figures, Mapping) or figures.get("length_unit", "mm") == "mm" else "voxel"
