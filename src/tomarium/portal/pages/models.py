"""Meshes and prints of a record: what a threshold makes of its volume, what was asked for, and how far that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import HTTPException, Query
from sqlalchemy import Row

from tomarium.catalogue.edit import place_for
from tomarium.catalogue.model_jobs import demand_volume, models_asked
from tomarium.catalogue.model_request import LABELS, read_model_request
from tomarium.catalogue.reader import NotAllowed
from tomarium.errors import InputError, ParameterError
from tomarium.model import Record
from tomarium.model.sentence import Sentence
from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.viewers import histogram
from tomarium.viewers.body_preview import BodyPreview, body_preview
from tomarium.viewers.volume import volume_path

SHOWN: Final = ("threshold", "dark", "smooth", "whole", "up")
"""Fields that change what is previewed."""
TITLE: Final = "Mesh and print “%(title)s”"
ABOVE: Final = (
    "The body is what is above %(threshold)s (%(source)s): %(share)s of the volume, "
    "seen in %(voxels)s voxels."
)
BELOW: Final = (
    "The body is what is below %(threshold)s (%(source)s): %(share)s of the volume, "
    "seen in %(voxels)s voxels."
)
BY_OTSU: Final = "found by Otsu’s method"
GIVEN: Final = "given"
IN_PIECES: Final = "It falls into %(pieces)s pieces; the largest is %(share)s of it. A print is one piece."
AT_EDGE: Final = (
    "%(share)s of its surface lies where the volume or its circle ends: it would be cut flat there."
)
WORDS: Final = (TITLE, ABOVE, BELOW, BY_OTSU, IN_PIECES, AT_EDGE)
"""What the page is handed, which it translates."""
NAMES: Final = {"surface": "Mesh", "print": "Print"}


@dataclass(frozen=True)
class AskedModel:
    """A mesh or a print that was asked for.

    Attributes
    ----------
    number : int
        Of its job.
    role, name, state, told, asked_by : str
        "surface" or "print"; its name; "waiting", "running", "done" or "failed"; how far it is, what came of it or
        why it was refused; and who asked.
    wanted : tuple of str
        What was asked for that is not as by default, in words.
    address : str
        Of the record that holds it; "" as long as there is none.
    """

    number: int
    role: str
    name: str
    state: str
    told: str
    asked_by: str
    wanted: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Shown:
    """What a threshold makes of the volume.

    Attributes
    ----------
    threshold, words : str
        The threshold as a number, and what the body is, in a sentence.
    slice, silhouette : str
        Addresses of pictures.
    hints : tuple of str
        What may keep the body from being printed.
    """

    threshold: str
    words: str
    slice: str
    silhouette: str
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Bars:
    """The histogram of the volume with the threshold in it.

    Attributes
    ----------
    path : str
        Its outline, SVG in a square of side 1.
    low, high : float
        Grey values at its ends.
    at : str
        Place of the threshold, percent of the width; "" where it lies outside.
    ticks : tuple
        Place in percent, and number.
    """

    path: str
    low: float
    high: float
    at: str
    ticks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ModelsPage:
    """Content of the page.

    Attributes
    ----------
    title, id, unit : str
        Of the page; of the record; of the grey values.
    asked : tuple of AskedModel
        The newest first.
    shown : Shown or None
        What the chosen threshold makes of the volume; None where it makes nothing.
    problem : str
        Why nothing can be shown or made; "" where all is well.
    record : str
        Address of the record's page.
    values : Mapping of str to str
        Field → its text.
    labels : Mapping of str to str
        Field → what stands beside it.
    bars : Bars or None
        The histogram; None where the record tells none.
    calibrated : bool
        Whether the size of a voxel is known.
    makes : bool
        Whether anything can be made.
    published : bool
        Whether what is made becomes a record of its own.
    busy : bool
        Whether something waits or is being made.
    said : str
        What was just done.
    script : str
        Address of the page's script; "" where it is not built.
    """

    title: str
    id: str
    unit: str
    asked: tuple[AskedModel, ...]
    shown: Shown | None
    problem: str
    record: str = field(metadata=FOR_PEOPLE)
    values: Mapping[str, str] = field(metadata=FOR_PEOPLE)
    labels: Mapping[str, str] = field(metadata=FOR_PEOPLE)
    bars: Bars | None = field(metadata=FOR_PEOPLE)
    calibrated: bool = field(metadata=FOR_PEOPLE)
    makes: bool = field(metadata=FOR_PEOPLE)
    published: bool = field(metadata=FOR_PEOPLE)
    busy: bool = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    script: str = field(metadata=FOR_PEOPLE)


Text = Annotated[str, Query(max_length=40)]


def content(
    request_context: CurrentRequest,
    id: str,
    threshold: Text = "",
    dark: Text = "",
    smooth: Text = "",
    whole: Text = "",
    up: Text = "",
    said: Annotated[str, Query(max_length=300, include_in_schema=False)] = "",
) -> ModelsPage:
    """Show what a `threshold` makes of a record's volume, and the meshes and prints that were asked for."""
    record, folder = demand_kept_record(request_context, id)
    fields = {"threshold": threshold, "dark": dark, "smooth": smooth, "whole": whole, "up": up}
    with request_context.catalogue.reading() as connection:
        jobs = models_asked(connection, id)
    problem, shown, preview = "", None, None
    try:
        demand_volume(id, folder)
        makes = True
        preview = preview_of(record, folder, fields)
        shown = _shown(request_context, id, preview, record, fields)
    except InputError as refused:
        makes = isinstance(refused, ParameterError) or volume_path(record) is not None
        problem = f"{refused}."
    script = built("models")
    return ModelsPage(
        title=Sentence(TITLE, title=record.title),
        id=id,
        unit=record.volume.get("unit") or "",
        asked=tuple(_asked_model(request_context, id, job) for job in jobs),
        shown=shown,
        problem=problem,
        record=request_context.link("record", {"id": id}),
        values={name: text for name, text in fields.items() if text},
        labels=LABELS,
        bars=_bars(record, preview.threshold if preview else None),
        calibrated=bool(record.volume.get("voxel_m")),
        makes=makes,
        published=record.publication is not None,
        busy=any(job.state in ("waiting", "running") for job in jobs),
        said=said,
        script=request_context.link("static", {"path": script}) if script else "",
    )


def demand_kept_record(request_context: RequestContext, id: str) -> tuple[Record, Path]:
    """Find a record that the reader keeps, with its folder.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    tuple of Record and Path
        As `RequestContext.record`.

    Raises
    ------
    HTTPException
        403: the reader may not change it, or its files are closed. 404: there is none that the reader sees.
    """
    record, folder = request_context.record(id)
    try:
        with request_context.catalogue.reading() as connection:
            place_for(connection, request_context.reader, id)
    except NotAllowed as problem:
        raise HTTPException(403, f"{problem}.") from problem
    return record, folder


def preview_of(record: Record, folder: Path, fields: Mapping[str, str]) -> BodyPreview:
    """Look at what a form makes the body; raises InputError where that is nothing, or a field cannot be read."""
    request = read_model_request("print", {name: text for name, text in fields.items() if text})
    assert request.how is not None
    return body_preview(folder / str(volume_path(record)), request.wish, request.how.up)


def _shown(
    request_context: RequestContext, id: str, preview: BodyPreview, record: Record, fields: Mapping[str, str]
) -> Shown:
    unit = record.volume.get("unit") or ""
    words = Sentence(
        BELOW if fields["dark"] else ABOVE,
        threshold=" ".join(filter(None, (f"{preview.threshold:.4g}", unit))),
        source=Sentence(BY_OTSU if preview.found else GIVEN),
        share=f"{100 * preview.share:.3g} %",
        voxels=" × ".join(map(str, preview.shape[::-1])),
    )
    hints = []
    if preview.pieces is not None and preview.largest < 0.995:
        hints.append(Sentence(IN_PIECES, pieces=preview.pieces, share=f"{100 * preview.largest:.2g} %"))
    if preview.at_edge > 0.02:
        hints.append(Sentence(AT_EDGE, share=f"{100 * preview.at_edge:.2g} %"))
    pictures = {
        name: request_context.link("models.preview", {"id": id, "name": name}, dict(fields))
        for name in ("slice", "silhouette")
    }
    return Shown(f"{preview.threshold:.6g}", words, pictures["slice"], pictures["silhouette"], tuple(hints))


def _bars(record: Record, threshold: float | None) -> Bars | None:
    if not histogram.HISTOGRAM.shows(record):
        return None
    stored = record.volume["histogram"]
    low, high = float(stored["edges"][0]), float(stored["edges"][-1])

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.3f}"

    return Bars(
        histogram.outline(stored["counts"], "log"),
        low,
        high,
        place(threshold) if threshold is not None and low <= threshold <= high else "",
        tuple((place(value), text) for value, text in histogram.round_ticks(low, high)),
    )


def _asked_model(request_context: RequestContext, id: str, job: Row[Any]) -> AskedModel:
    role, fields = str(job.arguments["role"]), job.arguments["fields"]
    record_ids: Sequence[str] = job.made
    return AskedModel(
        number=job.number,
        role=role,
        name=fields.get("name", role),
        state=job.state,
        told=job.told,
        asked_by=job.asked_by,
        wanted=tuple(_words_of_request(fields)),
        address=request_context.link("record", {"id": record_ids[0]}) + "#meshes" if record_ids else "",
    )


def _words_of_request(fields: Mapping[str, str]) -> list[str]:
    ticks = ("dark", "whole", "overwrite", "keep_hollow", "largest_only", "no_plate")
    return [
        LABELS[name].lower() if name in ticks else f"{LABELS[name].lower()} {' / '.join(text.split(chr(10)))}"
        for name, text in fields.items()
        if name != "name" and name in LABELS
    ]


MODELS = Page(
    name="models",
    path="/records/{id}/models",
    json_path="/records/{id}/models.json",
    template="models.html",
    content=content,
)
