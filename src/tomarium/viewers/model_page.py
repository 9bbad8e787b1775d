"""A page that needs no other file and no network: a model to turn, enlarge and cut, at a true scale."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from dataclasses import dataclass
from gettext import NullTranslations
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.model import Mesh
from tomarium.model.wording import brief
from tomarium.viewers.mesh_picture import mesh_png, width_mm
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.viewer import ENGLISH, fill

ASSETS: Final = Path(__file__).parent / "assets"
SIDES: Final = (35.0, 125.0, 215.0, 305.0)
"""Azimuths of the pictures that stand where there is no WebGL, degrees."""
PIXELS: Final = 360
MOST_TRIANGLES: Final = 2_000_000
NO_WEBGL: Final = (
    "This browser draws no model here (it offers no WebGL 2), so there are pictures in its place."
)
NOT_UNPACKED: Final = "This browser cannot unpack the model (it is older than 2023), so there are pictures."
LOST: Final = "The graphics of this device gave up, so there are pictures in place of the model."
WORDS: Final = (NO_WEBGL, NOT_UNPACKED, LOST, "voxels")
"""What Python gives to the page in its language."""
GRID: Final = 65_535
"""Steps of a coordinate from the least to the greatest."""


@dataclass(frozen=True)
class ModelWords:
    """What the page says of its model; "" for what is not known.

    Attributes
    ----------
    title, plain_title, description : str
        Of the record, its title in plain words, and a paragraph.
    status : str
        Whether it is published, in the language of the page.
    creators, licence, licence_address : str
        Who made it; the licence's SPDX identifier, and where its text is.
    identifier, link, citation : str
        DOI or the record's identifier; the DOI's address; how it is cited.
    accuracy : str
        How far the model may be from the mesh that it was made of, in the language of the page.
    program, day : str
        What wrote the page, and when.
    length_unit : str
        "mm", or "voxel" where the size of a voxel is not known.
    """

    title: str
    plain_title: str = ""
    description: str = ""
    status: str = ""
    creators: str = ""
    licence: str = ""
    licence_address: str = ""
    identifier: str = ""
    link: str = ""
    citation: str = ""
    accuracy: str = ""
    program: str = "tomarium"
    day: str = ""
    length_unit: str = "mm"


def rounded_to_grid(mesh: Mesh) -> Mesh:
    """Round a mesh as the page holds it: 65536 places along each axis of its box.

    Parameters
    ----------
    mesh : Mesh
        Any.

    Returns
    -------
    Mesh
        Each corner moved by half a step of the grid at most along each axis; triangles that lost their area left out.
    """
    low, high = mesh.box_mm
    step = np.maximum(high - low, 1e-12) / GRID
    places, numbers = np.unique(_steps(mesh), axis=0, return_inverse=True)
    faces = numbers.reshape(-1)[mesh.faces.astype(np.int64)]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh((low + places * step).astype(np.float32), faces[whole].astype(np.uint32))


def model_page(
    mesh: Mesh, words: ModelWords, language: str = "en", translations: NullTranslations = ENGLISH
) -> str:
    """Write the page.

    Parameters
    ----------
    mesh : Mesh
        In mm, or voxels; z upwards.
    words : ModelWords
        What it says.
    language : str
        "en", "fr" or "de".
    translations : gettext.NullTranslations
        Of the words of its template into that language.

    Returns
    -------
    str
        HTML that fetches nothing: its Content-Security-Policy allows its own script and style alone, by their hashes.

    Raises
    ------
    InputError
        The mesh has no triangle, or more than two million.
    """
    if not 0 < len(mesh.faces) <= MOST_TRIANGLES:
        raise InputError(
            f"the mesh has {len(mesh.faces)} triangles; a page holds 1 to {MOST_TRIANGLES}: allow fewer with "
            f"--triangles"
        )
    say, mark = translations.gettext, "." if translations.info().get("language") is None else ","
    script = (ASSETS / "model_page.js").read_text(encoding="utf-8")
    pictures, bars = [], []
    unit_word = "mm" if words.length_unit == "mm" else say("voxels")
    for number, azimuth in enumerate(SIDES, 1):
        wide = width_mm(mesh, azimuth)
        # The bar's length is chosen as for metres, of which mm are thousandths.
        length, fraction = scale_bar(wide * 1e-3)
        bars.append(f".bar-{number} {{ width: {100 * fraction:.3f}% }}")
        told = units.show(length, "m", digits=3) if unit_word == "mm" else f"{length * 1e3:g} {unit_word}"
        png = b64encode(mesh_png(mesh, PIXELS, azimuth)).decode()
        pictures.append({"address": f"data:image/png;base64,{png}", "bar": told})
    style = (ASSETS / "model_page.css").read_text(encoding="utf-8") + "\n".join(bars) + "\n"
    low, high = mesh.box_mm
    about = {
        "words": {
            "none": say(NO_WEBGL),
            "packed": say(NOT_UNPACKED),
            "lost": say(LOST),
        },
        "mesh": {
            "corners": len(mesh.vertices_mm),
            "triangles": len(mesh.faces),
            "low": low.tolist(),
            "high": high.tolist(),
            "unit": words.length_unit,
            "unitWord": unit_word,
        },
        "decimal": mark,
    }
    size = " × ".join(f"{length:.4g}" for length in high - low)
    return str(
        fill(
            "model_page.html",
            {
                "language": language,
                "policy": f"default-src 'none'; script-src {_hashed(script)}; style-src {_hashed(style)}; "
                "img-src data:; base-uri 'none'; form-action 'none'",
                "heading": brief(words.plain_title or words.title, 160),
                "among": brief(words.title, 240)
                if words.plain_title and words.plain_title != words.title
                else "",
                "description": brief(words.description, 1200),
                **{
                    name: getattr(words, name)
                    for name in (
                        "status",
                        "creators",
                        "licence",
                        "licence_address",
                        "identifier",
                        "link",
                        "citation",
                    )
                },
                **{name: getattr(words, name) for name in ("accuracy", "program", "day")},
                "pictures": pictures,
                "pixels": PIXELS,
                "size": f"{size} {unit_word}",
                "triangles": f"{len(mesh.faces):,}".replace(",", "\u202f"),
                "style": Markup(style),
                "script": Markup(script),
                "about": Markup(json.dumps(about).replace("<", "\\u003c")),
                "packed": b64encode(packed(mesh)).decode(),
            },
            translations,
        )
    )


def packed(mesh: Mesh) -> bytes:
    """Pack a mesh as the page's script unpacks it.

    Parameters
    ----------
    mesh : Mesh
        Any.

    Returns
    -------
    bytes
        Zlib of: the low bytes of x of all corners, then their high bytes, then the same of y and of z, each number a
        difference from the corner before, modulo 65536; then the four bytes, each of all corners of triangles, of
        differences of their numbers. Corners are numbered as triangles meet them first.
    """
    order, first = np.unique(mesh.faces, return_index=True)
    met = order[np.argsort(first)]
    number = np.zeros(len(mesh.vertices_mm), np.int64)
    number[met] = np.arange(len(met))
    unused = np.setdiff1d(np.arange(len(mesh.vertices_mm)), met)
    number[unused] = len(met) + np.arange(len(unused))
    steps = _steps(mesh)[np.concatenate([met.astype(np.int64), unused])]
    content = b""
    for axis in range(3):
        change = np.diff(steps[:, axis], prepend=0) & GRID
        content += (change & 255).astype(np.uint8).tobytes() + (change >> 8).astype(np.uint8).tobytes()
    corners = np.diff(number[mesh.faces.astype(np.int64)].ravel(), prepend=0).astype("<i4")
    content += corners.view(np.uint8).reshape(-1, 4).T.tobytes()
    return zlib.compress(content, 9)


def _steps(mesh: Mesh) -> NDArray[np.int64]:
    """Return the places of corners on the grid, shape (vertex, 3)."""
    low, high = mesh.box_mm
    places = np.rint((mesh.vertices_mm - low) / np.maximum(high - low, 1e-12) * GRID)
    return np.asarray(places, np.int64)


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
