"""Uploads from a browser: files and folders become drafts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tomarium.catalogue.finish_upload import jobs_of_batches
from tomarium.catalogue.uploads import Uploads
from tomarium.portal.hdf5_browser import Hdf5Browser, hdf5_browser
from tomarium.portal.identity import may_upload
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.manage import FIELDS
from tomarium.portal.request_context import CurrentRequest
from tomarium.standards.licences import LICENCES

PIECE: Final = 16 << 20
"""Bytes of a request of the page: what a lost connection costs at most."""


@dataclass(frozen=True)
class UnderWay:
    """Uploads that are no record yet.

    Attributes
    ----------
    batch, title : str
        Its name in addresses; the title it was given, or "".
    begun : str
        ISO 8601.
    bytes : int
        Bytes that its files have when they are whole.
    state : str
        "sending", "whole" (nobody asked for the record yet), "waiting" or "running" (a worker makes it) or "failed".
    told : str
        Why no record could be made; else "".
    drop : str
        Address that takes it away, by POST.
    """

    batch: str
    title: str
    begun: str
    bytes: int
    state: str
    told: str
    drop: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class UploadPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    may : bool
        Whether who asks may upload.
    who : str
        Who asks; "" where nobody is signed in.
    largest, quota : int
        Bytes of the largest file that is taken, and bytes that one person may have under way.
    piece : int
        Bytes that the page sends, and has confirmed, at a time.
    under_way : tuple of UnderWay
        The newest first.
    values : dict of str to str
        Fields of the record, empty.
    licences : tuple of str
        Identifiers to choose from.
    origin : str
        Address of this portal, for the command line.
    hdf5 : Hdf5Browser or None
        What shows an HDF5 file before it is sent; None where it is not built.
    """

    title: str
    may: bool
    who: str
    largest: int
    quota: int
    piece: int
    under_way: tuple[UnderWay, ...]
    values: dict[str, str] = field(metadata=FOR_PEOPLE)
    licences: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    origin: str = field(metadata=FOR_PEOPLE)
    hdf5: Hdf5Browser | None = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> UploadPage:
    """Take files and folders from a browser, and tell which uploads are under way."""
    request, reader = request_context.request, request_context.reader
    uploads: Uploads = request.app.state.uploads
    may = may_upload(request)
    return UploadPage(
        title="Upload",
        may=may,
        who=reader.name,
        largest=uploads.largest,
        quota=uploads.quota,
        piece=PIECE,
        under_way=_under_way(request_context, uploads) if may else (),
        values=dict.fromkeys(FIELDS, ""),
        licences=tuple(LICENCES),
        origin=request_context.address("home").rstrip("/"),
        hdf5=hdf5_browser(request_context),
    )


def _under_way(request_context: CurrentRequest, uploads: Uploads) -> tuple[UnderWay, ...]:
    reader = request_context.reader
    jobs = jobs_of_batches(request_context.catalogue, reader)
    rows = []
    for batch in uploads.batches(reader):
        job = jobs.get(batch.id)
        begun = datetime.fromtimestamp(int(batch.made_utc), UTC).isoformat()
        state = ("whole" if job is None else job.state) if batch.whole else "sending"
        problem = job.told if job is not None and state == "failed" else ""
        drop = request_context.link("uploads.drop", {"batch": batch.id})
        rows.append(UnderWay(batch.id, batch.title, begun, batch.bytes, state, problem, drop))
    return tuple(rows)


UPLOAD = Page(
    name="upload",
    path="/upload",
    json_path="/upload.json",
    template="upload.html",
    content=content,
    menu="Upload",
    order=15,
    own=True,
    shown=may_upload,
)
