"""The metadata of an image as its file has them, in a table that is searched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tomarium.errors import FormatError, ParameterError
from tomarium.model import Part, Record
from tomarium.viewers.place import place_of
from tomarium.viewers.shown_image import images_of, shown_images
from tomarium.viewers.viewer import Piece, View, Viewer, fill

LINES: Final = 100
"""Lines of a page."""


def suits(part: Part) -> bool:
    """Tell whether metadata are kept of a part.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        An image that was filed with them.
    """
    return any(one.get("metadata") for one in images_of(part))


def render(record: Record, view: View) -> Piece:
    """Show the lines in which all words that are looked for occur.

    Parameters
    ----------
    record : Record
        With an image.
    view : View
        Choices: `metadata`, words; `image_metadata`, the number of the image; `line`, how many lines are passed over.

    Returns
    -------
    Piece
        Its data: `image`, `words`, `count`, how many lines have them, `lines`, name and value, at most 100, and
        `file`, the address of all.

    Raises
    ------
    ParameterError
        There is no such image, or `line` is no whole number.
    FormatError
        What is kept is damaged.
    """
    images = shown_images(record)
    number = _whole(view.choices, "image_metadata", len(images))
    lines = _read(view.folder, str(images[number].get("metadata", "")))
    words = view.choices.get("metadata", "")[:200]
    wanted = words.casefold().split()
    found = [line for line in lines if all(word in f"{line[0]} {line[1]}".casefold() for word in wanted)]
    start = _whole(view.choices, "line", max(1, len(found)))
    own = ("metadata", "image_metadata", "line")

    def page(changes: Mapping[str, str | None]) -> str:
        return view.page(changes) + "#metadata"

    data = {
        "image": str(images[number]["name"]),
        "words": words,
        "count": len(found),
        "lines": found[start : start + LINES],
        "file": view.file(str(images[number]["metadata"])),
    }
    content = {
        **data,
        "whole": len(lines),
        "start": start,
        "number": number,
        "names": [
            (str(one["name"]), page({"image_metadata": str(k), "line": None}), k == number)
            for k, one in enumerate(images)
        ],
        "form": view.page(dict.fromkeys(view.choices, None)),
        "others": {key: text for key, text in view.choices.items() if key not in own},
        "before": page({"line": str(max(0, start - LINES))}) if start else "",
        "after": page({"line": str(start + LINES)}) if start + LINES < len(found) else "",
    }
    return Piece(data, fill("original_metadata.html", content))


def _whole(choices: Mapping[str, str], name: str, count: int) -> int:
    text = choices.get(name) or "0"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) >= count:
        raise ParameterError(
            f"{name} = {text[:40]!r} does not exist; give a whole number from 0 to {count - 1}"
        )
    return int(text)


def _read(folder: Path, path: str) -> list[list[str]]:
    place = place_of(folder, path)
    try:
        told: Any = json.loads(place.read_text("utf-8")) if place is not None else None
    except (OSError, ValueError) as problem:
        raise FormatError(f"{path}: cannot be read ({problem}); file the image again") from problem
    whole = isinstance(told, list) and all(
        isinstance(line, list) and len(line) == 2 and all(isinstance(one, str) for one in line)
        for line in told
    )
    if not whole:
        raise FormatError(f"{path}: is absent, or holds no names and values; file the image again")
    lines: list[list[str]] = told
    return lines


ORIGINAL_METADATA = Viewer(
    name="metadata", title="Original metadata", order=55, suits=suits, render=render, built="images"
)
