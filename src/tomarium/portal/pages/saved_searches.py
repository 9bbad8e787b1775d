"""The searches that somebody who signed in has saved, and where their mails go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Query

from tomarium.catalogue.asked import read_spelled
from tomarium.catalogue.mail_addresses import mail_address_of
from tomarium.catalogue.saved_searches import EVERY, searches_of
from tomarium.portal.identity import identify
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class Row:
    """A saved search.

    Attributes
    ----------
    number : int
        In the catalogue.
    name, asked, every : str
        What it is called, what it asks for in words, and how often there is a mail.
    paused : bool
        Whether no mail comes.
    since : str
        Since when records are new to it, ISO 8601.
    page, feed : str
        Addresses of what it finds, and of the feed of that.
    """

    number: int
    name: str
    asked: str
    every: str
    paused: bool
    since: str
    page: str
    feed: str


@dataclass(frozen=True)
class SearchesPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    searches : tuple of Row
        The oldest first.
    address : str
        Where the mails go; "" where none was told.
    confirmed : bool
        Whether the link in the first mail was followed.
    sends : bool
        Whether this portal sends mail at all.
    every : tuple of (str, str)
        How often there can be a mail, and words for it.
    said : str
        What was just done.
    account : bool
        Whether who asks has an account: the owner of this machine, where there is none, has not.
    """

    title: str
    searches: tuple[Row, ...]
    address: str
    confirmed: bool
    sends: bool
    every: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    account: bool = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> SearchesPage:
    """List the searches that who signed in has saved, and where the mails go."""
    identity = identify(request_context.request)
    if identity.way == "nobody" or "read" not in identity.scopes:
        raise HTTPException(401, "Saved searches belong to an account. Sign in to see yours.")
    name = identity.reader.name
    with request_context.catalogue.reading() as connection:
        address, searches = mail_address_of(connection, name), searches_of(connection, name)
    records, feed = request_context.link("records"), request_context.link("records.atom")
    return SearchesPage(
        title="Saved searches",
        searches=tuple(
            Row(
                search.number,
                search.name,
                read_spelled(search.asked).title,
                search.every,
                search.paused,
                datetime.fromtimestamp(int(search.since_utc), UTC).isoformat(),
                f"{records}?{search.asked}".removesuffix("?"),
                f"{feed}?{search.asked}".removesuffix("?"),
            )
            for search in searches
        ),
        address=address.address if address else "",
        confirmed=bool(address and address.confirmed),
        sends=bool(request_context.settings["smtp_host"]),
        every=tuple((key, words) for key, (words, _) in EVERY.items()),
        said=said[:300],
        account=identity.way != "owner",
    )


SEARCHES = Page(
    name="account.searches",
    path="/account/searches",
    json_path="/account/searches.json",
    template="saved_searches.html",
    content=content,
)
