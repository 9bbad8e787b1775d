"""The picture that is kept of a record that has no volume: a projection, an image."""

from __future__ import annotations

from typing import Final

from tomarium.model import Record
from tomarium.viewers import images, scan
from tomarium.viewers.viewer import Piece, View, Viewer, fill

PICTURE: Final = "previews/picture.png"
TITLES: Final = {
    "projection": "The first projection, over the first flat field where there is one",
    "sinogram": "The sinogram of the middle row",
    "image": "The image",
}


def is_shown(record: Record) -> bool:
    """Tell whether a picture is kept of a record.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    bool
        It has the picture, and no volume, pictures of a scan or maps of an image, which show more.
    """
    shows_more = any(part.kind == "volume" or images.suits(part) or scan.suits(part) for part in record.parts)
    return not shows_more and any(entry.path == PICTURE for entry in record.files)


def render(record: Record, view: View) -> Piece:
    """Show the picture.

    Parameters
    ----------
    record : Record
        With a picture.
    view : View
        Addresses; nothing can be chosen.

    Returns
    -------
    Piece
        Its data: `picture`, the address, and `caption`.
    """
    kind = record.parts[0].summary.get("picture", "") if record.parts else ""
    data = {"picture": view.file(PICTURE), "caption": TITLES.get(str(kind), "The image")}
    return Piece(data, fill("pictures.html", {**data, "title": record.title}, view.translations))


PICTURES = Viewer(name="picture", title="Picture", order=10, whole=is_shown, render=render, plainest="pupil")
