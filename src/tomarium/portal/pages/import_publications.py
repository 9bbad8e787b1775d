"""Where curators paste publications: references as BibTeX, RIS or JSON, and the records that they used."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import HTTPException

from tomarium.catalogue.import_publications import Imported
from tomarium.portal.administration import is_keeper
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class Done:
    """What became of a publication.

    Attributes
    ----------
    title, page, state : str
        Its title, the address of its document ("" where there is none), and "new", "changed", "same" or "failed".
    records : tuple of (str, str)
        Identifier and address of each record that it used.
    told : tuple of str
        What the text says otherwise, and why it failed.
    """

    title: str
    page: str
    state: str
    records: tuple[tuple[str, str], ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class ImportPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    done : tuple of Done
        What became of what was sent.
    problems : tuple of str
        Entries that could not be read, or why none could.
    text, data : str
        What was sent, where it could not be taken.
    """

    title: str
    done: tuple[Done, ...] = ()
    problems: tuple[str, ...] = ()
    text: str = field(default="", metadata=FOR_PEOPLE)
    data: str = field(default="", metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> ImportPage:
    """Show the form by which curators import publications."""
    if not is_keeper(request_context.request):
        raise HTTPException(403, "Publications are imported by curators. Sign in as one, or ask one.")
    return ImportPage("Import publications")


def content_of(
    context: RequestContext,
    results: list[Imported],
    problems: tuple[str, ...],
    text: str = "",
    data: str = "",
) -> ImportPage:
    """Tell what became of what was sent; arguments as the fields of `ImportPage`."""
    rows = tuple(
        Done(
            imported.title,
            context.link("document", {"id": imported.document}) if imported.document else "",
            imported.state,
            tuple((id, context.link("record", {"id": id})) for id in imported.records),
            (*imported.conflicts, *([imported.problem] if imported.problem else [])),
        )
        for imported in results
    )
    return ImportPage("Import publications", rows, problems, text, data)


IMPORT = Page(
    name="publications.import",
    path="/publications/import",
    json_path="/publications/import.json",
    template="import_publications.html",
    content=content,
)
