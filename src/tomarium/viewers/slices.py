"""Slices along the three axes, with a scale bar and a selector that needs no script."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model import Part, Record
from tomarium.viewers import histogram
from tomarium.viewers.picture import png
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.slice_axes import WORDS as WAYS
from tomarium.viewers.slice_axes import Axes, axes_of, marks
from tomarium.viewers.slice_parts import MOST_TIFF, as_tiff, profile, read_region, region_of, signed
from tomarium.viewers.viewer import Piece, View, Viewer, fill
from tomarium.viewers.volume import (
    PLANES,
    Plane,
    open_volume,
    read_plane,
    volume_header,
    volume_path,
    volume_window,
)

PIXELS: Final = 1024
THUMBNAIL_PIXELS: Final = 512
SMALL_PIXELS: Final = 192
THIN: Final = 32  # a plane that many times wider than high is a line on the page
WORDS: Final[dict[Plane, str]] = {
    "z": "across the rotation axis",
    "y": "seen from the front",
    "x": "seen from the side",
}
NAME = re.compile(r"([zyx])-(\d{1,9})\.(png|tif|json)", re.ASCII)


def suits(part: Part) -> bool:
    """Tell whether a part is a volume to slice.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        An OME-Zarr volume of known shape.
    """
    return part.kind == "volume" and part.path.endswith(".zarr") and len(part.summary.get("shape") or ()) == 3


def render(record: Record, view: View) -> Piece:
    """Show one slice along each axis and a selector of each.

    Parameters
    ----------
    record : Record
        With a volume.
    view : View
        Choices: `z`, `y`, `x` (index, the middle if not given), `low`, `high` (grey values drawn black and
        white), `main` (the axis whose slice is shown large, z if not given), `axes` (none, first, file, motor or px:
        which coordinates are drawn along the slices, none if not given).

    Returns
    -------
    Piece
        Its data: for each axis the index, the count, the position in m (None without a voxel size) and the
        picture's address; the window; and for each way to draw axes the coordinates along x, y and z.

    Raises
    ------
    ParameterError
        A choice is no number or out of range, `main` is no axis, or `axes` is not offered.
    """
    low, high = window_of(record, view.folder, view.choices)
    chosen = {key: view.choices[key] for key in ("low", "high") if view.choices.get(key)}
    axes, _ = volume_header(view.folder / str(volume_path(record)))
    # Where a file places its first voxel: a run counts from the rotation axis and from the first detector row.
    offsets = tuple(axis.offset for axis in axes) if voxel_m(record) and any(a.offset for a in axes) else None
    main = view.choices.get("main") or "z"
    if main not in PLANES:
        raise ParameterError(f"main = {main[:40]!r} is no axis; choose z, y or x")
    axes_drawn = axes_of(record, voxel_m(record), offsets)
    planes = {plane: _plane_content(record, view, plane, chosen, axes_drawn) for plane in PLANES}
    way = view.choices.get("axes") or "none"
    data = {
        "planes": {plane: {key: view_of_plane[key] for key in ("index", "count", "position_m", "picture")}
                   for plane, view_of_plane in planes.items()},
        "window": [low, high],
        "unit": record.volume.get("unit", ""),
        "axes": {way: {plane: asdict(axis) for plane, axis in axes.items()} for way, axes in axes_drawn.ways.items()},
    }  # fmt: skip
    further_choices = {key: text for key, text in view.choices.items() if key not in (*PLANES, "low", "high")}
    html = fill(
        "slices.html",
        {
            "title": record.title,
            "planes": planes,
            "order": sorted(PLANES, key=lambda plane: plane != main),  # the large one first
            "window": (f"{low:.4g}", f"{high:.4g}"),
            "chosen": chosen,
            "others": further_choices,
            "unit": record.volume.get("unit", ""),
            "form": view.page(dict.fromkeys(view.choices, None)),
            "usual": " ".join(f"{value:.6g}" for value in volume_window(record, view.folder)),
            "has_histogram": histogram.HISTOGRAM.shows(record),
            "axes": axes_drawn,
            "way": way,
            "ways": {
                way: view.translations.gettext(words)
                for way, words in WAYS.items()
                if way == "none" or way in axes_drawn.ways
            },
            "next_way": view.page({"axes": axes_drawn.after(way).replace("none", "") or None}) + "#slices",
            "whole_window": view.page({"low": None, "high": None}),
        },
        view.translations,
    )
    return Piece(data, html)


def picture(record: Record, folder: Path, name: str, choices: Mapping[str, str]) -> bytes:
    """Draw one slice.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.
    name : str
        "z-120.png": the axis and the index along it. "z-120.tif" gives the numbers, "z-120.json" those along a line.
    choices : Mapping of str to str
        `low` and `high`: grey values drawn black and white. `size`: "small" for a picture of at most 192 pixels.
        `region`: "left,top,right,bottom" in voxels, a part of the slice. `cite`: any text; a scale bar, and a line that
        says what it is taken from, are added. `line`: "x0,y0,x1,y1" in voxels, for JSON.

    Returns
    -------
    bytes
        A PNG of at most 1024 x 1024 pixels where the volume has a level that coarse, without a scale bar; a TIFF of
        float32 in full resolution; or JSON with `distance` and `value`.

    Raises
    ------
    ParameterError
        There is no such slice, or a choice is no number.
    FormatError
        The volume is damaged.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise ParameterError(f"there is no picture {name!r}; name an axis and an index, such as z-0.png")
    plane = next(plane for plane in get_args(Plane) if plane == match[1])
    index = _read_index(record, plane, match[2])
    levels, sizes_m = open_volume(folder / str(volume_path(record))).levels, voxel_m(record)
    if match[3] == "json":
        return profile(levels, plane, index, choices, sizes_m)
    axis = PLANES.index(plane)
    shape = [length for number, length in enumerate(levels[0].shape) if number != axis]
    pixel_m = [size for number, size in enumerate(sizes_m) if number != axis] if sizes_m else None
    region = region_of(choices.get("region", ""), shape)
    words = f"slice {plane} = {index}"
    if choices.get("region"):
        words += f", columns {region.left} to {region.right - 1}, rows {region.top} to {region.bottom - 1}"
    if match[3] == "tif":
        wide, high = region.right - region.left, region.bottom - region.top
        if wide * high > MOST_TIFF:
            raise ParameterError(
                f"a slice of {wide} x {high} is too large for a TIFF; give a region, or take the volume"
            )
        image = read_region(levels, plane, index, region, max(wide, high))
        return as_tiff(image, (pixel_m[0], pixel_m[1]) if pixel_m else None, record, words)
    window = window_of(record, folder, choices)
    small = choices.get("size") == "small"
    image = read_region(levels, plane, index, region, SMALL_PIXELS if small else PIXELS)
    if small:
        step = math.ceil(max(image.shape) / SMALL_PIXELS)
        image = image[::step, ::step]
    shown_m = _shown_m(image.shape, (region.bottom - region.top, region.right - region.left), pixel_m)
    if choices.get("cite"):
        return signed(image, window, shown_m, record, words)
    return png(image, window=window, aspect=shown_m[0] / shown_m[1] if shown_m else 1.0)


def _shown_m(
    image: tuple[int, ...], shape: Sequence[int], voxel_m: Sequence[float] | None
) -> tuple[float, float] | None:
    """Return the size (down, across) of a pixel of a picture that shows so many voxels of a size, m."""
    if not voxel_m:
        return None
    down, across = (size * long / short for size, long, short in zip(voxel_m, shape, image, strict=True))
    return down, across


def previews(record: Record, folder: Path) -> dict[str, bytes]:
    """Draw the pictures that are kept in the record: the three middle slices and a thumbnail.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.

    Returns
    -------
    dict of str to bytes
        `thumbnail.png` (bare) and `slice-z.png`, `slice-y.png`, `slice-x.png` (with a scale bar burnt in
        where the voxel size is known: they leave the page that would say it).
    """
    levels = open_volume(folder / str(volume_path(record))).levels
    window = volume_window(record, folder)
    shape, sizes_m = record.volume["shape"], voxel_m(record)
    small = read_plane(levels, "z", shape[0] // 2, THUMBNAIL_PIXELS)
    step = math.ceil(max(small.shape) / THUMBNAIL_PIXELS)
    pictures = {"thumbnail.png": png(small[::step, ::step], window=window)}
    for axis, plane in enumerate(PLANES):
        image = read_plane(levels, plane, shape[axis] // 2, PIXELS)
        down, across = (number for number in range(3) if number != axis)
        pixel_m = _shown_m(
            image.shape, (shape[down], shape[across]), sizes_m and (sizes_m[down], sizes_m[across])
        )
        pictures[f"slice-{plane}.png"] = png(
            image,
            window=window,
            scale_m=pixel_m[1] if pixel_m else None,
            aspect=pixel_m[0] / pixel_m[1] if pixel_m else 1.0,
        )
    return pictures


def _plane_content(
    record: Record, view: View, plane: Plane, chosen: Mapping[str, str], axes: Axes
) -> dict[str, Any]:
    axis = PLANES.index(plane)
    count = record.volume["shape"][axis]
    index = _read_index(record, plane, view.choices.get(plane) or str(count // 2))
    down, across = (number for number in range(3) if number != axis)
    shape, sizes_m = record.volume["shape"], voxel_m(record)
    # A picture's address names its content, so that it may be kept for ever: the volume's checksum is in it.
    version = next(entry.sha256[:12] for entry in record.files if entry.role == "volume")
    address = view.picture(f"{plane}-{index}.png", {**chosen, "v": version})
    content: dict[str, Any] = {
        "words": WORDS[plane],
        "index": index,
        "count": count,
        "position_m": index * sizes_m[axis] if sizes_m else None,
        "picture": address,
        "pattern": view.picture(f"{plane}-INDEX.png", {**chosen, "v": version}),
        "voxels": f"{shape[across]} {shape[down]}",
        # In the proportions of the sample, which a voxel need not have.
        "width": shape[across],
        "height": round(shape[down] * (sizes_m[down] / sizes_m[across] if sizes_m else 1.0)),
        "previous": view.page({plane: str(index - 1)}) + "#slices" if index > 0 else None,
        "next": view.page({plane: str(index + 1)}) + "#slices" if index + 1 < count else None,
        # Where the two other planes cut this one, as parts of its width and height.
        "across": PLANES[across],
        "down": PLANES[down],
        "large": view.page({"main": plane if plane != "z" else None}) + "#slices",
        "pixel": " ".join(f"{sizes_m[k]:.9g}" for k in (across, down)) if sizes_m else "",
        "marks": [],
        "cited": view.picture(f"{plane}-{index}.png", {**chosen, "cite": "1"}),
        "numbers": view.picture(f"{plane}-{index}.tif", {}),
        "thin": _thin_rows(shape[down], shape[across]),
        "bar": None,
        "position": "",
        "step": None,
    }
    if sizes_m:
        length_m, fraction = scale_bar(shape[across] * sizes_m[across])
        content["bar"] = {"text": units.show(length_m, "m"), "percent": round(100 * fraction, 3)}
        extent, unit = units.show(count * sizes_m[axis], "m").rsplit(" ", 1)
        per_index = float(extent) / count
        decimals = max(0, 1 - math.floor(math.log10(per_index)))  # two digits of the step
        content["step"] = {"size": f"{per_index:.6g}", "unit": unit, "decimals": decimals}
        content["position"] = f"{index * per_index:.{decimals}f} {unit}"
    axes_chosen = axes.chosen(view.choices.get("axes", ""))
    if axes_chosen:
        content["position"] = f"{axes_chosen[plane].name} {axes_chosen[plane].at(index)}"
        content["marks"] = [
            {
                "upright": bool(number),
                "name": f"{axes_chosen[PLANES[k]].name} in {'mm' if axes_chosen[PLANES[k]].metric else 'px'}",
                "places": [
                    (f"{100 * part:.3f}", words) for part, words in marks(axes_chosen[PLANES[k]], shape[k])
                ],
            }
            for number, k in enumerate((across, down))
        ]
    return content


def _thin_rows(rows: int, columns: int) -> int:
    """Tell how many rows a plane has in which there is nothing to see, for they are few; 0 where there is."""
    return 0 if rows * THIN > columns else rows


def _read_index(record: Record, plane: Plane, text: str) -> int:
    count = record.volume["shape"][PLANES.index(plane)]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) >= count:
        raise ParameterError(
            f"there is no slice {plane} = {text[:40]!r}; give a whole number from 0 to {count - 1}"
        )
    return int(text)


def window_of(record: Record, folder: Path, choices: Mapping[str, str]) -> tuple[float, float]:
    """Return the grey values drawn black and white: those that were chosen as `low` and `high`, else the record's."""
    low, high = volume_window(record, folder)
    try:
        low, high = float(choices.get("low") or low), float(choices.get("high") or high)
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            f"low = {choices.get('low', '')[:40]!r} and high = {choices.get('high', '')[:40]!r} are no grey "
            f"window; give two numbers, the lower one first"
        )
    return low, high


def voxel_m(record: Record) -> tuple[float, float, float] | None:
    """Return the voxel size of a record (z, y, x) in m, None where it is not known; a single number means a cube."""
    return voxel_of(record.volume)


def voxel_of(summary: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Return the voxel size that the summary of a volume tells (z, y, x) in m, None where it tells none."""
    voxel = summary.get("voxel_m")
    if not voxel:
        return None
    z, y, x = (voxel, voxel, voxel) if isinstance(voxel, (int, float)) else voxel
    return float(z), float(y), float(x)


SLICES = Viewer(
    name="slices",
    title="Slices",
    order=10,
    suits=suits,
    render=render,
    picture=picture,
    previews=previews,
    built="slices",
    plainest="pupil",
)
