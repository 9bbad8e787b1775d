"""A series: the slices of all its moments in the same greys, over time, in the plane and in three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from fastapi import HTTPException, Query
from markupsafe import Markup

from tomarium import units
from tomarium.catalogue.queries import Place
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.series_records import InSeries, in_series, places_of_series, when
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.portal.built import built
from tomarium.portal.languages import translations
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext, closed
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers import look, slices
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.small_volume import small_shape
from tomarium.viewers.viewer import fill
from tomarium.viewers.volume import PLANES, Plane, volume_window

GAPS_TOLD: Final = 8


@dataclass(frozen=True)
class SeriesVolume:
    """What the page needs of a record; kept, so that a long series is not read anew for every picture.

    Attributes
    ----------
    id, title : str
        Of the record.
    place : InSeries or None
        Which moment it is.
    shape : tuple of int
        Voxels (z, y, x); empty where there is no volume to slice.
    voxel_m : tuple of float or None
        Size of a voxel (z, y, x), m.
    window : tuple of float
        Grey values between which it shows well.
    unit : str
        Of the grey values.
    version : str
        Start of the volume's checksum.
    closed : str
        Why its files are not open, for those who may not open them.
    """

    id: str
    title: str
    place: InSeries | None
    shape: tuple[int, ...]
    voxel_m: tuple[float, float, float] | None
    window: tuple[float, float]
    unit: str
    version: str
    closed: str


@dataclass(frozen=True)
class Moment:
    """One moment of the series.

    Attributes
    ----------
    number : int
        From 1.
    id : str
        Of its record; "" where there is none that the reader may see.
    when : str
        Time since the first moment, or the angle where its window begins; "" where neither is told.
    problem : str
        Why it is not shown; "" where it is.
    page, here : str
        Address of the record's page, and of this page at that moment.
    picture, pattern, volume : str
        Addresses of a small slice, of any slice (z-INDEX, where z stands for any axis), and of the small volume.
    """

    number: int
    id: str
    when: str
    problem: str
    page: str = field(default="", metadata=FOR_PEOPLE)
    here: str = field(default="", metadata=FOR_PEOPLE)
    picture: str = field(default="", metadata=FOR_PEOPLE)
    pattern: str = field(default="", metadata=FOR_PEOPLE)
    volume: str = field(default="", metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Slice:
    """The slice along one axis that is shown.

    Attributes
    ----------
    words : str
        "across the rotation axis" …
    index, count : int
        Which one, and how many there are.
    width, height : int
        In the proportions of the sample.
    bar : str
        Length of the scale bar; "" where the voxel size is not known.
    bar_percent : float
        The same as a part of the width.
    """

    words: str
    index: int
    count: int
    width: int = field(metadata=FOR_PEOPLE)
    height: int = field(metadata=FOR_PEOPLE)
    bar: str = field(metadata=FOR_PEOPLE)
    bar_percent: float = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class SeriesPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        How many moments there are, and the title of the record that was asked for.
    id, series : str
        Of the record that was asked for, and of the series.
    number, count : int
        The moment that is shown, and how many there are.
    moments : tuple of Moment
        All of them, in the order of time.
    missing : str
        Which moments are not shown, and why; "" where all are.
    record_title : str
        Title of the record that was asked for.
    gaps : tuple of str
        Numbers of the moments that are not shown: "4", "7–9".
    planes : Mapping of str to Slice
        The slices along z, y and x.
    window : tuple of float
        Grey values drawn black and white, in all moments.
    chosen : bool
        Whether the reader chose the window; else it holds those of all moments.
    unit : str
        Of the grey values.
    shown : Moment
        The moment that is shown.
    look : Markup
        The look in three dimensions.
    modules : tuple of str
        Scripts.
    """

    title: str
    id: str
    series: str
    number: int
    count: int
    moments: tuple[Moment, ...]
    missing: str
    planes: Mapping[str, Slice]
    window: tuple[float, float]
    chosen: bool
    unit: str
    record_title: str = field(metadata=FOR_PEOPLE)
    gaps: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    shown: Moment = field(metadata=FOR_PEOPLE)
    look: Markup = field(metadata=FOR_PEOPLE)
    modules: tuple[str, ...] = field(metadata=FOR_PEOPLE)


Index = Annotated[
    int | None, Query(ge=0, description="Index of the slice along that axis; the middle by default")
]
Grey = Annotated[
    str, Query(max_length=40, description="Grey value drawn black (low) or white (high) in all moments")
]


def content(
    request_context: CurrentRequest,
    id: str,
    moment: Annotated[
        int | None, Query(ge=1, description="Number of the moment; that of the record by default")
    ] = None,
    z: Index = None,
    y: Index = None,
    x: Index = None,
    low: Grey = "",
    high: Grey = "",
) -> SeriesPage:
    """Show the moments of a series in the same greys; a moment is chosen by its number."""
    request_context.record(id)  # refuses what is hidden or closed
    _, place = request_context.seen(id)
    base = _volume_at(place)
    if base.place is None:
        raise HTTPException(404, f"The record {id} is no moment of a series.")
    if not base.shape:
        raise HTTPException(404, f"The record {id} has no volume, so its series cannot be shown.")
    number, count = moment or base.place.number, base.place.count
    if number > count:
        raise HTTPException(404, f"The series has {count} moments; there is no moment {number}.")
    volumes = _volumes_by_number(request_context, base)
    window = _window([volume for volume in volumes.values() if not _problem(volume, base)], low, high)
    chosen_indices: dict[Plane, int | None] = {"z": z, "y": y, "x": x}
    planes: dict[str, Slice] = {plane: _slice(plane, base, chosen_indices[plane]) for plane in PLANES}
    query = {str(plane): str(index) for plane, index in chosen_indices.items() if index is not None}
    query |= {"low": low, "high": high}
    moments = tuple(
        _moment(request_context, k, volumes.get(k), base, window, planes["z"].index, query)
        for k in range(1, count + 1)
    )
    current = moments[number - 1]
    scripts = [built(name) for name in ("volume", "series")]
    return SeriesPage(
        title=f"A series of {count} moments: {base.title}",
        id=id,
        series=base.place.series,
        number=number,
        count=count,
        moments=moments,
        missing=_missing(moments),
        record_title=base.title,
        gaps=tuple(
            f"{first}–{last}" if last > first else str(first) for first, last in _missing_runs(moments)
        ),
        planes=planes,
        window=window,
        chosen=bool(low or high),
        unit=base.unit,
        shown=current,
        look=_look(request_context, current, base, window),
        modules=tuple(request_context.link("static", {"path": name}) for name in scripts if name),
    )


def _window(shown: Sequence[SeriesVolume], low: str, high: str) -> tuple[float, float]:
    """Return the window that was chosen; where an end was not, that which holds the windows of all moments."""
    try:
        window = (
            float(low) if low else min(volume.window[0] for volume in shown),
            float(high) if high else max(volume.window[1] for volume in shown),
        )
    except ValueError:
        window = (inf, -inf)
    if not (isfinite(window[0]) and isfinite(window[1]) and window[0] < window[1]):
        raise HTTPException(
            400,
            f"low = “{low}” and high = “{high}” are no grey window; give two numbers, the lower one first.",
        )
    return window


def _volumes_by_number(request_context: RequestContext, base: SeriesVolume) -> dict[int, SeriesVolume]:
    """Find the moments that the reader may see; where two records claim one number, that of this page is taken."""
    assert base.place is not None
    with request_context.catalogue.reading() as connection:
        places = places_of_series(connection, request_context.reader, base.place.series, base.id)
    volumes: dict[int, SeriesVolume] = {}
    for id in sorted(places, key=lambda id: (id != base.id, id)):
        try:
            volume = _volume_at(places[id])
        except (OSError, FormatError):  # a folder that was moved: the moment is missing
            continue
        if volume.place is not None and volume.place.count == base.place.count:
            volumes.setdefault(volume.place.number, volume)
    return volumes


def _volume_at(place: Place) -> SeriesVolume:
    state = (place.folder / FILENAME).stat()
    volume = _read_volume(place.folder, state.st_mtime_ns, state.st_size)
    return replace(volume, closed="" if place.open else volume.closed)


@lru_cache(maxsize=4096)
def _read_volume(folder: Path, _changed_ns: int, _bytes: int) -> SeriesVolume:
    record = read_record(folder)
    has_volume = slices.SLICES.shows(record)
    version = next((entry.sha256[:12] for entry in record.files if entry.role == "volume"), "")
    return SeriesVolume(
        id=record.id,
        title=record.title,
        place=in_series(record),
        shape=tuple(record.volume["shape"]) if has_volume else (),
        voxel_m=slices.voxel_m(record),
        window=volume_window(record, folder) if has_volume else (inf, -inf),
        unit=str(record.volume.get("unit") or ""),
        version=version,
        closed=closed(record),
    )


def _problem(volume: SeriesVolume | None, base: SeriesVolume) -> str:
    """Say why a moment cannot be shown with the others."""
    if volume is None:
        return "not filed here, or not open to you"
    if volume.closed:
        return volume.closed.removesuffix(".")
    if not volume.shape:
        return "has no volume"
    if volume.shape != base.shape:
        return f"has another size: {' × '.join(map(str, volume.shape[::-1]))} voxels"
    return (
        ""
        if volume.unit == base.unit
        else f"has grey values in another unit: {volume.unit or 'none is told'}"
    )


def _moment(
    request_context: RequestContext,
    number: int,
    volume: SeriesVolume | None,
    base: SeriesVolume,
    window: tuple[float, float],
    z: int,
    query: Mapping[str, str],
) -> Moment:
    address = request_context.link("series", {"id": base.id}, {**query, "moment": str(number)})
    problem = _problem(volume, base)
    if volume is None:
        return Moment(number, "", "", problem, here=address)
    page = request_context.link("record", {"id": volume.id})
    if problem:
        return Moment(number, volume.id, when(volume.place) if volume.place else "", problem, page, address)
    greys = {"low": f"{window[0]:.9g}", "high": f"{window[1]:.9g}", "v": volume.version}

    def picture(viewer: str, name: str, **more: str) -> str:
        return request_context.link(
            "picture", {"id": volume.id, "viewer": viewer, "name": name}, {**greys, **more}
        )

    return Moment(
        number, volume.id, when(volume.place) if volume.place else "", "", page, address,
        picture=picture("slices", f"z-{z}.png", size="small"),
        pattern=picture("slices", "z-INDEX.png"),
        volume=picture("look", look.VOLUME, size="small") if min(volume.shape) >= look.FEWEST else "",
    )  # fmt: skip


def _slice(plane: Plane, base: SeriesVolume, index: int | None) -> Slice:
    axis = PLANES.index(plane)
    count = base.shape[axis]
    if index is not None and index >= count:
        raise HTTPException(
            404, f"There is no slice {plane} = {index}; give a whole number from 0 to {count - 1}."
        )
    down, across = (k for k in range(3) if k != axis)
    tall = base.voxel_m[down] / base.voxel_m[across] if base.voxel_m else 1.0
    length, part = scale_bar(base.shape[across] * base.voxel_m[across]) if base.voxel_m else (0.0, 0.0)
    return Slice(
        slices.WORDS[plane],
        count // 2 if index is None else index,
        count,
        base.shape[across],
        max(1, round(base.shape[down] * tall)),
        units.show(length, "m") if length else "",
        round(100 * part, 3),
    )


def _missing_runs(moments: Sequence[Moment]) -> list[tuple[int, int]]:
    """Tell the first and last number of each run of moments that are not shown."""
    missing = [moment.number for moment in moments if moment.problem]
    runs = [[n for _, n in group] for _, group in groupby(enumerate(missing), lambda pair: pair[1] - pair[0])]
    return [(run[0], run[-1]) for run in runs]


def _missing(moments: Sequence[Moment]) -> str:
    """Tell which moments are not shown: "Moments 4 and 7 to 9 …"."""
    missing = [moment.number for moment in moments if moment.problem]
    if not missing:
        return ""
    words = [f"{first} to {last}" if last > first else str(first) for first, last in _missing_runs(moments)]
    if len(words) > GAPS_TOLD:
        return f"{len(missing)} of {len(moments)} moments are not shown; each says why."
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    ending, verb = ("", "is") if len(missing) == 1 else ("s", "are")
    return f"Moment{ending} {text} {verb} not shown; each says why."


def _look(
    request_context: RequestContext, shown: Moment, base: SeriesVolume, window: tuple[float, float]
) -> Markup:
    """Show the look of that moment, whose volume a script exchanges."""
    if not shown.volume:
        return Markup("")
    shape = small_shape(base.shape, look.SMALL_BYTES)
    voxel = base.voxel_m or (1.0, 1.0, 1.0)
    data: dict[str, Any] = {
        "volume": shown.volume,
        "shape": list(shape),
        "extent": [n * s for n, s in zip(base.shape, voxel, strict=True)],
        "unit_of_length": "m" if base.voxel_m else "px",
        "window": list(window),
        "unit": base.unit,
        "still": shown.volume.replace(look.VOLUME, look.STILL),
        "title": base.title,
        "size": f"{np.prod(shape) / 1e6:.2g} MB a moment",
    }
    return fill("look.html", data, translations(request_context.language))


def words_of(record: Record) -> str:
    """Tell on the page of a record which moment it is.

    Parameters
    ----------
    record : Record
        Any.

    Returns
    -------
    str
        "Moment 3 of 12"; "" where it is none of a series.
    """
    place = in_series(record)
    return f"Moment {place.number} of {place.count}" if place else ""


SERIES = Page(
    name="series",
    path="/records/{id}/series",
    json_path="/records/{id}/series.json",
    template="series.html",
    content=content,
)
