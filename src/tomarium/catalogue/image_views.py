"""What is kept of an image to be shown: its maps, its spectra or patterns, and its metadata, in a form that pages read.

Files of microscopes are read once, when they are filed: their readers are an extra, and a page does not open files of
strangers. Kept are Zarr arrays in `previews/image-N`, in the order of `viewers.image_layout.AXES`: `map` (what a pixel
holds, summed over a spectrum, averaged over a pattern), `sum` (the spectrum of all pixels, or their mean pattern) and
`cube` (the spectrum or pattern of each pixel, losslessly packed).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_whole
from tomarium.model import Axis, Image, Value
from tomarium.pipeline.run.provenance import PERSONAL, plain
from tomarium.viewers.image_layout import Arranged, ImageLayout, is_colour, layout_of

MOST_KEPT: Final = 4 << 30
"""Bytes of an image, not packed, of which a copy is kept; of a larger one the maps alone."""
LARGEST_SIDE: Final = 4096
"""Pixels of a picture; a larger one is averaged down."""
MOST_LINES: Final = 20_000
"""Lines of metadata that are kept; a longer text is cut."""
LONGEST_TEXT: Final = 2000
PERCENTILES: Final = (0.5, 99.5)
_BLOCK_BYTES: Final = 64 << 20
_CHUNK_BYTES: Final = 1 << 19
_RED_GREEN_BLUE: Final = ("#ff0000", "#00ff00", "#0000ff")
_COLOURS: Final = ("#ff5050", "#40e060", "#5090ff", "#ffd040", "#ff60ff", "#40e0e0")


def keep_views(images: Sequence[Image], folder: Path) -> list[dict[str, Any]]:
    """Keep what is shown of the images of a file.

    Parameters
    ----------
    images : sequence of Image
        Open; they are read once from beginning to end.
    folder : Path
        `previews` of the record.

    Returns
    -------
    list of dict
        One for each image, JSON-ready: `folder` ("previews/image-0", "" where its numbers cannot be shown),
        `metadata` (path of its lines), `name`, `unit`, `shape` (along `AXES`), `averaged` (pixels along one side of
        what is a pixel now), `cube` (whether spectra of pixels are kept), `reason` (why not), `channels` (name, colour,
        low, high), `row`, `column`, `spectrum` (axes, or None), `pattern` and `frames`.
    """
    return [_keep(image, folder / f"image-{number}") for number, image in enumerate(images)]


def _keep(image: Image, place: Path) -> dict[str, Any]:
    layout = layout_of(image.axes, image.shape)
    arranged = Arranged(image.data, layout)
    entry: dict[str, Any] = {
        "folder": f"{place.parent.name}/{place.name}",
        "metadata": f"{place.parent.name}/{place.name}/metadata.json",
        "name": image.name,
        "unit": image.unit,
        "shape": list(arranged.shape),
        "averaged": 1,
        "cube": False,
        "reason": "",
        "channels": [],
        **{name: _axis_entry(image.axes, getattr(layout, name)) for name in ("row", "column", "spectrum")},
        "pattern": bool(layout.pattern),
        "frames": [{"name": image.axes[k].name, "length": image.shape[k]} for k in layout.frames],
    }
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / "metadata.json", json.dumps(metadata_lines(image), ensure_ascii=False).encode())
    size = math.prod(image.shape) * image.dtype.itemsize
    if image.dtype.kind not in "biufc" or not size:
        return {**entry, "folder": "", "reason": f"values of the type {image.dtype} are not drawn"}
    inner = math.prod(arranged.shape[4:]) > 1
    if not inner and size > MOST_KEPT:
        return {**entry, "folder": "", "reason": "it is too large to be kept a second time; open its file"}
    entry["cube"] = inner and size <= MOST_KEPT
    if inner and not entry["cube"]:
        entry["reason"] = (
            "the file is too large for the spectra of single pixels to be kept here; open the file"
        )
    averaged = -(-max(arranged.shape[2:4]) // LARGEST_SIDE)
    entry["averaged"] = 1 if inner or min(arranged.shape[2:4]) < averaged else averaged
    maps = _write(arranged, place, entry["averaged"], entry["cube"])
    entry["shape"][2:4] = maps.shape[2:]
    entry["channels"] = list(_channels(image, layout, maps))
    return entry


def _axis_entry(axes: Sequence[Axis], number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    axis = axes[number]
    entry: dict[str, Any] = {
        "name": axis.name, "scale": axis.scale, "offset": axis.offset, "unit": axis.unit,
    }  # fmt: skip
    return entry | ({"coordinates": list(axis.coordinates)} if axis.coordinates else {})


def _write(arranged: Arranged, place: Path, averaged: int, cube: bool) -> NDArray[Any]:
    """Write the arrays, some rows at a time; return the maps."""
    frames, channels, rows, columns, u, v = arranged.shape
    kind = _kind(arranged)
    inner = u * v > 1
    side = min(32, max(1, math.isqrt(_CHUNK_BYTES // max(1, min(u, 64) * v * kind.itemsize))))
    chunk = (1, 1, min(side, rows), min(side, columns), min(u, 64) if v == 1 else u, v)
    bytes_per_row = channels * columns * u * v * kind.itemsize
    tall = max(1, _BLOCK_BYTES // max(1, bytes_per_row * chunk[2])) * chunk[2]
    tall = max(averaged, tall // averaged * averaged)
    stored = None
    if cube:
        shard = (1, 1, min(tall, _up(rows, chunk[2])), *(_up(n, c) for n, c in zip(arranged.shape[3:], chunk[3:],
                 strict=True)))  # fmt: skip
        stored = _create(place / "cube", arranged.shape, kind, chunk, shard)
    shape = (frames, channels, max(1, rows // averaged), max(1, columns // averaged))
    maps = np.empty(shape, np.float32 if inner or averaged > 1 else kind)
    total = np.zeros((channels, u, v), np.float64)
    for frame in range(frames):
        for start in range(0, shape[2] * averaged, tall):
            stop = min(start + tall, shape[2] * averaged)
            part = arranged.rows(frame, start, stop).astype(kind, copy=False)
            if stored is not None:
                stored[frame, :, start:stop] = part
            into = maps[frame, :, start // averaged : stop // averaged]
            if inner:
                into[:] = (
                    part.mean(axis=(3, 4), dtype=np.float64)
                    if v > 1
                    else part.sum(axis=(3, 4), dtype=np.float64)
                )
                total += np.nansum(part, axis=(1, 2), dtype=np.float64)
            else:
                into[:] = _averaged(part[..., 0, 0], averaged)
    chunks = (1, 1, *(min(512, n) for n in maps.shape[2:]))
    _create(place / "map", maps.shape, maps.dtype, chunks, None)[:] = maps
    if inner:
        if v > 1:
            total /= frames * rows * columns
        _create(place / "sum", total.shape, np.dtype(np.float64), total.shape, None)[:] = total
    return maps


def _kind(arranged: Arranged) -> np.dtype[Any]:
    kind = np.dtype(arranged.data.dtype)
    if kind.kind == "b":
        return np.dtype(np.uint8)
    if kind.kind == "c":
        return np.dtype(np.float32 if kind.itemsize == 8 else np.float64)
    return np.dtype(np.float32) if kind == np.float16 else kind.newbyteorder("=")


def _averaged(part: NDArray[Any], averaged: int) -> NDArray[Any]:
    if averaged == 1:
        return part
    channels, rows, columns = part.shape
    wide = columns // averaged
    blocks = part[:, :, : wide * averaged].reshape(channels, rows // averaged, averaged, wide, averaged)
    means: NDArray[Any] = blocks.mean(axis=(2, 4), dtype=np.float64)
    return means


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def _create(
    path: Path, shape: Sequence[int], kind: np.dtype[Any], chunk: Sequence[int], shard: Sequence[int] | None
) -> Any:
    import zarr

    return zarr.create_array(
        str(path), shape=tuple(shape), dtype=kind, chunks=tuple(chunk),
        shards=None if shard is None else tuple(shard), overwrite=True,
    )  # fmt: skip


def _channels(image: Image, layout: ImageLayout, maps: NDArray[Any]) -> Iterator[dict[str, Any]]:
    count = maps.shape[1]
    colours = layout.channel is not None and is_colour(image.axes[layout.channel], count)
    names = image.metadata.get("channels")
    descriptions = list(names) if isinstance(names, Sequence) and len(names) == count else []
    for number in range(3 if colours else count):
        name, colour = f"channel {number}", _COLOURS[number % len(_COLOURS)]
        if colours:
            name, colour = ("red", "green", "blue")[number], _RED_GREEN_BLUE[number]
        elif descriptions:
            name = str(descriptions[number].get("name") or name)
            colour = str(descriptions[number].get("colour") or colour)
        elif count == 1:
            name, colour = image.name or "image", "#ffffff"
        low, high = (0.0, 255.0) if colours and maps.dtype == np.uint8 else _window(maps[:, number])
        yield {"name": name, "colour": colour, "low": low, "high": high}


def _window(values: NDArray[Any]) -> tuple[float, float]:
    step = max(1, math.ceil(values.size / 4e6))
    finite = values.ravel()[::step].astype(np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(percentile) for percentile in np.percentile(finite, PERCENTILES))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + 1.0)


def metadata_lines(image: Image) -> list[list[str]]:
    """List the metadata of an image as its file has them, a line each.

    Parameters
    ----------
    image : Image
        Any.

    Returns
    -------
    list of list of str
        Name with "/" between its parts, and value; without what tells how to reach a person, and without values that
        are no text.
    """
    lines: list[list[str]] = []
    _walk("", image.metadata, lines)
    return lines[:MOST_LINES]


def _walk(name: str, value: Any, lines: list[list[str]]) -> None:
    if len(lines) >= MOST_LINES or PERSONAL.search(name.rpartition("/")[2]):
        return
    value = value.value if isinstance(value, Value) else value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            own = str(key).strip("/")
            _walk(f"{name}/{own}" if name else own, inner, lines)
        return
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str) and value.startswith("{"):  # metadata of another file, kept as JSON
        with suppress(ValueError, RecursionError):
            _walk(name, json.loads(value), lines)
            return
    if value in ("", (), [], None):
        return
    many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if many and any(isinstance(member, Mapping) for member in value):
        for number, inner in enumerate(value):
            _walk(f"{name}/{number}", inner, lines)
        return
    text = ", ".join(str(plain(member)) for member in value) if many else str(plain(value))
    lines.append([name, text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"])
