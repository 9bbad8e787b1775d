"""One slice of a scan with sliders for axis, phase, rings and region; each change asks a worker for a slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any, Final

from fastapi import Query
from sqlalchemy import Row

from tomarium import units
from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT
from tomarium.beamtime.work_settings import OF_THE_VOLUME, WorkSettings, changes_between, settings_of
from tomarium.catalogue.find_jobs import own_jobs
from tomarium.errors import TomariumError
from tomarium.model.sentence import Sentence, joined
from tomarium.portal import work_words
from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.step_forms import StepForm, step_forms, steps_in_words
from tomarium.portal.work_requests import (
    OPEN,
    Progress,
    demand_worker_member,
    facts_of_job,
    first_slice,
    named_scan,
    own_job,
    progress_of,
    worker_words,
)
from tomarium.steps.core.serialization import find_step

COMPARED: Final = 8
"""Earlier slices that are offered for a comparison."""


@dataclass(frozen=True)
class Fact:
    """A fact of the scan.

    Attributes
    ----------
    label, shown : str
        What it is, and its value in words.
    """

    label: str
    shown: str


@dataclass(frozen=True)
class Candidate:
    """A column of the rotation axis that is tried.

    Attributes
    ----------
    column : float
        From 0.
    picture : str
        Address of the slice about it.
    found : bool
        Whether it is the one that was found or given.
    """

    column: float
    picture: str = field(metadata=FOR_PEOPLE)
    found: bool


@dataclass(frozen=True)
class Strip:
    """Slices about several columns of the axis.

    Attributes
    ----------
    job : int
        Number of the job.
    progress : Progress
        How far it is.
    words : str
        Where the axis is, and with which confidence.
    candidates : tuple of Candidate
        From the lowest column on; none where it is not done.
    side : int
        Pixels of each.
    """

    job: int
    progress: Progress
    words: str
    candidates: tuple[Candidate, ...]
    side: int


@dataclass(frozen=True)
class Look:
    """The slice that is shown.

    Attributes
    ----------
    job : int
        Number of the job.
    progress : Progress
        How far it is.
    picture, pattern : str
        Address of the slice, and of the slice in any grey window (LOW, HIGH); "" where it is not done.
    width, height : int
        Voxels of the slice, as many as there are without binning.
    drawn : tuple of int
        Voxels that the picture covers, across and down: less where some were averaged and a few are left over.
    row, last_row : int
        Detector row, from 0; the last of those that were averaged, which is the same without binning.
    axis : str
        Where the rotation axis is, and how that is known.
    place : str
        What a voxel is, and whether voxels were averaged for the picture.
    unit : str
        Of the grey values.
    window, values : tuple of float
        Grey values drawn black and white; the least and the greatest.
    region : tuple of int or None
        First column and row, width and height of what is reconstructed.
    warnings : tuple of str
        What the user should know.
    """

    job: int
    progress: Progress
    picture: str = field(metadata=FOR_PEOPLE)
    pattern: str = field(metadata=FOR_PEOPLE)
    width: int
    height: int
    drawn: tuple[int, int] = field(metadata=FOR_PEOPLE)
    row: int
    last_row: int
    axis: str
    place: str
    unit: str
    window: tuple[float, float]
    values: tuple[float, float]
    region: tuple[int, int, int, int] | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Other:
    """An earlier slice of the same visit.

    Attributes
    ----------
    words : str
        What it differs in from the one that is shown.
    address : str
        The comparison of the two.
    """

    words: str
    address: str


@dataclass(frozen=True)
class Typed:
    """What a form was sent with that was refused, and why."""

    settings: WorkSettings
    problem: str
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class WorkSlicePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Title of the record, or name of the file.
    scan : str
        "record:ID" or "path:…".
    record : str
        Address of the record's page; "" for a file.
    facts : tuple of Fact
        Of the scan; none before a worker has opened it.
    notes : tuple of str
        What was said when the scan was opened.
    rows, columns : int
        Of the detector; 0 where they are not known yet.
    middle : float
        Column in the middle of the slider of the axis.
    strip : Strip or None
        Candidates of the axis, where they were asked for.
    look : Look or None
        The slice, where one was asked for.
    settings : mapping of str to str
        The fields of the form.
    low, high : str
        Grey window that was chosen, "" for the usual one.
    pixel, energy, distance : str
        Of the scan, as fields show what they take by themselves.
    methods : tuple of str
        Ways to remove rings.
    further : tuple of StepForm
        Steps that were added, with their parameters.
    offered : mapping of str to str
        Steps that can be added: name → what each does.
    problem : str
        Why what was sent was refused, or why the last slice could not be made; "" else.
    protocol, command : str
        YAML of the protocol, and the command that makes the same volume; "" before a slice was made.
    others : tuple of Other
        Earlier slices.
    worker, reconstructor : str
        That nobody takes slices, or volumes; "" where all is well.
    session : str
        Name of this visit.
    axes, shown : int
        Numbers of the jobs; 0 for none.
    waits : bool
        Whether something is under way that the page waits for.
    script : str
        Address of the script; "" where it is not built.
    """

    title: str
    scan: str
    record: str = field(metadata=FOR_PEOPLE)
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    rows: int
    columns: int
    middle: float = field(metadata=FOR_PEOPLE)
    strip: Strip | None
    look: Look | None
    settings: Mapping[str, str]
    low: str
    high: str
    pixel: str = field(metadata=FOR_PEOPLE)
    energy: str = field(metadata=FOR_PEOPLE)
    distance: str = field(metadata=FOR_PEOPLE)
    methods: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    further: tuple[StepForm, ...] = field(metadata=FOR_PEOPLE)
    offered: Mapping[str, str] = field(metadata=FOR_PEOPLE)
    problem: str
    protocol: str
    command: str
    others: tuple[Other, ...] = field(metadata=FOR_PEOPLE)
    worker: str
    reconstructor: str
    session: str = field(metadata=FOR_PEOPLE)
    axes: int
    shown: int
    waits: bool
    script: str = field(metadata=FOR_PEOPLE)


Number = Annotated[int, Query(ge=0, description="Number of a job; 0 for none")]
Window = Annotated[str, Query(max_length=40, description="Grey value; the usual window without it")]


def content(
    request_context: CurrentRequest,
    scan: Annotated[str, Query(max_length=1000, description="record:ID, or path:/folder/file")],
    look: Number = 0,
    axes: Number = 0,
    low: Window = "",
    high: Window = "",
    session: Annotated[str, Query(max_length=40, description="Name of the visit")] = "",
) -> WorkSlicePage:
    """Show a slice of a raw scan with all that is set for it, and candidates of the rotation axis.

    A visit without a slice begins with one: it is asked for where who looks may ask.
    """
    return content_of(request_context, scan, look, axes, (low, high), session)


def content_of(
    request_context: RequestContext,
    scan: str,
    look: int = 0,
    axes: int = 0,
    window: tuple[str, str] = ("", ""),
    session: str = "",
    typed: Typed | None = None,
) -> WorkSlicePage:
    """Make the content of the page; with what was typed and refused, where something was."""
    demand_worker_member(request_context)
    title = named_scan(request_context, scan)
    shown, strip = (own_job(request_context, n, PREVIEW) if n else None for n in (look, axes))
    session = session or (shown.arguments["session"] if shown else token_hex(6))
    if shown is None and typed is None:
        begun = settings_of(strip.arguments["settings"] if strip else {})
        shown = first_slice(request_context, scan, begun, session)
        look = shown.number if shown else 0
    facts_shown, facts_strip = (facts_of_job(request_context, job) for job in (shown, strip))
    scan_facts = (facts_strip or facts_shown or {}).get("scan", {})
    settings = typed.settings if typed else settings_of(shown.arguments["settings"] if shown else {})
    if typed is None and shown is None and strip is not None:
        settings = settings_of(strip.arguments["settings"])
    window = (typed.low, typed.high) if typed else window
    failed = next((job.told for job in (shown, strip) if job is not None and job.state == "failed"), "")
    slice_facts = facts_shown or {}
    script = built("work")
    return WorkSlicePage(
        title=title,
        scan=scan,
        record=request_context.link("record", {"id": scan.partition(":")[2]})
        if scan.startswith("record:")
        else "",
        facts=tuple(
            Fact(label, work_words.frames_told(shown)) for label, shown in scan_facts.get("pairs", ())
        ),
        notes=tuple(scan_facts.get("warnings", ())),
        rows=int(scan_facts.get("rows", 0)),
        columns=int(scan_facts.get("columns", 0)),
        middle=_middle(scan_facts, facts_strip or facts_shown),
        strip=_strip(request_context, strip, facts_strip),
        look=_look(request_context, shown, facts_shown, window),
        settings=settings.texts,
        low=window[0],
        high=window[1],
        pixel=_words(scan_facts.get("pixel_m"), "m"),
        energy=_words(scan_facts.get("energy_kev"), "keV"),
        distance=_words(scan_facts.get("distance_m"), "m"),
        methods=_methods(),
        further=step_forms(settings.further),
        offered=steps_in_words(),
        problem=typed.problem if typed else failed,
        protocol=str(slice_facts.get("yaml", "")),
        command=str(slice_facts.get("command", "")),
        others=_others(request_context, session, scan, shown, window),
        worker=worker_words(request_context, PREVIEW),
        reconstructor=worker_words(request_context, RECONSTRUCT),
        session=session,
        axes=axes,
        shown=look,
        waits=any(job is not None and job.state in OPEN for job in (shown, strip)),
        script=request_context.link("static", {"path": script}) if script else "",
    )


def _middle(scan_facts: Mapping[str, Any], facts: Mapping[str, Any] | None) -> float:
    """Return the column about which the axis is looked for by a slider."""
    column = (facts or {}).get("axis_column")
    return (scan_facts.get("columns", 0) - 1) / 2 if column is None else float(column)


def _words(value: float | None, unit: str) -> str:
    return "" if value is None else units.show(value, unit)


def _methods() -> tuple[str, ...]:
    """List the ways to remove rings, from the step itself."""
    return tuple(
        str(choice)
        for parameter in find_step("remove_stripes").parameters
        if parameter.name == "method"
        for choice in parameter.choices
    )


def _strip(
    request_context: RequestContext, job: Row[Any] | None, facts: Mapping[str, Any] | None
) -> Strip | None:
    if job is None:
        return None
    progress = progress_of(request_context, job)
    if facts is None:
        return Strip(job.number, progress, "", (), 0)
    low, high = facts["window"]
    told = [Sentence(facts["axis_source"])]
    if facts["confidence"] not in ("given", "unknown"):
        told.append(Sentence(f"with {facts['confidence']} confidence"))
    column = f"{facts['axis_column']:.2f}"
    words = Sentence(work_words.ROW_AND_COLUMN, row=facts["row"], column=column, source=joined(told, " "))
    return Strip(
        job.number,
        progress,
        joined([words, *facts["warnings"]], "; "),
        tuple(
            Candidate(
                column,
                _picture(request_context, job.number, number, f"{low:.6g}", f"{high:.6g}"),
                abs(column - facts["axis_column"]) < 1e-3,
            )
            for number, column in enumerate(facts["columns"])
        ),
        facts["shape"][0],
    )


def _picture(request_context: RequestContext, job: int, number: int, low: str, high: str) -> str:
    parts = {"number": str(job), "index": str(number)}
    return request_context.link("work.picture", parts, {"low": low, "high": high})


def _look(
    request_context: RequestContext,
    job: Row[Any] | None,
    facts: Mapping[str, Any] | None,
    window: tuple[str, str],
) -> Look | None:
    if job is None:
        return None
    progress = progress_of(request_context, job)
    if facts is None:
        return Look(
            job.number, progress, "", "", 0, 0, (0, 0), 0, 0, "", "", "", (0.0, 1.0), (0.0, 1.0), None, ()
        )  # fmt: skip
    low, high = grey_window(facts, window)
    height, width = facts["full"]
    rows, columns = facts.get("binning", (1, 1))
    return Look(
        job=job.number,
        progress=progress,
        picture=_picture(request_context, job.number, 0, f"{low:.6g}", f"{high:.6g}"),
        pattern=_picture(request_context, job.number, 0, "LOW", "HIGH"),
        width=width * columns,
        height=height * columns,
        drawn=(facts["shape"][1] * facts["factor"] * columns, facts["shape"][0] * facts["factor"] * columns),
        row=facts["row"],
        last_row=facts["row"] + rows - 1,
        axis=work_words.axis_of(facts),
        place=work_words.place_of(facts),
        unit=facts["unit"],
        window=(low, high),
        values=(facts["values"][0], facts["values"][1]),
        region=_region(settings_of(job.arguments["settings"])),
        warnings=tuple(facts["warnings"]),
    )


def grey_window(facts: Mapping[str, Any], window: tuple[str, str]) -> tuple[float, float]:
    """Read a grey window; the usual one of the slice where none is given, or what is given is none."""
    usual = (float(facts["window"][0]), float(facts["window"][1]))
    try:
        low, high = (float(text) if text else value for text, value in zip(window, usual, strict=True))
    except ValueError:
        return usual
    return (low, high) if -1e30 < low < high < 1e30 else usual


def _region(settings: WorkSettings) -> tuple[int, int, int, int] | None:
    try:
        if settings.region is None:
            return None
        x0, x1, y0, y1 = (int(text) for text in (settings.x0, settings.x1, settings.y0, settings.y1))
    except (TomariumError, ValueError):
        return None
    return x0, y0, x1 - x0, y1 - y0


def _others(
    request_context: RequestContext,
    session: str,
    scan: str,
    shown: Row[Any] | None,
    window: tuple[str, str],
) -> tuple[Other, ...]:
    """Offer the earlier slices of this visit that differ from the one that is shown."""
    if shown is None or shown.state != "done" or not session:
        return ()
    with request_context.catalogue.reading() as connection:
        jobs = own_jobs(connection, request_context.reader, PREVIEW, 100)
    settings, offers, listed = settings_of(shown.arguments["settings"]), [], set()
    for job in jobs:
        arguments = job.arguments
        of_this_visit = (arguments["session"], arguments["scan"], arguments["what"]) == (
            session,
            scan,
            "slice",
        )
        if not of_this_visit or job.state != "done" or job.number == shown.number:
            continue
        changes = changes_between(settings_of(arguments["settings"]), settings)
        texts = [joined([name, text], ": ") for name, text, _ in changes if name not in OF_THE_VOLUME]
        words = joined(texts, ", ")
        if words and words not in listed:
            listed.add(words)
            query = {"a": str(job.number), "b": str(shown.number), "low": window[0], "high": window[1]}
            offers.append(Other(words, request_context.link("work.compare", query=query)))
    return tuple(offers[:COMPARED])


WORK_SLICE = Page(
    name="work.slice",
    path="/reconstruct/slice",
    json_path="/reconstruct/slice.json",
    template="work_slice.html",
    content=content,
)
