"""What data are used where: which publications cite which records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import Query

from tomarium.catalogue.data_use import BY, grouped, uses_of_data
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.standards.identifiers import doi_address

By = Annotated[
    Literal["record", "publication", "facility", "instrument", "year"],
    Query(description="What it is ordered by"),
]


@dataclass(frozen=True)
class UseRow:
    """That a publication used a record.

    Attributes
    ----------
    publication, publication_page, doi, year, authors : str
        Title of the publication, address of its page, where its DOI leads, its year, and who wrote it.
    record, record_page : str
        Title of the record, and address of its page.
    instrument, facility : str
        Where it was measured.
    """

    publication: str
    publication_page: str
    doi: str
    year: str
    authors: str
    record: str
    record_page: str
    instrument: str
    facility: str


@dataclass(frozen=True)
class GroupRow:
    """What is told together.

    Attributes
    ----------
    name, page : str
        Its name, and the address of its page; "" where it has none.
    publications, records : int
        How many.
    uses : tuple of UseRow
        The last publication first.
    """

    name: str
    page: str
    publications: int
    records: int
    uses: tuple[UseRow, ...]


@dataclass(frozen=True)
class DataUsePage:
    """Content of the page.

    Attributes
    ----------
    title, by : str
        Of the page; what it is ordered by.
    publications, records : int
        How many publications use how many records.
    groups : tuple of GroupRow
        What is used most comes first; years backwards.
    csv : str
        Address of the same as CSV.
    orders : tuple of (str, str, str)
        What it can be ordered by, its name for people, and the address.
    """

    title: str
    by: str
    publications: int
    records: int
    groups: tuple[GroupRow, ...]
    csv: str
    orders: tuple[tuple[str, str, str], ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, by: By = "record") -> DataUsePage:
    """Tell which publications used which records, as far as the reader may see both."""
    with request_context.catalogue.reading() as connection:
        uses = uses_of_data(connection, request_context.reader)
    return DataUsePage(
        title="What data are used where",
        by=by,
        publications=len({use.publication for use in uses}),
        records=len({use.record for use in uses}),
        groups=tuple(
            GroupRow(
                group.name,
                _page(request_context, by, group.id),
                group.publications,
                group.records,
                tuple(
                    UseRow(
                        *(use.publication_title, request_context.link("document", {"id": use.publication})),
                        *(
                            doi_address(use.publication_doi) if use.publication_doi else "",
                            use.publication_year,
                        ),
                        *(use.authors, use.record_title, request_context.link("record", {"id": use.record})),
                        *(use.instrument, use.facility),
                    )
                    for use in group.uses
                ),
            )
            for group in grouped(uses, by)
        ),
        csv=request_context.link("data_use.csv", query={"by": by}),
        orders=tuple(
            (key, name, request_context.link("data_use", query={"by": key})) for key, name in BY.items()
        ),
    )


def _page(context: RequestContext, by: str, id: str) -> str:
    if by == "record":
        return context.link("record", {"id": id})
    if by == "publication":
        return context.link("document", {"id": id})
    return context.link("records", query={by: id}) if id and by != "year" else ""


DATA_USE = Page(
    name="data_use",
    path="/publications/report",
    json_path="/publications/report.json",
    template="data_use.html",
    content=content,
)
