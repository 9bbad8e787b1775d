"""What is told of an HDF5 file of a record; run in a process of its own, for the file may be damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.errors import FormatError, InputError, TomariumError
from tomarium.formats.hdf5.errors import DAMAGE
from tomarium.formats.hdf5.node_description import attribute_values, describe, plain
from tomarium.formats.hdf5.node_values import TooLarge, dataset_at, encode, read_values
from tomarium.formats.hdf5.source import Source, reading
from tomarium.viewers.picture import png
from tomarium.viewers.place import place_of

MOST_PATHS: Final = 20_000
LARGEST_PICTURE: Final = 1024
ROWS: Final = 50
COLUMNS: Final = 12


@dataclass(frozen=True)
class Question:
    """What is asked of a file."""

    folder: Path  # of the record
    listed: tuple[str, ...]  # paths of the record's files; those of folders end in "/"
    file: str  # path of the file below the folder
    what: str  # "meta", "attr", "data", "paths", "picture", "page"
    query: Mapping[str, str]  # path, selection, format


@dataclass(frozen=True)
class Answer:
    """What is answered: an HTTP status, a media type and content; a problem is JSON with a message."""

    status: int
    media_type: str
    content: bytes


def answer(question: Question) -> Answer:
    """Answer a question about a file; a damaged or hostile file is answered in words."""
    try:
        return _ANSWERS[question.what](question)
    except TooLarge as problem:
        return _problem(413, question, problem)
    except FormatError as problem:
        absent = " is not there" in str(problem)
        return _problem(404 if absent else 422, question, problem)
    except InputError as problem:
        return _problem(400, question, problem)
    except (TomariumError, *DAMAGE) as problem:
        return _problem(422, question, problem)


def answer_in_child(question: Question) -> tuple[int, str, bytes]:
    """Answer a question about a file, as the fields of an `Answer`."""
    result = answer(question)
    return result.status, result.media_type, result.content


def _problem(status: int, question: Question, problem: Exception) -> Answer:
    """Tell a problem without the folders of this machine."""
    text = str(problem).replace(f"{question.folder.resolve()}/", "").replace(f"{question.folder}/", "")
    if "outside the scan's own folder" in text:
        text = (
            f"{question.file}: {question.query.get('path', '/')} leads to a file outside the folder it lies in, "
            f"which is not followed here"
        )
    return Answer(status, "application/json", json.dumps({"message": text[:1000]}).encode())


@contextmanager
def _opened(question: Question) -> Iterator[Source]:
    place = place_of(question.folder, question.file)
    if place is None or not place.is_file():
        raise FormatError(f"{question.file} is not there")
    with reading(place) as source:
        yield source


def _demand_own(question: Question, source: Source) -> None:
    """Refuse what lies in a file that the record does not list, though it lies in its folder."""
    home = question.folder.resolve()
    for place in source.opened:
        inside = place.relative_to(home).as_posix() if place.is_relative_to(home) else ""
        listed = inside in question.listed or any(
            inside.startswith(path) for path in question.listed if path.endswith("/")
        )
        if not inside or not listed:
            raise FormatError(
                f"{question.file}: {question.query.get('path', '/')} lies in {place.name}, which is no file of this "
                f"record"
            )


def _meta(question: Question) -> Answer:
    with _opened(question) as source:
        description = describe(source, question.query.get("path") or "/")
        _demand_own(question, source)
    return Answer(200, "application/json", json.dumps(description).encode())


def _attr(question: Question) -> Answer:
    with _opened(question) as source:
        values = attribute_values(source, question.query.get("path") or "/")
        _demand_own(question, source)
    return Answer(200, "application/json", json.dumps(values).encode())


def _data(question: Question) -> Answer:
    form = question.query.get("format") or "json"
    if form not in ("json", "bin", "npy"):
        raise InputError(f"format: {form[:20]!r} is not given; ask for json, bin or npy")
    with _opened(question) as source:
        path = question.query.get("path") or "/"
        dataset_at(source, path)
        _demand_own(question, source)
        values = read_values(source, path, question.query.get("selection"))
    return Answer(200, *encode(values, form))  # type: ignore[arg-type]


def _paths(question: Question) -> Answer:
    """List the paths of all groups and datasets below one; no link is followed."""
    paths: list[str] = []
    with _opened(question) as source:
        path = question.query.get("path") or "/"
        node = source.find(path)
        _demand_own(question, source)
        if isinstance(node, h5py.Group):
            home = path.rstrip("/")

            def note(name: bytes) -> bool | None:
                paths.append(f"{home}/{name.decode('utf-8', 'replace')}")
                return True if len(paths) >= MOST_PATHS else None

            h5py.h5o.visit(node.id, note)
    return Answer(200, "application/json", json.dumps(paths).encode())


def _picture(question: Question) -> Answer:
    with _opened(question) as source:
        path = question.query.get("path") or "/"
        node = dataset_at(source, path)
        _demand_own(question, source)
        if node.ndim < 2 or node.dtype.kind not in "biufc" or not node.size:
            raise InputError(f"{path} is no picture: it has {node.ndim} axes of the type {node.dtype}")
        values = read_values(source, path, question.query.get("selection") or middle(node.shape))
    image = np.asarray(values)
    if image.ndim != 2:
        raise InputError("selection: a picture has two axes; give an index for each of the others")
    step = max(1, math.ceil(max(image.shape) / LARGEST_PICTURE))
    image = image[::step, ::step]
    if image.dtype.kind == "c":
        image = np.abs(image)
    if image.dtype == np.float16:
        image = image.astype(np.float32)
    return Answer(200, "image/png", png(image.astype(np.uint8) if image.dtype == bool else image))


def middle(shape: tuple[int, ...]) -> str:
    """Name the middle picture of a stack: "12,:,:"."""
    return ",".join([*(str(length // 2) for length in shape[:-2]), ":", ":"])


def _page(question: Question) -> Answer:
    """Tell what a page without scripts shows of a node: its description, attributes, and a table of a few values."""
    path = question.query.get("path") or "/"
    with _opened(question) as source:
        description = describe(source, path)
        description["values"] = attribute_values(source, path)
        _demand_own(question, source)
        if description["kind"] == "dataset":
            node = dataset_at(source, path)
            description["dtype"] = str(node.dtype)
            description["picture"] = bool(
                node.ndim >= 2 and node.dtype.kind in "biufc" and node.size and min(node.shape[-2:]) > 1
            )
            description["table"] = _table(source, node, path)
    return Answer(200, "application/json", json.dumps(description).encode())


def _table(source: Source, node: h5py.Dataset, path: str) -> list[list[str]]:
    """Write the first values of a dataset of at most two axes; empty where it has more."""
    if node.shape is None or node.ndim > 2 or not all(node.shape):
        return []
    limits = (ROWS, COLUMNS)[: node.ndim]
    part = ",".join(f"0:{min(length, most)}" for length, most in zip(node.shape, limits, strict=True))
    values = plain(read_values(source, path, part))
    rows = values if node.ndim else [values]
    return [[_cell(value) for value in (row if node.ndim == 2 else [row])] for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.7g}"
    return "not a number" if value is None else str(value)[:200]


_ANSWERS: Final[dict[str, Callable[[Question], Answer]]] = {
    "meta": _meta,
    "attr": _attr,
    "data": _data,
    "paths": _paths,
    "picture": _picture,
    "page": _page,
}
