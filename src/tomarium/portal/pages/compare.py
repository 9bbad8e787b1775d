"""Two records side by side: slices at one scale and in the same greys, and what differs in how they were made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from fastapi import HTTPException, Query

from tomarium import units
from tomarium.catalogue import search
from tomarium.model import Record, parameter
from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.viewers import slices
from tomarium.viewers.chain import steps_told
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.volume import PLANES, Plane, volume_window

FIELD: Final = 1000
"""Side of the drawing that a slice is put into, in units of its own."""
OFFERED: Final = 24


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes
    ----------
    id, title, page : str
        The record, and the address of its page.
    index, count : int
        The slice that is shown, and how many there are; -1 where the volume does not reach so far.
    position : str
        Where it lies from the middle of the volume.
    window : tuple of float
        Grey values drawn black and white.
    unit : str
        Of the grey values.
    picture, pattern : str
        Addresses of the slice, and of any other (INDEX).
    box : tuple of float
        Left, top, width and height of the slice in the drawing.
    step : float
        Distance of two slices, in units of the drawing.
    """

    id: str
    title: str
    page: str
    index: int
    count: int
    position: str
    window: tuple[float, float]
    unit: str
    picture: str = field(metadata=FOR_PEOPLE)
    pattern: str = field(metadata=FOR_PEOPLE)
    box: tuple[float, float, float, float] = field(metadata=FOR_PEOPLE)
    step: float = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Difference:
    """What one record says otherwise than the other.

    Attributes
    ----------
    label, one, other : str
        What it is, and what each says; "–" where it says nothing.
    """

    label: str
    one: str
    other: str


@dataclass(frozen=True)
class Choice:
    """A record that could be compared.

    Attributes
    ----------
    words, address : str
        Its title, and the comparison with it.
    """

    words: str
    address: str


@dataclass(frozen=True)
class ComparePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    sides : tuple of Side
        None or two.
    plane : str
        Axis of the slices: "z", "y" or "x".
    at : int
        Where they lie, in thousandths of the longer volume from its middle.
    greys : str
        "same" or "own": whether both are drawn in the window of the first.
    scale : str
        Length of the scale bar in words; "" where a voxel size is not known, so that voxels are compared.
    bar : float
        Its length in the drawing.
    side_m : float
        What the side of the drawing stands for; 0 where a voxel size is not known.
    differences : tuple of Difference
        Parameters and steps that are not the same.
    planes : tuple of Choice
        The other axes.
    choices : tuple of Choice
        Records to be chosen, where two were not named.
    a, b : str
        Identifiers.
    modules : tuple of str
        Scripts.
    """

    title: str
    sides: tuple[Side, ...]
    plane: str
    at: int
    greys: str
    scale: str
    bar: float = field(metadata=FOR_PEOPLE)
    side_m: float = field(metadata=FOR_PEOPLE)
    differences: tuple[Difference, ...]
    planes: tuple[Choice, ...] = field(metadata=FOR_PEOPLE)
    choices: tuple[Choice, ...] = field(metadata=FOR_PEOPLE)
    a: str
    b: str
    modules: tuple[str, ...] = field(metadata=FOR_PEOPLE)


Identifier = Annotated[str, Query(max_length=200, description="Identifier of a record with a volume")]


def content(
    request_context: CurrentRequest,
    a: Identifier = "",
    b: Identifier = "",
    plane: Annotated[Literal["z", "y", "x"], Query(description="Axis of the slices")] = "z",
    at: Annotated[
        int, Query(ge=-500, le=500, description="Thousandths of the longer one, from the middle")
    ] = 0,
    greys: Annotated[Literal["same", "own"], Query(description="One grey window or two")] = "same",
) -> ComparePage:
    """Compare two volumes: slices at the same place and scale, and what differs in how they were made."""
    if not (a and b):
        return ComparePage(
            "Compare two records",
            (),
            plane,
            at,
            greys,
            "",
            0,
            0,
            (),
            (),
            _choices(request_context, a),
            a,
            b,
            (),
        )
    opened = [request_context.record(id) for id in (a, b)]
    for record, _ in opened:
        if not slices.SLICES.shows(record):
            raise HTTPException(404, f"The record {record.id} has no volume to compare.")
    records = [record for record, _ in opened]
    sizes = [slices.voxel_m(record) for record in records]
    metric = all(sizes)
    voxels = [size if metric and size else (1.0, 1.0, 1.0) for size in sizes]
    windows = [volume_window(record, folder) for record, folder in opened]
    if greys == "same":
        windows[1] = windows[0]
    axis = PLANES.index(plane)
    extents = [
        [n * s for n, s in zip(r.volume["shape"], v, strict=True)]
        for r, v in zip(records, voxels, strict=True)
    ]
    side = max(max(length for k, length in enumerate(extent) if k != axis) for extent in extents)
    offset = at / 1000 * max(extent[axis] for extent in extents)
    length, part = scale_bar(side) if metric else (0.0, 0.0)
    query = {"a": a, "b": b, "at": str(at), "greys": greys}
    name = built("compare")
    return ComparePage(
        title=f"{records[0].title} and {records[1].title}"
        if records[0].title != records[1].title
        else records[0].title,
        sides=tuple(
            _side(request_context, record, plane, voxel, window, side, offset, metric)
            for record, voxel, window in zip(records, voxels, windows, strict=True)
        ),
        plane=plane,
        at=at,
        greys=greys,
        scale=units.show(length, "m") if metric else "",
        bar=round(part * FIELD, 2),
        side_m=side if metric else 0.0,
        differences=tuple(differences(records[0], records[1])),
        planes=tuple(
            Choice(axis, request_context.link("compare", query={**query, "plane": axis})) for axis in PLANES
        ),
        choices=(),
        a=a,
        b=b,
        modules=(request_context.link("static", {"path": name}),) if name else (),
    )


def differences(first: Record, second: Record) -> list[Difference]:
    """Tell what two records say of themselves otherwise.

    Parameters
    ----------
    first, second : Record
        Any two.

    Returns
    -------
    list of Difference
        Sizes of the volumes, parameters, then steps with what was chosen for each.
    """
    rows: dict[str, list[str]] = {}
    for k, record in enumerate((first, second)):
        values = {"Volume": " × ".join(str(n) for n in (record.volume.get("shape") or ())[::-1])}
        values |= {parameter.label(key): parameter.show(key, v.value) for key, v in record.parameters.items()}
        values |= {f"Step: {title}": detail or "done" for title, detail in steps_told(record.provenance)}
        for label, text in values.items():
            rows.setdefault(label, ["–", "–"])[k] = text
    return [Difference(label, *texts) for label, texts in rows.items() if texts[0] != texts[1]]


def _side(
    request_context: RequestContext, record: Record, plane: Plane, voxel: tuple[float, float, float],
    window: tuple[float, float], side: float, offset: float, metric: bool,
) -> Side:  # fmt: skip
    axis = PLANES.index(plane)
    down, across = (k for k in range(3) if k != axis)
    shape = record.volume["shape"]
    index = math.floor(shape[axis] / 2 + offset / voxel[axis])
    inside = 0 <= index < shape[axis]
    query = _query(record, window)

    def picture(index: str) -> str:
        parts = {"id": record.id, "viewer": "slices", "name": f"{plane}-{index}.png"}
        return request_context.link("picture", parts, query)

    width, height = (FIELD * shape[k] * voxel[k] / side for k in (across, down))
    return Side(
        id=record.id,
        title=record.title,
        page=request_context.link("record", {"id": record.id}),
        index=index if inside else -1,
        count=shape[axis],
        position=units.show(offset, "m", digits=3) if metric else f"{offset:.0f} px",
        window=window,
        unit=str(record.volume.get("unit") or ""),
        picture=picture(str(index)) if inside else "",
        pattern=picture("INDEX"),
        box=(
            round((FIELD - width) / 2, 2),
            round((FIELD - height) / 2, 2),
            round(width, 2),
            round(height, 2),
        ),
        step=round(FIELD * voxel[axis] / side, 6),
    )


def _query(record: Record, window: tuple[float, float]) -> Mapping[str, str]:
    version = next(entry.sha256[:12] for entry in record.files if entry.role == "volume")
    return {"low": f"{window[0]:.6g}", "high": f"{window[1]:.6g}", "v": version}


def _choices(request_context: RequestContext, a: str) -> tuple[Choice, ...]:
    """Offer the newest volumes that may be opened; the one that is named already is left out."""
    page = search(request_context.catalogue, request_context.reader, "", limit=OFFERED)
    chosen: Any = (hit for hit in page.hits if hit.shape and hit.thumbnail and hit.id != a)
    return tuple(
        Choice(hit.title, request_context.link("compare", query={"a": a or hit.id, "b": hit.id if a else ""}))
        for hit in chosen
    )


COMPARE = Page(
    name="compare", path="/compare", json_path="/compare.json", template="compare.html", content=content
)
