"""The worksheet of a record: tasks made from its own volume, and their answers, to be printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import HTTPException, Query
from markupsafe import Markup

from tomarium.errors import FormatError, InputError
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.worksheets import worksheet_html
from tomarium.viewers.worksheet import LEVELS, worksheet


@dataclass(frozen=True)
class AskedTask:
    """A task.

    Attributes
    ----------
    title, text : str
        What it is about, and what is to be done.
    value, tolerance, unit, answer, way
        As in `viewers.worksheet.Task`; None and "" where answers are not shown.
    slices : tuple of int
        Slices along z that stand on the sheet for it.
    """

    title: str
    text: str
    value: float | None
    tolerance: float | None
    unit: str
    answer: str
    way: str
    slices: tuple[int, ...]


@dataclass(frozen=True)
class WorksheetPage:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Of the record.
    level, levels : str, tuple of LevelLink
        "pupil" or "student", and the switch.
    tasks : tuple of AskedTask
        In their order.
    left_out : tuple of str
        What could not be asked of this record, and why.
    answers : bool
        Whether the answers are shown.
    html : Markup
        The sheets.
    parts : str
        "bright" or "dark": what is asked about; "" where nothing stands out.
    record, other, other_parts : str
        Addresses of the record's page, of this page with or without the answers, and of this page about the dark parts
        where it is about the bright ones, and the other way round.
    """

    title: str
    id: str
    level: str
    levels: tuple[LevelLink, ...] = field(metadata=FOR_PEOPLE)
    tasks: tuple[AskedTask, ...]
    left_out: tuple[str, ...]
    answers: bool
    parts: str
    html: Markup = field(metadata=FOR_PEOPLE)
    record: str = field(metadata=FOR_PEOPLE)
    other: str = field(metadata=FOR_PEOPLE)
    other_parts: str = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    id: str,
    answers: Annotated[bool, Query(description="Whether the answers are shown; false for pupils")] = True,
    parts: Annotated[
        Literal["", "bright", "dark"],
        Query(description="What is asked about; by default dark where the specimen fills the slices"),
    ] = "",
) -> WorksheetPage:
    """Ask tasks of the volume of a record, for `level=pupil` or `student`, with answers computed from it."""
    record, folder = request_context.record(id)
    asked_level = level_of(request_context.request)
    level = asked_level if asked_level in LEVELS else "student"
    try:
        sheet = worksheet(record, folder, level, parts)
    except FormatError:
        raise
    except InputError as problem:
        raise HTTPException(404, f"There is no worksheet of this record: {problem}.") from problem

    def where(index: int) -> str:
        return request_context.link("picture", {"id": id, "viewer": "slices", "name": f"z-{index}.png"})

    level_query = {"level": asked_level} if "level" in request_context.request.query_params else {}
    asked_for = {**level_query, "parts": parts} if parts else level_query
    shown = {True: "true", False: "false"}
    source = (
        f"https://doi.org/{record.publication.doi}" if record.publication and record.publication.doi else ""
    )
    return WorksheetPage(
        title=sheet.title,
        id=id,
        level=level,
        levels=tuple(level_link for level_link in level_links(request_context) if level_link.level in LEVELS),
        tasks=tuple(
            AskedTask(
                task.title,
                task.text,
                task.value if answers else None,
                task.tolerance if answers else None,
                task.unit,
                task.answer if answers else "",
                task.way if answers else "",
                tuple(picture.index for picture in task.pictures),
            )
            for task in sheet.tasks
        ),
        left_out=sheet.left_out,
        answers=answers,
        parts=sheet.parts,
        html=worksheet_html(sheet, where, source=source, answers=answers),
        record=request_context.link("record", {"id": id}),
        other=request_context.link("worksheet", {"id": id}, {**asked_for, "answers": shown[not answers]}),
        other_parts=request_context.link(
            "worksheet",
            {"id": id},
            {
                **level_query,
                "answers": shown[answers],
                "parts": "bright" if (parts or sheet.parts) == "dark" else "dark",
            },
        ),
    )


WORKSHEET = Page(
    name="worksheet",
    path="/records/{id}/worksheet",
    json_path="/records/{id}/worksheet.json",
    template="worksheet.html",
    content=content,
    levels=True,
)
