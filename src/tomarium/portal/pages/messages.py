"""Messages of visitors, for those whom they concern: owners of records, curators and administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tomarium.catalogue.messages import Message, messages_of
from tomarium.portal.identity import demand_scope
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class MessageRow:
    """A message.

    Attributes
    ----------
    number : int
        Its number.
    when, name, email, text, page : str
        When it came (ISO 8601), from whom, where an answer goes, what it says, and from which page.
    record, address : str
        Identifier and page of the record it asks about; "" where it is about the portal.
    answered : str
        Who has dealt with it.
    """

    number: int
    when: str
    name: str
    email: str
    text: str
    page: str
    record: str
    address: str
    answered: str


@dataclass(frozen=True)
class MessagesPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    messages : tuple of MessageRow
        Those that nobody has dealt with first.
    table : str
        Where all of them are as CSV; "" for who may not.
    """

    title: str
    messages: tuple[MessageRow, ...]
    table: str


def message_row(context: RequestContext, message: Message) -> MessageRow:
    """Give a message the address of its record."""
    return MessageRow(
        number=message.number,
        when=datetime.fromtimestamp(message.moment_utc, UTC).isoformat(timespec="seconds"),
        name=message.name,
        email=message.email,
        text=message.text,
        page=message.page,
        record=message.record,
        address=context.link("record", {"id": message.record}) if message.record else "",
        answered=message.answered,
    )


def content(request_context: CurrentRequest) -> MessagesPage:
    """List the messages that concern who asks: about their records; all for curators and administrators."""
    reader = demand_scope(request_context.request, "read")
    with request_context.catalogue.reading() as connection:
        messages = messages_of(connection, reader)
    table = request_context.link("messages.csv") if reader.role == "administrator" else ""
    return MessagesPage(
        "Messages", tuple(message_row(request_context, message) for message in messages), table
    )


MESSAGES = Page(
    name="messages",
    path="/messages",
    json_path="/messages.json",
    template="messages.html",
    content=content,
)
