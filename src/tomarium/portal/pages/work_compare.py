"""Two slices of one scan with other settings, side by side in the same greys, with one cursor in both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import HTTPException, Query

from tomarium.beamtime.work_jobs import PREVIEW
from tomarium.beamtime.work_settings import changes_between, settings_of
from tomarium.model.sentence import Sentence
from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.work_slice import grey_window
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.work_requests import demand_worker_member, facts_of_job, own_job
from tomarium.portal.work_words import AXIS_AT, NO_AXIS

FIELD: Final = 1000
"""Side of the drawing that a slice is put into, in units of its own."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes
    ----------
    job, row : int
        Number of the job, and the detector row that it shows.
    axis : str
        Where the rotation axis is.
    picture, page : str
        Addresses of the slice, and of the page that goes on from it.
    box : tuple of float
        Left, top, width and height of the slice in the drawing.
    """

    job: int
    row: int
    axis: str
    picture: str = field(metadata=FOR_PEOPLE)
    page: str = field(metadata=FOR_PEOPLE)
    box: tuple[float, float, float, float] = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Change:
    """A field that differs.

    Attributes
    ----------
    label, one, other : str
        What it is, and what each has.
    """

    label: str
    one: str
    other: str


@dataclass(frozen=True)
class WorkComparePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    scan : str
        "record:ID" or "path:…".
    sides : tuple of Side
        Two.
    changes : tuple of Change
        What they differ in.
    window : tuple of float
        Grey values drawn black and white in both.
    unit : str
        Of them.
    back, swapped : str
        Addresses of the page of the scan, and of this page with the sides changed.
    script : str
        Address of the script; "" where it is not built.
    """

    title: str
    scan: str
    sides: tuple[Side, ...]
    changes: tuple[Change, ...]
    window: tuple[float, float]
    unit: str
    back: str = field(metadata=FOR_PEOPLE)
    swapped: str = field(metadata=FOR_PEOPLE)
    script: str = field(metadata=FOR_PEOPLE)


Number = Annotated[int, Query(ge=1, description="Number of a job of who asks")]
Window = Annotated[str, Query(max_length=40, description="Grey value; that of the first slice without it")]


def content(
    request_context: CurrentRequest, a: Number, b: Number, low: Window = "", high: Window = ""
) -> WorkComparePage:
    """Compare two slices of a scan: the same greys, and what was set otherwise."""
    demand_worker_member(request_context)
    jobs = [own_job(request_context, number, PREVIEW) for number in (a, b)]
    facts = [facts_of_job(request_context, job) for job in jobs]
    if facts[0] is None or facts[1] is None or any(job.arguments["what"] != "slice" for job in jobs):
        raise HTTPException(
            404, "One of the two slices is not there any more, or is not made yet. Ask for it again."
        )
    if jobs[0].arguments["scan"] != jobs[1].arguments["scan"]:
        raise HTTPException(404, "The two are slices of two scans; this page compares settings for one.")
    scan, window = str(jobs[0].arguments["scan"]), grey_window(facts[0], (low, high))
    greys = {"low": f"{window[0]:.6g}", "high": f"{window[1]:.6g}"}
    settings = [settings_of(job.arguments["settings"]) for job in jobs]
    script = built("compare")
    sides = []
    for job, fact in zip(jobs, facts, strict=True):
        assert fact is not None
        longest = max(fact["full"])
        height, width = (FIELD * length / longest for length in fact["full"])
        query = {"scan": scan, "session": job.arguments["session"], "look": str(job.number)}
        column = fact["axis_column"]
        sides.append(
            Side(
                job.number,
                fact["row"],
                NO_AXIS if column is None else Sentence(AXIS_AT, column=f"{column:.2f}"),
                request_context.link("work.picture", {"number": str(job.number), "index": "0"}, greys),
                request_context.link("work.slice", query=query),
                tuple(round(v, 2) for v in ((FIELD - width) / 2, (FIELD - height) / 2, width, height)),
            )
        )
    return WorkComparePage(
        title="Two settings for one scan",
        scan=scan,
        sides=tuple(sides),
        changes=tuple(
            Change(name, text, other_text) for name, text, other_text in changes_between(*settings)
        ),
        window=window,
        unit=facts[0]["unit"],
        back=sides[1].page,
        swapped=request_context.link("work.compare", query={"a": str(b), "b": str(a)}),
        script=request_context.link("static", {"path": script}) if script else "",
    )


WORK_COMPARE = Page(
    name="work.compare",
    path="/reconstruct/compare",
    json_path="/reconstruct/compare.json",
    template="work_compare.html",
    content=content,
)
