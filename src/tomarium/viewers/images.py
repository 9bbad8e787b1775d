"""Images of microscopes: maps with channels and a scale bar, the spectrum or pattern of a pixel, a band as a map."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model import Part, Record
from tomarium.viewers.image_channels import Layer, groups_of, layers_of
from tomarium.viewers.picture import png
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.shown_image import (
    band_map,
    band_of,
    composite,
    images_of,
    inner_of,
    map_of,
    positions,
    shown_images,
)
from tomarium.viewers.slice_parts import region_of
from tomarium.viewers.spectrum_plot import drawn_line, plot
from tomarium.viewers.viewer import Piece, View, Viewer, fill

MOST_PIXELS: Final = 1536
"""Width and height of a map as it is sent; a larger one is thinned out."""
_LENGTHS: Final = ("m", "1/m")


def suits(part: Part) -> bool:
    """Tell whether maps or spectra are kept of a part.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        An image, at least one of whose groups can be shown.
    """
    return any(image.get("folder") for image in images_of(part))


def render(record: Record, view: View) -> Piece:
    """Show one group of images as a map, and the spectrum or pattern of a pixel.

    Parameters
    ----------
    record : Record
        With an image.
    view : View
        Choices: `image`, the number of the group; `onN`, `colourN`, `lowN`, `highN` of its channel N (with `chosen`,
        for a form leaves out what is off); `frame`; `column` and `row` of a pixel; `spectrum`, which of several;
        `counts`, "linear" or "log"; `from` and `to`, a band of the spectrum.

    Returns
    -------
    Piece
        Its data: `images` (name, shape, unit), `channels` of the group, `picture` and `spectrum`, addresses.

    Raises
    ------
    ParameterError
        A choice is no number, out of range, or does not exist.
    """
    images, choices = shown_images(record), view.choices
    groups = groups_of(images)
    number = _read_number(choices, "image", len(groups))
    group = [images[k] for k in groups[number]]
    first = group[0]
    frame = _read_number(choices, "frame", int(first["shape"][0]))
    inner = [k for k, image in enumerate(group) if math.prod(image["shape"][4:]) > 1]
    chosen = _read_number(choices, "spectrum", len(inner)) if inner else None
    image_shown = group[inner[chosen]] if chosen is not None else None
    band = _read_band(choices, image_shown)
    layers = layers_of(
        group, choices, None if band is None or image_shown is None else (group.index(image_shown), band)
    )
    pixel = (
        _read_pixel(choices, first)
        if image_shown and image_shown.get("cube") and first.get("column")
        else None
    )
    version = {"v": _version(record)}
    data: dict[str, Any] = {
        "images": [
            {"name": image["name"], "shape": image["shape"], "unit": image["unit"]} for image in images
        ],
        "image": number,
        "channels": [
            {"name": layer.name, "on": layer.on, "colour": layer.colour, "low": layer.low, "high": layer.high}
            for layer in layers
        ],
        "picture": "",
        "spectrum": "",
    }
    content: dict[str, Any] = {
        "title": record.title,
        "groups": [
            (", ".join(str(images[k]["name"]) for k in numbers[:3]) + (" …" if len(numbers) > 3 else ""),
             view.page(_own_choices(choices, {"image": str(k)})) + "#images", k == number)
            for k, numbers in enumerate(groups)
        ],
        "form": view.page(dict.fromkeys(choices, None)),
        "others": {key: text for key, text in choices.items() if not _is_own(key)},
        "number": number,
        "layers": layers,
        "plain": view.page(_own_choices(choices, {"image": str(number)})) + "#images",
        "frame": frame,
        "frames": int(first["shape"][0]),
        "frame_words": " × ".join(f"{frame_axis['name']} {frame_axis['length']}" for frame_axis in first["frames"]),
        "reasons": sorted({str(image["reason"]) for image in group if image["reason"]}),
        "map": None,
        "plot": None,
        "pattern": None,
        "choice": {key: choices.get(key, "") for key in ("counts", "from", "to", "spectrum")},
        "spectra": [(k, str(group[place]["name"])) for k, place in enumerate(inner)],
        "pixel": pixel,
        "pixels": bool(image_shown and image_shown.get("cube") and first.get("column")),
    }  # fmt: skip
    choices_of_picture = {"image": str(number), "frame": str(frame), "spectrum": str(chosen or 0), **version}
    if first.get("column"):
        map_choices = {
            **choices_of_picture,
            "channels": ";".join(layer.written for layer in layers if layer.on),
        }
        map_choices |= {key: choices[key] for key in ("from", "to") if band is not None}
        data["picture"] = view.picture("map.png", map_choices)
        content["map"] = _map_content(first, data["picture"], pixel)
    if image_shown is not None:
        at = {} if pixel is None else {"row": str(pixel[0]), "column": str(pixel[1])}
        if image_shown["pattern"]:
            content["pattern"] = {
                "picture": view.picture("pattern.png", {**choices_of_picture, **at}),
                "rows": image_shown["shape"][4], "columns": image_shown["shape"][5]
            }  # fmt: skip
        else:
            data["spectrum"] = view.picture("spectrum.json", {**choices_of_picture, **at})
            content["plot"] = _plot_content(view, image_shown, frame, pixel, choices)
            content["numbers"] = data["spectrum"]
    return Piece(data, fill("images.html", content, view.translations))


def picture(record: Record, folder: Path, name: str, choices: Mapping[str, str]) -> bytes:
    """Draw a map, or give the pattern or the spectrum of a pixel.

    Parameters
    ----------
    record : Record
        With an image.
    folder : Path
        Its folder.
    name : str
        "map.png", "pattern.png" or "spectrum.json".
    choices : Mapping of str to str
        `image`, `frame`, `spectrum`, `row`, `column`, `from`, `to` as `render` takes them; `channels`, those of a map:
        "0,ff0000,0,255;2,00ff00,0,80"; `region`: "left,top,right,bottom" in pixels, a part of it.

    Returns
    -------
    bytes
        A PNG; or JSON with `position`, `value`, `unit_of_position` and `unit`.

    Raises
    ------
    ParameterError
        There is no such picture, or a choice cannot be.
    FormatError
        What is kept of the image is damaged.
    """
    if name not in ("map.png", "pattern.png", "spectrum.json"):
        raise ParameterError(f"there is no picture {name[:80]!r}; name map.png, pattern.png or spectrum.json")
    images = shown_images(record)
    groups = groups_of(images)
    group = [images[k] for k in groups[_read_number(choices, "image", len(groups))]]
    frame = _read_number(choices, "frame", int(group[0]["shape"][0]))
    inner = [image for image in group if math.prod(image["shape"][4:]) > 1]
    image_shown = inner[_read_number(choices, "spectrum", len(inner))] if inner else None
    if name == "map.png":
        return _draw(folder, group, image_shown, frame, choices)
    if image_shown is None or bool(image_shown["pattern"]) != (name == "pattern.png"):
        raise ParameterError(
            f"this image has no {name.partition('.')[0]} of each pixel; look at map.png, or give another image=N"
        )
    pixel = _read_pixel(choices, group[0])
    if pixel is not None and not image_shown["cube"]:
        raise ParameterError(
            f"of this image no pixels are kept: {image_shown['reason']}; leave out row and column"
        )
    values = inner_of(folder, image_shown, 0, frame, pixel)
    if name == "pattern.png":
        return png(values)
    spectrum = {
        "position": [float(f"{position:.9g}") for position in positions(image_shown)],
        "value": [float(f"{value:.9g}") if math.isfinite(value) else None for value in values[:, 0].tolist()],
        "unit_of_position": image_shown["spectrum"]["unit"],
        "unit": image_shown["unit"],
    }
    return json.dumps(spectrum).encode()


def previews(record: Record, folder: Path) -> dict[str, bytes]:
    """Draw the pictures that are kept in the record: the channels of its first image as the page shows them first.

    Parameters
    ----------
    record : Record
        With an image.
    folder : Path
        Its folder.

    Returns
    -------
    dict of str to bytes
        `picture.png` and `thumbnail.png`, at most 1024 and 512 pixels wide and high; of a spectrum its line.
    """
    images = shown_images(record)
    group = [images[k] for k in groups_of(images)[0]]
    if not group[0].get("column"):
        values = inner_of(folder, group[0], 0, 0, None)[:, 0].astype(np.float64)
        line = drawn_line(positions(group[0]), values)
        return {"picture.png": line, "thumbnail.png": line}
    layers = [layer for layer in layers_of(group, {}) if layer.on]
    maps = [map_of(folder, group[layer.image], layer.channel, 0) for layer in layers]
    pictures = {}
    for name, pixels in (("picture.png", 1024), ("thumbnail.png", 512)):
        step = math.ceil(max(maps[0].shape) / pixels)
        pictures[name] = composite(
            [(values[::step, ::step], layer.colour, layer.low, layer.high)
             for layer, values in zip(layers, maps, strict=True)]
        )  # fmt: skip
    return pictures


def _draw(
    folder: Path, group: list[Mapping[str, Any]], image_shown: Mapping[str, Any] | None, frame: int,
    choices: Mapping[str, str],
) -> bytes:  # fmt: skip
    if not group[0].get("column"):
        raise ParameterError("this image is a spectrum and has no map; look at spectrum.json")
    band = _read_band(choices, image_shown)
    layers = layers_of(
        group, {}, None if band is None or image_shown is None else (group.index(image_shown), band)
    )
    part = region_of(choices.get("region", ""), group[0]["shape"][2:4])
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    maps = []
    for layer in Layer.read(choices.get("channels", ""), layers):
        summary = group[layer.image]
        if layer.band is not None:
            values = band_map(folder, summary, layer.channel, frame, layer.band)[rows, columns]
        else:
            values = map_of(folder, summary, layer.channel, frame, rows, columns)
        step = math.ceil(max(values.shape) / MOST_PIXELS)
        # Contrast that nobody chose is that of the band as it is now.
        low, high = (layer.low, layer.high) if math.isfinite(layer.low) else _range(values)
        maps.append((values[::step, ::step], layer.colour, low, high))
    if not maps:
        height, width = group[0]["shape"][2:4]
        maps.append((np.zeros((min(height, 8), min(width, 8))), "#ffffff", 0.0, 1.0))
    return composite(maps)


def _range(values: Any) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (
        (float(number) for number in np.percentile(finite, (0.5, 99.5))) if finite.size else (0.0, 1.0)
    )
    return (low, high) if high > low else (low, low + 1.0)


def _map_content(summary: Mapping[str, Any], address: str, pixel: tuple[int, int] | None) -> dict[str, Any]:
    """Tell a template how large a map is, with a scale bar where its pixels have a size."""
    rows, columns = (int(length) for length in summary["shape"][2:4])
    across = summary["column"]
    down = summary["row"] or across
    calibrated = across["unit"] in _LENGTHS and down["unit"] == across["unit"]
    size = [abs(axis["scale"]) * summary["averaged"] for axis in (down, across)] if calibrated else [1.0, 1.0]
    ratio = size[0] / size[1]
    content: dict[str, Any] = {
        "picture": address,
        "rows": rows,
        "columns": columns,
        # Pixels that are no squares are drawn as high as they are.
        "width": columns if ratio >= 1 else max(1, round(columns / ratio)),
        "height": max(1, round(rows * ratio)) if ratio >= 1 else rows,
        "averaged": summary["averaged"],
        "bar": None,
        "pixel_size": "",
        "place": None,
    }
    if calibrated:
        length, part = scale_bar(columns * size[1])
        unit = across["unit"]
        content["bar"] = {"text": units.show(length, unit, digits=3), "percent": round(100 * part, 3)}
        sizes = [units.show(length, unit, digits=3) for length in size[::-1]]
        content["pixel_size"] = sizes[0] if sizes[0] == sizes[1] else " × ".join(sizes)
    if pixel is not None:
        content["place"] = (f"{100 * (pixel[1] + 0.5) / columns:.3f}", f"{100 * (pixel[0] + 0.5) / rows:.3f}")
    return content


def _plot_content(
    view: View,
    summary: Mapping[str, Any],
    frame: int,
    pixel: tuple[int, int] | None,
    choices: Mapping[str, str],
) -> dict[str, Any]:
    scale = choices.get("counts") or "linear"
    if scale not in ("linear", "log"):
        raise ParameterError(f"counts = {scale[:40]!r} does not exist; choose 'linear' or 'log'")
    values = inner_of(view.folder, summary, 0, frame, pixel)[:, 0].astype(np.float64)
    band = (
        (float(choices["from"]), float(choices["to"])) if choices.get("from") and choices.get("to") else None
    )
    axis, where = summary["spectrum"], "the sum of all pixels" if summary["column"] else str(summary["name"])
    if pixel is not None:
        where = f"column {pixel[1]}, row {pixel[0]}"
    return {
        **plot(positions(summary), values, logarithmic=scale == "log", band=band),
        "scale": scale,
        "linear": view.page({"counts": None}) + "#images",
        "log": view.page({"counts": "log"}) + "#images",
        "whole": view.page({"row": None, "column": None}) + "#images",
        "axis": str(axis["name"]),
        "unit": axis["unit"] if axis["unit"] not in ("", "px") else "",
        "quantity": summary["unit"] or "values",
        "where": where,
        "most": f"{np.nanmax(values):.5g}" if np.isfinite(values).any() else "",
    }


def _read_band(choices: Mapping[str, str], summary: Mapping[str, Any] | None) -> tuple[int, int] | None:
    if not (choices.get("from") and choices.get("to")) or summary is None or summary["pattern"]:
        return None
    try:
        low, high = float(choices["from"]), float(choices["to"])
    except ValueError:
        low, high = math.nan, math.nan
    band = band_of(summary, low, high) if low <= high else None
    if band is None:
        x = positions(summary)
        raise ParameterError(
            f"from = {choices['from'][:40]!r} and to = {choices['to'][:40]!r} are no band of this spectrum; give two "
            f"numbers from {x.min():.6g} to {x.max():.6g} {summary['spectrum']['unit']}, the lower one first"
        )
    return band if summary["cube"] else None


def _read_pixel(choices: Mapping[str, str], summary: Mapping[str, Any]) -> tuple[int, int] | None:
    """Read the pixel that is chosen; row 0 of a line."""
    if not choices.get("column") and not choices.get("row"):
        return None
    rows, columns = (int(length) for length in summary["shape"][2:4])
    return _read_number(choices, "row", rows), _read_number(choices, "column", columns)


def _read_number(choices: Mapping[str, str], name: str, count: int) -> int:
    text = choices.get(name) or "0"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) >= count:
        raise ParameterError(
            f"{name} = {text[:40]!r} does not exist; give a whole number from 0 to {count - 1}"
        )
    return int(text)


def _is_own(key: str) -> bool:
    """Tell whether a choice is one of this viewer's fields."""
    single = ("image", "chosen", "frame", "row", "column", "spectrum", "counts", "from", "to")
    return key in single or re.fullmatch(r"(on|colour|low|high)\d{1,4}", key) is not None


def _own_choices(choices: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str | None]:
    return {**{key: None for key in choices if _is_own(key)}, **changes}


def _version(record: Record) -> str:
    return next((entry.sha256[:12] for entry in record.files if entry.role == "data"), "")


IMAGES = Viewer(
    name="images",
    title="Image",
    order=9,
    suits=suits,
    render=render,
    picture=picture,
    previews=previews,
    built="images",
    plainest="pupil",
)
