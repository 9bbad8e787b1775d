"""A newsletter about the records that were published lately, for curators to copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import HTTPException, Query

from tomarium.catalogue.newsletter import (
    FORMS,
    Newsletter,
    make_newsletter,
    read_day,
    write_newsletter,
)
from tomarium.portal.administration import is_keeper
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

USUAL = timedelta(days=30)


@dataclass(frozen=True)
class NewsletterPage:
    """Content of the page.

    Attributes
    ----------
    title, since, until : str
        Of the page; the first and the last day, ISO 8601.
    newsletter : Newsletter
        What it tells.
    texts : tuple of (str, str)
        Name of a form, and the newsletter in it.
    """

    title: str
    since: str
    until: str
    newsletter: Newsletter
    texts: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    since: Annotated[str, Query(max_length=20, description="The first day; 30 days ago by default")] = "",
    until: Annotated[str, Query(max_length=20, description="The last day; today by default")] = "",
) -> NewsletterPage:
    """Write a newsletter about the records that were published within some days; for curators."""
    if not is_keeper(request_context.request):
        raise HTTPException(403, "The newsletter is written by curators. Sign in as one.")
    today = datetime.now(UTC).date()
    first, last = read_day(since) if since else today - USUAL, read_day(until) if until else today
    home = request_context.address("home").rstrip("/")
    newsletter = make_newsletter(request_context.catalogue, first, last, home)
    return NewsletterPage(
        title="Newsletter",
        since=first.isoformat(),
        until=last.isoformat(),
        newsletter=newsletter,
        texts=tuple((form, write_newsletter(newsletter, form)) for form in FORMS),
    )


NEWSLETTER = Page(
    name="newsletter",
    path="/newsletter",
    json_path="/newsletter.json",
    template="newsletter.html",
    content=content,
)
