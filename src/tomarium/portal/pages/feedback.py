"""Writing to those who run the portal, and to those whom a record belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query

from tomarium.portal.forms import own_path
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class FeedbackPage:
    """Content of the form.

    Attributes
    ----------
    title : str
        Of the page.
    record, record_title, back : str
        Identifier, title and page of the record that is asked about; "" where it is about the portal.
    page : str
        Path of the page that it is about.
    sent : bool
        Whether something was just sent.
    given : dict of str to str
        What was filled in.
    problem : str
        Why it was not taken.
    """

    title: str
    record: str
    record_title: str
    back: str
    page: str = field(metadata=FOR_PEOPLE)
    sent: bool = field(metadata=FOR_PEOPLE)
    given: dict[str, str] = field(default_factory=dict, metadata=FOR_PEOPLE)
    problem: str = field(default="", metadata=FOR_PEOPLE)


def page_of(context: RequestContext, record: str, *, page: str = "", sent: bool = False) -> FeedbackPage:
    """Make the form; raises HTTPException 404 where the reader may not see the record."""
    title, back = "", ""
    if record:
        title = context.seen(record)[0].title
        back = context.link("record", {"id": record})
    return FeedbackPage("Ask the scientist" if record else "Feedback", record, title, back, page, sent)


def content(
    request_context: CurrentRequest,
    page: Annotated[str, Query(max_length=500, description="Path of the page that it is about")] = "",
    sent: bool = False,
) -> FeedbackPage:
    """Show the form to write to those who run the portal."""
    return page_of(request_context, "", page=own_path(page) if page else "", sent=sent)


def ask_content(request_context: CurrentRequest, id: str, sent: bool = False) -> FeedbackPage:
    """Show the form to ask those whom a record belongs to; their addresses are not shown."""
    return page_of(request_context, id, sent=sent)


FEEDBACK = Page(
    name="feedback",
    path="/feedback",
    json_path="/feedback.json",
    template="feedback.html",
    content=content,
)
ASK = Page(
    name="record.ask",
    path="/records/{id}/ask",
    json_path="/records/{id}/ask.json",
    template="feedback.html",
    content=ask_content,
)
