"""The metadata of an image as its file has them, or of a record as its source told them, in a searched table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tomarium.errors import FormatError, ParameterError
from tomarium.model import Part, Record
from tomarium.viewers.place import place_of
from tomarium.viewers.shown_image import images_of, shown_images
from tomarium.viewers.viewer import Piece, View, Viewer, fill

IMPORTED: Final = "original metadata"
"""Role of the part that holds what another catalogue told of a record."""
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
        An image that was filed with them, or the file of what another catalogue told of the record.
    """
    return part.role == IMPORTED or any(image.get("metadata") for image in images_of(part))


def render(record: Record, view: View) -> Piece:
    """Show the lines in which all words that are looked for occur.

    Parameters
    ----------
    record : Record
        With an image, or imported.
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
    images = _kept_metadata(record)
    number = _read_number(view.choices, "image_metadata", len(images))
    lines = _read(view.folder, str(images[number].get("metadata", "")))
    words = view.choices.get("metadata", "")[:200]
    searched = words.casefold().split()
    matches = [line for line in lines if all(word in f"{line[0]} {line[1]}".casefold() for word in searched)]
    start = _read_number(view.choices, "line", max(1, len(matches)))
    own = ("metadata", "image_metadata", "line")

    def page(changes: Mapping[str, str | None]) -> str:
        return view.page(changes) + "#metadata"

    data = {
        "image": str(images[number]["name"]),
        "words": words,
        "count": len(matches),
        "lines": matches[start : start + LINES],
        "file": view.file(str(images[number]["metadata"])),
    }
    content = {
        **data,
        "whole": len(lines),
        "start": start,
        "number": number,
        "names": [
            (str(image["name"]), page({"image_metadata": str(k), "line": None}), k == number)
            for k, image in enumerate(images)
        ],
        "form": view.page(dict.fromkeys(view.choices, None)),
        "others": {key: text for key, text in view.choices.items() if key not in own},
        "before": page({"line": str(max(0, start - LINES))}) if start else "",
        "after": page({"line": str(start + LINES)}) if start + LINES < len(matches) else "",
    }
    return Piece(data, fill("original_metadata.html", content, view.translations))


def _kept_metadata(record: Record) -> list[Mapping[str, Any]]:
    """List what metadata are kept: of each image, and of the record as its source told it."""
    sources = [{"name": "Source", "metadata": part.path} for part in record.parts if part.role == IMPORTED]
    return [*shown_images(record), *sources]


def _lines(metadata: Any, above: str = "") -> Iterator[list[str]]:
    """Write nested metadata as names and values, "dataset.parameters.2.value" and what stands there."""
    if isinstance(metadata, Mapping | list) and metadata:
        pairs = metadata.items() if isinstance(metadata, Mapping) else enumerate(metadata, 1)
        for name, value in pairs:
            yield from _lines(value, f"{above}.{name}" if above else str(name))
    elif metadata not in (None, "", [], {}):
        yield [above, metadata if isinstance(metadata, str) else json.dumps(metadata)]


def _read_number(choices: Mapping[str, str], name: str, count: int) -> int:
    text = choices.get(name) or "0"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) >= count:
        raise ParameterError(
            f"{name} = {text[:40]!r} does not exist; give a whole number from 0 to {count - 1}"
        )
    return int(text)


def _read(folder: Path, path: str) -> list[list[str]]:
    place = place_of(folder, path)
    try:
        metadata: Any = json.loads(place.read_text("utf-8")) if place is not None else None
    except (OSError, ValueError) as problem:
        raise FormatError(f"{path}: cannot be read ({problem}); file the image again") from problem
    if isinstance(metadata, Mapping):
        return list(_lines(metadata))
    whole = isinstance(metadata, list) and all(
        isinstance(line, list) and len(line) == 2 and all(isinstance(text, str) for text in line)
        for line in metadata
    )
    if not whole:
        raise FormatError(f"{path}: is absent, or holds no names and values; file the image again")
    lines: list[list[str]] = metadata
    return lines


ORIGINAL_METADATA = Viewer(
    name="metadata", title="Original metadata", order=55, suits=suits, render=render, built="images"
)
