"""Phases that were carried from maps into a volume: pictures, what is sure and what is not, and all figures."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from tomarium import units
from tomarium.model import Record
from tomarium.viewers.phase_pictures import KINDS, PLANES, colour_of
from tomarium.viewers.viewer import Piece, View, Viewer, fill

FOLDER: Final = "pictures"


Interval = tuple[float | None, float | None]


class _Phase(BaseModel):
    number: int
    name: str
    volume_share: float | None
    volume_interval: Interval
    map_share: float | None
    map_interval: Interval
    found: float | None
    right: float | None


class _Bin(BaseModel):
    confidence: float | None
    right: float | None


class _HeldOut(BaseModel):
    confusion: list[list[float | None]]
    curve: list[_Bin]


class _Pair(BaseModel):
    phases: tuple[int, int]
    auc: float | None
    mistaken: float | None
    separable: bool | None


class _Section(BaseModel):
    through_m: tuple[float, float, float]
    normal: tuple[float, float, float]
    gain: float


class _Map(BaseModel):
    name: str
    inside_share: float | None
    sigma_m: float | None
    samples: int
    link: str = ""


class _Sentence(BaseModel):
    sure: bool
    text: str


class Report(BaseModel):
    """What a page shows of a report that `specimen.fusion.report` made; provenance of strangers may hold anything."""

    form: Literal["tomarium fusion 1"]
    phases: list[_Phase]
    held_out: _HeldOut
    pairs: list[_Pair]
    separable_from: float
    look_next: list[_Section]
    maps: list[_Map]
    sentences: list[_Sentence]


def fused(record: Record) -> Report | None:
    """Return the report of a record that was fused; None where it has none, or one that cannot be shown."""
    account = record.provenance.get("fused")
    try:
        report = Report.model_validate(account)
    except ValidationError:
        return None
    sound = all(len(row) == len(report.phases) for row in report.held_out.confusion)
    return report if sound and len(report.held_out.confusion) == len(report.phases) else None


def is_fused(record: Record) -> bool:
    """Tell whether a record holds a volume whose phases were carried from maps."""
    return fused(record) is not None


def render(record: Record, view: View) -> Piece:
    """Show a fusion: the middle slice across z in the open, the others folded; then words, then tables.

    Parameters
    ----------
    record : Record
        With a report.
    view : View
        Addresses; nothing can be chosen.

    Returns
    -------
    Piece
        Its data: the report, and `pictures`, each with plane, kind, address and caption.
    """
    report = fused(record)
    assert report is not None
    paths = {entry.path for entry in record.files}
    pictures = [
        {"plane": plane, "kind": kind, "address": view.file(path), "caption": caption}
        for plane in PLANES
        for kind, caption in KINDS.items()
        if (path := f"{FOLDER}/{plane}-{kind}.png") in paths
    ]
    data = {**record.provenance["fused"], "pictures": pictures}
    return Piece(data, fill("fusion.html", content_of(report, pictures, record.title)))


def content_of(report: Report, pictures: list[dict[str, str]], title: str) -> dict[str, Any]:
    """Gather what the template `fusion.html` shows.

    Parameters
    ----------
    report : Report
        What is told.
    pictures : list of dict
        Plane, kind, address and caption of each.
    title : str
        Of the record.

    Returns
    -------
    dict
        Texts; shares as percent.
    """
    names = {phase.number: phase.name for phase in report.phases}
    return {
        "title": title,
        "planes": [
            {"name": plane, "pictures": pictures_of_plane}
            for plane in PLANES
            if (pictures_of_plane := [picture for picture in pictures if picture["plane"] == plane])
        ],
        "sentences": report.sentences,
        "phases": [
            {
                "name": phase.name,
                "colour": colour_of(place),
                "volume": _share(phase.volume_share, phase.volume_interval),
                "maps": _share(phase.map_share, phase.map_interval),
                "found": _percent(phase.found),
                "right": _percent(phase.right),
            }
            for place, phase in enumerate(report.phases)
        ],
        "confusion": [[_percent(value) for value in row] for row in report.held_out.confusion],
        "curve": [
            {"confidence": _percent(point.confidence), "right": _percent(point.right)}
            for point in report.held_out.curve
        ],
        "pairs": [
            {
                "names": " and ".join(names.get(number, str(number)) for number in pair.phases),
                "auc": _percent(pair.auc),
                "mistaken": _percent(pair.mistaken),
                "separable": {True: "yes", False: "no", None: "not known"}[pair.separable],
            }
            for pair in report.pairs
        ],
        "demanded": _percent(report.separable_from),
        "sections": [
            {
                "through": ", ".join(units.show(value, "m", 3) for value in section.through_m),
                "normal": ", ".join(f"{value:.2f}" for value in section.normal),
                "gain": f"{section.gain:.2f}",
            }
            for section in report.look_next
        ],
        "maps": [
            {
                "name": map_.name,
                "inside": _percent(map_.inside_share),
                "sigma": "not known" if map_.sigma_m is None else units.show(map_.sigma_m, "m", 2),
                "samples": str(map_.samples),
                "link": map_.link,
            }
            for map_ in report.maps
        ],
    }


def _share(share: float | None, interval: Interval) -> str:
    low, high = interval
    return f"{_percent(share)} ({_percent(low)} to {_percent(high)})"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.3g} %"


FUSION = Viewer(
    name="fusion", title="Phases from maps", order=7, whole=is_fused, render=render, plainest="student"
)
