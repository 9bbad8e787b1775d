"""The tables of pages of text and of messages that visitors write; they are durable, as those of `tables.py`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, Index, Table, Text

from tomarium.catalogue.tables import Whole, metadata

page_texts: Final = Table(
    "page_text",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("name", Text, nullable=False),  # "pages/faq", "news/open-day"
    Column("language", Text, nullable=False),
    Column("moment_utc", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("source", Text, nullable=False),  # Markdown with its head; "": taken away
    Column("remark", Text, nullable=False),
    Column("draft", Whole, nullable=False),  # 1: only editors see it
)
page_texts_by_name: Final = Index(
    "page_text_name", page_texts.c.name, page_texts.c.language, page_texts.c.number
)

messages: Final = Table(
    "message",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("moment_utc", Float, nullable=False),
    Column("record", Text, nullable=False),  # which it asks about; "": it is about the portal
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("page", Text, nullable=False),  # path of the page it is about, "" where none is told
    Column("network", Text, nullable=False),  # it came from, until it counts no more for how many may come
    Column("answered", Text, nullable=False),  # who has dealt with it; "": nobody
)
messages_of_record: Final = Index("message_record", messages.c.record)
